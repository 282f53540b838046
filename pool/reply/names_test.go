package reply

import (
	"strings"
	"testing"
	"time"

	"github.com/verimails/verimaild/pool/smtp"
)

// holds calls f with each text, and wants what the table says.
func holds(t *testing.T, what string, f func([]byte) bool, table map[string]bool) {
	t.Helper()
	for in, want := range table {
		if got := f([]byte(in)); got != want {
			t.Errorf("%s(%q) = %v, want %v", what, in, got, want)
		}
	}
}

// measures is holds for a length.
func measures(t *testing.T, what string, f func([]byte) int, table map[string]int) {
	t.Helper()
	for in, want := range table {
		if got := f([]byte(in)); got != want {
			t.Errorf("%s(%q) = %d, want %d", what, in, got, want)
		}
	}
}

func TestNamesOfHosts(t *testing.T) {
	holds(t, "isIPv4", isIPv4, map[string]bool{
		"192.0.2.1": true, "255.255.255.255": true, "192.0.2.x": true, "192.0.2.XXX": true, "0.0.0.0": true, "9.9.9.9": true,
		"192.0.2": false, "192.0.2.1.1": false, "192.0.2.": false, ".192.0.2": false, "192..0.2": false, "1921.0.2.1": false, "192.0.2.1a": false, "": false,
	})
	holds(t, "isIPv6", isIPv6, map[string]bool{
		"2001:db8::1": true, "::1": true, "a:f:A:F": true, "1:2:3:4": true, "::ffff:192.0.2.1": true, "::": true, "09:af:AF:0": true,
		"12:34:56": false, "12:34": false, "2001:db8:g::": false, "2001:db8:G::": false, "`:1:2:3": false, "@:1:2:3": false, "": false,
	})
	strict := func(b []byte) bool { return isHost(b, true) }
	holds(t, "isHost, strict", strict, map[string]bool{
		"mx.example.com": true, "example.com": true, "a.de": true, "mx1.a-b.test": true,
		"com": false, "": false, ".com": false, "a..com": false, "a.com.": false, "rejected.Please": false, "mx1.a.please": false, "a.b.1com": false, "x.9a": false,
	})
	loose := func(b []byte) bool { return isHost(b, false) }
	holds(t, "isHost", loose, map[string]bool{
		"mx1.a.please": true, "mx-a.b.please": true, "mx.a.com": true, "a1.please": false, "RESOLVER.ADR.NotFound": false, "a-b.please": false, "1.2.3": false,
	})
	holds(t, "isTopLevel", isTopLevel, map[string]bool{
		"com": true, "COM": true, "de": true, "d-": false, "-d": false, "please": false, "c": false, "localdomain": true, strings.Repeat("m", 25): false,
	})
	holds(t, "isName", isName, map[string]bool{
		"a@b.com": true, "@b.com": false, "a@b": false, "192.0.2.1": true, "2001:db8::1": true, "b.com": true, "b.please": false, "a1.b.please": false,
	})
	for in, want := range map[string]string{"..a..": "a", "a": "a", "": "", "...": "", "(a.b)": "a.b"} {
		if got := string(trimJoins([]byte(in))); got != want {
			t.Errorf("trimJoins(%q) = %q, want %q", in, got, want)
		}
	}
	measures(t, "nameEnd", nameEnd, map[string]int{"a.com": 5, "a\x01b": 1, "\x01b": 0, "": 0})
}

