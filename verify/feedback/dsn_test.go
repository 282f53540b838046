package feedback

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// read is the notification in testdata/dsn/NAME.eml, its lines ended as in a file or as on the wire.
func read(t testing.TB, name string, crlf bool) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "dsn", name+".eml"))
	if err != nil {
		t.Fatal(err)
	}
	if crlf {
		b = bytes.ReplaceAll(b, []byte("\n"), []byte("\r\n"))
	}
	return b
}

// brief is a report on one line.
func brief(r Report) string {
	s := fmt.Sprintf("%s %s %d %s", r.Outcome, r.Email, r.Code, r.Enhanced)
	if r.Elsewhere {
		s += " elsewhere"
	}
	if !r.At.IsZero() {
		s += " " + r.At.UTC().Format("15:04:05")
	}
	return strings.TrimSpace(s)
}

func TestParseDSN(t *testing.T) {
	for _, tt := range []struct {
		name string
		want []string
		text string // How the first one's text begins.
	}{
		{"postfix", []string{"bounced Ada@example.com 550  08:30:01"}, "550 5.1.1 <ada@example.com>: Recipient address rejected: User unknown in virtual mailbox table"},
		{"postfix-expired", []string{"bounced ada@example.com 0 4.4.1 08:30:01"}, "connect to mx.example.com[192.0.2.25]:25: Connection timed out"},
		{"postfix-forwarded", []string{"bounced ada@example.com 550  elsewhere 08:30:01"}, "550 5.1.1 <ada.l@example.net>"},
		{"exchange", []string{"bounced ada@example.com 550  08:12:44"}, "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found"},
		{"gmail", []string{"bounced ada@example.com 550  08:12:44"}, "550-5.1.1 The email account that you tried to reach does not exist."},
		{"exim-two", []string{"bounced ada@example.com 550 5.0.0 08:00:00", "bounced bob@example.com 552  08:00:00"}, "550 No such user here"},
		{"sendmail-mixed", []string{
			"bounced ada@example.com 550  08:00:01", "delivered bob@example.com 0  08:00:02", "delayed dan@example.com 450  08:00:02",
		}, "550 5.1.1 <ada@example.com>... User unknown"},
		{"global", []string{"bounced jörg@example.com 0 5.1.1 08:00:02"}, "user unknown"},
		{"wrapped", []string{"bounced ada@example.com 0 5.1.1"}, `unknown user "ada"`},
		{"unix-mbox", []string{"bounced ada@example.com 0 5.1.1 08:00:02"}, ""},
	} {
		for _, crlf := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/crlf=%t", tt.name, crlf), func(t *testing.T) {
				reports, err := ParseDSN(bytes.NewReader(read(t, tt.name, crlf)))
				if err != nil {
					t.Fatal(err)
				}
				var got []string
				for _, r := range reports {
					clean(t, &r)
					got = append(got, brief(r))
				}
				if fmt.Sprint(got) != fmt.Sprint(tt.want) {
					t.Errorf("ParseDSN() =\n%q, want\n%q", got, tt.want)
				}
				if !strings.HasPrefix(reports[0].Text, tt.text) {
					t.Errorf("text = %q, want %q at its beginning", reports[0].Text, tt.text)
				}
			})
		}
	}
}

// TestDSNJudged: what servers' notifications come to, from the message to the judgement.
func TestDSNJudged(t *testing.T) {
	for _, tt := range []struct {
		name string
		want []Says
	}{
		{"postfix", []Says{SaysRefused}},
		{"postfix-expired", []Says{SaysTemporary}},
		{"postfix-forwarded", []Says{SaysElsewhere}},
		{"exchange", []Says{SaysRefused}},
		{"gmail", []Says{SaysRefused}},
		{"exim-two", []Says{SaysRefused, SaysFull}},
		{"sendmail-mixed", []Says{SaysRefused, SaysDelivered, SaysTemporary}},
		{"global", []Says{SaysRefused}},
		{"wrapped", []Says{SaysRefused}},
		{"unix-mbox", []Says{SaysRefused}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			reports, err := ParseDSN(bytes.NewReader(read(t, tt.name, false)))
			if err != nil {
				t.Fatal(err)
			}
			var got []Says
			for _, r := range reports {
				f := bounce("")
				rep := r.Reply()
				f.Outcome, f.Elsewhere, f.Code, f.Enhanced = r.Outcome, r.Elsewhere, rep.Code, rep.Enhanced
				if rep.Code != 0 {
					f.Meaning = bounce(rep.String()).Meaning
				}
				got = append(got, Judge(f).Says)
			}
			if fmt.Sprint(got) != fmt.Sprint(tt.want) {
				t.Errorf("says %v, want %v", got, tt.want)
			}
		})
	}
}

