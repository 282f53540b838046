package smtp

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestCutEnhanced(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		class      int
		code, rest string
	}{
		{"plain", "5.1.1 No such user", 5, "5.1.1", "No such user"},
		{"alone", "2.1.5", 2, "2.1.5", ""},
		{"hash", "#5.1.0 Address rejected", 5, "5.1.0", "Address rejected"},
		{"parentheses", "(5.7.1) no", 5, "5.7.1", "no"},
		{"brackets", "[4.2.1]: later", 4, "4.2.1", "later"},
		{"parenthesis and hash", "(#5.1.1) gone", 5, "5.1.1", "gone"},
		{"colon", "5.1.1: gone", 5, "5.1.1", "gone"},
		{"three digits", "4.7.650 slow", 4, "4.7.650", "slow"},
		{"other class", "5.1.1 No such user", 4, "", "5.1.1 No such user"},
		{"class 3", "3.1.1 what", 3, "3.1.1", "what"}, // The session refuses 3yz replies anyway.
		{"address", "5.9.1.7 is listed", 5, "", "5.9.1.7 is listed"},
		{"full stop", "5.1.1. gone", 5, "5.1.1", ". gone"},
		{"too many digits", "5.1.1234 x", 5, "", "5.1.1234 x"},
		{"two numbers", "5.1 x", 5, "", "5.1 x"},
		{"not at the head", "cuda_nsu 5.1.1 x", 5, "", "cuda_nsu 5.1.1 x"},
		{"empty", "", 5, "", ""},
		{"only an opening", "(", 5, "", "("},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, rest := cutEnhanced(tt.text, tt.class)
			if c.String() != tt.code || rest != tt.rest {
				t.Errorf("cutEnhanced(%q, %d) = %q, %q, want %q, %q", tt.text, tt.class, c, rest, tt.code, tt.rest)
			}
		})
	}
}

func TestParseReplyText(t *testing.T) {
	for _, tt := range []struct {
		name, enhanced, text string
		code                 int
		want                 string // Reply.String.
		lines                int
	}{
		{name: "one line", text: "550 5.1.1 No such user", want: "550 5.1.1 No such user", lines: 1},
		{name: "two lines", text: "550-5.1.1 No such\n550 5.1.1 user\n", want: "550 5.1.1 No such user", lines: 2},
		{name: "CRLF", text: "550-5.1.1 No such\r\n550 5.1.1 user\r\n", want: "550 5.1.1 No such user", lines: 2},
		{name: "letters", text: `550-5.1.1 No such\r\n550-5.1.1 user\n550 here`, want: "550 5.1.1 No such user here", lines: 3},
		{name: "joined", text: "550-5.1.1 No such 550-5.1.1 user 550 5.1.1 here", want: "550 5.1.1 No such user here", lines: 3},
		{name: "a number is no join", text: "550 5.1.1 call 550 1234", want: "550 5.1.1 call 550 1234", lines: 1},
		{name: "beside", code: 550, enhanced: "5.1.1", text: "No such user", want: "550 5.1.1 No such user", lines: 1},
		{name: "beside and within", code: 550, text: "550 5.1.1 No such user", want: "550 5.1.1 No such user", lines: 1},
		{name: "enhanced in brackets", code: 550, enhanced: " (#5.1.1) ", text: "gone", want: "550 5.1.1 gone", lines: 1},
		{name: "wrong class beside", code: 550, enhanced: "4.1.1", text: "5.2.1 off", want: "550 5.2.1 off", lines: 1},
		{name: "another code within", code: 550, text: "450 4.2.0 later", want: "550 450 4.2.0 later", lines: 1},
		{name: "no code", text: "mailbox full", want: "", lines: 1},
		{name: "no code, enhanced beside", enhanced: "5.2.2", text: "mailbox full", want: "", lines: 1},
		{name: "code out of range", code: 42, text: "mailbox full", want: "", lines: 1},
		{name: "code alone", text: "550", want: "550", lines: 1},
		{name: "nothing", want: "", lines: 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := ParseReplyText(tt.code, tt.enhanced, tt.text)
			if got := r.String(); got != tt.want || len(r.Lines) != tt.lines {
				t.Errorf("ParseReplyText(%d, %q, %q) = %q in %d lines, want %q in %d",
					tt.code, tt.enhanced, tt.text, got, len(r.Lines), tt.want, tt.lines)
			}
		})
	}
	if got := ParseReplyText(0, "5.2.2", "full").Enhanced.String(); got != "5.2.2" {
		t.Errorf("ParseReplyText without a code: Enhanced = %q, want 5.2.2", got)
	}
}

func TestReplyClass(t *testing.T) {
	for code, want := range map[int][3]bool{
		0: {}, 250: {true, false, false}, 354: {}, 421: {false, true, false}, 550: {false, false, true},
	} {
		r := Reply{Code: code}
		if got := [3]bool{r.Positive(), r.Transient(), r.Permanent()}; got != want {
			t.Errorf("%d: Positive, Transient, Permanent = %v, want %v", code, got, want)
		}
	}
}

func TestReplyText(t *testing.T) {
	for want, lines := range map[string][]string{
		"": nil, "a": {"a"}, "does not exist. Please try again": {"does not exist.", "Please try", "again"},
	} {
		if got := (Reply{Code: 550, Lines: lines}).Text(); got != want {
			t.Errorf("Text() of %q = %q, want %q", lines, got, want)
		}
	}
}

func FuzzParseReplyText(f *testing.F) {
	f.Add(0, "", "550-5.1.1 foo\n550 5.1.1 bar")
	f.Add(550, "5.1.1", "No such user")
	f.Add(0, "(#5.1.1)", `550-a\n550 b`)
	f.Add(421, "4.7.0", "\x00\r\xff\u202e")
	f.Fuzz(func(t *testing.T, code int, enhanced, text string) {
		r := ParseReplyText(code, enhanced, text)
		checkReply(t, r, r.Code == 0)
		again := ParseReplyText(0, "", r.String())
		if r.Code != 0 && again.Code != r.Code {
			t.Errorf("ParseReplyText(%q).Code = %d, want %d", r.String(), again.Code, r.Code)
		}
	})
}

// checkReply holds a reply to what its documentation says.
func checkReply(t *testing.T, r Reply, codeless bool) {
	t.Helper()
	if !codeless && (r.Code < 200 || r.Code > 599) {
		t.Errorf("Code = %d, want 200 to 599", r.Code)
	}
	if c := int(r.Enhanced.Class); c != 0 && !codeless && c != r.Code/100 {
		t.Errorf("Enhanced = %v in a reply %d", r.Enhanced, r.Code)
	}
	if len(r.Lines) == 0 {
		t.Error("no Lines")
	}
	octets := 0
	for _, l := range r.Lines {
		octets += len(l)
		if len(l) > keptLine || !utf8.ValidString(l) {
			t.Errorf("line of %d octets, valid %v: %q", len(l), utf8.ValidString(l), l)
		}
		if i := strings.IndexFunc(l, func(r rune) bool { return r != utf8.RuneError && !unicode.IsPrint(r) }); i >= 0 {
			t.Errorf("line has an unprintable rune at %d: %q", i, l)
		}
	}
	if octets > keptReply {
		t.Errorf("%d octets kept, want at most %d", octets, keptReply)
	}
}