func TestBracketsAndQuotes(t *testing.T) {
	measures(t, "bareName", bareName, map[string]int{
		"<ada>": 5, "<a-d_a+1>x": 9, "<>": 2, "<ada": 0, "<a.b>": 0, "<a b>": 0, "<a\x01b>": 5, "<": 0,
		"<" + strings.Repeat("a", 78) + ">": 80, "<" + strings.Repeat("a", 79) + ">": 0,
	})
	measures(t, "quotedLocalPart", quotedLocalPart, map[string]int{
		`"a b"@c`: 5, `""@c`: 2, `"a"b"@c`: 0, `"a b" c`: 0, `"`: 0, `"@c`: 0,
		`"` + strings.Repeat("a", 67) + `"@c`: 69, `"` + strings.Repeat("a", 68) + `"@c`: 0,
	})
	measures(t, "bracketed", bracketed, map[string]int{
		"[192.0.2.1]": 11, "[192.0.2.1] x": 11, "[IPv6:2001:db8::1]": 18, "[ipv6:::1]": 10, "[2001:db8::1]": 13,
		"[x]": 0, "[]": 0, "[192.0.2.1": 0, "[IPv6:]": 0, "[": 0, "[" + strings.Repeat("1", 64) + "]": 0,
	})
}

// A line may end anywhere; what it cut is put together again, and nothing else.
func TestLineEndsInWords(t *testing.T) {
	table := Builtin()
	for _, tt := range []struct {
		b, next string
		want    bool
	}{
		{"user rejec", "ted by us", true},
		{"user rejected", "by us", false},
		{"user rejec", "", false},
		{"", "ted", false},
		{"user rejec ", "ted", false},
		{"host 192.0.2.", "1 is bad", true},
		{"host 192.0.2.", "x is bad", false},
		{"it ends here.", "1 of 2", false},
		{".", "1", false},
		{"host 192.0.2", ".1 is bad", true},
		{"host 192.0.2", ". Bad", false},
		{"host 192.0.2", ".", false},
		{"wait 30", "0 seconds", true},
		{"said: 550", "5.1.1 no", false},
		{"said: 550", "51", true},
		{"said: 5502", "5.1", true},
		{"see https://a.test/b", "c", true},
		{"see https://a.test/b", " c", false},
		{"see <https://a.test/b> x", "c", false},
		{"see https://a.test/b x", "zzz", false},
		{strings.Repeat("x", maxWord), "y", false},
	} {
		if got := table.cutInWord([]byte(tt.b), tt.next); got != tt.want {
			t.Errorf("cutInWord(%q, %q) = %v, want %v", tt.b, tt.next, got, tt.want)
		}
	}
}

func TestPartsOfDelays(t *testing.T) {
	for _, tt := range []struct {
		in    string
		v, at int
	}{{"0", 0, 1}, {"9", 9, 1}, {"300 s", 300, 3}, {"999999", 999999, 6}, {"1000000", 0, 7}, {"x", 0, 0}, {"", 0, 0}} {
		if v, n := number([]byte(tt.in)); v != tt.v || n != tt.at {
			t.Errorf("number(%q) = %d, %d, want %d, %d", tt.in, v, n, tt.v, tt.at)
		}
	}
	for in, want := range map[string]time.Duration{
		"in 00:04:58":              298 * time.Second,
		"in 59:59:59":              maxRetry,
		"in 1:02:03":               time.Hour + 2*time.Minute + 3*time.Second,
		"in 00:04:60":              0,
		"in 00:04:":                0,
		"in 00:04":                 0,
		"in 000:04:58":             0,
		"at 00:04:58":              0,
		"retry=60":                 time.Minute,
		"retry = 60":               time.Minute,
		"retry: 60":                time.Minute,
		"retry 60":                 0,
		"retry=60.5":               0,
		"retry=60.":                time.Minute,
		"retry=60x":                0,
		"=60":                      0,
		"size=60":                  0,
		"5s":                       5 * time.Second,
		"5M":                       5 * time.Minute,
		"5h":                       5 * time.Hour,
		"5 s":                      0,
		"5 min":                    5 * time.Minute,
		"5-minute":                 5 * time.Minute,
		"5\x01minutes":             5 * time.Minute,
		"1 hour(s) 25 minute(s)":   85 * time.Minute,
		"1 hour and 5 minutes":     65 * time.Minute,
		"1 hour, 5 minutes":        65 * time.Minute,
		"2 minutes, or 60 seconds": 2 * time.Minute,
		"60 seconds, or 2 minutes": 2 * time.Minute,
		"v1.5 minutes":             0,
		"-5 minutes":               0,
		"#5 minutes":               0,
		"a5 minutes":               0,
		"5 mi":                     0,
		"5":                        0,
		"9999999 seconds":          0,
	} {
		if got := delay([]byte(in)); got != want {
			t.Errorf("delay(%q) = %v, want %v", in, got, want)
		}
	}
}

