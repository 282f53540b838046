package smtp

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestCheckPath(t *testing.T) {
	for _, tt := range []struct {
		name, path string
		utf8       bool
		ok         bool
	}{
		{"plain", "ada@example.net", false, true},
		{"no domain", "postmaster", false, true},
		{"literal", "ada@[192.0.2.1]", false, true},
		{"odd but harmless", "a!#$%&'*+/=?^_`{|}~-b@example.net", false, true},
		{"quoted", `"ada lovelace"@example.net`, false, true},
		{"quoted brackets", `"<a>"@example.net`, false, true},
		{"quoted quote", `"a\"b"@example.net`, false, true},
		{"UTF-8 announced", "grüße@example.net", true, true},
		{"UTF-8 not announced", "grüße@example.net", false, false},
		{"not UTF-8", "gr\xfc@example.net", true, false},
		{"empty", "", false, false},
		{"CRLF", "a@b.example>\r\nDATA", false, false},
		{"CR", "a\r@b.example", false, false},
		{"LF", "a\n@b.example", false, false},
		{"NUL", "a\x00@b.example", false, false},
		{"DEL", "a\x7f@b.example", false, false},
		{"tab", "a\t@b.example", false, false},
		{"space", "a b@example.net", false, false},
		{"space behind", "a@example.net SMTPUTF8", false, false},
		{"closing bracket", "a@example.net> NOTIFY=NEVER", false, false},
		{"opening bracket", "<a@example.net", false, false},
		{"quote inside", `a"b@example.net`, false, false},
		{"quote never closed", `"ada@example.net`, false, false},
		{"escape at the end", `"ada\`, false, false},
		{"escaped LF in quotes", "\"a\\\nb\"@example.net", false, false},
		{"space after the quoted string", `"a" b@example.net`, false, false},
		{"second quoted string", `"a"."b c"@example.net`, false, false},
		{"C1 control", "a\u0085b@example.net", true, false},
		{"line separator", "a\u2028b@example.net", true, false},
		{"320 octets", strings.Repeat("a", 64) + "@" + strings.Repeat("b", 255), false, true},
		{"321 octets", strings.Repeat("a", 65) + "@" + strings.Repeat("b", 255), false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := checkPath(tt.path, tt.utf8)
			if (err == nil) != tt.ok || err != nil && !errors.Is(err, ErrUnsafeArgument) {
				t.Errorf("checkPath(%q, %v) = %v, want ok %v", tt.path, tt.utf8, err, tt.ok)
			}
		})
	}
}

func TestCheckLocalName(t *testing.T) {
	for name, ok := range map[string]bool{
		"probe.example.org": true, "probe.example.org.": true, "[192.0.2.1]": true, "[IPv6:2001:db8::1]": true,
		"": false, "localhost": false, "localhost.": false, ".": false, "a.b c": false, "a.b\r\nDATA": false,
		"bücher.example": false, strings.Repeat("a.", 128): false,
	} {
		if err := checkLocalName(name); (err == nil) != ok {
			t.Errorf("checkLocalName(%q) = %v, want ok %v", name, err, ok)
		}
	}
}

func TestCursor(t *testing.T) {
	txs := []Transaction{tx(), tx(ada, bob)}
	var got []Stage
	var out []byte
	for c := (cursor{0, cmdMAIL}); c.tx < len(txs); c = c.next(txs) {
		got = append(got, c.stage(txs))
		out = appendCommand(out, txs, c)
	}
	want := []Stage{StageMAIL, StageRSET, StageMAIL, StageRCPT, StageRCPT, StageRSET}
	if !slices.Equal(got, want) {
		t.Errorf("stages = %v, want %v", got, want)
	}
	wantOut := mailFrom + "\r\nRSET\r\n" + mailFrom + "\r\n" + rcpt(ada) + "\r\n" + rcpt(bob) + "\r\nRSET\r\n"
	if string(out) != wantOut {
		t.Errorf("commands = %q, want %q", out, wantOut)
	}
	commands, octets := 0, 0
	for i := range txs {
		commands += txs[i].commands()
		octets += txs[i].octets()
	}
	if commands != len(want) || octets < len(out) {
		t.Errorf("commands, octets = %d, %d, want %d, at least %d", commands, octets, len(want), len(out))
	}
}

// FuzzCheckPath: whatever passes the check leaves one line, and on it one pair of angle brackets that matter.
func FuzzCheckPath(f *testing.F) {
	for _, s := range []string{ada, `"a b"@c.example`, "a@b>\r\nDATA", `"\"`, "a\u2028b", `"a"<b`} {
		f.Add(s, true)
		f.Add(s, false)
	}
	f.Fuzz(func(t *testing.T, path string, utf8 bool) {
		if checkPath(path, utf8) != nil {
			return
		}
		line := string(appendCommand(nil, []Transaction{tx(path)}, cursor{0, 0}))
		body, ok := strings.CutSuffix(line, "\r\n")
		if !ok || strings.ContainsAny(body, "\r\n\x00") {
			t.Errorf("checkPath(%q) passed %q", path, line)
		}
		if !strings.HasPrefix(path, `"`) && strings.ContainsAny(path, " <>") {
			t.Errorf("checkPath(%q) passed an unquoted space or bracket", path)
		}
		if !utf8 && !isASCII(line) {
			t.Errorf("checkPath(%q) passed UTF-8 unannounced", path)
		}
	})
}
