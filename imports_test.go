package verimaild_test

import (
	"bufio"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/verimails/verimaild"

// TestImports holds the imports of every package to the table in README.md. It parses the sources itself: a test that
// ran the go command would stay cached after a breach.
func TestImports(t *testing.T) {
	table := readTable(t)
	seen := map[string]bool{}
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name != "." && strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		pkg := path.Dir(filepath.ToSlash(name))
		seen[pkg] = true
		row, ok := rowOf(table, pkg)
		if !ok {
			t.Errorf("%s: package %s is not in the table of README.md", name, pkg)
			return nil
		}
		checkFile(t, name, pkg, row)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for pkg := range table {
		if !seen[pkg] {
			t.Errorf("README.md lists package %s, which does not exist", pkg)
		}
	}
}

// checkFile reports the imports of a file that row does not allow.
func checkFile(t *testing.T, name, pkg string, row []string) {
	f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
	if err != nil {
		t.Error(err)
		return
	}
	for _, spec := range f.Imports {
		imp, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		imp, ours := strings.CutPrefix(imp, module+"/")
		if ours && !allowed(row, pkg, imp) {
			t.Errorf("%s imports %s; the table of README.md does not let %s do so", name, imp, pkg)
		}
	}
}

// rowOf is the row of pkg, or of the package that it is an internal part of.
func rowOf(table map[string][]string, pkg string) ([]string, bool) {
	for p := pkg; p != "."; p = path.Dir(p) {
		if row, ok := table[p]; ok {
			return row, true
		}
		if path.Base(path.Dir(p)) != "internal" && path.Base(p) != "internal" {
			break
		}
	}
	return nil, false
}

// allowed reports whether a row lets pkg import imp. "everything but X Y" and "pool/*" are understood.
func allowed(row []string, pkg, imp string) bool {
	if len(row) > 1 && row[0] == "everything" {
		return !slices.ContainsFunc(row[2:], func(p string) bool { return matches(p, imp) })
	}
	return strings.HasPrefix(imp, pkg+"/internal/") || slices.ContainsFunc(row, func(p string) bool { return matches(p, imp) })
}

func matches(pattern, imp string) bool {
	if dir, ok := strings.CutSuffix(pattern, "/*"); ok {
		return strings.HasPrefix(imp, dir+"/")
	}
	return pattern == imp
}

// readTable reads the table of packages in README.md: from each row, the packages named in its first column and the
// imports named in its last.
func readTable(t *testing.T) map[string][]string {
	f, err := os.Open("README.md")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	table := map[string][]string{}
	in := false
	for sc := bufio.NewScanner(f); sc.Scan(); {
		line := sc.Text()
		if strings.HasPrefix(line, "| package |") {
			in = true
			continue
		}
		if !in || strings.HasPrefix(line, "| ---") {
			continue
		}
		cells := strings.Split(line, "|")
		if len(cells) < 5 {
			break
		}
		imports := strings.Fields(strings.NewReplacer("`", "", ",", " ").Replace(cells[3]))
		if slices.Equal(imports, []string{"none"}) {
			imports = nil
		}
		for pkg := range strings.FieldsSeq(strings.NewReplacer("`", "", ",", " ").Replace(cells[1])) {
			table[pkg] = imports
		}
	}
	if len(table) < 10 {
		t.Fatalf("the table of packages in README.md has %d rows; its form must have changed", len(table))
	}
	return table
}
