package verify_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/verimails/verimaild/internal/mailworld"
	"github.com/verimails/verimaild/pool"
	"github.com/verimails/verimaild/pool/provider"
	"github.com/verimails/verimaild/verify"
	"github.com/verimails/verimaild/verify/verdict"
)

// A gate is a prober whose allowances a test sets.
type gate struct {
	verify.Prober

	mu    sync.Mutex
	spent func(req *pool.Request, rcpt *pool.Recipient) time.Time // Until when; zero if not.
	asked []pool.Request
}

func (g *gate) Probe(ctx context.Context, req pool.Request) []pool.Outcome {
	g.mu.Lock()
	g.asked = append(g.asked, req)
	spent := g.spent
	g.mu.Unlock()
	out := make([]pool.Outcome, len(req.Recipients))
	var free pool.Request
	for i := range req.Recipients {
		rcpt := req.Recipients[i]
		if until := spent(&req, &rcpt); !until.IsZero() {
			out[i] = pool.Outcome{Recipient: rcpt, Stage: "connect", Failure: pool.FailBudget, RetryAt: until, Detail: "an allowance is spent", At: time.Now()}
			continue
		}
		free = req
		free.Recipients = []pool.Recipient{rcpt}
		out[i] = g.Prober.Probe(ctx, free)[0]
	}
	return out
}

// gated is a rig behind a gate.
func gated(t *testing.T, o options, spent func(*pool.Request, *pool.Recipient) time.Time) (*rig, *gate) {
	t.Helper()
	g := &gate{spent: spent}
	o.wrap = func(p verify.Prober) verify.Prober { g.Prober = p; return g }
	return newRig(t, o), g
}

// TestControlAllowance: an acceptance whose control is not in the allowance is risky, nobody waits for it, and the first
// who asks once it is there again gets it settled, by the control alone.
func TestControlAllowance(t *testing.T) {
	for _, class := range []verify.Class{verify.Interactive, verify.Bulk} {
		t.Run(fmt.Sprint(class), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				until := time.Now().Add(17 * time.Minute)
				r, _ := gated(t, options{spec: village(), memory: true}, func(_ *pool.Request, rcpt *pool.Recipient) time.Time {
					if rcpt.Control && time.Now().Before(until) {
						return until
					}
					return time.Time{}
				})
				req := anyAge("ada@a.test")
				req.Class = class
				ans := r.ask(req)
				r.want(ans, verdict.AcceptedUntested)
				if !ans.RetryAt.Equal(until) || !strings.Contains(ans.Explain(), "allowance") {
					t.Errorf("retry at %v, %q; want %v, and that an allowance is spent", ans.RetryAt, ans.Explain(), until)
				}
				time.Sleep(16 * time.Minute)
				if ans := r.wantCached(req, verdict.AcceptedUntested); !ans.RetryAt.Equal(until) {
					t.Errorf("from memory: retry at %v, want %v", ans.RetryAt, until)
				}
				r.wantAsked("mx.a.test", 1)
				time.Sleep(2 * time.Minute)
				ans = r.ask(req)
				r.want(ans, verdict.MailboxAccepted)
				if ans.Cached || len(ans.Evidence) != 2 || !ans.RetryAt.IsZero() {
					t.Errorf("settled: %+v; want the acceptance and a new control as evidence", ans)
				}
				r.wantAsked("mx.a.test", 2)
				r.wantCached(req, verdict.MailboxAccepted)
			})
		})
	}
}

// TestHabitSettlesEarlierAcceptances: what is found out of the domain settles what was accepted before, without a question.
func TestHabitSettlesEarlierAcceptances(t *testing.T) {
	bubble(t, func(t *testing.T) {
		spent := true
		r, _ := gated(t, options{spec: village(), memory: true}, func(_ *pool.Request, rcpt *pool.Recipient) time.Time {
			if rcpt.Control && spent {
				return time.Now().Add(time.Hour)
			}
			return time.Time{}
		})
		r.want(r.ask(row("ada@a.test")), verdict.AcceptedUntested)
		r.want(r.ask(row("one@all.test")), verdict.AcceptedUntested)
		spent = false
		r.want(r.ask(row("nobody@a.test")), verdict.MailboxNotFound)
		r.want(r.ask(row("two@all.test")), verdict.AcceptedCatchAll)
		ans := r.wantCached(row("ada@a.test"), verdict.MailboxAccepted)
		if ans.Flags.CatchAll != verdict.False || ans.AcceptAll != verdict.AcceptAllTested {
			t.Errorf("catch_all %v, %s; want false, tested", ans.Flags.CatchAll, ans.AcceptAll)
		}
		r.wantCached(row("one@all.test"), verdict.AcceptedCatchAll)
	})
}

