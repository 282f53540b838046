package verify_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/verimails/verimaild/verify/verdict"
)

// TestAdmit: who asks is held up, or refused, only where somebody would have to be asked.
func TestAdmit(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, options{spec: village(), memory: true})
		calls := 0
		req := anyAge("ada@a.test")
		refusal := errors.New("not now")
		req.Admit = func(context.Context) error { calls++; return refusal }
		if _, err := r.verifier.Verify(t.Context(), req); !errors.Is(err, refusal) || calls != 1 {
			t.Errorf("Verify() = %v after %d calls, want the refusal after 1", err, calls)
		}
		r.wantAsked("mx.a.test", 0)
		invalid := req
		invalid.Email = "no address"
		r.want(r.ask(invalid), verdict.InvalidSyntax)
		if calls != 1 {
			t.Errorf("an address that can't be one was held up")
		}
		req.Deadline = time.Second
		req.Admit = func(context.Context) error { time.Sleep(time.Minute); return nil }
		r.want(r.ask(req), verdict.MailboxAccepted) // The wait does not count.
		req.Admit = func(context.Context) error { return refusal }
		if ans := r.ask(req); !ans.Cached {
			t.Errorf("a remembered answer was asked for again")
		}
	})
}
