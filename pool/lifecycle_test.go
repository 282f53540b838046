package pool_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/verimails/verimaild/internal/mailworld"
	"github.com/verimails/verimaild/pool"
	"github.com/verimails/verimaild/pool/reply"
)

// keepBusy asks without an end, from n goroutines, about new recipients of a domain, all of whom exist; the function
// that it returns stops it.
func (r *rig) keepBusy(n int, hosts []pool.Host, domain string) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			for j := 0; ctx.Err() == nil; j++ {
				r.want(r.ask(hosts, fmt.Sprintf("u%d.%d@%s", i, j, domain))[0], reply.Accepted)
			}
		})
	}
	return func() { cancel(); wg.Wait() }
}

// wantWithin asks for n recipients of a domain at once, and holds the time that it takes.
func (r *rig) wantWithin(most time.Duration, hosts []pool.Host, domain string, n int) {
	r.t.Helper()
	start := time.Now()
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { r.want(r.ask(hosts, fmt.Sprintf("n%d@%s", i, domain))[0], reply.Accepted) })
	}
	wg.Wait()
	if took := time.Since(start); took > most {
		r.t.Errorf("%d recipients of %s took %v, want at most %v", n, domain, took, most)
	}
}

// Domains that rank the same hosts differently share a path, and not a session.
func TestPreferenceOfEachDomainIsKept(t *testing.T) {
	for _, sessions := range []int{1, 2} {
		bubble(t, func(t *testing.T) {
			spec := twoHosts(mailworld.Host{}, mailworld.Host{})
			spec.Domains = append(spec.Domains, mailworld.Domain{Name: "b.test", MX: mailworld.MXs("mx2.a.test", "mx.a.test"), CatchAll: true})
			spec.Domains[0].CatchAll = true
			r := newRig(t, spec, func(o *pool.Options) {
				o.Limits = lifted()
				o.Limits.Sessions, o.Limits.RecipientsPerTransaction, o.Limits.Idle = new(sessions), new(1), ptr(time.Duration(0))
			})
			forth, back := r.hosts("mx.a.test", "mx2.a.test"), r.hosts("mx2.a.test", "mx.a.test")
			stop := r.keepBusy(40, forth, "a.test")
			time.Sleep(time.Second)
			r.wantWithin(10*time.Second, back, "b.test", 30)
			stop()
			for _, c := range r.world.Commands("") {
				if c.Verb == "RCPT" && (c.Host == "mx.a.test") != (c.Line[len(c.Line)-7:] == "a.test>") {
					t.Errorf("%s was asked %s, want each domain's best host", c.Host, c.Line)
				}
			}
		})
	}
}

// A path that waits for a place gets one although the others never run out of work, or never let go of theirs.
func TestStarvedPathGetsAPlace(t *testing.T) {
	for _, perSource := range []bool{false, true} {
		bubble(t, func(t *testing.T) {
			spec := twoHosts(mailworld.Host{}, mailworld.Host{})
			spec.Domains[0].CatchAll = true
			spec.Domains = append(spec.Domains, mailworld.Domain{Name: "b.test", MX: mailworld.MXs("mx2.a.test"), CatchAll: true})
			r := newRig(t, spec, func(o *pool.Options) {
				o.Limits = lifted()
				o.Limits.Idle, o.Limits.TransactionsPerSession, o.Limits.RecipientsPerTransaction = ptr(time.Duration(0)), new(8), new(1)
				if perSource {
					o.SourceLimits.Sessions = 1
				} else {
					o.MaxSessions = 1
				}
			})
			stop := r.keepBusy(4, r.hosts("mx.a.test"), "a.test")
			time.Sleep(time.Second)
			r.wantWithin(2*time.Second, r.hosts("mx2.a.test"), "b.test", 1) // Among the busy.
			stop()
			r.wantWithin(2*time.Second, r.hosts("mx2.a.test"), "b.test", 1) // Among the idle.
		})
	}
}