// TestTargetAllowance: what can't be asked in time is said at once, with the time, and nothing is held against the address.
func TestTargetAllowance(t *testing.T) {
	bubble(t, func(t *testing.T) {
		until := time.Now().Add(40 * time.Second)
		r, g := gated(t, options{spec: village(), memory: true}, func(req *pool.Request, _ *pool.Recipient) time.Time {
			if time.Now().Before(until) && req.Deadline.Before(until) {
				return until
			}
			return time.Time{}
		})
		start := time.Now()
		req := row("ada@a.test")
		req.Deadline = 10 * time.Second
		ans := r.ask(req)
		r.want(ans, verdict.BudgetExhausted)
		if !ans.RetryAt.Equal(until) || time.Since(start) > time.Second || !g.asked[0].Deadline.Equal(start.Add(10*time.Second)) {
			t.Errorf("after %v: retry at %v, asked with deadline %v; want at once, %v, and the caller's", time.Since(start), ans.RetryAt, g.asked[0].Deadline, until)
		}
		if ans := r.ask(req); ans.Cached {
			t.Error("a fault of ours was remembered against the address")
		}
		req.Deadline = time.Minute // More than those before.
		r.want(r.ask(req), verdict.MailboxAccepted)
	})
}

// A stuck prober keeps what is no one's hurry until nobody wants it.
type stuck struct {
	verify.Prober

	mu      sync.Mutex
	classes []pool.Class
}

func (s *stuck) Probe(ctx context.Context, req pool.Request) []pool.Outcome {
	s.mu.Lock()
	s.classes = append(s.classes, req.Class)
	s.mu.Unlock()
	if req.Class == pool.Bulk {
		<-ctx.Done()
	}
	return s.Prober.Probe(ctx, req)
}

// TestHurry: who waits for an answer himself takes it out of the list that it waits in.
func TestHurry(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &stuck{}
		r := newRig(t, options{spec: village(), memory: true, wrap: func(p verify.Prober) verify.Prober { s.Prober = p; return s }})
		var wg sync.WaitGroup
		wg.Go(func() {
			req := row("nobody@a.test")
			req.Deadline = 5 * time.Minute
			r.want(r.ask(req), verdict.MailboxNotFound)
		})
		time.Sleep(time.Minute)
		start := time.Now()
		r.want(r.ask(anyAge("nobody@a.test")), verdict.MailboxNotFound)
		if took := time.Since(start); took > time.Second {
			t.Errorf("who was in a hurry waited %v", took)
		}
		wg.Wait()
		if len(s.classes) != 2 || s.classes[0] != pool.Bulk || s.classes[1] != pool.Interactive {
			t.Errorf("asked as %v, want as a row of a list and then at once", s.classes)
		}
	})
}

// TestBurst: who waits saves a round trip by asking about target and control in the same breath.
func TestBurst(t *testing.T) {
	took := func(class verify.Class) (d time.Duration) {
		bubble(t, func(t *testing.T) {
			spec := village()
			spec.RTT = 100 * time.Millisecond
			r := newRig(t, options{spec: spec, memory: true})
			req := anyAge("ada@a.test")
			req.Class = class
			start := time.Now()
			r.want(r.ask(req), verdict.MailboxAccepted)
			d = time.Since(start)
			r.wantAsked("mx.a.test", 2)
		})
		return d
	}
	if one, two := took(verify.Interactive), took(verify.Bulk); two-one < 90*time.Millisecond {
		t.Errorf("interactive %v, bulk %v; want a round trip less", one, two)
	}
}

// TestEnumeration: an application that guesses names at a domain is stopped there, alone, for an hour.
func TestEnumeration(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, options{spec: village(), memory: true, settings: verify.Settings{DeadNames: 100}})
		ask := func(app, email string) *verdict.Answer {
			req := row(email)
			req.App = app
			return r.ask(req)
		}
		for i := range 100 {
			r.want(ask("guesser", fmt.Sprintf("name%d@a.test", i)), verdict.MailboxNotFound)
		}
		asked := len(r.world.Recipients("mx.a.test"))
		ans := ask("guesser", "name100@a.test")
		r.want(ans, verdict.ProbeSuppressed)
		if got := ans.RetryAt.Sub(r.now()); got <= 0 || got > time.Hour || !strings.Contains(ans.Explain(), "names of this domain") {
			t.Errorf("retry in %v, %q; want within an hour, and why", got, ans.Explain())
		}
		r.wantAsked("mx.a.test", asked)
		r.want(ask("guesser", "name7@a.test"), verdict.MailboxNotFound) // Remembered.
		r.want(ask("guesser", "ada@all.test"), verdict.AcceptedCatchAll)
		r.want(ask("other", "name100@a.test"), verdict.MailboxNotFound)
		r.pass(time.Hour)
		r.want(ask("guesser", "name101@a.test"), verdict.MailboxNotFound)
	})
}