func TestNotDSN(t *testing.T) {
	var deep strings.Builder
	deep.WriteString("Content-Type: multipart/mixed; boundary=b0\r\n\r\n")
	for i := range 8 {
		fmt.Fprintf(&deep, "--b%d\r\nContent-Type: multipart/mixed; boundary=b%d\r\n\r\n", i, i+1)
	}
	many := "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + strings.Repeat("--b\r\n\r\nx\r\n", 100)
	status := "Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx\r\n"
	for _, tt := range []struct {
		name, message string
		want          error
	}{
		{"complaint", string(read(t, "arf", false)), ErrNotDSN},
		{"vacation", string(read(t, "vacation", false)), ErrNotDSN},
		{"empty", "", ErrNotDSN},
		{"no header", "hello", ErrNotDSN},
		{"no type", "From: a@example.com\r\n\r\nhello", ErrNotDSN},
		{"no boundary", "Content-Type: multipart/report\r\n\r\nhello", ErrNotDSN},
		{"boundary without parts", "Content-Type: multipart/report; boundary=b\r\n\r\nhello", ErrNotDSN},
		{"deep", deep.String(), ErrNotDSN},
		{"many parts", many, ErrTooLarge},
		{"no recipient", status, ErrNotDSN},
		{"too many recipients", status + strings.Repeat("\r\nFinal-Recipient: rfc822; a@example.com\r\n", MaxRecipients+1), ErrTooLarge},
		{"a status like a book", status + strings.Repeat("X-Filler: "+strings.Repeat("x", 1000)+"\r\n", 1100), ErrTooLarge},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := ParseDSN(strings.NewReader(tt.message)); !errors.Is(err, tt.want) {
				t.Errorf("ParseDSN() = %v, %v, want %v", got, err, tt.want)
			}
		})
	}
}

// TestDSNReadsNoMore: the returned message may be long; it is not read.
func TestDSNReadsNoMore(t *testing.T) {
	head := read(t, "postfix", true)
	r := &endless{head: head}
	reports, err := ParseDSN(r)
	if err != nil || len(reports) != 1 {
		t.Fatalf("ParseDSN() = %v, %v, want one report", reports, err)
	}
	if r.n > len(head)+64<<10 {
		t.Errorf("%d bytes were read, want little more than %d", r.n, len(head))
	}
}

// endless is a message that never ends.
type endless struct {
	head []byte
	n    int
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.head)
	e.head = e.head[n:]
	if n == 0 {
		n = copy(p, strings.Repeat("x", len(p)))
	}
	e.n += n
	return n, nil
}

func FuzzParseDSN(f *testing.F) {
	names, err := filepath.Glob("testdata/dsn/*.eml")
	if err != nil || len(names) == 0 {
		f.Fatalf("no notifications: %v", err)
	}
	for _, name := range names {
		f.Add(read(f, strings.TrimSuffix(filepath.Base(name), ".eml"), false))
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		reports, err := ParseDSN(bytes.NewReader(message))
		if err != nil {
			if reports != nil || !errors.Is(err, ErrNotDSN) && !errors.Is(err, ErrTooLarge) {
				t.Fatalf("ParseDSN() = %v, %v", reports, err)
			}
			return
		}
		if len(reports) > MaxRecipients {
			t.Fatalf("%d reports", len(reports))
		}
		for _, r := range reports {
			clean(t, &r)
			if r.Outcome == Delivered && r.Reply().Code != 0 {
				t.Fatalf("delivered, with a reply: %+v", r)
			}
			if r.At.After(time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)) {
				t.Fatalf("at %v", r.At)
			}
		}
	})
}
