package provider

import (
	"strings"
	"testing"
)

func TestMatch(t *testing.T) {
	tests := []struct {
		name  string
		hosts string
		want  string
		mixed bool
	}{
		{name: "gmail", hosts: "gmail-smtp-in.l.google.com alt1.gmail-smtp-in.l.google.com", want: "google"},
		{name: "workspace, final dots and upper case", hosts: "ASPMX.L.GOOGLE.COM. alt2.aspmx.l.google.com.", want: "google"},
		{name: "label boundary", hosts: "mx.evilgoogle.com"},
		{name: "the suffix itself is no host of it", hosts: "google.com"},
		{name: "tenant", hosts: "example-com.mail.protection.outlook.com", want: "microsoft_365"},
		{name: "tenant, new name", hosts: "example-com.a-v1.mx.microsoft", want: "microsoft_365"},
		{name: "consumer Outlook is more specific", hosts: "hotmail-com.olc.protection.outlook.com", want: "microsoft_consumer"},
		{name: "glob within a label", hosts: "mxbiz1.qq.com mxbiz2.qq.com", want: "qq"},
		{name: "glob does not cross a dot", hosts: "mx.a.qq.com"},
		{name: "glob in the middle", hosts: "inbound-smtp.eu-west-1.amazonaws.com", want: "amazonses"},
		{name: "mail.com's hosts are not those of every *.mail.com", hosts: "mx00.mail.com mx01.mail.com", want: "gmx_webde"},
		{name: "one foreign host", hosts: "aspmx.l.google.com mx.example.com", mixed: true},
		{name: "foreign host first", hosts: "mx.example.com aspmx.l.google.com", mixed: true},
		{name: "two providers", hosts: "aspmx.l.google.com example-com.mail.protection.outlook.com", mixed: true},
		{name: "nobody's", hosts: "mx1.example.com mx2.example.com"},
		{name: "no hosts", hosts: ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, mixed := Match(strings.Fields(tt.hosts))
			got := ""
			if p != nil {
				got = p.ID
			}
			if got != tt.want || mixed != tt.mixed {
				t.Errorf("Match(%s) = %q, %t, want %q, %t", tt.hosts, got, mixed, tt.want, tt.mixed)
			}
		})
	}
}

// TestBuiltin holds every row of the embedded table to what its readers rely on.
func TestBuiltin(t *testing.T) {
	if version, _, _ := parse(embedded); version == "" {
		t.Error("the table has no date")
	}
	for _, p := range builtin().rows {
		if p.Name == "" || p.Source == "" || p.Confidence == "" {
			t.Errorf("provider %s: name, source and confidence are wanted, have %q, %q, %q", p.ID, p.Name, p.Source, p.Confidence)
		}
		if p.Mode != ModeProbe && !strings.Contains(p.Note, "20") {
			t.Errorf("provider %s: mode %s has no dated note: %q", p.ID, p.Mode, p.Note)
		}
		if ByID(p.ID) != p {
			t.Errorf("ByID(%s) is another row", p.ID)
		}
		for _, s := range p.MX {
			host := strings.ReplaceAll(s, "*", "x1")
			if got, _ := Match([]string{host}); got != p {
				t.Errorf("Match(%s), made from a pattern of %s, is %v", host, p.ID, got)
			}
		}
	}
	modes := map[string]Mode{"google": ModeProbe, "yahoo": ModeNoSignal, "microsoft_consumer": ModeSkip, "mailru": ModeWeak, "qq": ModeWeak, "docomo": ModeWeak}
	for id, want := range modes {
		if got := ByID(id).Mode; got != want {
			t.Errorf("ByID(%s).Mode = %s, want %s", id, got, want)
		}
	}
	if ByID("nobody") != nil {
		t.Error("ByID(nobody) is a row")
	}
}

func TestRefusesUnknown(t *testing.T) {
	for domain, want := range map[string]bool{"gmail.com": true, "GMX.de": true, "icloud.com": true, "yahoo.com": false, "example.com": false} {
		if got := RefusesUnknown(domain); got != want {
			t.Errorf("RefusesUnknown(%s) = %t, want %t", domain, got, want)
		}
	}
}

// The more specific pattern decides, whichever row came first.
func TestSpecificPatternDecides(t *testing.T) {
	for _, tt := range []struct{ specific, other, host string }{
		{"mx.example.net", "*.example.net", "mx.example.net"},
		{"mx1.example.net", "mx*.example.net", "mx1.example.net"},
		{"mx*.example.net", "*.example.net", "mx1.example.net"},
		{"*.a.example.net", "*.example.net", "mx.a.example.net"},
		{"*.a.example.net", "*.*.example.net", "mx.a.example.net"},
		{"a.b.example.net", "*.b.example.net", "a.b.example.net"},
	} {
		a, b := Provider{ID: "specific", MX: []string{tt.specific}}, Provider{ID: "other", MX: []string{tt.other}}
		for _, rows := range [][]Provider{{a, b}, {b, a}} {
			table, err := compile(rows)
			if err != nil {
				t.Fatal(err)
			}
			if p := table.host(tt.host); p == nil || p.ID != "specific" {
				t.Errorf("host(%s) with %s and %s is %+v, want the former", tt.host, rows[0].MX, rows[1].MX, p)
			}
		}
	}
}

