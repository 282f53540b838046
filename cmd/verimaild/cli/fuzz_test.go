package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/verimails/verimaild/pool/reply"
)

// FuzzReportRows takes any file for a table of reports: it is refused, or each row becomes a line of JSON of its own number.
func FuzzReportRows(f *testing.F) {
	for _, in := range []string{
		"email,outcome\na@b.c,bounced\n", "\ufeffEmail;Event;Reason\na@b.c;hard_bounce;\"550 5.1.1\nno\"\n\nb@c.d;delivered;\n", "email\toutcome\tcode\na\tbounced\t550\n",
		"outcome,email,email\n,\n", "a,b\n", "", "email,outcome\n\"a\n\n\nb\",x\n", "email,outcome,at\n\x1b,\xff,\x00\n",
	} {
		f.Add(in)
	}
	f.Fuzz(func(t *testing.T, in string) {
		rows, err := newReportRows(bufio.NewReader(strings.NewReader(in)))
		if err != nil {
			return
		}
		var out bytes.Buffer
		if err := rows.writeTo(&out); err != nil {
			return
		}
		n := 0
		for line := range strings.Lines(out.String()) {
			n++
			if line = strings.TrimSpace(line); line != "" && !json.Valid([]byte(line)) {
				t.Errorf("%q becomes the line %q", in, line)
			}
		}
		if most := strings.Count(in, "\n") + strings.Count(in, "\r") + 2; n > most {
			t.Errorf("%q becomes %d lines, want at most %d", in, n, most)
		}
	})
}

// FuzzMessagesOf takes any file for an mbox: no message is longer than is sent, and there are no more of them than lines that
// begin one.
func FuzzMessagesOf(f *testing.F) {
	for _, in := range []string{
		"From a\nx: y\n\nbody\n\nFrom b\n\n>From c\n", "From a", "\n\nFrom a\r\n\r\nFrom b\r\n", "no mbox\nFrom a\n", strings.Repeat("x", 200) + "\n\nFrom a\n>>From b",
	} {
		f.Add(in)
	}
	f.Fuzz(func(t *testing.T, in string) {
		n := 0
		for message, err := range messagesOf(bufio.NewReaderSize(strings.NewReader(in), 16)) {
			if err != nil {
				t.Fatalf("messagesOf(%q) = %v", in, err)
			}
			if n++; len(message) > len(in) || len(message) > maxMailed {
				t.Errorf("a message of %d bytes of %q", len(message), in)
			}
		}
		if most := strings.Count("\n"+in, "\nFrom "); n > most {
			t.Errorf("%d messages of %q, want at most %d", n, in, most)
		}
	})
}

// FuzzExplainLines answers each line of any input with one line of JSON, or with a line of standard error.
func FuzzExplainLines(f *testing.F) {
	for _, in := range []string{
		`{"id":1,"text":"550 5.1.1 no"}` + "\n" + `{"id":"\u001b[2J","code":421,"stage":"connect","mx":["a.b"],"text":"x"}`, "null\n[]\n\n{}", `{"mx":5}`, `{"id":{"a":[1]},"code":250}`,
		"{\"id\":\"\u009b31m\",\"code\":1}\n", "\xff\n\x00\n",
	} {
		f.Add(in)
	}
	f.Fuzz(func(t *testing.T, in string) {
		var out, errs bytes.Buffer
		_ = explainLines(reply.Builtin(), stdio{in: strings.NewReader(in), out: &out, err: &errs}) // Its exit status.
		for line := range strings.Lines(out.String()) {
			if !json.Valid([]byte(line)) {
				t.Errorf("%q is answered %q", in, line)
			}
		}
		lines := 0
		for line := range strings.Lines(in) {
			if strings.Trim(line, "\r\n") != "" {
				lines++
			}
		}
		if got := strings.Count(out.String(), "\n"); got > lines || got < lines && errs.Len() == 0 {
			t.Errorf("%d lines are answered with %d, and %q", lines, got, errs.String())
		}
		if strings.ContainsAny(errs.String(), "\x1b\u009b\x00") {
			t.Errorf("%q puts %q onto standard error", in, errs.String())
		}
	})
}
