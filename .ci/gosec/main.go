// Gosec runs the rules of github.com/securego/gosec over the packages below the working directory, and prints each finding
// as a line. It exits with 1 if there is one. What is not a fault is explained where it stands: "//nolint:gosec // G115: why".
//
// Gosec's own command does the same, but is linked with the clients of four makers of language models, which takes longer to
// build than all that is checked here.
package main

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/securego/gosec/v2"
	"github.com/securego/gosec/v2/analyzers"
	"github.com/securego/gosec/v2/issue"
	"github.com/securego/gosec/v2/rules"
)

// left are the rules that others look after better: unchecked errors are errcheck's, which knows what may be ignored.
var left = []string{"G104"}

func main() {
	findings, err := check()
	for _, f := range findings {
		fmt.Println(f)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "gosec:", err)
	}
	if err != nil || len(findings) > 0 {
		os.Exit(1)
	}
}

// check is what gosec finds, one line each, in the order of files.
func check() ([]string, error) {
	dirs, err := gosec.PackagePaths("./...", []*regexp.Regexp{regexp.MustCompile(`(^|/)(\.ci|testdata)(/|$)`)})
	if err != nil {
		return nil, err
	}
	a := gosec.NewAnalyzer(gosec.NewConfig(), false, true, false, runtime.NumCPU(), log.New(io.Discard, "", 0))
	a.LoadRules(rules.Generate(false, rules.NewRuleFilter(true, left...)).RulesInfo())
	a.LoadAnalyzers(analyzers.Generate(false, analyzers.NewAnalyzerFilter(true, left...)).AnalyzersInfo())
	if err := a.Process(nil, dirs...); err != nil {
		return nil, err
	}
	issues, _, faults := a.Report()
	for file, f := range faults {
		return nil, fmt.Errorf("%s: %v", file, f)
	}
	wd, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	var out []string
	for _, i := range issues {
		ok, err := explained(i)
		if err != nil {
			return nil, err
		}
		if ok {
			continue
		}
		name, err := filepath.Rel(wd, i.File)
		if err != nil {
			return nil, err
		}
		out = append(out, fmt.Sprintf("%s:%s: %s: %s", name, i.Line, i.RuleID, i.What))
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// explanation is how a line says why what gosec finds in it is no fault.
var explanation = regexp.MustCompile(`//nolint:gosec // ([G0-9, ]+): \S`)

// explained reports whether one of the lines of a finding explains it.
func explained(i *issue.Issue) (bool, error) {
	text, err := os.ReadFile(i.File)
	if err != nil {
		return false, err
	}
	first, last, ok := strings.Cut(i.Line, "-")
	if !ok {
		last = first
	}
	from, err := strconv.Atoi(first)
	if err != nil {
		return false, err
	}
	to, err := strconv.Atoi(last)
	if err != nil {
		return false, err
	}
	for n, line := range bytes.Split(text, []byte("\n")) {
		m := explanation.FindSubmatch(line)
		if n+1 >= from && n+1 <= to && m != nil && slices.Contains(strings.Split(string(m[1]), ", "), i.RuleID) {
			return true, nil
		}
	}
	return false, nil
}
