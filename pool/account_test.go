package pool_test

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/verimails/verimaild/internal/mailworld"
	"github.com/verimails/verimaild/pool"
	"github.com/verimails/verimaild/pool/reply"
)

// A site that is forgotten between questions, and brought back from the disk, has spent what was refused and nothing else.
func TestAcceptedQuestionsCostNothingOverTime(t *testing.T) {
	slow(t)
	dir := t.TempDir() + "/state"
	bubble(t, func(t *testing.T) {
		r := newRig(t, tagged(mailworld.Host{}), func(o *pool.Options) {
			o.Limits = unpaced()
			o.Limits.RefusalsPerHour, o.Limits.ControlsPerHour = new(6), new(10)
			o.State = openState(t, dir)
		})
		began := time.Now()
		for i := range 4 {
			r.want(r.ask(r.hosts("mx.a.test"), fmt.Sprintf("ada+%d@a.test", i))[0], reply.Accepted)
			time.Sleep(2 * time.Minute) // The session has gone, and the site with it.
		}
		if took := time.Since(began); took > 10*time.Minute {
			t.Errorf("four questions two minutes apart took %v", took)
		}
	})
}

// Two sites of one provider share an allowance. What one holds and gives back is the other's at once.
func TestHeldAllowanceWakesWhoWaitsForIt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		spec := oneHost(mailworld.Host{Slow: map[string]time.Duration{"RCPT": 5 * time.Second}})
		spec.Domains[0].CatchAll = true
		r := newRig(t, spec, func(o *pool.Options) {
			o.Limits = unpaced()
			o.Limits.RefusalsPerHour, o.Limits.RecipientsPerTransaction = new(2), new(2)
			fleet(3)(o)
			o.Limits = unpaced()
			o.Limits.RefusalsPerHour, o.Limits.RecipientsPerTransaction = new(2), new(2)
		})
		// Each source has a path of its own at the site; they share the prefix.
		began := time.Now()
		var wg sync.WaitGroup
		for _, src := range []string{"a", "b", "c"} {
			for i := range 2 {
				wg.Go(func() {
					r.want(r.request(fmt.Sprintf("u%s%d@a.test", src, i), pinned(src)), reply.Accepted)
				})
			}
		}
		wg.Wait()
		if took := time.Since(began); took > time.Minute {
			t.Errorf("six live addresses took %v, want half a minute: what is accepted is given back", took)
		}
	})
}

// Controls that have used all that a site bears of refusals leave some for targets, and those that wait do not spin.
func TestControlsUseUpTheHour(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, tagged(mailworld.Host{}), func(o *pool.Options) {
			o.Limits = unpaced()
			o.Limits.RefusalsPerHour, o.Limits.ControlsPerHour, o.Limits.Ramp = new(15), new(30), new(true)
		})
		for hour := range 8 {
			n := 0
			for i := range 40 {
				o := r.pool.Probe(t.Context(), pool.Request{
					Domain: "a.test", Hosts: r.hosts("mx.a.test"),
					Recipients: []pool.Recipient{{Path: fmt.Sprintf("made%d.%d@a.test", hour, i), Control: true}},
				})[0]
				if o.Failure == pool.FailNone {
					n++
				}
			}
			if want := []int{10, 15, 20, 20, 20, 20, 20, 20}[hour]; n != want {
				t.Errorf("hour %d: %d controls were asked about, want %d", hour, n, want)
			}
			if hour == 7 {
				for i := range 5 { // What is left of 25.
					r.want(r.request(fmt.Sprintf("nobody%d@a.test", i), within(time.Minute)), reply.NoSuchMailbox)
				}
				r.wantFailure(r.request("ada+x@a.test", within(time.Minute)), pool.FailBudget)
				began := time.Now()
				r.want(r.request("ada+x@a.test", nil), reply.Accepted)
				if waited := time.Since(began); waited < 50*time.Minute {
					t.Errorf("a target was asked about %v after the hour's refusals were used up", waited)
				}
			}
			time.Sleep(63 * time.Minute)
		}
	})
}

// A host with IPv6 only is counted by the /64, also by who waits.
func TestSpentBudgetOfIPv6OpensNoSessions(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, tagged(mailworld.Host{IPv6: true}), func(o *pool.Options) {
			o.Limits = unpaced()
			o.Limits.RefusalsPerHour = new(4)
			o.Sources[0].IPv6 = mustAddr("2001:db8:1::1")
		})
		hosts := []pool.Host{{Name: "mx.a.test", Addrs: []netip.Addr{mustAddr("2001:db8::1")}}}
		for i := range 4 {
			r.want(r.ask(hosts, fmt.Sprintf("nobody%d@a.test", i))[0], reply.NoSuchMailbox)
		}
		before := r.pool.Stats().Dials
		r.want(r.ask(hosts, "ada+1@a.test")[0], reply.Accepted)
		if n := r.pool.Stats().Dials - before; n > 1 {
			t.Errorf("%d sessions were opened for one question, want one once there was room", n)
		}
	})
}

// An answer that is on its way is for all who ask, however little may be asked besides.
func TestSameQuestionIsNotTurnedAway(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, tagged(mailworld.Host{Slow: map[string]time.Duration{"RCPT": 5 * time.Second}}), func(o *pool.Options) {
			o.Limits = unpaced()
			o.Limits.ProbesPerMinute, o.Limits.RefusalsPerHour = new(1.0), new(1)
		})
		first := r.later("ada+1@a.test", nil)
		time.Sleep(time.Second)
		r.want(r.request("ada+1@a.test", within(10*time.Second)), reply.Accepted)
		r.want(<-first, reply.Accepted)
		r.wantAskedAtMost(1)
	})
}

// What is under way is given back as a rule, and nobody is turned away for it; a time to come back is one.
func TestHeldAllowanceTurnsNobodyAway(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, tagged(mailworld.Host{Slow: map[string]time.Duration{"RCPT": 2 * time.Second}}), func(o *pool.Options) {
			o.Limits = unpaced()
			o.Limits.RefusalsPerHour, o.Limits.ControlsPerHour = new(1), new(1)
		})
		first := r.later("ada+1@a.test", nil)
		time.Sleep(time.Second)
		second := r.later("ada+2@a.test", within(10*time.Second))
		r.want(<-first, reply.Accepted)
		r.want(<-second, reply.Accepted)
		control := make(chan pool.Outcome, 2)
		for i := range 2 {
			go func() {
				control <- r.pool.Probe(context.Background(), pool.Request{
					Domain: "a.test", Hosts: r.hosts("mx.a.test"),
					Recipients: []pool.Recipient{{Path: fmt.Sprintf("made%d@a.test", i), Control: true}},
				})[0]
			}()
		}
		for range 2 {
			o := <-control
			if wait := time.Until(o.RetryAt); o.Failure == pool.FailBudget && (wait < 0 || wait > 2*time.Hour) {
				t.Errorf("RetryAt is %v ahead", wait)
			}
		}
	})
}
