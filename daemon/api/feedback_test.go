package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/verimails/verimaild/cache"
	"github.com/verimails/verimaild/client/apitype"
	"github.com/verimails/verimaild/daemon/ledger"
	"github.com/verimails/verimaild/internal/store"
	"github.com/verimails/verimaild/pool/reply"
	"github.com/verimails/verimaild/verify/address"
	"github.com/verimails/verimaild/verify/verdict"
)

// serveLedger serves an API with memory and a ledger.
func serveLedger(t testing.TB) (*served, *cache.Cache) {
	t.Helper()
	stores, err := store.Open(store.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stores.Close(); err != nil {
			t.Error(err)
		}
	})
	c, err := cache.New(cache.Options{Stores: stores})
	if err != nil {
		t.Fatal(err)
	}
	l, err := ledger.New(ledger.Options{
		Cache: c, Stores: stores, Replies: reply.Builtin,
		Remembered: func(a address.Address) verdict.Reason { m, _ := c.Mailbox(a); return m.Reason },
	})
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, Options{Cache: c, Ledger: l}), c
}

// report posts a body of a type.
func (s *served) report(t testing.TB, contentType, body string) result {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://verimaild/v1/feedback", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	return s.do(t, req)
}

func feedbackOf(t testing.TB, r result) (out apitype.FeedbackReply) {
	t.Helper()
	if r.StatusCode != http.StatusOK {
		t.Fatalf("status = %d: %s", r.StatusCode, r.body)
	}
	if err := json.Unmarshal(r.body, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

const ndjson = "application/x-ndjson"

func TestFeedbackOne(t *testing.T) {
	s, c := serveLedger(t)
	a := learn(t, c, "ada@example.com")
	got := feedbackOf(t, s.request(t, "POST", "/v1/feedback", `{"email":"ada@EXAMPLE.com","outcome":"bounced","text":"550 5.1.1 User unknown"}`))
	if got.Reports != 1 || got.Effects.Corrected != 1 || got.Exposed != 1 || got.Counted != 1 || len(got.Results) != 1 {
		t.Fatalf("reply = %+v, want one report that corrected, exposed and counted", got)
	}
	r := got.Results[0]
	if r.Email != "ada@example.com" || r.Says != "refused" || *r.Reason != "mailbox_not_found" || *r.Class != "no_such_mailbox" || r.Rule == nil {
		t.Errorf("result = %+v, want refused, mailbox_not_found, no_such_mailbox, with a rule", r)
	}
	m, _ := c.Mailbox(a)
	if by := verdict.Reported(m.Evidence); m.Reason != verdict.MailboxNotFound || by == nil || by.Source != DefaultApp {
		t.Errorf("remembered: %+v, want mailbox_not_found, reported by %s", m, DefaultApp)
	}
	var st apitype.Feedback
	if err := json.Unmarshal(s.request(t, "GET", "/v1/feedback", "").body, &st); err != nil {
		t.Fatal(err)
	}
	if st.Total.Bounced != 1 || *st.Total.Precision != 0 || len(st.Apps) != 1 || st.Apps[0].Exposed != 1 || st.WindowS != 30*24*3600 {
		t.Errorf("GET /v1/feedback = %+v, want one bounce by one application", st)
	}
}

func TestFeedbackRefused(t *testing.T) {
	s, _ := serveLedger(t)
	for _, tt := range []struct{ name, contentType, body, code string }{
		{"empty", "", "", apitype.CodeInvalidJSON},
		{"no address", "", `{"outcome":"bounced"}`, apitype.CodeMissingField},
		{"no outcome", "", `{"email":"ada@example.com"}`, apitype.CodeMissingField},
		{"no such outcome", "", `{"email":"ada@example.com","outcome":"opened"}`, apitype.CodeInvalidField},
		{"no such field", "", `{"email":"ada@example.com","outcome":"bounced","verdict":"deliverable"}`, apitype.CodeUnknownField},
		{"a code in words", "", `{"email":"ada@example.com","outcome":"bounced","code":"550"}`, apitype.CodeInvalidField},
		{"a code that is none", "", `{"email":"ada@example.com","outcome":"bounced","code":42}`, apitype.CodeInvalidField},
		{"a time that is none", "", `{"email":"ada@example.com","outcome":"bounced","at":"yesterday"}`, apitype.CodeInvalidField},
		{"no valid address", "", `{"email":"ada","outcome":"bounced"}`, apitype.CodeInvalidField},
		{"a literal", "", `{"email":"ada@[192.0.2.1]","outcome":"bounced"}`, apitype.CodeInvalidField},
		{"delivered and refused", "", `{"email":"ada@example.com","outcome":"delivered","code":550}`, apitype.CodeInvalidField},
		{"too long", "", `{"email":"` + strings.Repeat("a", maxBody) + `"}`, apitype.CodeBodyTooLarge},
		{"a message that is no DSN", "message/rfc822", "Subject: hello\r\n\r\nhello\r\n", apitype.CodeNotDSN},
		{"no message", "message/rfc822", "hello", apitype.CodeNotDSN},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := s.report(t, tt.contentType, tt.body)
			if e := errorOf(t, got.body); e.Code != tt.code {
				t.Errorf("= %d %s %q, want %s", got.StatusCode, e.Code, e.Message, tt.code)
			}
		})
	}
}

