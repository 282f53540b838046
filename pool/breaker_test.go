package pool_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/verimails/verimaild/internal/mailworld"
	"github.com/verimails/verimaild/pool"
	"github.com/verimails/verimaild/pool/reply"
)

// Two transactions of one write that are refused are one refusal, and cost one quarter of an hour.
func TestOneRefusalOpensABreakerOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, oneHost(mailworld.Host{}), func(o *pool.Options) {
			o.Limits = unpaced()
			o.Limits.RecipientsPerTransaction = new(1)
		})
		r.want(r.ask(r.hosts("mx.a.test"), "ada@a.test")[0], reply.Accepted)
		time.Sleep(time.Minute)
		r.change(func(h *mailworld.Host) {
			h.Replies = map[string]mailworld.Reply{"MAIL": mailworld.Say(554, "5.7.1 blocked using zen.spamhaus.org")}
		})
		for _, o := range r.ask(r.hosts("mx.a.test"), "ada@a.test", "bob@a.test", "cleo@a.test") {
			r.want(o, reply.SourceBlocked)
			if wait := time.Until(o.RetryAt); wait > 15*time.Minute || wait < 14*time.Minute {
				t.Errorf("RetryAt is %v ahead, want a quarter of an hour", wait)
			}
		}
		if n := len(r.pool.Egress("", 10).Refusals); n != 1 {
			t.Errorf("%d refusals are shown, want 1", n)
		}
	})
}

// change changes the only host from the next session on.
func (r *rig) change(f func(*mailworld.Host)) {
	r.t.Helper()
	if err := r.world.Change("mx.a.test", f); err != nil {
		r.t.Fatal(err)
	}
}

// A session that is welcomed back, and dies in the same breath, was welcomed back.
func TestSessionThatDiesAfterItsTest(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, oneHost(mailworld.Host{Replies: map[string]mailworld.Reply{"MAIL": mailworld.Say(554, "5.7.1 blocked")}}), nil)
		first := r.ask(r.hosts("mx.a.test"), "ada@a.test")[0]
		time.Sleep(time.Until(first.RetryAt) + time.Second)
		r.change(func(h *mailworld.Host) {
			h.Replies, h.Glitches = nil, []mailworld.Glitch{{On: "RSET", Do: mailworld.DoClose}}
		})
		r.want(r.ask(r.hosts("mx.a.test"), "bob@a.test")[0], reply.Accepted)
	})
}

// The end of the pool in the middle of a test is nobody's refusal: after the restart the test is due again.
func TestCloseDuringATestIsNoRefusal(t *testing.T) {
	slow(t)
	dir := t.TempDir() + "/state"
	var due time.Time
	bubble(t, func(t *testing.T) {
		blocks := mailworld.Host{Replies: map[string]mailworld.Reply{"MAIL": mailworld.Say(554, "5.7.1 blocked")}}
		r := newRig(t, oneHost(blocks), func(o *pool.Options) { o.State = openState(t, dir) })
		due = r.ask(r.hosts("mx.a.test"), "ada@a.test")[0].RetryAt
		time.Sleep(time.Until(due) + time.Second)
		r.change(func(h *mailworld.Host) {
			h.Replies, h.Slow = nil, map[string]time.Duration{"MAIL": 20 * time.Second}
		})
		out := r.later("bob@a.test", nil)
		time.Sleep(5 * time.Second)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := r.pool.Close(ctx); err == nil {
			t.Error("Close() = nil, want it cut short")
		}
		r.wantFailure(<-out, pool.FailClosed)
	})
	bubble(t, func(t *testing.T) {
		r := newRig(t, oneHost(mailworld.Host{}), func(o *pool.Options) { o.State = openState(t, dir) })
		time.Sleep(time.Until(due) + time.Minute)
		r.want(r.ask(r.hosts("mx.a.test"), "bob@a.test")[0], reply.Accepted)
	})
}

// Work that moves to a source that the site has refused is told so, and does not wait for that to be over.
func TestMovedWorkIsToldOfARefusal(t *testing.T) {
	bubble(t, func(t *testing.T) {
		block := mailworld.Block{At: mailworld.AtMAIL, Sources: []int{0}, Reply: mailworld.Say(554, "5.7.1 blocked using zen.spamhaus.org")}
		slow := mailworld.Host{Blocks: []mailworld.Block{block}, Slow: map[string]time.Duration{"RCPT": 3 * time.Second}}
		r := newRig(t, oneHost(slow), func(o *pool.Options) {
			fleet(2)(o)
			o.Limits.Sessions, o.Limits.RecipientsPerTransaction = new(1), new(1)
		})
		r.want(r.request("ada@a.test", pinned("a")), reply.SourceBlocked)
		var outs []<-chan pool.Outcome
		for i := range 4 {
			outs = append(outs, r.later(fmt.Sprintf("no%d@a.test", i), nil))
		}
		time.Sleep(time.Second)
		if err := r.pool.Fitness("b", "port 25 is closed"); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		for _, o := range outs {
			<-o
		}
		if took := time.Since(began); took > time.Minute {
			t.Errorf("it took %v until all had an answer", took)
		}
	})
}

// Whose question a path was refused with stays known, also where others waited to be told so: the path is not tested with it.
func TestOthersThatWaitedAreTestedWith(t *testing.T) {
	bubble(t, func(t *testing.T) {
		spec := oneHost(mailworld.Host{Slow: map[string]time.Duration{"RCPT": 3 * time.Second}})
		harvest := true
		spec.Domains[0].Rcpt = func(string) mailworld.Reply {
			if harvest {
				return mailworld.Say(550, "5.7.1 Too many invalid recipients")
			}
			return mailworld.Say(250, "2.1.5 Ok")
		}
		r := newRig(t, spec, func(o *pool.Options) {
			o.Limits = unpaced()
			o.Limits.Sessions, o.Limits.RecipientsPerTransaction = new(1), new(1)
		})
		first := r.later("first@a.test", nil)
		time.Sleep(time.Second)
		second := r.later("second@a.test", nil)
		told := <-first
		if o := <-second; !o.Remembered || !o.RetryAt.Equal(told.RetryAt) {
			t.Errorf("who waited: Remembered %v, RetryAt %v, want what the first was told, until %v", o.Remembered, o.RetryAt, told.RetryAt)
		}
		harvest = false
		time.Sleep(time.Until(told.RetryAt) + time.Hour)
		if o := r.ask(r.hosts("mx.a.test"), "first@a.test")[0]; !o.Remembered {
			t.Errorf("the one who was refused is what it is tested with: %s", o.Reply)
		}
		r.want(r.ask(r.hosts("mx.a.test"), "second@a.test")[0], reply.Accepted)
	})
}
