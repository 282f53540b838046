package verify_test

import (
	"testing"
	"time"

	"github.com/verimails/verimaild/internal/mailworld"
	"github.com/verimails/verimaild/verify/verdict"
)

// change changes how mx.a.test works, for sessions that are opened from now on.
func (r *rig) change(f func(h *mailworld.Host)) {
	r.t.Helper()
	time.Sleep(20 * time.Second) // Past the linger.
	if err := r.world.Change("mx.a.test", f); err != nil {
		r.t.Fatal(err)
	}
}

// TestStaleAnswerIsRefreshedNowAndThen: while the server gives no better answer, it is not asked for every caller.
func TestStaleAnswerIsRefreshedNowAndThen(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, options{spec: village(), memory: true})
		r.want(r.ask(anyAge("ada@a.test")), verdict.MailboxAccepted)
		r.pass(8 * 24 * time.Hour)
		r.change(func(h *mailworld.Host) {
			h.Rcpt = func(string) mailworld.Reply { return mailworld.Say(451, "4.3.0 try again later") }
		})
		for _, asked := range []int{3, 3, 3, 4} { // Two before it was stale.
			r.want(r.ask(anyAge("ada@a.test")), verdict.MailboxAccepted)
			time.Sleep(time.Second)
			r.wantAsked("mx.a.test", asked)
			r.pass(4 * time.Minute)
		}
	})
}

// TestStaleAcceptanceGivesWayToTheHabit: what a domain has been found to do since says more than an old acceptance.
func TestStaleAcceptanceGivesWayToTheHabit(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, options{spec: village(), memory: true})
		r.want(r.ask(anyAge("ada@a.test")), verdict.MailboxAccepted)
		r.pass(15 * 24 * time.Hour) // What was known of the domain is forgotten, ada is not.
		r.change(func(h *mailworld.Host) {
			h.Rcpt = func(string) mailworld.Reply { return mailworld.Say(250, "2.1.5 Ok") }
		})
		r.want(r.ask(anyAge("bob@a.test")), verdict.AcceptedCatchAll)
		r.want(r.ask(anyAge("ada@a.test")), verdict.AcceptedCatchAll)
	})
}
