package api

import (
	"context"
	"net/http"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/verimails/verimaild/verify"
	"github.com/verimails/verimaild/verify/verdict"
)

var nine = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

// ada is the answer that the documentation shows.
func ada() *verdict.Answer {
	no := verdict.False
	return &verdict.Answer{
		Email:        "Ada@Example.com",
		Normalized:   "Ada@example.com",
		Reason:       verdict.MailboxAccepted,
		Flags:        verdict.Flags{CatchAll: no, Disposable: no, PrivacyRelay: no, Role: no, FreeProvider: no, NoReply: no, Subaddress: no, SMTPUTF8: no, ImplicitMX: no},
		Provider:     "google",
		ProviderMode: "probe",
		Domain:       "example.com",
		MX:           []verdict.MX{{Host: "mx.example.com", Preference: 10}},
		Evidence: []verdict.Evidence{{
			Stage: "rcpt", MX: "mx.example.com", IP: netip.MustParseAddr("192.0.2.25"), Source: "a", TLS: "TLS1.3",
			Code: 250, Enhanced: "2.1.5", Text: "OK", Class: "accepted", Scope: "mailbox", Rule: "ok", At: nine,
			Dialogue: []verdict.Line{
				{At: nine.Add(-250 * time.Millisecond), Client: true, Text: "RCPT TO:<Ada@example.com>"},
				{At: nine, Text: "250 2.1.5 OK"},
			},
		}},
		AcceptAll: verdict.AcceptAllTested,
		Stage:     "rcpt",
		CheckedAt: nine.In(time.FixedZone("CET", 3600)),
		ExpiresAt: nine.AddDate(0, 1, 0).Add(300 * time.Millisecond),
		Took:      211800 * time.Microsecond,
	}
}

// TestAnswerGolden holds the wire format to the byte: field names, order, nulls, times.
func TestAnswerGolden(t *testing.T) {
	want, err := os.ReadFile("testdata/answer.json")
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, Options{Verifier: verifierFunc(func(context.Context, verify.Request) (*verdict.Answer, error) { return ada(), nil })})
	got := s.request(t, http.MethodGet, "/v1/verify?email=Ada@Example.com", "")
	if string(got.body) != string(want) {
		t.Errorf("the answer is\n%s\nwant\n%s", got.body, want)
	}
}

func TestWireAnswer(t *testing.T) {
	a := ada()
	a.Reason = verdict.SourceBlocked
	a.RetryAt = nine.Add(time.Millisecond)
	a.ExpiresAt = time.Time{}
	a.Flags.CatchAll = verdict.Undetermined
	a.Flags.Role = verdict.True
	w := wireAnswer(a)
	if w.Verdict != "unknown" || w.Subject != "source" {
		t.Errorf("source_blocked is %s/%s, want unknown/source", w.Verdict, w.Subject)
	}
	if w.Explanation != verdict.SourceBlocked.Explanation() {
		t.Errorf("explanation = %q, want the reason's own", w.Explanation)
	}
	if want := nine.Add(time.Second); !w.RetryAt.Equal(want) {
		t.Errorf("retry_at = %v, want the next whole second %v", w.RetryAt, want)
	}
	if !w.ExpiresAt.IsZero() {
		t.Errorf("expires_at = %v, want none", w.ExpiresAt)
	}
	if w.Flags.CatchAll != nil || w.Flags.Role == nil || !*w.Flags.Role || *w.Flags.NoReply {
		t.Errorf("flags = %+v, want catch_all null, role true, no_reply false", w.Flags)
	}
}

func TestWireAnswerOfBadSyntax(t *testing.T) {
	w := wireAnswer(&verdict.Answer{Email: "a@@b", Reason: verdict.InvalidSyntax, Stage: "syntax", CheckedAt: nine})
	if w.Domain != nil || w.Normalized != "" || len(w.Evidence) != 0 {
		t.Errorf("bad syntax: %+v, want no domain, no normalized form, no evidence", w)
	}
}

func TestCeilSecond(t *testing.T) {
	for _, tt := range []struct {
		name    string
		t, want time.Time
	}{
		{"zero", time.Time{}, time.Time{}},
		{"whole", nine, nine},
		{"a bit more", nine.Add(1), nine.Add(time.Second)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := ceilSecond(tt.t); !got.Equal(tt.want) {
				t.Errorf("ceilSecond(%v) = %v, want %v", tt.t, got, tt.want)
			}
		})
	}
}
