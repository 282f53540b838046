package verify_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/verimails/verimaild/internal/mailworld"
	"github.com/verimails/verimaild/verify"
	"github.com/verimails/verimaild/verify/address"
	"github.com/verimails/verimaild/verify/verdict"
)

// habit is what is remembered of a domain.
func (r *rig) habit(name string) verdict.DomainFact {
	r.t.Helper()
	d, err := address.ParseDomain(name)
	if err != nil {
		r.t.Fatal(err)
	}
	f, _ := r.cache.Domain(d)
	return f
}

// harvestedVillage has a host that accepts everybody once it was asked for too many unknown names.
func harvestedVillage(limit int) mailworld.Spec {
	spec := village()
	spec.Hosts[0].Harvest = mailworld.Harvest{Limit: limit, Then: mailworld.HarvestAccepts}
	spec.Domains = append(spec.Domains, mailworld.Domain{Name: "b.test", MX: mailworld.MXs("mx.a.test"), Mailboxes: []string{"ada"}})
	return spec
}

// askDead asks about n names that do not exist.
func (r *rig) askDead(domain string, n int) {
	r.t.Helper()
	for i := range n {
		r.want(r.ask(row(fmt.Sprintf("dead%d@%s", i, domain))), verdict.MailboxNotFound)
	}
}

// TestSilentAcceptanceIsNotBelieved: a site that has refused many, and then accepts a name that nobody has ever heard of,
// has stopped telling the truth; its domains are not thereby accept-all.
func TestSilentAcceptanceIsNotBelieved(t *testing.T) {
	for _, test := range []struct {
		name     string
		domains  []string // That were asked about before.
		evidence int
	}{
		{"the only domain of its site", []string{"a.test"}, 2},
		{"one of several", []string{"b.test", "a.test"}, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := newRig(t, options{spec: harvestedVillage(13), memory: true})
				for _, d := range test.domains {
					r.askDead(d, 12/len(test.domains))
				}
				r.askDead("a.test", 1)
				alive := r.ask(row("ada@a.test")) // One refusal below the limit, or at it: postmaster was no refusal.
				if alive.Reason != verdict.AcceptSuspect && alive.Reason != verdict.MailboxAccepted {
					t.Errorf("ada: %s, want her accepted or not believed", alive.Reason)
				}
				ans := r.ask(row("nobody@a.test"))
				r.want(ans, verdict.AcceptSuspect)
				if !ans.RetryAt.After(r.now()) || ans.Flags.CatchAll != verdict.Undetermined {
					t.Errorf("retry_at %v, catch_all %v; want a time, and nothing", ans.RetryAt, ans.Flags.CatchAll)
				}
				if f := r.habit("a.test"); f.AcceptsAll != verdict.False {
					t.Errorf("habit = %+v, want that it refuses made-up recipients, as before", f)
				}
				asked := len(r.world.Recipients("mx.a.test"))
				r.wantCached(row("nobody@a.test"), verdict.AcceptSuspect)
				r.want(r.ask(row("nobody2@a.test")), verdict.AcceptSuspect) // No made-up recipient any more.
				r.wantAsked("mx.a.test", asked+1)
				r.pass(2 * time.Hour)
				time.Sleep(2 * time.Hour)
				r.want(r.ask(row("nobody3@a.test")), verdict.MailboxNotFound)
			})
		})
	}
}

// TestHonestAcceptanceIsBelieved: many refusals alone make nobody's acceptance void.
func TestHonestAcceptanceIsBelieved(t *testing.T) {
	bubble(t, func(t *testing.T) {
		spec := harvestedVillage(0)
		spec.Domains = append(spec.Domains, mailworld.Domain{Name: "every.test", MX: mailworld.MXs("mx.a.test"), CatchAll: true})
		r := newRig(t, options{spec: spec, memory: true})
		r.askDead("a.test", 20)
		r.want(r.ask(row("ada@a.test")), verdict.MailboxAccepted)
		r.want(r.ask(row("ada@b.test")), verdict.MailboxAccepted)
		r.want(r.ask(row("anyone@every.test")), verdict.AcceptedCatchAll)
		if f := r.habit("every.test"); f.AcceptsAll != verdict.True {
			t.Errorf("habit = %+v, want that it accepts everyone", f)
		}
		controls := 0
		for _, path := range r.world.Recipients("mx.a.test") {
			if !strings.HasPrefix(path, "dead") && !strings.HasPrefix(path, "ada") && !strings.HasPrefix(path, "anyone") {
				controls++
			}
		}
		if controls > 5 { // postmaster, and for each acceptance one; for every.test one elsewhere as well.
			t.Errorf("%d recipients beside those that were asked for, want 5 at most: %q", controls, r.world.Recipients("mx.a.test"))
		}
	})
}