// A session of whose answers more is expected keeps its place for that, though others wait for one; but not for ever.
func TestAwaitedKeepsItsPlace(t *testing.T) {
	for _, test := range []struct {
		name     string
		awaited  func(*pool.Outcome) int
		after    time.Duration // When the next question comes.
		sessions int           // That the host has seen then.
	}{
		{"nothing is expected", nil, 500 * time.Millisecond, 2},
		{"not after this answer", func(*pool.Outcome) int { return 0 }, 500 * time.Millisecond, 2},
		{"it comes", func(o *pool.Outcome) int {
			if o.Recipient.Path == "ada@a.test" && o.Reply.Positive() {
				return 2
			}
			return 0
		}, 400 * time.Millisecond, 1},
		{"it does not come", func(*pool.Outcome) int { return 1 }, 5 * time.Second, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				spec := twoHosts(mailworld.Host{}, mailworld.Host{})
				spec.Domains[0].CatchAll = true
				spec.Domains = append(spec.Domains, mailworld.Domain{Name: "b.test", MX: mailworld.MXs("mx2.a.test"), CatchAll: true})
				r := newRig(t, spec, func(o *pool.Options) {
					o.Limits, o.MaxSessions = lifted(), 1
					o.Limits.Idle = ptr(time.Duration(0))
				})
				out := r.pool.Probe(t.Context(), pool.Request{
					Domain: "a.test", Hosts: r.hosts("mx.a.test"), Recipients: []pool.Recipient{{Path: "ada@a.test"}}, Awaited: test.awaited,
				})
				r.want(out[0], reply.Accepted)
				var wg sync.WaitGroup
				wg.Go(func() { r.want(r.ask(r.hosts("mx2.a.test"), "bob@b.test")[0], reply.Accepted) })
				time.Sleep(test.after)
				r.want(r.ask(r.hosts("mx.a.test"), "eve@a.test")[0], reply.Accepted)
				r.wantSessions("mx.a.test", test.sessions)
				wg.Wait() // Who waited for the place has it in the end.
			})
		})
	}
}

// Many questions for a path that waits for a place make room once, not once each.
func TestStarvedPathEvictsOne(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var spec mailworld.Spec
		for i := range 5 {
			name := fmt.Sprintf("mx%d.test", i)
			spec.Hosts = append(spec.Hosts, mailworld.Host{Name: name})
			spec.Domains = append(spec.Domains, mailworld.Domain{Name: fmt.Sprintf("d%d.test", i), MX: mailworld.MXs(name), CatchAll: true})
		}
		r := newRig(t, spec, func(o *pool.Options) { o.MaxSessions = 4 })
		for i := range 4 {
			r.want(r.ask(r.hosts(fmt.Sprintf("mx%d.test", i)), fmt.Sprintf("ada@d%d.test", i))[0], reply.Accepted)
		}
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() { r.want(r.ask(r.hosts("mx4.test"), fmt.Sprintf("u%d@d4.test", i))[0], reply.Accepted) })
		}
		wg.Wait()
		synctest.Wait()
		if got := r.pool.Stats().SessionsIdle; got != 4 {
			t.Errorf("%d sessions linger, want 4: one had to go", got)
		}
	})
}

func TestReloadMovesWhatAGoneSourceHad(t *testing.T) {
	bubble(t, func(t *testing.T) {
		slow := mailworld.Host{Slow: map[string]time.Duration{"RCPT": 2 * time.Second}}
		r := newRig(t, oneHost(slow), func(o *pool.Options) {
			o.Limits = lifted()
			o.Limits.Sessions, o.Limits.RecipientsPerTransaction, o.Limits.RefusalsPerSession = new(1), new(1), new(1)
		})
		var wg sync.WaitGroup
		outs := make([]pool.Outcome, 12)
		for i := range outs {
			wg.Go(func() { outs[i] = r.ask(r.hosts("mx.a.test"), fmt.Sprintf("no%d@a.test", i))[0] })
		}
		time.Sleep(time.Second)
		opts := r.opts
		opts.Sources = []pool.Source{{Name: "b", IPv4: r.world.SourceAddr(1), EHLO: "source1.egress.test"}}
		if err := r.pool.Reload(opts); err != nil {
			t.Fatal(err)
		}
		wg.Wait()
		from := map[string]int{}
		for _, o := range outs {
			r.want(o, reply.NoSuchMailbox)
			from[o.Source]++
		}
		if from["a"] != 1 || from["b"] != 11 {
			t.Errorf("asked from %v, want the one that was under way from a, and the others from b", from)
		}
		r.wantAskedAtMost(1)
		synctest.Wait()
		for _, s := range r.pool.Stats().Sources {
			if s.Name != "b" {
				t.Errorf("source %s is still there", s.Name)
			}
		}
	})
}

