package client

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/verimails/verimaild/client/apitype"
)

// TestReports: what is sent, as which type, and what comes back.
func TestReports(t *testing.T) {
	var contentType, body string
	f := serve(t, "", func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil || r.URL.Path != "/v1/feedback" {
			t.Errorf("%s, %v", r.URL.Path, err)
		}
		if r.Method == http.MethodGet {
			reply(w, http.StatusOK, `{"window_s":60,"total":{"provider":null,"delivered":9,"bounced":1,"precision":0.9},"providers":[],"apps":[]}`)
			return
		}
		contentType, body = r.Header.Get("Content-Type"), string(b)
		reply(w, http.StatusOK, `{"reports":1,"effects":{"corrected":1},"results":[{"email":"ada@example.com","reason":null}]}`)
	})
	c := newClient(t, f.socket)
	at := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name              string
		call              func() (apitype.FeedbackReply, error)
		contentType, body string
	}{
		{"delivered", func() (apitype.FeedbackReply, error) {
			return c.Report(t.Context(), apitype.FeedbackReport{Email: "ada@example.com", Outcome: apitype.OutcomeDelivered})
		}, "application/json", `{"email":"ada@example.com","outcome":"delivered"}`},
		{"bounced", func() (apitype.FeedbackReply, error) {
			return c.Report(t.Context(), apitype.FeedbackReport{
				Email: "ada@example.com", Outcome: apitype.OutcomeBounced, Code: 550, Enhanced: "5.1.1", Text: "no", At: at,
			})
		}, "application/json", `{"email":"ada@example.com","outcome":"bounced","code":550,"enhanced":"5.1.1","text":"no","at":"2026-11-23T09:00:00Z"}`},
		{"lines", func() (apitype.FeedbackReply, error) {
			return c.ReportLines(t.Context(), strings.NewReader("{}\n{}\n"))
		}, "application/x-ndjson", "{}\n{}\n"},
		{"a message", func() (apitype.FeedbackReply, error) {
			return c.ReportMessage(t.Context(), strings.NewReader("Subject: x\r\n\r\n"))
		}, "message/rfc822", "Subject: x\r\n\r\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.call()
			if err != nil || got.Effects.Corrected != 1 || got.Results[0].Email != "ada@example.com" {
				t.Fatalf("= %+v, %v", got, err)
			}
			if contentType != tt.contentType || body != tt.body {
				t.Errorf("sent %s %q, want %s %q", contentType, body, tt.contentType, tt.body)
			}
		})
	}
	st, err := c.Feedback(t.Context())
	if err != nil || st.Total.Delivered != 9 || *st.Total.Precision != 0.9 {
		t.Errorf("Feedback() = %+v, %v", st, err)
	}
}

func TestReportRefused(t *testing.T) {
	f := serve(t, "", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusBadRequest, `{"error":{"code":"not_dsn","message":"No.","retry_after_ms":null}}`)
	})
	_, err := newClient(t, f.socket).ReportMessage(t.Context(), strings.NewReader("x"))
	if e, ok := errors.AsType[*Error](err); !ok || e.Code != apitype.CodeNotDSN {
		t.Errorf("ReportMessage() = %v, want %s", err, apitype.CodeNotDSN)
	}
}
