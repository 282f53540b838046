package api

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/verimails/verimaild/client"
	"github.com/verimails/verimaild/client/apitype"
	"github.com/verimails/verimaild/verify"
	"github.com/verimails/verimaild/verify/verdict"
)

// TestClient runs the Go client against the server that it is made for.
func TestClient(t *testing.T) {
	s := serve(t, Options{
		Verifier: verifierFunc(func(_ context.Context, req verify.Request) (*verdict.Answer, error) {
			a := ada()
			a.Email = req.Email
			if req.Depth == verify.DepthDNS && req.MaxAge == 0 && req.Deadline == time.Second && req.Wait {
				a.Reason = verdict.NotProbed
			}
			return a, nil
		}),
		Ready: func() (bool, []apitype.Problem) {
			return false, []apitype.Problem{{Code: "egress_blocked", Message: "egress.sender"}}
		},
		Version: apitype.Version{Version: "v1"},
	})
	c := client.Client{Socket: s.path}
	t.Cleanup(c.CloseIdleConnections)
	ctx := t.Context()

	a, err := c.Verify(ctx, "ada+a/b%20@example.com")
	if err != nil || a.Email != "ada+a/b%20@example.com" || a.Verdict != apitype.Deliverable || len(a.Evidence) != 1 || len(a.Evidence[0].Dialogue) != 2 {
		t.Errorf("Verify() = %+v, %v, want the answer with its evidence", a, err)
	}
	if !a.CheckedAt.Equal(nine) || a.TookMS != 212 || *a.Flags.CatchAll {
		t.Errorf("Verify() = %+v, want checked_at %v, took_ms 212, catch_all false", a, nine)
	}
	a, err = c.Verify(ctx, "b@example.com", client.VerifyOptions{Depth: apitype.DepthDNS, Fresh: true, Deadline: time.Second, Wait: true})
	if err != nil || a.Reason != string(verdict.NotProbed) {
		t.Errorf("Verify() with options = %s, %v, want not_probed", a.Reason, err)
	}

	_, err = c.Verify(ctx, "b@example.com", client.VerifyOptions{Deadline: time.Hour})
	if e, ok := errors.AsType[*client.Error](err); !ok || e.Status != http.StatusBadRequest || e.Code != apitype.CodeInvalidField || e.RequestID == "" {
		t.Errorf("Verify() with a deadline of 1h = %v, want 400 invalid_field", err)
	}
	if r, err := c.Ready(ctx); err != nil || r.Ready || len(r.Problems) != 1 {
		t.Errorf("Ready() = %+v, %v, want one problem", r, err)
	}
	if v, err := c.Version(ctx); err != nil || v.Version != "v1" {
		t.Errorf("Version() = %+v, %v, want v1", v, err)
	}

	s.Drain()
	c.MaxRetries = -1
	_, err = c.Verify(ctx, "b@example.com")
	if e, ok := errors.AsType[*client.Error](err); !ok || e.Code != apitype.CodeShuttingDown || e.RetryAfter != shutdownRetry {
		t.Errorf("Verify() while stopping = %v, want shutting_down with its time", err)
	}
	if err := c.Health(ctx); err != nil {
		t.Errorf("Health() while stopping = %v, want nil", err)
	}
}
