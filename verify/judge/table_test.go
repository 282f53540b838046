package judge

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/verimails/verimaild/pool"
	"github.com/verimails/verimaild/pool/provider"
	"github.com/verimails/verimaild/pool/reply"
	"github.com/verimails/verimaild/pool/smtp"
	"github.com/verimails/verimaild/verify/verdict"
)

// A line is a line of testdata/decisions.tsv.
type line struct {
	no     int
	name   string
	facts  Facts
	next   Step
	expect Decision
}

// decisions reads the table.
func decisions(t testing.TB) []line {
	t.Helper()
	f, err := os.Open("testdata/decisions.tsv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []line
	names := map[string]bool{}
	sc := bufio.NewScanner(f)
	for no := 1; sc.Scan(); no++ {
		if sc.Text() == "" || sc.Text()[0] == '#' {
			continue
		}
		l, err := parseLine(sc.Text())
		if err != nil {
			t.Fatalf("decisions.tsv:%d: %v", no, err)
		}
		if names[l.name] {
			t.Fatalf("decisions.tsv:%d: there is another row %q", no, l.name)
		}
		names[l.name] = true
		l.no = no
		out = append(out, l)
	}
	if err := sc.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

func parseLine(text string) (l line, err error) {
	cells := strings.Split(text, "\t")
	if len(cells) != 7 {
		return l, fmt.Errorf("%d cells, want 7", len(cells))
	}
	l.name = cells[0]
	if l.facts, err = parseFacts(cells[1]); err != nil {
		return l, err
	}
	steps := map[string]Step{
		"-": Done, "control": AskControl, "second": AskSecond, "fresh": AskFresh, "elsewhere": AskElsewhere, "postmaster": AskPostmaster,
	}
	tris := map[string]verdict.Tri{"-": verdict.Undetermined, "yes": verdict.True, "no": verdict.False}
	step, stepOK := steps[cells[2]]
	tri, triOK := tris[cells[4]]
	reason, err := verdict.ParseReason(cells[3])
	if !stepOK || !triOK || err != nil {
		return l, fmt.Errorf("%q, %q, %q: not what may stand there", cells[2], cells[3], cells[4])
	}
	l.next = step
	l.expect = Decision{Reason: reason, CatchAll: tri, Tested: verdict.AcceptAll(cells[5])}
	for word := range strings.FieldsSeq(cells[6]) {
		switch word {
		case "-":
		case "learned":
			l.expect.Learned = true
		case "cut_short":
			l.expect.CutShort = true
		case "silenced":
			l.expect.Silenced = true
		default:
			return l, fmt.Errorf("then: unknown word %q", word)
		}
	}
	return l, nil
}

func parseFacts(text string) (f Facts, err error) {
	f.Mode = provider.ModeProbe
	flags := map[string]*bool{
		"listed": &f.Listed, "doubted": &f.Doubted, "wavering": &f.Wavering, "suspected": &f.Suspected, "refused_since": &f.RefusedSince,
		"silenced": &f.Silenced, "alone": &f.Alone, "alike": &f.Alike, "stood": &f.Stood, "expected": &f.Expected,
	}
	findings := map[string]*Finding{
		"target": &f.Target, "control": &f.Control, "second": &f.Second, "fresh": &f.Fresh, "elsewhere": &f.Elsewhere,
		"postmaster": &f.Postmaster,
	}
	for word := range strings.FieldsSeq(text) {
		key, value, _ := strings.Cut(word, "=")
		switch {
		case flags[word] != nil:
			*flags[word] = true
		case findings[key] != nil:
			*findings[key], err = parseFinding(value)
		case key == "mode":
			f.Mode = provider.Mode(value)
		case word == "known=yes":
			f.AcceptAll = verdict.True
		case word == "known=no":
			f.AcceptAll = verdict.False
		default:
			err = fmt.Errorf("facts: unknown word %q", word)
		}
		if err != nil {
			return f, err
		}
	}
	return f, nil
}

// short are the findings that have a name.
var short = map[string]string{
	"ok": "rcpt:250:accepted:mailbox", "dead": "rcpt:550:no_such_mailbox:mailbox", "grey": "rcpt:450:greylisted:source_site",
}

func parseFinding(text string) (f Finding, err error) {
	f.Asked = true
	if rest, words, ok := strings.Cut(text, "~"); ok {
		text, f.Words = rest, uint64(words[0])
	}
	text, f.Fallback = strings.CutSuffix(text, "+backup")
	if failure, ok := strings.CutPrefix(text, "!"); ok {
		f.Stage, f.Failure = smtp.StageRCPT, pool.Failure(failure)
		return f, nil
	}
	if long, ok := short[text]; ok {
		text = long
	}
	parts := append(strings.Split(text, ":"), "")
	if len(parts) < 5 {
		return f, fmt.Errorf("finding %q: want stage:code:class:scope", text)
	}
	f.Stage = smtp.Stage(parts[0])
	f.Code, err = strconv.Atoi(parts[1])
	f.Meaning = reply.Meaning{Class: reply.Class(parts[2]), Scope: reply.Scope(parts[3]), Detail: reply.Detail(parts[4])}
	return f, err
}

func TestDecisions(t *testing.T) {
	lines := decisions(t)
	if len(lines) < 200 {
		t.Errorf("decisions.tsv has %d rows, want 200 at least", len(lines))
	}
	for _, l := range lines {
		t.Run(l.name, func(t *testing.T) {
			if got := Decide(&l.facts); got != l.expect {
				t.Errorf("decisions.tsv:%d: Decide() = %+v, want %+v", l.no, got, l.expect)
			}
			if got := Next(&l.facts); got != l.next {
				t.Errorf("decisions.tsv:%d: Next() = %d, want %d", l.no, got, l.next)
			}
			if problem := unlawful(&l.facts, l.expect); problem != "" {
				t.Errorf("decisions.tsv:%d: %s", l.no, problem)
			}
		})
	}
}