func TestProviderOf(t *testing.T) {
	for _, tt := range []struct {
		id, mx, want string
		ok           bool
	}{
		{"google", "", "google", true},
		{"google", "mx.a.test", "google", true},
		{"nobody", "", "", false},
		{"", "aspmx.l.google.com, alt1.aspmx.l.google.com", "google", true},
		{"", "aspmx.l.google.com alt1.aspmx.l.google.com", "google", true},
		{"", "mx.a.test", "", true},
		{"", "", "", true},
	} {
		if got, err := ProviderOf(tt.id, tt.mx); got != tt.want || (err == nil) != tt.ok {
			t.Errorf("ProviderOf(%q, %q) = %q, %v, want %q", tt.id, tt.mx, got, err, tt.want)
		}
	}
}

// An enhanced code in the text counts if it is one, of the reply's class, and the first; not one that is quoted.
func TestEnhancedCodeInTheText(t *testing.T) {
	for _, tt := range []struct {
		name, code, text string
		had              smtp.EnhancedCode
		said             bool
		is               bool
		want             smtp.EnhancedCode
	}{
		{"of the class", "550", "5.7.1", smtp.EnhancedCode{}, false, true, smtp.EnhancedCode{Class: 5, Subject: 7, Detail: 1}},
		{"of three digits", "450", "4.123.456", smtp.EnhancedCode{}, false, true, smtp.EnhancedCode{Class: 4, Subject: 123, Detail: 456}},
		{"positive", "250", "2.1.5", smtp.EnhancedCode{}, false, true, smtp.EnhancedCode{Class: 2, Subject: 1, Detail: 5}},
		{"of another class", "450", "5.7.1", smtp.EnhancedCode{}, false, true, smtp.EnhancedCode{}},
		{"the second", "550", "5.7.1", smtp.EnhancedCode{Class: 5, Detail: 1}, false, true, smtp.EnhancedCode{Class: 5, Detail: 1}},
		{"quoted", "550", "5.7.1", smtp.EnhancedCode{}, true, true, smtp.EnhancedCode{}},
		{"of no class", "350", "3.7.1", smtp.EnhancedCode{}, false, false, smtp.EnhancedCode{}},
		{"two numbers", "550", "5.7", smtp.EnhancedCode{}, false, false, smtp.EnhancedCode{}},
		{"four numbers", "550", "5.7.1.1", smtp.EnhancedCode{}, false, false, smtp.EnhancedCode{}},
		{"four digits", "550", "5.7.1234", smtp.EnhancedCode{}, false, false, smtp.EnhancedCode{}},
		{"nothing at the end", "550", "5.7.", smtp.EnhancedCode{}, false, false, smtp.EnhancedCode{}},
		{"nothing at the start", "550", ".5.7", smtp.EnhancedCode{}, false, false, smtp.EnhancedCode{}},
		{"letters", "550", "5.7.a", smtp.EnhancedCode{}, false, false, smtp.EnhancedCode{}},
	} {
		s := scan{code: codePattern([]byte(tt.code)), enhanced: tt.had, said: tt.said}
		if got := s.enhancedCode([]byte(tt.text)); got != tt.is || s.enhanced != tt.want {
			t.Errorf("%s: enhancedCode(%s) = %v, noted %v, want %v, %v", tt.name, tt.text, got, s.enhanced, tt.is, tt.want)
		}
	}
}

