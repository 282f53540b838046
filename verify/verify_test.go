package verify_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/verimails/verimaild/internal/mailworld"
	"github.com/verimails/verimaild/verify"
	"github.com/verimails/verimaild/verify/verdict"
)

func TestVerify(t *testing.T) {
	for _, test := range []struct {
		email  string
		depth  verify.Depth
		reason verdict.Reason
	}{
		{"ada@a.test", "", verdict.MailboxAccepted},
		{"nobody@a.test", "", verdict.MailboxNotFound},
		{"full@a.test", "", verdict.MailboxFull},
		{"disabled@a.test", "", verdict.MailboxDisabled},
		{"info@a.test", "", verdict.RoleAddress},
		{"anyone@all.test", "", verdict.AcceptedCatchAll},
		{"ada@implicit.test", "", verdict.MailboxAccepted},
		{"ada@null.test", "", verdict.NullMX},
		{"ada@nomx.test", "", verdict.NoMailHost},
		{"ada@nowhere.test", "", verdict.DomainNotFound},
		{"ada@private.test", "", verdict.MXUnroutable},
		{"ada@broken.test", "", verdict.DNSFailure},
		{"ada@silent.test", "", verdict.DNSTimeout},
		{"ada@[192.0.2.1]", "", verdict.ProbeSuppressed},
		{"ada", "", verdict.InvalidSyntax},
		{"ada@a.test\r\nDATA", "", verdict.InvalidSyntax},
		{"ada@a.test", verify.DepthSyntax, verdict.NotProbed},
		{"ada@a.test", verify.DepthDNS, verdict.NotProbed},
		{"ada@null.test", verify.DepthDNS, verdict.NullMX},
		{"ada", verify.DepthSyntax, verdict.InvalidSyntax},
	} {
		t.Run(strings.ReplaceAll(test.email+" "+string(test.depth), "/", "_"), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := newRig(t, options{spec: village(), settings: verify.Settings{Policy: verify.Policy{Role: true}}})
				req := anyAge(test.email)
				req.Depth = test.depth
				ans := r.ask(req)
				r.want(ans, test.reason)
				if ans.Email != test.email || ans.Cached || ans.CheckedAt.IsZero() {
					t.Errorf("answer = %+v, want it to repeat the address, not cached, with its time", ans)
				}
			})
		})
	}
}

func TestEvidence(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, options{spec: village()})
		ans := r.ask(anyAge("ada@a.test"))
		if len(ans.Evidence) != 2 || ans.Evidence[0].Control || !ans.Evidence[1].Control {
			t.Fatalf("evidence = %+v, want the target's and then the control's", ans.Evidence)
		}
		for _, e := range ans.Evidence {
			if e.MX != "mx.a.test" || e.Source != "a" || e.Stage != "rcpt" || e.Rule == "" || len(e.Dialogue) < 5 {
				t.Errorf("evidence = %+v, want who asked whom, the rule, and the dialogue", e)
			}
		}
		for _, l := range ans.Evidence[0].Dialogue {
			if strings.Contains(l.Text, "RCPT") && !strings.Contains(l.Text, "ada@a.test") {
				t.Errorf("the target's dialogue shows another recipient: %q", l.Text)
			}
		}
		r.wantAsked("mx.a.test", 2)
	})
}

func TestNothingIsAskedInVain(t *testing.T) {
	for _, test := range []struct {
		name, email string
		settings    verify.Settings
		blocked     bool
		reason      verdict.Reason
	}{
		{"an address on the list", "ada@a.test", verify.Settings{NeverProbe: []string{"Ada@a.test", "ada@A.TEST"}}, false, verdict.ProbeSuppressed},
		{"a domain on the list", "ada@a.test", verify.Settings{NeverProbe: []string{"a.test"}}, false, verdict.ProbeSuppressed},
		{"the list counts before a missing sender", "ada@a.test", verify.Settings{NeverProbe: []string{"a.test"}}, true, verdict.ProbeSuppressed},
		{"a mail host on the list", "ada@a.test", verify.Settings{NeverProbe: []string{"*.a.test"}}, false, verdict.ProbeSuppressed},
		{"no sender", "ada@a.test", verify.Settings{}, true, verdict.EgressBlocked},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := newRig(t, options{spec: village(), settings: test.settings, blocked: test.blocked})
				r.want(r.ask(anyAge(test.email)), test.reason)
				r.wantAsked("mx.a.test", 0)
			})
		})
	}
}

