package verimaild_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// testName is how a page names a test: its package, and the function.
var testName = regexp.MustCompile("`([a-z0-9/.]+): ((?:Test|Fuzz)[A-Za-z0-9]+)`")

// TestPagesNameTests holds the pages to the tests that they name: each is there.
func TestPagesNameTests(t *testing.T) {
	pages, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]map[string]bool{}
	named := map[string]int{}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range testName.FindAllStringSubmatch(string(text), -1) {
			dir, name := m[1], m[2]
			if there[dir] == nil {
				there[dir] = testsIn(t, dir)
			}
			if !there[dir][name] {
				t.Errorf("%s: package %s has no %s", page, dir, name)
			}
			named[filepath.Base(page)]++
		}
	}
	for page, least := range map[string]int{"scenarios.md": 52, "security.md": 60} {
		if named[page] < least {
			t.Errorf("docs/%s names %d tests, want %d at least; its form must have changed", page, named[page], least)
		}
	}
}

// TestSecurityRowsHaveTests: each attack on docs/security.md has a test beside it.
func TestSecurityRowsHaveTests(t *testing.T) {
	text, err := os.ReadFile("docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	in := false
	for line := range strings.Lines(string(text)) {
		switch {
		case strings.HasPrefix(line, "| what is tried |"):
			in = true
		case !strings.HasPrefix(line, "|"):
			in = false
		case in && !strings.HasPrefix(line, "| ---"):
			rows++
			if !testName.MatchString(line) {
				t.Errorf("no test is named in the row %q", line)
			}
		}
	}
	if rows < 30 {
		t.Errorf("docs/security.md has %d rows of attacks; its form must have changed", rows)
	}
}

// testsIn are the tests and fuzz targets of a package.
func testsIn(t *testing.T, dir string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]bool{}
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil {
				out[fn.Name.Name] = true
			}
		}
	}
	return out
}
