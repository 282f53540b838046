package cli

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/verimails/verimaild/client/apitype"
)

func TestReportRows(t *testing.T) {
	for _, tt := range []struct {
		name, in, want string
	}{
		{
			"as documented", "email,outcome,text,at\nada@example.com,bounced,550 5.1.1 User unknown,2026-11-23T09:00:00Z\n",
			"\n" + `{"at":"2026-11-23T09:00:00Z","email":"ada@example.com","outcome":"bounced","text":"550 5.1.1 User unknown"}` + "\n",
		},
		{
			"a mark, semicolons, other names, other columns", "\uFEFFTime;Recipient;Campaign;EVENT;smtp_code\n;ada@example.com;x;Hard_Bounce;550\n",
			"\n" + `{"code":550,"email":"ada@example.com","outcome":"bounced"}` + "\n",
		},
		{
			"rows of several lines keep their numbers", "email\toutcome\ttext\n\na@x.example\tbounced\t\"550\nno\"\nb@x.example\tdelivered\n",
			"\n\n" + `{"email":"a@x.example","outcome":"bounced","text":"550\nno"}` + "\n\n" + `{"email":"b@x.example","outcome":"delivered"}` + "\n",
		},
		{
			"what makes no sense is left to the daemon", "email,outcome,code\na,opened,abc\n,,\n",
			"\n" + `{"code":"abc","email":"a","outcome":"opened"}` + "\n" + `{}` + "\n",
		},
		{"nothing", "email,outcome\n", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rows, err := newReportRows(bufio.NewReader(strings.NewReader(tt.in)))
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			if err := rows.writeTo(&out); err != nil || out.String() != tt.want {
				t.Errorf("writeTo() = %q, %v, want %q", out.String(), err, tt.want)
			}
		})
	}
	for _, in := range []string{"", "a,b\n", "email\n", "outcome,text\n"} {
		if _, err := newReportRows(bufio.NewReader(strings.NewReader(in))); err == nil {
			t.Errorf("newReportRows(%q) = nil, want an error", in)
		}
	}
}

func TestMessagesOf(t *testing.T) {
	long := strings.Repeat("x", 100<<10) + "\n"
	for _, tt := range []struct {
		name, in string
		want     []string
	}{
		{"empty", "", nil},
		{"no mbox", "Subject: x\n\nhello\n", nil},
		{"one", "From a\nSubject: x\n\nhello\n", []string{"Subject: x\n\nhello\n"}},
		{"two", "From a\nA\n\nFrom b\nB\n", []string{"A\n\n", "B\n"}},
		{"no empty line before", "From a\nA\nFrom b\nB\n", []string{"A\nFrom b\nB\n"}},
		{"quoted", "From a\nA\n\n>From b\n>>From c\n> d\n", []string{"A\n\nFrom b\n>From c\n> d\n"}},
		{"CRLF", "From a\r\nA\r\n\r\nFrom b\r\nB", []string{"A\r\n\r\n", "B"}},
		{"long lines", "From a\n" + long + "\nFrom b\nB\n", []string{long + "\n", "B\n"}},
		{"nothing in them", "From a\n\nFrom b\n", []string{"\n", ""}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for m, err := range messagesOf(bufio.NewReaderSize(strings.NewReader(tt.in), 4<<10)) {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, string(m))
			}
			if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", tt.want) {
				t.Errorf("messagesOf() = %.200q, want %.200q", got, tt.want)
			}
		})
	}
}

// TestLongMessage: of a message that is longer than is sent, the beginning; the next one is whole.
func TestLongMessage(t *testing.T) {
	in := "From a\n" + strings.Repeat(strings.Repeat("x", 99)+"\n", maxMailed/100+100) + "\nFrom b\nB\n"
	var sizes []int
	for m := range messagesOf(bufio.NewReader(strings.NewReader(in))) {
		sizes = append(sizes, len(m))
	}
	if len(sizes) != 2 || sizes[0] > maxMailed || sizes[0] < maxMailed-100 || sizes[1] != 2 {
		t.Errorf("messages of %v bytes, want one of nearly %d and one of 2", sizes, maxMailed)
	}
}

func TestFormatOf(t *testing.T) {
	for _, tt := range []struct{ name, head, want string }{
		{"a.csv", "{", formatCSV},
		{"a.NDJSON", "From ", formatNDJSON},
		{"a.eml", "{", formatMessage},
		{"a.mbox", "", formatMbox},
		{"", `  {"email":"a"}`, formatNDJSON},
		{"bounces", "From MAILER-DAEMON Mon\n", formatMbox},
		{"bounce", "Return-Path: <>\nFrom: x\n", formatMessage},
		{"list", "email,outcome\n", formatCSV},
		{"list", "\uFEFFemail;outcome\n", formatCSV},
		{"", "", formatCSV},
	} {
		if got := formatOf(tt.name, bufio.NewReader(strings.NewReader(tt.head))); got != tt.want {
			t.Errorf("formatOf(%q, %q) = %s, want %s", tt.name, tt.head, got, tt.want)
		}
	}
}

func TestMessagesIn(t *testing.T) {
	maildir, plain := t.TempDir(), t.TempDir()
	for _, name := range []string{"new/1", "cur/2:2,S", "tmp/3", "notes"} {
		path := filepath.Join(maildir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(plain, "a.eml"), []byte("a"), 0o600); err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]string{maildir: "[new/1 cur/2:2,S]", plain: "[a]"} {
		var got []string
		for m, err := range messagesIn(dir) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, string(m))
		}
		if fmt.Sprint(got) != want {
			t.Errorf("messagesIn() = %v, want %s", got, want)
		}
	}
}

func TestSums(t *testing.T) {
	r := apitype.FeedbackReply{Reports: 3, Faulty: 1, Exposed: 1, Effects: apitype.FeedbackEffects{None: 1, Corrected: 2}}
	want := "3 reports, 2 corrected, 1 without a word about the address, 1 exposed a domain, 1 made no sense, 2 messages passed over"
	if got := sums(&r, 2); got != want {
		t.Errorf("sums() = %q, want %q", got, want)
	}
	var sum apitype.FeedbackReply
	for range 30 {
		r.Results, r.Faults = make([]apitype.FeedbackResult, 5), make([]apitype.FeedbackFault, 1)
		add(&sum, &r)
	}
	if sum.Reports != 90 || sum.Effects.Corrected != 60 || len(sum.Results) != 100 || len(sum.Faults) != 20 {
		t.Errorf("add() = %d reports, %d corrected, %d results, %d faults", sum.Reports, sum.Effects.Corrected, len(sum.Results), len(sum.Faults))
	}
}

// TestRenderFeedback: the share of a few is marked, and that of nothing is not printed.
func TestRenderFeedback(t *testing.T) {
	share := func(p float64) *float64 { return &p }
	google := "google"
	var out bytes.Buffer
	renderFeedback(&out, &apitype.Feedback{
		WindowS: 30 * 24 * 3600, Total: apitype.FeedbackPrecision{Delivered: 100, Bounced: 1, Precision: share(100. / 101)},
		Providers: []apitype.FeedbackPrecision{{Delivered: 9, Bounced: 1, Precision: share(.9)}, {Provider: &google, Delivered: 91, Precision: share(1)}},
	})
	for _, want := range []string{"last 30 days", "other hosts           90.00 % delivered, 9 of 10 (few)\n", "google               100.00 % delivered, 91 of 91\n", "all                   99.01 % delivered, 100 of 101\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("lacks %q:\n%s", want, out.String())
		}
	}
}