func TestIdenticalQuestionsShareAFlight(t *testing.T) {
	bubble(t, func(t *testing.T) {
		spec := village()
		spec.Hosts[0].Slow = map[string]time.Duration{"RCPT": 5 * time.Second}
		r := newRig(t, options{spec: spec})
		gone, leave := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { // Asks first, and does not wait for the answer.
			if _, err := r.verifier.Verify(gone, row("nobody@a.test")); !errors.Is(err, context.Canceled) {
				t.Errorf("Verify of a caller who left = %v, want context.Canceled", err)
			}
		})
		time.Sleep(time.Second)
		for i := range 5 {
			wg.Go(func() {
				req := row("nobody@a.test")
				req.App = string(rune('a' + i))
				r.want(r.ask(req), verdict.MailboxNotFound)
			})
		}
		time.Sleep(time.Second)
		leave()
		wg.Wait()
		r.wantAsked("mx.a.test", 1)
	})
}

func TestDeadline(t *testing.T) {
	bubble(t, func(t *testing.T) {
		spec := village()
		spec.Hosts[0].Slow = map[string]time.Duration{"RCPT": 20 * time.Second}
		r := newRig(t, options{spec: spec, memory: true})
		req := row("nobody@a.test")
		req.Deadline = 5 * time.Second
		start := time.Now()
		ans := r.ask(req)
		r.want(ans, verdict.DeadlineExceeded)
		if ans.Stage != "rcpt" || ans.RetryAt.IsZero() || time.Since(start) != 5*time.Second {
			t.Errorf("after %v: stage %q, retry at %v; want rcpt, and a time, after 5s", time.Since(start), ans.Stage, ans.RetryAt)
		}
		time.Sleep(time.Minute)
		ans = r.ask(req)
		r.want(ans, verdict.MailboxNotFound)
		if !ans.Cached {
			t.Error("the work that went on past the deadline was not remembered")
		}
		r.wantAsked("mx.a.test", 1)
	})
}

func TestRemembered(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, options{spec: village(), memory: true})
		first := r.ask(anyAge("ada@a.test"))
		r.want(first, verdict.MailboxAccepted)
		r.wantAsked("mx.a.test", 2)

		again := r.ask(verify.Request{Email: "ada@a.test"}) // MaxAge 0: afresh, but not within ten minutes.
		if !again.Cached {
			t.Error("the same address was asked about twice within ten minutes")
		}
		r.want(r.ask(anyAge("bob@a.test")), verdict.MailboxAccepted) // The domain's habit is known.
		r.wantAsked("mx.a.test", 3)

		r.pass(8 * 24 * time.Hour) // Past the soft age of 7 days.
		for range 5 {
			if ans := r.ask(anyAge("ada@a.test")); !ans.Cached {
				t.Error("a stale answer was not served")
			}
		}
		synctest.Wait()
		time.Sleep(time.Minute)
		r.wantAsked("mx.a.test", 5) // Refreshed behind, once, with a control, for that is stale too.
		if ans := r.ask(anyAge("ada@a.test")); !ans.Cached || ans.CheckedAt.Equal(first.CheckedAt) {
			t.Errorf("after the refresh: cached %v, checked at %v, want the new answer", ans.Cached, ans.CheckedAt)
		}
		r.pass(40 * 24 * time.Hour) // Past every hard age.
		if ans := r.ask(anyAge("ada@a.test")); ans.Cached {
			t.Error("an answer past its hard age was served")
		}
	})
}

func TestFailedRefreshKeepsTheAnswer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, options{spec: village(), memory: true})
		r.want(r.ask(anyAge("ada@a.test")), verdict.MailboxAccepted)
		r.pass(8 * 24 * time.Hour)
		if err := r.world.Change("mx.a.test", func(h *mailworld.Host) {
			h.Greeting.Reply = mailworld.Say(554, "5.7.1 your address is blocked")
		}); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			ans := r.ask(anyAge("ada@a.test"))
			r.want(ans, verdict.MailboxAccepted)
			r.pass(time.Hour)
			synctest.Wait()
		}
	})
}

func TestKnownAcceptAllIsNotAsked(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, options{spec: village(), memory: true})
		r.want(r.ask(anyAge("one@all.test")), verdict.AcceptedCatchAll)
		r.wantAsked("mx.all.test", 2)
		ans := r.ask(anyAge("two@all.test"))
		r.want(ans, verdict.AcceptedCatchAll)
		if !ans.Cached || ans.Flags.CatchAll != verdict.True || len(ans.MX) != 1 {
			t.Errorf("answer = %+v, want it from memory, with its flag and mail hosts", ans)
		}
		r.wantAsked("mx.all.test", 2)
	})
}

