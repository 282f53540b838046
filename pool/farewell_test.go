package pool_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/verimails/verimaild/internal/mailworld"
	"github.com/verimails/verimaild/pool"
	"github.com/verimails/verimaild/pool/reply"
)

// A server that ends a session for its own reasons has said nothing about refusals, and the hour goes on.
func TestFarewellsSpendNoBudget(t *testing.T) {
	for name, text := range map[string]string{
		"going down": "421 4.3.2 going down\r\n", "no reason": "421 bye\r\n", "too many in this session": "421 4.7.0 too many recipients\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := newRig(t, oneHost(mailworld.Host{Glitches: []mailworld.Glitch{{On: "RCPT", Nth: 2, Do: mailworld.DoSay, Text: text}}}), nil)
				began := time.Now()
				for _, o := range r.ask(r.hosts("mx.a.test"), "nobody@a.test", "ada@a.test", "bob@a.test", "cleo@a.test") {
					if o.Failure == pool.FailNone && o.Meaning.Class == reply.NoSuchMailbox != (o.Recipient.Path == "nobody@a.test") {
						t.Errorf("%s: %s", o.Recipient.Path, o.Reply)
					}
				}
				if took := time.Since(began); took > 5*time.Minute {
					t.Errorf("four questions took %v", took)
				}
				if e := r.pool.Egress("", 1); len(e.Sites) > 0 && e.Sites[0].Learned.Refusals != 0 {
					t.Errorf("learned that %d refusals are borne, which nobody said", e.Sites[0].Learned.Refusals)
				}
			})
		})
	}
}

// One who counts errors is believed: the hour's refusals are spent, and the next session makes fewer.
func TestScenario07ForcedTooManyErrors(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, tagged(mailworld.Host{Limits: mailworld.Limits{HardErrors: mailworld.Limit{N: 2}}}), func(o *pool.Options) {
			o.Limits = unpaced()
			o.Limits.RefusalsPerHour, o.Limits.RecipientsPerTransaction = new(15), new(1)
		})
		for _, path := range []string{"nobody1@a.test", "nobody2@a.test"} {
			r.want(r.ask(r.hosts("mx.a.test"), path)[0], reply.NoSuchMailbox)
		}
		began := time.Now()
		r.want(r.ask(r.hosts("mx.a.test"), "ada+1@a.test")[0], reply.Accepted)
		if waited := time.Since(began); waited < 50*time.Minute {
			t.Errorf("it was asked again after %v, want the hour to be over", waited)
		}
		if got := r.pool.Egress("", 1).Sites[0].Learned.Refusals; got != 1 {
			t.Errorf("learned refusals = %d, want 1: at the second it was enough", got)
		}
	})
}

// Postscreen has every stranger come back once: all who were asked about on the first session, not one of them.
func TestPostscreenPutsOffAWholeSession(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, oneHost(mailworld.Host{}), func(o *pool.Options) { o.Limits = unpaced() })
		r.change(func(h *mailworld.Host) {
			h.Replies = map[string]mailworld.Reply{"RCPT": mailworld.Say(450, "4.3.2 Service currently unavailable")}
		})
		done := make(chan []pool.Outcome)
		go func() { done <- r.ask(r.hosts("mx.a.test"), "ada@a.test", "bob@a.test", "nobody@a.test") }()
		time.Sleep(70 * time.Millisecond)
		r.change(func(h *mailworld.Host) { h.Replies = nil })
		out := <-done
		r.want(out[0], reply.Accepted)
		r.want(out[1], reply.Accepted)
		r.want(out[2], reply.NoSuchMailbox)
		r.wantSessions("mx.a.test", 2)
		if s := r.world.Sessions("mx.a.test"); !s[0].Quit {
			t.Error("the first session did not end with QUIT")
		}
	})
}

func TestScenario42VerificationInProgress(t *testing.T) {
	bubble(t, func(t *testing.T) {
		busy := mailworld.Say(421, "4.1.1 <{rcpt}>: Recipient verification in progress")
		spec := oneHost(mailworld.Host{})
		spec.Domains[0].Rcpt = mailworld.InTurn(busy, mailworld.Say(250, "2.1.5 Ok"))
		r := newRig(t, spec, func(o *pool.Options) { fleet(2)(o) })
		o := r.request("x@a.test", nil)
		r.want(o, reply.TemporaryFailure)
		if o.Meaning.Retry != time.Minute {
			t.Errorf("Retry = %v, want a minute", o.Meaning.Retry)
		}
		r.wantAskedAtMost(1)
		e := r.pool.Egress("", 1)
		if len(e.Refusals) != 0 || len(e.Sites) > 0 && e.Sites[0].Paths[0].State != "closed" {
			t.Errorf("it was taken for a failure of the path: %+v", e)
		}
		time.Sleep(o.Meaning.Retry)
		again := r.request("x@a.test", pinned(o.Source))
		r.want(again, reply.Accepted)
		if again.Source != o.Source {
			t.Errorf("asked from %s, want %s again", again.Source, o.Source)
		}
	})
}

// Courier takes 8 s over the first refusal, 16 s over the second, 32 s over the third.
func TestSessionWhoseRefusalsGetSlowerIsLeft(t *testing.T) {
	bubble(t, func(t *testing.T) {
		courier := mailworld.Host{Pipelining: mailworld.PipeliningOff, Limits: mailworld.Limits{
			SoftErrors: 1, ErrorDelay: 8 * time.Second, ErrorGrowth: 8 * time.Second,
		}}
		r := newRig(t, oneHost(courier), func(o *pool.Options) {
			o.Limits = lifted()
			o.Limits.Sessions = new(1)
		})
		for i := range 8 {
			r.want(r.ask(r.hosts("mx.a.test"), fmt.Sprintf("nobody%d@a.test", i))[0], reply.NoSuchMailbox)
		}
		for _, s := range r.world.Sessions("mx.a.test") {
			if s.Recipients > 3 {
				t.Errorf("session %d had %d refusals, want it left when they got slower", s.ID, s.Recipients)
			}
		}
	})
}