func TestHostPatternOfNone(t *testing.T) {
	h, err := ParseHostPattern("*.example.net")
	if err != nil {
		t.Fatal(err)
	}
	var zero HostPattern
	if h.MatchAll(nil) || zero.MatchAll(nil) || zero.MatchAll([]string{""}) || zero.MatchAll([]string{"mx.example.net"}) {
		t.Error("MatchAll() of no names, or by no pattern = true, want false")
	}
}

// A limit may be 0, and a share 1.
func TestExtremeLimits(t *testing.T) {
	zero, none, all := 0, 0.0, 1.0
	limits := Limits{Sessions: &zero, RefusalRatio: &none, ProbesPerMinute: &none}
	row := Provider{ID: "x", MX: []string{"mx.example.com"}, Limits: limits, ProviderLimits: Limits{RefusalRatio: &all}}
	if _, err := compile([]Provider{row}); err != nil {
		t.Errorf("compile() with limits of 0 and a ratio of 1: %v", err)
	}
	_, rows, err := parse([]byte("providers: [{id: x, mx: [mx.example.com], limits: {idle: 0s}}]"))
	if err != nil || rows[0].Limits.Idle == nil || *rows[0].Limits.Idle != 0 {
		t.Errorf("parse() of idle: 0s = %+v, %v, want 0", rows, err)
	}
}

func TestCompileErrors(t *testing.T) {
	minus, two, less := -1, 2.0, -0.5
	tests := []struct {
		name string
		row  Provider
		want string
	}{
		{name: "id", row: Provider{ID: "No Good", MX: []string{"mx.example.com"}}, want: "id"},
		{name: "no mx", row: Provider{ID: "x"}, want: "mx"},
		{name: "pattern of one label", row: Provider{ID: "x", MX: []string{"*.com"}}, want: "mx"},
		{name: "empty label", row: Provider{ID: "x", MX: []string{"mx..example.com"}}, want: "mx"},
		{name: "two stars", row: Provider{ID: "x", MX: []string{"m*x*.example.com"}}, want: "mx"},
		{name: "star at the top", row: Provider{ID: "x", MX: []string{"mx.example.c*"}}, want: "mx"},
		{name: "not a host name", row: Provider{ID: "x", MX: []string{"mx example.com"}}, want: "mx"},
		{name: "someone else's pattern", row: Provider{ID: "x", MX: []string{"*.google.com"}}, want: "google"},
		{name: "mode", row: Provider{ID: "x", MX: []string{"mx.example.com"}, Mode: "maybe"}, want: "mode"},
		{name: "mode without a note", row: Provider{ID: "x", MX: []string{"mx.example.com"}, Mode: ModeSkip}, want: "note"},
		{name: "controls", row: Provider{ID: "x", MX: []string{"mx.example.com"}, Controls: "cheap"}, want: "controls"},
		{name: "phase", row: Provider{ID: "x", MX: []string{"mx.example.com"}, Refuses: "helo"}, want: "refuses"},
		{name: "confidence", row: Provider{ID: "x", MX: []string{"mx.example.com"}, Confidence: "sure"}, want: "confidence"},
		{name: "negative limit", row: Provider{ID: "x", MX: []string{"mx.example.com"}, Limits: Limits{Sessions: &minus}}, want: "limits"},
		{name: "negative ratio", row: Provider{ID: "x", MX: []string{"mx.example.com"}, Limits: Limits{RefusalRatio: &less}}, want: "limits"},
		{name: "negative rate", row: Provider{ID: "x", MX: []string{"mx.example.com"}, Limits: Limits{ProbesPerMinute: &less}}, want: "limits"},
		{name: "ratio over one", row: Provider{ID: "x", MX: []string{"mx.example.com"}, ProviderLimits: Limits{RefusalRatio: &two}}, want: "provider_limits"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, rows, err := parse(embedded)
			if err != nil {
				t.Fatal(err)
			}
			_, err = compile(append(rows, tt.row))
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), tt.row.ID) {
				t.Errorf("compile() error = %v, want one that names %s and %s", err, tt.row.ID, tt.want)
			}
		})
	}
}

func TestParseIsStrict(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{name: "unknown key", text: "providers: [{id: x, mx: [mx.example.com], modus: probe}]", want: "modus"},
		{name: "unknown limit", text: "providers: [{id: x, mx: [mx.example.com], limits: {session: 1}}]", want: "session"},
		{name: "duration without a unit", text: "providers: [{id: x, mx: [mx.example.com], limits: {idle: 20}}]", want: "limits.idle"},
		{name: "negative duration", text: "providers: [{id: x, mx: [mx.example.com], limits: {session_age: -5s}}]", want: "limits.session_age"},
		{name: "unknown quirk", text: "providers: [{id: x, mx: [mx.example.com], quirks: [shy]}]", want: "shy"},
		{name: "not YAML", text: "providers: [", want: "line"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := parse([]byte(tt.text))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("parse(%s) error = %v, want one that names %s", tt.text, err, tt.want)
			}
		})
	}
}

func BenchmarkMatch(b *testing.B) {
	hosts := []string{"mx1.example.com", "mx2.example.com"}
	b.ReportAllocs()
	for b.Loop() {
		Match(hosts)
	}
}
