package smtp

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"
	"unicode/utf8"
)

// FuzzSession has a server say anything at each of its turns, which are separated by NUL. Whatever it says, the client
// keeps to the commands that it may send, reports each recipient once at most and in order, keeps no more of what it was
// told than is documented, and ends.
func FuzzSession(f *testing.F) {
	for _, turns := range [][]string{
		{"220 mx ESMTP\r\n", "250-mx\r\n250-PIPELINING\r\n250 SMTPUTF8\r\n", "250 ok\r\n250 ok\r\n550 5.1.1 no\r\n250 ok\r\n", "250 ok\r\n550 no\r\n250 ok\r\n", "221 bye\r\n"},
		{"220 mx\r\n", "500 what\r\n", "250 mx\r\n", "250 ok\r\n", "250 ok\r\n", "450 4.2.0 later\r\n", "250 ok\r\n"},
		{"220-wait\r\n", "220 mx\r\n", "250-mx\r\n250 LIMITS RCPTMAX=1 MAILMAX=1 RCPTDOMAINMAX=9999999 X\r\n", "421 bye\r\n"},
		{"220 mx\r\n", "250-mx\r\n250 STARTTLS\r\n", "220 go\r\n", "\x16\x03\x01\x00\x02hi"},
		{"220 mx\r\n", "250-mx\r\n250 STARTTLS\r\n", "220 go\r\n250 injected\r\n"},
		{"220 mx\r\n", "250-mx\r\n250 STARTTLS\r\n", "454 not now\r\n", "250 ok\r\n", "250 ok\r\n"},
		{"220 mx\r\n250 mx\r\n250 ok\r\n250 ok\r\n250 ok\r\n"},
		{"354 go ahead\r\n"},
		{"220 mx\r\n", "354 go ahead\r\n"},
		{"220 mx\r\n", "250 mx\r\n", "250 ok\r\n", "354 go ahead\r\n", "354 go ahead\r\n"},
		{"220 mx\r\n", "250-mx\r\n250 PIPELINING\r\n", "250 ok\r\n421 4.3.2 bye\r\n"},
		{"220 \x1b[2J\r\n", "250 \u202e\xff\r\n"},
	} {
		f.Add([]byte(strings.Join(turns, "\x00")), false)
	}
	f.Add([]byte("220 mx\r\n\x00250-mx\r\n250 STARTTLS\r\n\x00502 no\r\n"), true)
	f.Fuzz(func(t *testing.T, said []byte, required bool) {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			converse(t, bytes.Split(said, []byte{0}), required)
			if took := time.Since(began); took > 20*time.Minute {
				t.Errorf("the session took %v", took)
			}
		})
	})
}

// converse asks a server that says the turns, one after each command and whatever is left at its end, about three recipients.
func converse(t *testing.T, turns [][]byte, required bool) {
	const clientHello = 0x16
	conn := serve(t, func(p *peer) {
		inTLS := false
		for _, words := range turns {
			p.raw(string(words))
			if b, err := p.in.Peek(1); err == nil && b[0] == clientHello {
				inTLS = true
			}
			if !inTLS && p.next() == "" {
				return
			}
		}
		_ = p.conn.Close()
	})
	cfg := config()
	if required {
		cfg.TLS = TLSRequired
	}
	s, err := Open(context.Background(), conn, cfg)
	if err != nil {
		e := asError(t, err)
		checkError(t, e)
		checkOpening(t, e.Opening)
		return
	}
	defer s.Close()
	checkOpening(t, s.Opening())
	if l := s.Extensions().Limits; max(l.MailMax, l.RcptMax, l.RcptDomainMax) > 999_999 || min(l.MailMax, l.RcptMax, l.RcptDomainMax) < 0 {
		t.Errorf("limits %+v", l)
	}
	txs := []Transaction{tx(ada, bob), tx(eve)}
	last := -1
	err = s.Run(context.Background(), txs, func(e Event) {
		place := e.Tx*10 + e.Rcpt + 1
		if place <= last || e.Tx > 1 || e.Rcpt >= len(txs[e.Tx].Recipients) {
			t.Errorf("an event of transaction %d, recipient %d comes after place %d", e.Tx, e.Rcpt, last)
		}
		last = place
		checkReply(t, e.Reply, false)
	})
	if err != nil && !errors.Is(err, ErrBusy) {
		checkError(t, asError(t, err))
	}
	s.Quit()
}

