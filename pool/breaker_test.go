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