// TestManyOfOneDomainAtOnce: the first finds out for all what the domain does with made-up recipients.
func TestManyOfOneDomainAtOnce(t *testing.T) {
	const n = 100
	for _, test := range []struct {
		name, domain, host string
		reason             verdict.Reason
		asked              int
	}{
		{"accepts everyone", "all.test", "mx.all.test", verdict.AcceptedCatchAll, 2},
		{"honest, all alive", "live.test", "mx.a.test", verdict.MailboxAccepted, n + 1},
		{"honest, all dead", "a.test", "mx.a.test", verdict.MailboxNotFound, n + 1}, // And postmaster, who is there.
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				spec := village()
				spec.Domains = append(spec.Domains, mailworld.Domain{
					Name: "live.test", MX: mailworld.MXs("mx.a.test"),
					Rcpt: func(path string) mailworld.Reply {
						if strings.HasPrefix(path, "user") {
							return mailworld.Say(250, "2.1.5 Ok")
						}
						return mailworld.Reply{}
					},
				})
				r := newRig(t, options{spec: spec, memory: true})
				var wg sync.WaitGroup
				for i := range n {
					wg.Go(func() { r.want(r.ask(row(fmt.Sprintf("user%d@%s", i, test.domain))), test.reason) })
				}
				wg.Wait()
				r.wantAsked(test.host, test.asked)
			})
		})
	}
}

// TestDoubtedDomainGetsASecondControl: a domain that has refused before is not called accept-all on one word.
func TestDoubtedDomainGetsASecondControl(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, options{spec: village(), memory: true})
		r.want(r.ask(row("nobody@a.test")), verdict.MailboxNotFound)
		r.pass(4 * 24 * time.Hour)   // Past the soft age of the domain's habit.
		time.Sleep(20 * time.Second) // Past the linger: a session keeps its server's old behaviour.
		if err := r.world.Change("mx.a.test", func(h *mailworld.Host) {
			h.Rcpt = func(string) mailworld.Reply { return mailworld.Say(250, "2.1.5 Ok") }
		}); err != nil {
			t.Fatal(err)
		}
		ans := r.ask(anyAge("ada@a.test"))
		r.want(ans, verdict.AcceptedCatchAll)
		r.wantAsked("mx.a.test", 4) // nobody, ada, and two controls.
	})
}

func TestWaitOutGreylisting(t *testing.T) {
	bubble(t, func(t *testing.T) {
		spec := village()
		spec.Domains[0].Greylist = 5 * time.Minute
		r := newRig(t, options{spec: spec})
		req := anyAge("ada@a.test")
		ans := r.ask(req)
		r.want(ans, verdict.Greylisted)
		if ans.RetryAt.IsZero() {
			t.Error("greylisted without retry_at")
		}
		req.Wait, req.Deadline = true, 10*time.Minute
		ans = r.ask(req)
		if ans.Reason != verdict.MailboxAccepted && ans.Reason != verdict.AcceptedUntested {
			t.Errorf("after waiting: %s, want an acceptance", ans.Reason)
		}
	})
}

func TestStopWaiting(t *testing.T) {
	bubble(t, func(t *testing.T) {
		spec := village()
		spec.Domains[0].Greylist = 5 * time.Minute
		r := newRig(t, options{spec: spec})
		req := anyAge("ada@a.test")
		req.Wait, req.Deadline = true, 10*time.Minute
		start := time.Now()
		time.AfterFunc(3*time.Second, r.verifier.StopWaiting)
		r.want(r.ask(req), verdict.Greylisted)
		if got := time.Since(start); got > 4*time.Second {
			t.Errorf("who waited out a greylist was answered after %v, want when waiting was stopped, after 3s", got)
		}
	})
}

func TestClose(t *testing.T) {
	bubble(t, func(t *testing.T) {
		spec := village()
		spec.Hosts[0].Network = mailworld.Mute
		r := newRig(t, options{spec: spec})
		var wg sync.WaitGroup
		wg.Go(func() {
			ans := r.ask(anyAge("ada@a.test"))
			r.want(ans, verdict.ShuttingDown)
		})
		time.Sleep(time.Second)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		wg.Go(func() { // The daemon closes the pool when the verifier has been closed, or has run out of time.
			<-ctx.Done()
			if err := r.pool.Close(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("pool: %v", err)
			}
		})
		if err := r.verifier.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close() = %v, want context.DeadlineExceeded", err)
		}
		wg.Wait()
		if _, err := r.verifier.Verify(t.Context(), anyAge("ada@a.test")); !errors.Is(err, verify.ErrStopping) {
			t.Errorf("Verify after Close = %v, want ErrStopping", err)
		}
	})
}

func TestBadRequests(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, options{spec: village()})
		for _, req := range []verify.Request{
			{Email: "ada@a.test", Deadline: -1},
			{Email: "ada@a.test", Deadline: 11 * time.Minute},
			{Email: "ada@a.test", Depth: "abyss"},
		} {
			if _, err := r.verifier.Verify(t.Context(), req); !errors.Is(err, verify.ErrBadRequest) {
				t.Errorf("Verify(%+v) = %v, want ErrBadRequest", req, err)
			}
		}
	})
}
