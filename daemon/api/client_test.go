package api

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"strconv"
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

// TestClientStream runs the Go client's stream against the server that it is made for.
func TestClientStream(t *testing.T) {
	s := serve(t, Options{}, notAdmins)
	c := client.Client{Socket: s.path}
	t.Cleanup(c.CloseIdleConnections)
	questions := func(n int) iter.Seq[client.Question] {
		return func(yield func(client.Question) bool) {
			for i := range n {
				q := client.Question{ID: strconv.Itoa(i), Email: fmt.Sprintf("x%d@example.com", i)}
				if i == 7 {
					q.Options.Deadline = time.Hour
				}
				if !yield(q) {
					return
				}
			}
		}
	}
	t.Run("to its end", func(t *testing.T) {
		got := map[string]client.Result{}
		for r, err := range c.Stream(t.Context(), questions(3000)) {
			if err != nil {
				t.Fatal(err)
			}
			got[r.ID] = r
		}
		if len(got) != 3000 || got["5"].Answer.Email != "x5@example.com" || got["5"].Err != nil {
			t.Errorf("%d results, the fifth is %+v", len(got), got["5"])
		}
		if e := got["7"].Err; e == nil || e.Code != apitype.CodeInvalidField {
			t.Errorf("a deadline of 1h: %v, want invalid_field", e)
		}
	})
	t.Run("left early", func(t *testing.T) {
		n := 0
		for range c.Stream(t.Context(), questions(1_000_000)) {
			if n++; n == 10 {
				break
			}
		}
		waitFor(t, "the stream is over", func() bool { return s.streams.Load() == 0 })
	})
	t.Run("its context ends", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var last error
		for _, err := range c.Stream(ctx, questions(1_000_000)) {
			cancel()
			last = err
		}
		if !errors.Is(last, context.Canceled) {
			t.Errorf("the last error is %v, want context.Canceled", last)
		}
	})
	t.Run("refused", func(t *testing.T) {
		s.accounts.Replace(Apps{Only: true})
		for _, err := range c.Stream(t.Context(), questions(1)) {
			if e, ok := errors.AsType[*client.Error](err); !ok || e.Rule != "apps_only" {
				t.Errorf("Stream() = %v, want a refusal by apps_only", err)
			}
		}
	})
	t.Run("no daemon", func(t *testing.T) {
		nobody := client.Client{Socket: s.path + ".none"}
		for _, err := range nobody.Stream(t.Context(), questions(1)) {
			if !errors.Is(err, client.ErrNoDaemon) {
				t.Errorf("Stream() = %v, want ErrNoDaemon", err)
			}
		}
	})
}