// Lines are joined where they were folded, up to what is kept of a reply.
func TestJoinedLines(t *testing.T) {
	long := strings.Repeat("x", maxText-4)
	for _, tt := range []struct {
		name  string
		lines []string
		want  string
	}{
		{"one", []string{"a"}, "a"},
		{"two", []string{"a", "b"}, "a\x01b"},
		{"an empty one", []string{"", "b"}, "\x01b"},
		{"a word cut in two", []string{"user rejec", "ted"}, "user rejected"},
		{"all there is room for", []string{long, "abc"}, long + "\x01abc"},
		{"one octet more", []string{long, "abcd"}, long + "\x01abc"},
		{"nothing is left", []string{long, "abc", "d"}, long + "\x01abc\x01"},
	} {
		if got := string(Builtin().appendLines(nil, tt.lines)); got != tt.want {
			t.Errorf("%s: appendLines = %d octets ending in %q, want %d ending in %q",
				tt.name, len(got), got[max(0, len(got)-8):], len(tt.want), tt.want[max(0, len(tt.want)-8):])
		}
	}
}

func TestEnhancedPatterns(t *testing.T) {
	for _, tt := range []struct {
		code smtp.EnhancedCode
		want bool
	}{
		{smtp.EnhancedCode{Class: 5, Subject: 1, Detail: 1}, true},
		{smtp.EnhancedCode{Class: 4, Subject: 1, Detail: 1}, false},
		{smtp.EnhancedCode{Class: 5, Subject: 2, Detail: 1}, false},
		{smtp.EnhancedCode{Class: 5, Subject: 1, Detail: 2}, false},
		{smtp.EnhancedCode{}, false},
	} {
		p, err := parseEnhanced("5.1.1")
		if err != nil {
			t.Fatal(err)
		}
		if got := p.match(tt.code); got != tt.want {
			t.Errorf("5.1.1 matches %v = %v, want %v", tt.code, got, tt.want)
		}
	}
}

// What a pattern of enhanced codes may say, and what it then is.
func TestParseEnhanced(t *testing.T) {
	for text, want := range map[string]enhancedPattern{
		"5.1.1":       {{5, 5}, {1, 1}, {1, 1}},
		"2.0.999":     {{2, 2}, {0, 0}, {999, 999}},
		"4.y.z":       {{4, 4}, anyNumber, anyNumber},
		"x.7.500-699": {anyNumber, {7, 7}, {500, 699}},
		"x.7-7.0-999": {anyNumber, {7, 7}, anyNumber},
		"5-5.1.1":     {{5, 5}, {1, 1}, {1, 1}},
		"none":        {noNumber, noNumber, noNumber},
	} {
		if got, err := parseEnhanced(text); err != nil || got != want {
			t.Errorf("parseEnhanced(%q) = %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "5.1", "5.1.1.1", "1.1.1", "3.1.1", "6.1.1", "4-5.1.1", "5.1.1000", "5.7.9-3", "5.7.0-1000", "5.-1.1", "5.1.", "5.7.a-9", "5.7.1-b", "5.w.1",
	} {
		if got, err := parseEnhanced(text); err == nil {
			t.Errorf("parseEnhanced(%q) = %v, want an error", text, got)
		}
	}
	within := func(outer, inner string) bool {
		o, errO := parseEnhanced("x.x." + outer)
		i, errI := parseEnhanced("x.x." + inner)
		if errO != nil || errI != nil {
			t.Fatal(errO, errI)
		}
		return o[2].covers(i[2])
	}
	for _, tt := range []struct {
		outer, inner string
		want         bool
	}{{"5-9", "5-9", true}, {"5-9", "6-8", true}, {"5-9", "4-9", false}, {"5-9", "5-10", false}, {"5-9", "x", false}, {"x", "5-9", true}} {
		if got := within(tt.outer, tt.inner); got != tt.want {
			t.Errorf("%s covers %s: %t, want %t", tt.outer, tt.inner, got, tt.want)
		}
	}
}
