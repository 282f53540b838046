package mailworld

import (
	"strings"
	"testing"
)

func TestParseCommand(t *testing.T) {
	tests := []struct{ line, verb, arg string }{
		{"", "", ""},
		{"QUIT", "QUIT", ""},
		{"quit ", "QUIT", ""},
		{"Ehlo a.test", "EHLO", "a.test"},
		{"MAIL FROM:<a@b.test> SIZE=1 ", "MAIL", "FROM:<a@b.test> SIZE=1"},
		{" QUIT", "", "QUIT"},
		{"MAİL x", "MAİL", "x"},
	}
	for _, tt := range tests {
		if got := parseCommand(tt.line); got.verb != tt.verb || got.arg != tt.arg {
			t.Errorf("parseCommand(%q) = %q, %q, want %q, %q", tt.line, got.verb, got.arg, tt.verb, tt.arg)
		}
	}
}

func TestParsePath(t *testing.T) {
	tests := []struct {
		arg, path, params string
		ok                bool
	}{
		{"TO:<a@b.test>", "a@b.test", "", true},
		{"to:<a@b.test>", "a@b.test", "", true},
		{"TO: <a@b.test>", "a@b.test", "", true},
		{"TO:<a@b.test> X=1 Y", "a@b.test", "X=1 Y", true},
		{"TO:<>", "", "", true},
		{"TO:<@x.test,@y.test:a@b.test>", "a@b.test", "", true},
		{`TO:<"a b>c"@b.test>`, `"a b>c"@b.test`, "", true},
		{`TO:<"a\"b"@b.test>`, `"a\"b"@b.test`, "", true},
		{"TO:<Postmaster>", "Postmaster", "", true},
		{"TO:<jürgen@b.test>", "jürgen@b.test", "", true},
		{"TO:<a@b.test>X", "", "", false},
		{"TO:a@b.test", "", "", false},
		{"TO:<a@b.test", "", "", false},
		{"TO:<a>", "", "", false},
		{"TO:<a@>", "", "", false},
		{"TO:<@b.test>", "", "", false},
		{"TO:<a b@b.test>", "", "", false},
		{"TO:<a@b@c.test>", "", "", false},
		{"TO:<a\r@b.test>", "", "", false},
		{"FROM:<a@b.test>", "", "", false},
		{"TO", "", "", false},
		{"TO:", "", "", false},
	}
	for _, tt := range tests {
		path, params, err := parsePath(tt.arg, "TO")
		if path != tt.path && tt.ok || params != tt.params && tt.ok || (err == nil) != tt.ok {
			t.Errorf("parsePath(%q) = %q, %q, %v, want %q, %q, ok %t", tt.arg, path, params, err, tt.path, tt.params, tt.ok)
		}
	}
}

func TestExpand(t *testing.T) {
	value := func(name string) (string, bool) {
		v, ok := map[string]string{"ip": "127.0.0.1", "rcpt": "a@b.test", "brace": "{ip}"}[name]
		return v, ok
	}
	tests := []struct{ text, want string }{
		{"", ""},
		{"plain", "plain"},
		{"[{ip}]", "[127.0.0.1]"},
		{"<{rcpt}>: {ip}", "<a@b.test>: 127.0.0.1"},
		{"{unknown} {ip}", "{unknown} 127.0.0.1"},
		{"{{ip}", "{127.0.0.1"},
		{"{ip", "{ip"},
		{"{brace}", "{ip}"},
	}
	for _, tt := range tests {
		if got := expand(tt.text, value); got != tt.want {
			t.Errorf("expand(%q) = %q, want %q", tt.text, got, tt.want)
		}
	}
}

func TestAppendReply(t *testing.T) {
	tests := []struct {
		code            int
		text, eol, want string
	}{
		{250, "2.1.5 Ok", "\r\n", "250 2.1.5 Ok\r\n"},
		{250, "", "\r\n", "250\r\n"},
		{550, "a\nb\nc", "\n", "550-a\n550-b\n550 c\n"},
		{550, "a\n", "\r\n", "550-a\r\n550\r\n"},
	}
	for _, tt := range tests {
		if got := string(appendReply(nil, tt.code, tt.text, tt.eol)); got != tt.want {
			t.Errorf("appendReply(%d, %q) = %q, want %q", tt.code, tt.text, got, tt.want)
		}
	}
}

func TestQualified(t *testing.T) {
	for name, want := range map[string]bool{
		"a.test": true, "a.test.": true, "[127.0.0.1]": true, "[IPv6:::1]": true,
		"": false, "localhost": false, "a.": false, ".test": false, "a..test": false, "[x]": false,
	} {
		if got := qualified(name); got != want {
			t.Errorf("qualified(%q) = %t, want %t", name, got, want)
		}
	}
}

// FuzzParseCommand holds what is relied on for any line: a path that was taken holds no control characters and no
// unquoted end, and is found in the line.
func FuzzParseCommand(f *testing.F) {
	for _, line := range []string{
		"RCPT TO:<a@b.test>", `rcpt to: <"a>\"b"@b.test> X=1`, "MAIL FROM:<>", "RCPT TO:<@a,@b:c@d>", "EHLO a.test", "\x00\xff", "RCPT TO:<a@b>\x7f",
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		c := parseCommand(line)
		if strings.ContainsAny(c.verb, " ") || !strings.HasSuffix(strings.TrimRight(line, " \t"), c.arg) {
			t.Errorf("parseCommand(%q) = %q, %q", line, c.verb, c.arg)
		}
		for _, key := range []string{"TO", "FROM"} {
			if path, params, err := parsePath(c.arg, key); err == nil {
				checkPath(t, c.arg, path, params)
			}
		}
	})
}

// checkPath holds what is said above of a path that was taken from arg.
func checkPath(t *testing.T, arg, path, params string) {
	t.Helper()
	if !strings.Contains(arg, path+">") || !strings.Contains(arg, params) {
		t.Errorf("parsePath(%q) = %q, %q, which it does not hold", arg, path, params)
	}
	if strings.ContainsFunc(path, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		t.Errorf("parsePath(%q) = %q, with control characters", arg, path)
	}
	if local, domain := splitPath(path); path != "" && domain == "" && !strings.EqualFold(local, "postmaster") {
		t.Errorf("parsePath(%q) = %q, without a domain", arg, path)
	}
}