// TestDoubtIsShared: many acceptances at once cost one made-up recipient.
func TestDoubtIsShared(t *testing.T) {
	bubble(t, func(t *testing.T) {
		spec := harvestedVillage(0)
		spec.Hosts[0].Slow = map[string]time.Duration{"MAIL": 50 * time.Millisecond}
		for i := range 30 {
			spec.Domains[0].Mailboxes = append(spec.Domains[0].Mailboxes, fmt.Sprintf("user%d", i))
		}
		r := newRig(t, options{spec: spec, memory: true})
		r.askDead("a.test", 20)
		before := len(r.world.Recipients("mx.a.test"))
		var wg sync.WaitGroup
		for i := range 30 {
			wg.Go(func() { r.want(r.ask(row(fmt.Sprintf("user%d@a.test", i))), verdict.MailboxAccepted) })
		}
		wg.Wait()
		if extra := len(r.world.Recipients("mx.a.test")) - before - 30; extra > 5 {
			t.Errorf("30 acceptances took %d made-up recipients, want a few", extra)
		}
	})
}

// TestBackupHost: a backup host that accepts everyone says nothing of the domain.
func TestBackupHost(t *testing.T) {
	bubble(t, func(t *testing.T) {
		spec := village()
		spec.Hosts = append(spec.Hosts, mailworld.Host{
			Name: "backup.a.test", Rcpt: func(string) mailworld.Reply { return mailworld.Say(250, "2.1.5 Ok") },
		})
		spec.Domains[0].MX = mailworld.MXs("mx.a.test", "backup.a.test")
		r := newRig(t, options{spec: spec, memory: true})
		r.want(r.ask(row("ada@a.test")), verdict.MailboxAccepted) // The habit is known.
		r.change(func(h *mailworld.Host) { h.Network = mailworld.RefuseConnect })
		ans := r.ask(row("bob@a.test"))
		r.want(ans, verdict.AcceptedUntested)
		if ans.AcceptAll != verdict.AcceptAllInconclusive || ans.Flags.CatchAll != verdict.Undetermined || ans.RetryAt.IsZero() {
			t.Errorf("accept_all %s, catch_all %v, retry at %v; want inconclusive, nothing, and a time", ans.AcceptAll, ans.Flags.CatchAll, ans.RetryAt)
		}
		if f := r.habit("a.test"); f.AcceptsAll != verdict.False {
			t.Errorf("habit = %+v, want that of the primary", f)
		}
		r.wantCached(row("bob@a.test"), verdict.AcceptedUntested) // Not settled by what is known of the primary.
		r.change(func(h *mailworld.Host) { h.Network = mailworld.Listening })
		r.pass(90 * time.Minute)
		time.Sleep(time.Hour)
		r.want(r.ask(row("bob@a.test")), verdict.MailboxAccepted)
	})
}

// TestBackupHostAfterManyRefusals: what a backup host accepts is weighed by what it refuses, also where the site was heard
// to refuse somebody while that was waited for.
func TestBackupHostAfterManyRefusals(t *testing.T) {
	bubble(t, func(t *testing.T) {
		spec := village()
		spec.Hosts = append(spec.Hosts, mailworld.Host{Name: "backup.a.test"})
		spec.Domains[0].MX = mailworld.MXs("mx.a.test", "backup.a.test")
		r := newRig(t, options{spec: spec, memory: true})
		r.askDead("a.test", 12)
		r.change(func(h *mailworld.Host) { h.Network = mailworld.RefuseConnect })
		var wg sync.WaitGroup
		wg.Go(func() { r.want(r.ask(row("bob@a.test")), verdict.MailboxAccepted) })
		time.Sleep(100 * time.Millisecond) // It listens for somebody to be refused.
		r.want(r.ask(row("dead99@a.test")), verdict.MailboxNotFound)
		wg.Wait()
	})
}