func TestReloadEndsTheIdleSessionsOfAGoneSource(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, oneHost(mailworld.Host{}), nil)
		r.want(r.ask(r.hosts("mx.a.test"), "ada@a.test")[0], reply.Accepted)
		opts := r.opts
		opts.Sources = []pool.Source{{Name: "b", IPv4: r.world.SourceAddr(1), EHLO: "source1.egress.test"}}
		if err := r.pool.Reload(opts); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if st := r.pool.Stats(); st.SessionsOpen != 0 || st.Sites != 0 {
			t.Errorf("after the reload: %+v, want no session and no site", st)
		}
		if err := r.pool.Reload(pool.Options{Sender: "x@y.test"}); !errors.Is(err, pool.ErrNoSource) {
			t.Errorf("Reload(no source) = %v, want ErrNoSource", err)
		}
		if o := r.ask(r.hosts("mx.a.test"), "bob@a.test")[0]; o.Source != "b" {
			t.Errorf("source = %q, want b: a reload that fails changes nothing", o.Source)
		}
	})
}

// Options belong to their caller, who may change them.
func TestReloadRaisesLimits(t *testing.T) {
	bubble(t, func(t *testing.T) {
		slow := mailworld.Host{Slow: map[string]time.Duration{"RCPT": time.Second}}
		limits := lifted()
		limits.Sessions, limits.RecipientsPerTransaction, limits.RefusalsPerSession = new(1), new(1), new(3)
		r := newRig(t, oneHost(slow), func(o *pool.Options) { o.Limits = limits })
		var wg sync.WaitGroup
		for i := range 40 {
			wg.Go(func() { r.want(r.ask(r.hosts("mx.a.test"), fmt.Sprintf("no%d@a.test", i))[0], reply.NoSuchMailbox) })
		}
		time.Sleep(500 * time.Millisecond)
		*limits.Sessions = 7
		synctest.Wait()
		if got := r.pool.Stats().SessionsOpen; got != 1 {
			t.Errorf("%d sessions open, want 1 until the reload", got)
		}
		if err := r.pool.Reload(r.opts); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := r.pool.Stats().SessionsOpen; got != 7 {
			t.Errorf("%d sessions open after the reload, want 7 at once", got)
		}
		wg.Wait()
	})
}

func TestScenario46Close(t *testing.T) {
	slow(t)
	for _, test := range []struct {
		name     string
		grace    time.Duration
		err      error
		answered int // Of a hundred, at least; the rest is dropped.
	}{
		{"work is finished", time.Minute, nil, 100},
		{"time is up", 5 * time.Second, context.DeadlineExceeded, 50},
		{"at once", 0, context.DeadlineExceeded, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r, out := fiftyBusy(t)
				ctx, cancel := context.WithTimeout(context.Background(), test.grace)
				defer cancel()
				start := time.Now()
				if err := r.pool.Close(ctx); !errors.Is(err, test.err) {
					t.Errorf("Close() = %v, want %v", err, test.err)
				}
				if took := time.Since(start); took > test.grace+2*time.Second {
					t.Errorf("Close took %v, %v after its time was up", took, took-test.grace)
				}
				got := map[pool.Failure]int{}
				for range 100 {
					o := <-out
					got[o.Failure]++
				}
				if got[""] < test.answered || got[""]+got[pool.FailClosed] != 100 {
					t.Errorf("outcomes = %v, want %d answered at least", got, test.answered)
				}
				r.wantFailure(r.ask(r.hosts("mx0.test"), "late@d0.test")[0], pool.FailClosed)
			})
		})
	}
}

// fiftyBusy is a rig with fifty sessions that are busy, and a hundred questions under way.
func fiftyBusy(t *testing.T) (*rig, <-chan pool.Outcome) {
	spec := mailworld.Spec{RTT: 20 * time.Millisecond}
	for i := range 50 {
		name := fmt.Sprintf("mx%d.test", i)
		spec.Hosts = append(spec.Hosts, mailworld.Host{Name: name, Slow: map[string]time.Duration{"RCPT": 4 * time.Second}})
		spec.Domains = append(spec.Domains, mailworld.Domain{Name: fmt.Sprintf("d%d.test", i), MX: mailworld.MXs(name), CatchAll: true})
	}
	r := newRig(t, spec, func(o *pool.Options) {
		o.Limits = lifted()
		o.Limits.RecipientsPerTransaction, o.Limits.RefusalsPerSession = new(1), new(1)
	})
	out := make(chan pool.Outcome, 100)
	for i := range 100 {
		go func() { out <- r.ask(r.hosts(fmt.Sprintf("mx%d.test", i/2)), fmt.Sprintf("u%d@d%d.test", i, i/2))[0] }()
	}
	time.Sleep(time.Second)
	return r, out
}