// checkError wants an error that can be shown.
func checkError(t *testing.T, e *Error) {
	t.Helper()
	if e.Kind == "" || e.Kind == KindCanceled || e.Kind == KindArgument {
		t.Errorf("Kind = %q, which no server can bring about", e.Kind)
	}
	if e.Reply.Code != 0 {
		checkReply(t, e.Reply, false)
	}
	if text := e.Error(); !shown(text) || len(text) > 2*keptReply {
		t.Errorf("the error of %d octets reads %q", len(text), text)
	}
}

// checkOpening wants a transcript within its bounds.
func checkOpening(t *testing.T, lines []Line) {
	t.Helper()
	octets := 0
	for _, l := range lines {
		octets += len(l.Text)
		if len(l.Text) > keptLine || !shown(l.Text) {
			t.Errorf("the transcript has the line %q", l.Text)
		}
	}
	if len(lines) > transcriptLines || octets > transcriptOctets {
		t.Errorf("the transcript has %d lines and %d octets", len(lines), octets)
	}
}

// shown reports whether s is text that does nothing to the terminal or the log that it is written to.
func shown(s string) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return r != utf8.RuneError && !unicode.IsPrint(r) }) < 0
}

// FuzzParseExtensions holds the reading of a reply to EHLO to its laws: keywords have no case, their order says nothing,
// what is unknown changes nothing, and a line that is taken away takes no more than itself.
func FuzzParseExtensions(f *testing.F) {
	for _, lines := range []string{
		"mx\nPIPELINING\nSMTPUTF8\nENHANCEDSTATUSCODES\nSTARTTLS\nLIMITS RCPTMAX=5 MAILMAX=6 RCPTDOMAINMAX=7",
		"mx", "", "STARTTLS", "mx\n\n \nsize 10\nAUTH=LOGIN", "mx\nlimits rcptmax=0 mailmax=-1 rcptdomainmax=1000000 X= =1 RCPTMAX=1e3",
		"mx\nLIMITS RCPTMAX=1\nLIMITS MAILMAX=2", "mx\nPIPELINING\u2003x", "mx\n8BITMIME PIPELINING",
	} {
		f.Add(lines)
	}
	f.Fuzz(func(t *testing.T, text string) {
		lines := strings.Split(text, "\n") // One at least, as in every Reply.
		for i := range lines {
			lines[i] = printable(lines[i], keptLine)
		}
		got := parseExtensions(lines)
		if l := got.Limits; max(l.MailMax, l.RcptMax, l.RcptDomainMax) > 999_999 || min(l.MailMax, l.RcptMax, l.RcptDomainMax) < 0 {
			t.Errorf("parseExtensions(%q).Limits = %+v", lines, l)
		}
		if again := parseExtensions(append(slices.Clone(lines), "X-UNKNOWN PIPELINING STARTTLS", "")); again != got {
			t.Errorf("parseExtensions(%q) = %+v, with an unknown keyword %+v", lines, got, again)
		}
		turned := slices.Clone(lines)
		slices.Reverse(turned[1:])
		again := parseExtensions(turned)
		again.Limits = got.Limits // The last LIMITS counts.
		if again != got {
			t.Errorf("parseExtensions(%q) = %+v, in another order %+v", lines, got, again)
		}
		if isASCII(text) {
			lower := slices.Clone(lines)
			for i := range lower {
				lower[i] = strings.ToLower(lower[i])
			}
			if again := parseExtensions(lower); again != got {
				t.Errorf("parseExtensions(%q) = %+v, in lower case %+v", lines, got, again)
			}
		}
	})
}