// TestAllRefusedAlike: a server that refuses everybody in the same words says nothing, and what it was taken to say is
// taken back.
func TestAllRefusedAlike(t *testing.T) {
	everybody := func(path string) mailworld.Reply {
		return mailworld.Say(550, "5.1.1 <"+path+">: no such user here ("+path[:1]+"7)")
	}
	spec := village()
	spec.Hosts[0].Rcpt = everybody
	for _, domain := range []string{"a.test", "implicit.test"} {
		t.Run(domain, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := newRig(t, options{spec: spec, memory: true})
				r.want(r.ask(row("ada@"+domain)), verdict.MailboxNotFound)
				r.want(r.ask(row("bob@"+domain)), verdict.MailboxNotFound)
				ans := r.ask(row("eve@" + domain))
				r.want(ans, verdict.UniformRefusal)
				if len(ans.Evidence) != 3 || ans.RetryAt.IsZero() {
					t.Errorf("%d pieces of evidence, retry at %v; want hers, postmaster's and the control's, and a time", len(ans.Evidence), ans.RetryAt)
				}
				r.wantAsked("mx.a.test", 5)
				for _, name := range []string{"ada@", "bob@", "eve@", "dan@"} {
					r.wantCached(row(name+domain), verdict.UniformRefusal)
				}
				r.wantAsked("mx.a.test", 5)
				r.change(func(h *mailworld.Host) { h.Rcpt = nil })
				r.pass(25 * time.Hour)
				r.want(r.ask(row("ada@"+domain)), verdict.MailboxAccepted)
				r.want(r.ask(row("dan@"+domain)), verdict.MailboxNotFound)
			})
		})
	}
}

// TestAllRefusedAlikeAtOnce: while it is being found out whether all are refused alike, nobody is taken for dead, and
// whoever can tell is asked once for all.
func TestAllRefusedAlikeAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		spec := village()
		spec.Hosts[0].Rcpt = func(path string) mailworld.Reply {
			return mailworld.Say(550, "5.1.1 <"+path+">: no such user here").After(time.Second)
		}
		r := newRig(t, options{spec: spec, memory: true})
		var wg sync.WaitGroup
		var mu sync.Mutex
		reasons := map[verdict.Reason]int{}
		for i := range 20 {
			wg.Go(func() {
				ans := r.ask(row(fmt.Sprintf("user%d@a.test", i)))
				mu.Lock()
				defer mu.Unlock()
				reasons[ans.Reason]++
			})
		}
		wg.Wait()
		if reasons[verdict.MailboxNotFound] > 2 || reasons[verdict.UniformRefusal] < 18 {
			t.Errorf("reasons = %v, want at most two believed", reasons)
		}
		if n := len(r.world.Recipients("mx.a.test")); n > 24 {
			t.Errorf("%d recipients were asked about for 20, postmaster and a made-up one", n)
		}
	})
}

// TestAlikeButForOne: whoever is accepted while it is being found out whether all are refused alike shows that not all
// are, however postmaster fares.
func TestAlikeButForOne(t *testing.T) {
	bubble(t, func(t *testing.T) {
		spec := village()
		spec.Hosts[0].Rcpt = func(path string) mailworld.Reply {
			switch no := mailworld.Say(550, "5.1.1 <"+path+">: no such user here"); {
			case strings.HasPrefix(path, "ada"):
				return mailworld.Say(250, "2.1.5 Ok")
			case strings.HasPrefix(path, "postmaster@"):
				return no.After(20 * time.Second)
			default:
				return no
			}
		}
		r := newRig(t, options{spec: spec, memory: true})
		r.askDead("a.test", 2)
		var wg sync.WaitGroup
		wg.Go(func() { r.want(r.ask(row("eve@a.test")), verdict.MailboxNotFound) })
		time.Sleep(10 * time.Second) // Postmaster's reply is awaited.
		for i := range 30 {          // They don't wait for that session: they are enough for another one.
			wg.Go(func() { r.want(r.ask(row(fmt.Sprintf("ada%d@a.test", i))), verdict.MailboxAccepted) })
		}
		wg.Wait()
		if f := r.habit("a.test"); f.Reason == verdict.UniformRefusal {
			t.Errorf("habit = %+v, want none that was shown to be wrong", f)
		}
	})
}

// TestHonestRefusals: where postmaster is told apart, refusals in the same words are what they say.
func TestHonestRefusals(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, options{spec: village(), memory: true})
		r.askDead("a.test", 8)
		r.wantAsked("mx.a.test", 9) // And postmaster, once.
	})
}

// TestRefusalInAcceptAllDomain: one address of a domain that accepts everyone may be refused all the same.
func TestRefusalInAcceptAllDomain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		spec := village()
		spec.Domains[1].Replies = map[string]mailworld.Reply{"gone": mailworld.Say(550, "5.1.1 <{rcpt}>: User unknown")}
		r := newRig(t, options{spec: spec, memory: true})
		r.want(r.ask(row("one@all.test")), verdict.AcceptedCatchAll)
		r.pass(time.Hour)
		r.want(r.ask(verify.Request{Email: "gone@all.test", Class: verify.Bulk}), verdict.MailboxNotFound)
		r.wantCached(row("gone@all.test"), verdict.MailboxNotFound)
		r.want(r.ask(row("two@all.test")), verdict.AcceptedCatchAll)
	})
}