// The context of Start ends without a Close, in the middle of everything.
func TestStartsContextEnds(t *testing.T) {
	for _, after := range []time.Duration{0, 10 * time.Millisecond, time.Second} {
		bubble(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(context.Background())
			spec := oneHost(mailworld.Host{Slow: map[string]time.Duration{"RCPT": 10 * time.Second}})
			r := newRigUnstarted(t, spec, nil)
			done := make(chan pool.Outcome, 3)
			for i := range 3 { // Queued before anything runs.
				go func() { done <- r.ask(r.hosts("mx.a.test"), fmt.Sprintf("u%d@a.test", i))[0] }()
			}
			synctest.Wait()
			r.pool.Start(ctx)
			time.Sleep(after)
			cancel()
			for range 3 {
				r.wantFailure(<-done, pool.FailClosed)
			}
			r.wantFailure(r.ask(r.hosts("mx.a.test"), "late@a.test")[0], pool.FailClosed)
		})
	}
}

func TestCanceledCallIsNotAskedAboutAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		late := mailworld.Glitch{On: "RCPT", Do: mailworld.DoClose}
		r := newRig(t, oneHost(mailworld.Host{Slow: map[string]time.Duration{"RCPT": 5 * time.Second}, Glitches: []mailworld.Glitch{late}}), nil)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		o := r.pool.Probe(ctx, pool.Request{Domain: "a.test", Hosts: r.hosts("mx.a.test"), Recipients: []pool.Recipient{{Path: "ada@a.test"}}})[0]
		r.wantFailure(o, pool.FailCanceled)
		r.wantAskedAtMost(1)
		if got := r.pool.Stats().Dropped; got != 1 {
			t.Errorf("Dropped = %d, want 1", got)
		}
	})
}

// One of two callers with the same question goes away: the other has its answer.
func TestCancelOfOneOfTwo(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, oneHost(mailworld.Host{Greeting: mailworld.Greeting{Reply: mailworld.Say(220, "mx").After(5 * time.Second)}}), nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		gone := make(chan pool.Outcome)
		go func() {
			gone <- r.pool.Probe(ctx, pool.Request{Domain: "a.test", Hosts: r.hosts("mx.a.test"), Recipients: []pool.Recipient{{Path: "ada@a.test"}}})[0]
		}()
		r.want(r.ask(r.hosts("mx.a.test"), "ada@a.test")[0], reply.Accepted)
		r.wantFailure(<-gone, pool.FailCanceled)
	})
}

// Who goes away while waiting for an allowance leaves nothing behind, though nobody asks there for hours.
func TestCanceledWaitLeavesNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, oneHost(mailworld.Host{}), func(o *pool.Options) {
			o.Limits = unpaced()
			o.Limits.RefusalsPerHour = new(1)
		})
		r.want(r.ask(r.hosts("mx.a.test"), "nobody@a.test")[0], reply.NoSuchMailbox)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		o := r.pool.Probe(ctx, pool.Request{Domain: "a.test", Hosts: r.hosts("mx.a.test"), Recipients: []pool.Recipient{{Path: "ada@a.test"}}})[0]
		r.wantFailure(o, pool.FailCanceled)
		if st := r.pool.Stats(); st.Sites != 0 || st.Waiting != 0 {
			t.Errorf("after it went away: %+v, want no site", st)
		}
	})
}

// A second Close has nothing to do, though the store may be closed by then.
func TestCloseTwice(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, oneHost(mailworld.Host{}), nil)
		r.want(r.ask(r.hosts("mx.a.test"), "ada@a.test")[0], reply.Accepted)
		for range 2 {
			if err := r.pool.Close(context.Background()); err != nil {
				t.Errorf("Close() = %v, want nil", err)
			}
		}
	})
}
