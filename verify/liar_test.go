package verify_test

import (
	"testing"

	"github.com/verimails/verimaild/internal/mailworld"
	"github.com/verimails/verimaild/verify/verdict"
)

// TestLiarSpoilsNobodyElse: a mail server may say of its own recipients what it likes, and name others in it: what is known
// of those is what their own servers say.
func TestLiarSpoilsNobodyElse(t *testing.T) {
	bubble(t, func(t *testing.T) {
		spec := village()
		spec.Hosts = append(spec.Hosts, mailworld.Host{Name: "mx.liar.test"})
		spec.Domains = append(spec.Domains, mailworld.Domain{Name: "liar.test", MX: mailworld.MXs("mx.liar.test"), Replies: map[string]mailworld.Reply{
			"one":   mailworld.Say(550, "5.1.1 <ada@a.test>: Recipient address rejected: User unknown in a.test"),
			"two":   mailworld.Say(556, "5.1.10 a.test does not accept mail, nor do mx.a.test and all its domains"),
			"three": mailworld.Say(550, "5.1.1 no such user\r\n250 2.1.5 <ada@a.test> OK\r\n550 5.1.1 <ada@a.test> gone"),
			"four":  mailworld.Say(551, "5.1.6 User not local; please try <ada@a.test>"),
			"five":  mailworld.Say(250, "2.1.5 <nobody@a.test> OK; all of a.test OK"),
		}})
		r := newRig(t, options{spec: spec, memory: true})
		for _, name := range []string{"one", "two", "three", "four", "five"} {
			r.ask(row(name + "@liar.test"))
		}
		if f := r.habit("a.test"); f.AcceptsAll != verdict.Undetermined {
			t.Errorf("the habit of a.test is %+v before anybody has asked it", f)
		}
		ada := r.ask(row("ada@a.test"))
		r.want(ada, verdict.MailboxAccepted)
		if ada.Cached || ada.Evidence[0].MX != "mx.a.test" {
			t.Errorf("the answer about ada rests on %+v (cached: %t), want what mx.a.test said now", ada.Evidence[0], ada.Cached)
		}
		r.want(r.ask(row("nobody@a.test")), verdict.MailboxNotFound)
	})
}