func TestFeedbackLines(t *testing.T) {
	s, c := serveLedger(t)
	body := strings.Join([]string{
		`{"email":"ada@example.com","outcome":"delivered","at":"` + "2000-01-01T00:00:00Z" + `"}`,
		``,
		`{"email":"bob@example.com","outcome":"bounced","text":"550 5.1.1 User unknown"}`,
		`not json`,
		`{"email":"` + strings.Repeat("x", 2*maxReportLine) + `"}`,
		`{"email":"carol@example.com","outcome":"bounced","text":"450 4.2.0 Greylisted"}`,
		`{"email":"dan@example.com"}`,
		"  {\"email\":\"eve@example.com\",\"outcome\":\"delivered\"}\r",
	}, "\n")
	got := feedbackOf(t, s.report(t, ndjson+"; charset=utf-8", body))
	want := apitype.FeedbackEffects{None: 1, Remembered: 2, Outdated: 1}
	if got.Reports != 4 || got.Faulty != 3 || got.Effects != want {
		t.Errorf("reply = %+v, want 4 reports, 3 faults, effects %+v", got, want)
	}
	var lines []int64
	for _, f := range got.Faults {
		lines = append(lines, f.Line)
	}
	if fmt.Sprint(lines) != "[4 5 7]" {
		t.Errorf("faults in lines %v (%+v), want [4 5 7]", lines, got.Faults)
	}
	for email, reason := range map[string]verdict.Reason{"bob@example.com": verdict.MailboxNotFound, "eve@example.com": verdict.MailboxAccepted, "carol@example.com": ""} {
		a, _ := address.Parse(email)
		if m, _ := c.Mailbox(a); m.Reason != reason {
			t.Errorf("%s is remembered as %q, want %q", email, m.Reason, reason)
		}
	}
}

func TestFeedbackManyLines(t *testing.T) {
	s, _ := serveLedger(t)
	var body strings.Builder
	for i := range 2 * flushEvery {
		fmt.Fprintf(&body, "{\"email\":\"u%d@example.com\",\"outcome\":\"delivered\"}\n", i)
	}
	for range 2 * maxFaults {
		body.WriteString("[]\n")
	}
	got := feedbackOf(t, s.report(t, ndjson, body.String()))
	if got.Reports != 2*flushEvery || len(got.Results) != maxResults || got.Faulty != 2*maxFaults || len(got.Faults) != maxFaults {
		t.Errorf("reply = %d reports, %d results, %d faults, %d named", got.Reports, len(got.Results), got.Faulty, len(got.Faults))
	}
	if got := feedbackOf(t, s.report(t, ndjson, "")); got.Reports != 0 || got.Results == nil || got.Faults == nil {
		t.Errorf("reply to nothing = %+v, want empty lists", got)
	}
}

func TestFeedbackNotification(t *testing.T) {
	s, c := serveLedger(t)
	learn(t, c, "ada@example.com")
	dsn, err := os.ReadFile("../../verify/feedback/testdata/dsn/sendmail-mixed.eml")
	if err != nil {
		t.Fatal(err)
	}
	got := feedbackOf(t, s.report(t, "message/rfc822", string(dsn)+strings.Repeat("the returned message\n", 100_000)))
	var says []string
	for _, r := range got.Results {
		says = append(says, r.Says)
	}
	if fmt.Sprint(says) != "[refused delivered temporary]" || got.Faulty != 0 {
		t.Errorf("says %v, faults %+v, want refused, delivered, temporary", says, got.Faults)
	}
}

func TestFeedbackNeedsMemory(t *testing.T) {
	s := serve(t, Options{})
	for _, method := range []string{"GET", "POST"} {
		got := s.request(t, method, "/v1/feedback", "")
		if e := errorOf(t, got.body); got.StatusCode != http.StatusConflict || e.Code != apitype.CodeCacheDisabled {
			t.Errorf("%s = %d %s, want 409 cache_disabled", method, got.StatusCode, e.Code)
		}
	}
}
