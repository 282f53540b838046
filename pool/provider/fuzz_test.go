package provider

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// FuzzParse reads any text as a table of providers: it is refused, or its rows' limits can be laid over one another, and its patterns matched.
func FuzzParse(f *testing.F) {
	text, err := os.ReadFile("providers.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for row := range strings.SplitSeq(string(text), "\n  - id:") {
		f.Add("version: x\nproviders:\n  - id:" + row)
	}
	f.Add("version: 1\nproviders: [{id: a, mx: [mx.a.test], limits: {sessions: -1, idle: 5}}]")
	f.Add("a: &a [*a, *a]\nproviders: *a")
	f.Fuzz(func(t *testing.T, text string) {
		_, rows, err := parse([]byte(text))
		if err != nil {
			return
		}
		for i := range rows {
			if err := check(&rows[i]); err != nil {
				continue
			}
			both := rows[i].Limits.Over(rows[i].ProviderLimits)
			if err := both.check(); err != nil {
				t.Errorf("limits laid over one another: %v", err)
			}
			for _, mx := range rows[i].MX {
				if p, err := parsePattern(mx); err == nil {
					p.match("mx.example.net")
				}
			}
		}
	})
}

// FuzzPattern holds the matching of host names to a regular expression that says the same.
func FuzzPattern(f *testing.F) {
	for _, pair := range [][2]string{
		{"mx.yandex.ru", "mx.yandex.ru"},
		{"*.google.com", "a.b.google.com"},
		{"*.google.com", "google.com"},
		{"mx*.qq.com", "mx3.qq.com"},
		{"mx*.qq.com", "mx3.x.qq.com"},
		{"*.mx*.qq.com", "a.mx.qq.com"},
		{"*.a.b", ".a.b"},
		{"a.b", ".a.b"},
		{"a.b", ""},
		{"a*a.b", "a.b"},
		{"A.B", "a.b"},
		{"*", ""},
		{"*.*.a.b", "x.y.a.b"},
	} {
		f.Add(pair[0], pair[1])
	}
	f.Fuzz(func(t *testing.T, text, name string) {
		p, err := ParseHostPattern(text)
		if err != nil || strings.ContainsAny(name, "\n") || name != strings.ToLower(name) {
			return
		}
		rest, below := strings.CutPrefix(strings.ToLower(text), "*.")
		expr := strings.ReplaceAll(regexp.QuoteMeta(rest), `\*`, `[^.]*`)
		if below {
			expr = `.+\.` + expr
		}
		want := regexp.MustCompile(`(?s)^` + expr + `$`).MatchString(name)
		if got := p.MatchAll([]string{name}); got != want {
			t.Errorf("%q matches %q: %t, want %t", text, name, got, want)
		}
	})
}
