package lists

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/verimails/verimaild/verify/address"
)

// FuzzOverlay takes any bytes for an operator's files: they are refused, naming the file, or each name in them counts, and
// is found again.
func FuzzOverlay(f *testing.F) {
	for _, text := range []string{
		"\ufeffexample.org # ours\r\n\r\nB\u00fccher.example\n", "co.uk\n", "a..b\n*-x\nno-reply-*\n", strings.Repeat("x", maxLine) + "\n",
		"a.example\na.example\nA.EXAMPLE", "\xff\xfe\x00", "#\n \t\n#", strings.Repeat("?\n", 30),
	} {
		f.Add([]byte(text), uint8(0))
		f.Add([]byte(text), uint8(1))
	}
	dir := f.TempDir()
	l, err := New(Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text []byte, which uint8) {
		path := filepath.Join(dir, "names")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		opts := Options{}
		if which%2 == 0 {
			opts.Disposable.Add = []string{path}
		} else {
			opts.Role.Add = []string{path}
		}
		if err := l.Reload(opts); err != nil {
			if text := err.Error(); !strings.Contains(text, path) || strings.Count(text, "\n") > maxFaults || !utf8.ValidString(text) {
				t.Errorf("the error reads %q", text)
			}
			return
		}
		lines, err := readLines(path, strings.NewReader(string(text)))
		if err != nil {
			t.Fatalf("readLines() = %v, after Reload took the file", err)
		}
		for _, line := range lines {
			if which%2 != 0 {
				continue // Patterns: TestRoles has their laws.
			}
			d, err := address.ParseDomain(line.name)
			if err != nil {
				t.Fatalf("%s: %q was taken", line.place, line.name)
			}
			a, err := address.Parse("ada@" + d.ASCII())
			if err != nil || isPublicSuffix(d.ASCII()) {
				continue
			}
			if !l.Lookup(a).Disposable {
				t.Errorf("%s: %s is not disposable", line.place, a)
			}
		}
	})
}
