package verify_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/verimails/verimaild/internal/mailworld"
	"github.com/verimails/verimaild/verify/address"
	"github.com/verimails/verimaild/verify/verdict"
)

// leaveEarly asks about ada@a.test and goes away after a second.
func leaveEarly(r *rig) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), time.Second)
	defer cancel()
	if _, err := r.verifier.Verify(ctx, anyAge("ada@a.test")); !errors.Is(err, context.DeadlineExceeded) {
		r.t.Errorf("Verify of a caller who left = %v, want context.DeadlineExceeded", err)
	}
}

func slowVillage() mailworld.Spec {
	spec := village()
	spec.Hosts[0].Slow = map[string]time.Duration{"RCPT": 5 * time.Second}
	return spec
}

// TestWhatWasSentIsFinished: a reply that is on its way is worth its control, whether somebody comes meanwhile or later.
func TestWhatWasSentIsFinished(t *testing.T) {
	for _, later := range []time.Duration{0, time.Minute} {
		t.Run(later.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := newRig(t, options{spec: slowVillage(), memory: true})
				leaveEarly(r)
				time.Sleep(later)
				r.want(r.ask(anyAge("ada@a.test")), verdict.MailboxAccepted)
				r.wantAsked("mx.a.test", 2) // ada once, and the control.
			})
		})
	}
}

// TestWhatIsQueuedIsDropped: nobody is asked about what nobody wants to know, and who comes next is not told so.
func TestWhatIsQueuedIsDropped(t *testing.T) {
	bubble(t, func(t *testing.T) {
		spec := village()
		spec.Hosts[0].Slow = map[string]time.Duration{"EHLO": 5 * time.Second}
		r := newRig(t, options{spec: spec, memory: true})
		leaveEarly(r)
		time.Sleep(time.Minute)
		r.wantAsked("mx.a.test", 0)
		leaveEarly(r)
		r.want(r.ask(anyAge("ada@a.test")), verdict.MailboxAccepted)
		r.wantAsked("mx.a.test", 2)
	})
}

// TestWhatIsCutShortIsNotRemembered: that the daemon stopped before the control says nothing about the mailbox.
func TestWhatIsCutShortIsNotRemembered(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, options{spec: slowVillage(), memory: true})
		var wg sync.WaitGroup
		wg.Go(func() { r.ask(row("ada@a.test")) })
		time.Sleep(time.Second)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := r.verifier.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close() = %v, want context.DeadlineExceeded", err)
		}
		wg.Wait()
		ada, err := address.Parse("ada@a.test")
		if err != nil {
			t.Fatal(err)
		}
		if m, freshness := r.cache.Mailbox(ada); freshness != verdict.Missing {
			t.Errorf("remembered %+v, want nothing", m)
		}
	})
}

// TestHabitNoOlderThanTheCallerTakes: an answer must not rest on what is remembered for longer than the caller allows.
func TestHabitNoOlderThanTheCallerTakes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, options{spec: village(), memory: true})
		r.want(r.ask(anyAge("one@all.test")), verdict.AcceptedCatchAll)
		r.pass(2 * time.Hour)
		req := anyAge("two@all.test")
		req.MaxAge = 3 * time.Hour
		r.want(r.ask(req), verdict.AcceptedCatchAll)
		r.wantAsked("mx.all.test", 2)
		req.MaxAge = time.Hour
		ans := r.ask(req)
		r.want(ans, verdict.AcceptedCatchAll)
		r.wantAsked("mx.all.test", 4)
		if ans.Cached || len(ans.Evidence) != 2 || ans.Evidence[1].At.Before(ans.Evidence[0].At) {
			t.Errorf("cached %v, evidence %+v; want the target's and a control's, both new", ans.Cached, ans.Evidence)
		}
	})
}
