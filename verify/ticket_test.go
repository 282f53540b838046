package verify_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/verimails/verimaild/internal/mailworld"
	"github.com/verimails/verimaild/pool"
	"github.com/verimails/verimaild/verify"
	"github.com/verimails/verimaild/verify/verdict"
)

// greyVillage greylists whoever asks about a.test, and tells how long.
func greyVillage(d time.Duration) mailworld.Spec {
	spec := village()
	spec.Domains[0].Greylist = d
	return spec
}

// TestGreylistedOnceAskedTwice: the first question is put off, the daemon asks again by itself when it is time, and the
// next question is answered from memory. The control has waited along with its target.
func TestGreylistedOnceAskedTwice(t *testing.T) {
	for _, test := range []struct {
		name  string
		reply mailworld.Reply
		due   time.Duration
	}{
		{"the server says how long", mailworld.Reply{}, 301 * time.Second},
		{"the server says nothing", mailworld.Say(451, "4.7.1 Greylisted, please try again later"), 310 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				spec := greyVillage(300 * time.Second)
				spec.Hosts[0].Greylisted = test.reply
				r := newRig(t, options{spec: spec, memory: true})
				start := time.Now()
				ans := r.ask(row("ada@a.test"))
				r.want(ans, verdict.Greylisted)
				if got := ans.RetryAt.Sub(start); got != test.due || ans.Cached {
					t.Errorf("retry_at in %v, cached %v; want %v and a fresh answer", got, ans.Cached, test.due)
				}
				r.wantAsked("mx.a.test", 2)
				time.Sleep(test.due - time.Second)
				again := r.wantCached(verify.Request{Email: "ada@a.test"}, verdict.Greylisted) // Afresh, but it is too early.
				if !again.RetryAt.Equal(ans.RetryAt) || len(again.Evidence) == 0 {
					t.Errorf("retry_at %v, %d pieces of evidence; want %v and what was said", again.RetryAt, len(again.Evidence), ans.RetryAt)
				}
				r.wantAsked("mx.a.test", 2)
				time.Sleep(2 * time.Second)
				r.wantAsked("mx.a.test", 4)
				r.wantCached(row("ada@a.test"), verdict.MailboxAccepted)
				paths := r.world.Recipients("mx.a.test")
				if paths[0] != paths[2] || paths[1] != paths[3] {
					t.Errorf("recipients = %q, want the same two twice", paths)
				}
			})
		})
	}
}

// TestControlWaitsOnce: the made-up recipient is put off once for all of a domain's recipients.
func TestControlWaitsOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, options{spec: greyVillage(300 * time.Second), memory: true})
		for _, a := range []string{"ada@a.test", "bob@a.test", "info@a.test"} {
			r.want(r.ask(row(a)), verdict.Greylisted)
		}
		r.wantAsked("mx.a.test", 4)
		time.Sleep(310 * time.Second)
		for _, a := range []string{"ada@a.test", "bob@a.test", "info@a.test"} {
			r.wantCached(row(a), verdict.MailboxAccepted)
		}
		r.wantAsked("mx.a.test", 8)
	})
}

// TestSchedule: a server that puts a recipient off for ever is asked five times in half a day, then left alone.
func TestSchedule(t *testing.T) {
	bubble(t, func(t *testing.T) {
		spec := village()
		spec.Domains[0].Replies["ada"] = mailworld.Say(450, "4.1.1 <{rcpt}>: Recipient address rejected: User unknown in local recipient table")
		r := newRig(t, options{spec: spec, memory: true})
		for i, wait := range []time.Duration{310 * time.Second, 30 * time.Minute, 2 * time.Hour, 6 * time.Hour} {
			ans := r.ask(row("ada@a.test"))
			r.want(ans, verdict.ServerTempfail)
			if got := ans.RetryAt.Sub(r.now()); got != wait || ans.Cached {
				t.Errorf("visit %d: retry_at in %v, cached %v; want %v and a fresh answer", i+1, got, ans.Cached, wait)
			}
			r.wantCached(row("ada@a.test"), verdict.ServerTempfail)
			r.pass(wait)
		}
		ans := r.ask(row("ada@a.test"))
		r.want(ans, verdict.PersistentTempfail)
		if ans.Reason.Verdict() != verdict.Unknown || ans.Cached {
			t.Errorf("the last visit: %s, cached %v; want unknown, fresh", ans.Reason.Verdict(), ans.Cached)
		}
		r.wantAsked("mx.a.test", 5)
		r.pass(9 * time.Hour)
		r.wantCached(row("ada@a.test"), verdict.PersistentTempfail)
		r.pass(9 * time.Hour)
		r.want(r.ask(row("ada@a.test")), verdict.ServerTempfail) // A new schedule.
		r.wantAsked("mx.a.test", 6)
	})
}

// TestVanishedSource: a recipient that was put off is not asked about from another source.
func TestVanishedSource(t *testing.T) {
	bubble(t, func(t *testing.T) {
		spec := greyVillage(300 * time.Second)
		r := newRig(t, options{spec: spec, memory: true, sources: 2})
		first := r.ask(row("ada@a.test"))
		r.want(first, verdict.Greylisted)
		opts := poolOptions(r.world, r.guard, 2)
		source := first.Evidence[0].Source
		opts.Sources = slices.DeleteFunc(opts.Sources, func(s pool.Source) bool { return s.Name == source })
		time.Sleep(20 * time.Second) // Its session ends.
		if err := r.pool.Reload(opts); err != nil {
			t.Fatal(err)
		}
		r.pass(310 * time.Second)
		ans := r.ask(row("ada@a.test"))
		r.want(ans, verdict.Greylisted)
		if !ans.RetryAt.After(r.now()) {
			t.Errorf("retry_at = %v, want a time to come", ans.RetryAt)
		}
		r.wantAsked("mx.a.test", 2)
		if err := r.pool.Reload(poolOptions(r.world, r.guard, 2)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Minute) // The greylist counts real time.
		r.pass(ans.RetryAt.Sub(r.now()))
		ans = r.ask(row("ada@a.test"))
		r.want(ans, verdict.MailboxAccepted)
		if got := ans.Evidence[0].Source; got != source {
			t.Errorf("asked from source %q, want %q", got, source)
		}
	})
}

// TestVerifyingIsAskedAgainSoon: a server that looks a recipient up elsewhere says "later" once.
func TestVerifyingIsAskedAgainSoon(t *testing.T) {
	bubble(t, func(t *testing.T) {
		spec := village()
		spec.Hosts[0].Rcpt = mailworld.InTurn(
			mailworld.Say(450, "4.1.1 <ada@a.test>: Recipient address rejected: unverified address: Address verification in progress"),
			mailworld.Say(250, "2.1.5 Ok"))
		r := newRig(t, options{spec: spec, memory: true})
		ans := r.ask(row("ada@a.test"))
		if ans.Reason.Verdict() != verdict.Unknown || !ans.RetryAt.After(time.Now()) {
			t.Fatalf("first answer = %s, retry at %v; want unknown, and a time", ans.Reason, ans.RetryAt)
		}
		time.Sleep(time.Until(ans.RetryAt) + time.Second)
		synctest.Wait()
		if ans = r.ask(row("ada@a.test")); !ans.Cached || ans.Reason.Verdict() == verdict.Unknown {
			t.Errorf("later: %s, cached %v; want what was found out meanwhile", ans.Reason, ans.Cached)
		}
	})
}
