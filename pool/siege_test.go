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

// A host that greets us with a refusal, beside one that does not, is left alone for an hour.
func TestScenario37RefusedGreetingIsRemembered(t *testing.T) {
	bubble(t, func(t *testing.T) {
		refuses := mailworld.Host{Greeting: mailworld.Greeting{Reply: mailworld.Say(554, "5.7.1 go away")}}
		r := newRig(t, twoHosts(refuses, mailworld.Host{}), func(o *pool.Options) { o.Limits = unpaced() })
		hosts := r.hosts("mx.a.test", "mx2.a.test")
		for i := range 3 {
			r.want(r.ask(hosts, fmt.Sprintf("nobody%d@a.test", i))[0], reply.NoSuchMailbox)
			time.Sleep(20 * time.Minute)
		}
		r.wantSessions("mx.a.test", 1)
		r.wantSessions("mx2.a.test", 3)
		time.Sleep(5 * time.Minute)
		r.change(func(h *mailworld.Host) { h.Greeting = mailworld.Greeting{} })
		if o := r.ask(hosts, "ada@a.test")[0]; o.Host != "mx.a.test" {
			t.Errorf("host = %s, want the better one again", o.Host)
		}
	})
}

// The better of two hosts swallows packets: that costs a timeout a few times, not each time.
func TestDeadFirstHostIsLeftAlone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, twoHosts(mailworld.Host{Network: mailworld.BlackHole}, mailworld.Host{}), func(o *pool.Options) {
			o.Limits = unpaced()
		})
		hosts := r.hosts("mx.a.test", "mx2.a.test")
		slow := 0
		for i := range 10 {
			began := time.Now()
			r.want(r.ask(hosts, fmt.Sprintf("nobody%d@a.test", i))[0], reply.NoSuchMailbox)
			if time.Since(began) > 10*time.Second {
				slow++
			}
			time.Sleep(time.Minute)
		}
		if slow != 4 {
			t.Errorf("the timeout was waited for %d times of 10, want 4", slow)
		}
	})
}

// A host that takes connections and says nothing is left alone after some of them.
func TestScenario10MuteHostIsLeftAlone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, oneHost(mailworld.Host{Network: mailworld.Mute}), func(o *pool.Options) { o.Limits = unpaced() })
		for i := range 10 {
			r.wantFailure(r.ask(r.hosts("mx.a.test"), fmt.Sprintf("u%d@a.test", i))[0], pool.FailConnectTimeout)
		}
		if n := r.pool.Stats().Dials; n > 5 {
			t.Errorf("%d dials, want the route left alone after 4", n)
		}
	})
}

// What is dialled again, in clear or at another host, is a session of this hour too.
func TestSessionsOfAnHourAreAllCounted(t *testing.T) {
	for name, spec := range map[string]mailworld.Spec{
		"broken TLS":       twoHosts(mailworld.Host{TLS: mailworld.TLS{Mode: mailworld.TLSGarbage}}, mailworld.Host{}),
		"refused greeting": twoHosts(mailworld.Host{Greeting: mailworld.Greeting{Reply: mailworld.Say(421, "4.3.2 busy")}}, mailworld.Host{}),
	} {
		t.Run(name, func(t *testing.T) {
			for limit := 1; limit <= 3; limit++ {
				bubble(t, func(t *testing.T) {
					r := newRig(t, spec, func(o *pool.Options) {
						o.Limits = unpaced()
						o.Limits.SessionsPerHour, o.Limits.RefusalsPerSession = new(limit), new(1)
					})
					ctx, cancel := context.WithTimeout(t.Context(), 55*time.Minute)
					defer cancel()
					var wg sync.WaitGroup
					for i := range 10 {
						wg.Go(func() {
							r.pool.Probe(ctx, pool.Request{
								Domain: "a.test", Hosts: r.hosts("mx.a.test", "mx2.a.test"),
								Recipients: []pool.Recipient{{Path: fmt.Sprintf("nobody%d@a.test", i)}},
							})
						})
					}
					wg.Wait()
					if n := len(r.world.Sessions("")); n > limit {
						t.Errorf("%d sessions within an hour, want at most %d", n, limit)
					}
				})
			}
		})
	}
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