// TestSameNameIsNoEnumeration: to ask for one dead name a thousand times is not to guess names.
func TestSameNameIsNoEnumeration(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, options{spec: village(), settings: verify.Settings{DeadNames: 100}}) // Without memory each question is asked.
		for range 150 {
			r.want(r.ask(row("nobody@a.test")), verdict.MailboxNotFound)
		}
	})
}

// TestUnknownIsNotAskedAgainAtOnce: nobody is asked again before that can bring anything, ten minutes at most.
func TestUnknownIsNotAskedAgainAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		spec := village()
		spec.Hosts[0].Rcpt = func(string) mailworld.Reply { return mailworld.Say(550, "5.7.1 relaying denied") }
		r := newRig(t, options{spec: spec, memory: true})
		first := r.ask(row("ada@a.test"))
		r.want(first, verdict.RelayDenied)
		again := r.wantCached(verify.Request{Email: "ada@a.test"}, verdict.RelayDenied)
		if !again.RetryAt.Equal(first.RetryAt) || !again.CheckedAt.Equal(first.CheckedAt) {
			t.Errorf("again: retry at %v, checked at %v; want the first answer", again.RetryAt, again.CheckedAt)
		}
		r.wantAsked("mx.a.test", 1)
		r.pass(10 * time.Minute)
		if ans := r.ask(row("ada@a.test")); ans.Cached {
			t.Error("after ten minutes nobody was asked")
		}
		ada, err := parse("ada@a.test")
		if err != nil {
			t.Fatal(err)
		}
		if err := r.cache.ForgetAddress(t.Context(), ada); err != nil {
			t.Fatal(err)
		}
		if ans := r.ask(row("ada@a.test")); ans.Cached {
			t.Error("a forgotten answer was given again")
		}
	})
}

// TestOwnFaultsAreNotHeldAgainstAnAddress: once this host can ask, it does.
func TestOwnFaultsAreNotHeldAgainstAnAddress(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, options{spec: village(), memory: true, blocked: true})
		r.want(r.ask(row("ada@a.test")), verdict.EgressBlocked)
		if err := r.verifier.Reload(verify.Settings{Prober: r.pool, Sender: "probe@source0.egress.test"}); err != nil {
			t.Fatal(err)
		}
		r.want(r.ask(row("ada@a.test")), verdict.MailboxAccepted)
	})
}

// TestModes: the operator's word counts before the table's, for what is remembered too.
func TestModes(t *testing.T) {
	for _, test := range []struct {
		mode   provider.Mode
		reason verdict.Reason
		asked  int
	}{
		{provider.ModeProbe, verdict.MailboxAccepted, 2},
		{provider.ModeWeak, verdict.ProviderUnverifiable, 1},
		{provider.ModeNoSignal, verdict.ProviderUnverifiable, 0},
		{provider.ModeSkip, verdict.ProbeSuppressed, 0},
	} {
		t.Run(string(test.mode), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := newRig(t, options{spec: village(), memory: true, settings: verify.Settings{
					Mode: func(domain string, hosts []string) (provider.Mode, bool) {
						return test.mode, domain == "a.test" && len(hosts) == 1 && hosts[0] == "mx.a.test"
					},
				}})
				ans := r.ask(row("ada@a.test"))
				r.want(ans, test.reason)
				r.wantAsked("mx.a.test", test.asked)
				if test.mode != provider.ModeProbe && (ans.ProviderMode != string(test.mode) || !strings.Contains(ans.ModeNote, "egress.sites")) {
					t.Errorf("mode %q, %q; want %q, and that the operator says so", ans.ProviderMode, ans.ModeNote, test.mode)
				}
				r.want(r.ask(row("one@all.test")), verdict.AcceptedCatchAll)
				r.want(r.ask(verify.Request{Email: "ada@a.test"}), test.reason) // Not asked about again at once.
				r.wantAsked("mx.a.test", test.asked)
			})
		})
	}
}

// TestNeverProbeOutweighsMemory: who asks to be left alone is, whatever is remembered.
func TestNeverProbeOutweighsMemory(t *testing.T) {
	for _, entry := range []string{"ada@a.test", "a.test", "mx:mx.a.test"} {
		t.Run(entry, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := newRig(t, options{spec: village(), memory: true})
				r.want(r.ask(row("ada@a.test")), verdict.MailboxAccepted)
				r.want(r.ask(row("one@all.test")), verdict.AcceptedCatchAll)
				s := verify.Settings{Prober: r.pool, Sender: "probe@source0.egress.test", NeverProbe: []string{entry}}
				if err := r.verifier.Reload(s); err != nil {
					t.Fatal(err)
				}
				r.want(r.ask(row("ada@a.test")), verdict.ProbeSuppressed)
				r.wantCached(row("two@all.test"), verdict.AcceptedCatchAll)
				synctest.Wait()
				r.wantAsked("mx.a.test", 2)
			})
		})
	}
}
