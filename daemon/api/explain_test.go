package api

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/verimails/verimaild/client/apitype"
	"github.com/verimails/verimaild/pool/reply"
)

func explainCall(t *testing.T, s *Server, body string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/v1/explain", strings.NewReader(body))
	r = r.WithContext(withPeer(r.Context(), s.accounts, unknownPeer()))
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func TestExplain(t *testing.T) {
	own, err := reply.Compile([]reply.Rule{{
		Name: "house-rule", Code: "550", Words: []string{"moon is full"}, Class: reply.TemporaryFailure, Scope: reply.ScopeSite,
	}})
	if err != nil {
		t.Fatal(err)
	}
	s := New(Options{Replies: func() *reply.Table { return own }})
	for _, test := range []struct {
		name, body, class, scope, verdict, rule string
	}{
		{"whole reply", `{"text":"550 5.1.1 <ada@example.com>: User unknown"}`, "no_such_mailbox", "mailbox", "undeliverable", ""},
		{"code beside", `{"code":550,"enhanced":"5.1.1","text":"User unknown"}`, "no_such_mailbox", "mailbox", "undeliverable", ""},
		{"before RCPT", `{"stage":"mail","text":"550 5.1.1 User unknown"}`, "", "", "unknown", ""},
		{"provider by MX", `{"mx":"x.mail.protection.outlook.com","text":"550 5.4.1 Recipient address rejected: Access denied"}`, "no_such_mailbox", "mailbox", "undeliverable", ""},
		{"operator's rule", `{"text":"550 The moon is full"}`, "temporary_failure", "site", "unknown", "house-rule"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := explainCall(t, s, test.body)
			var e apitype.Explanation
			if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil || w.Code != http.StatusOK {
				t.Fatalf("%s: status %d, %v: %s", test.body, w.Code, err, w.Body)
			}
			if test.class != "" && (e.Class != test.class || e.Scope != test.scope) {
				t.Errorf("%s: class %s, scope %s, want %s, %s", test.body, e.Class, e.Scope, test.class, test.scope)
			}
			if e.Verdict != test.verdict || test.rule != "" && e.Rule != test.rule || len(e.Advice.Fix) == 0 {
				t.Errorf("%s: %+v, want verdict %s, rule %q, and advice", test.body, e, test.verdict, test.rule)
			}
		})
	}
}

func TestExplainRefuses(t *testing.T) {
	s := New(Options{})
	for _, test := range []struct{ name, body, code string }{
		{"nothing", `{}`, apitype.CodeMissingField},
		{"no code", `{"text":"User unknown"}`, apitype.CodeInvalidField},
		{"code as text", `{"code":"550","text":"x"}`, apitype.CodeInvalidField},
		{"code out of range", `{"code":999,"text":"x"}`, apitype.CodeInvalidField},
		{"fractional code", `{"code":550.5,"text":"x"}`, apitype.CodeInvalidField},
		{"unknown stage", `{"text":"550 x","stage":"banner"}`, apitype.CodeInvalidField},
		{"unknown provider", `{"text":"550 x","provider":"nobody"}`, apitype.CodeInvalidField},
		{"unknown field", `{"text":"550 x","txt":"y"}`, apitype.CodeUnknownField},
		{"not JSON", `550 x`, apitype.CodeInvalidJSON},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := explainCall(t, s, test.body)
			var e apitype.ErrorReply
			if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil || e.Error.Code != test.code || w.Code/100 != 4 {
				t.Errorf("%s: status %d, %v, %s; want code %s", test.body, w.Code, err, w.Body, test.code)
			}
		})
	}
}
