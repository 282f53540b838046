package cli

import (
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// TestManPages: each command that help shows has a page with all its flags, and nothing else has.
func TestManPages(t *testing.T) {
	root := newRoot(stdio{})
	pages := manPages(root)
	if _, ok := pages["verimaild.yaml.5"]; !ok {
		t.Error("no page of the configuration")
	}
	all := commands(root)
	if got, want := len(pages), len(all)+1; got != want {
		t.Errorf("%d pages, want %d", got, want)
	}
	for _, c := range all {
		page := pages[manName(c)+".1"]
		c.NonInheritedFlags().VisitAll(func(f *pflag.Flag) {
			if want := roffText("--" + f.Name); !f.Hidden && !strings.Contains(page, want) {
				t.Errorf("the page of %q has no %s", c.CommandPath(), want)
			}
		})
		for _, want := range []string{".TH ", ".SH NAME", ".SH SYNOPSIS", ".SH DESCRIPTION", ".SH SEE ALSO"} {
			if !strings.Contains(page, want) {
				t.Errorf("the page of %q has no %s", c.CommandPath(), want)
			}
		}
	}
	if _, ok := pages["verimaild-man.1"]; ok {
		t.Error("a hidden command has a page")
	}
}

func TestRoffLine(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"plain", "one two", "one two"},
		{"a minus sign", "--json", `\-\-json`},
		{"a backslash", `a\b`, `a\eb`},
		{"a request", ".TH", `\&.TH`},
		{"a quoted request", "'br", `\&'br`},
		{"quotes", `say "no"`, `say \(dqno\(dq`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := roffLine(tt.in); got != tt.want {
				t.Errorf("roffLine(%q) = %q, want %q", tt.in, got, tt.want)
			}
		})
	}
}
