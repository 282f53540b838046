//go:build interop

package interop

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/verimails/verimaild/internal/mailworld"
)

// oddMaster are more services of one Postfix: one that accepts everybody and bounces later, and one that asks the host
// behind it about every recipient, with what it needs for that: with 450 for the unknown, its default, and with 550.
const oddMaster = `%[1]s inet n - n - - smtpd
  -o myhostname=mx.bounces.test -o syslog_name=postfix/bounces -o smtpd_reject_unlisted_recipient=no
%[2]s inet n - n - - smtpd
  -o myhostname=mx.verifies.test -o syslog_name=postfix/verifies
  -o smtpd_reject_unlisted_recipient=no -o smtpd_recipient_restrictions=reject_unauth_destination,reject_unverified_recipient
%[3]s inet n - n - - smtpd
  -o myhostname=mx.strict.test -o syslog_name=postfix/strict -o unverified_recipient_reject_code=550
  -o smtpd_reject_unlisted_recipient=no -o smtpd_recipient_restrictions=reject_unauth_destination,reject_unverified_recipient
smtp unix - - n - - smtp
verify unix - - n - 1 verify
`

// TestPostfixOdd asks Postfixes whose reply to RCPT means less, or more, than that of others.
func TestPostfixOdd(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	inner := n.addHost("mx.inner.test", "inner.test")
	bounces := n.addHost("mx.bounces.test", "bounces.test")
	verifies := n.addHost("mx.verifies.test", "verifies.test")
	strict := n.addHost("mx.strict.test", "strict.test")
	n.addHost("dead.backup.test") // Where nobody listens.
	n.mu.Lock()
	n.zone["mx.backup.test"] = mailworld.Domain{Name: "mx.backup.test", Addrs: []netip.Addr{bounces.Addr()}}
	n.zone["main.backup.test"] = mailworld.Domain{Name: "main.backup.test", Addrs: []netip.Addr{inner.Addr()}}
	n.zone["orphan.test"] = mailworld.Domain{Name: "orphan.test", MX: []mailworld.MX{{Preference: 10, Host: "dead.backup.test"}, {Preference: 20, Host: "mx.backup.test"}}}
	n.zone["backed.test"] = mailworld.Domain{Name: "backed.test", MX: []mailworld.MX{{Preference: 10, Host: "main.backup.test"}, {Preference: 20, Host: "mx.backup.test"}}}
	n.mu.Unlock()
	r := startPostfix(t, n, postfix{
		host: "mx.inner.test", addr: inner,
		domains: "inner.test x\nbounces.test x\nbacked.test x\norphan.test x\n",
		mailbox: "ada@inner.test x\nada@bounces.test x\nada@backed.test x\nada@orphan.test x\n",
		main: fmt.Sprintf("relay_domains = verifies.test, strict.test\nrelay_recipient_maps = inline:{{ada@verifies.test=x}, {ada@strict.test=x}}\nsmtp_dns_support_level = disabled\n"+
			"transport_maps = inline:{{verifies.test = smtp:[%[1]s]:%[2]d}, {strict.test = smtp:[%[1]s]:%[2]d}}\n", inner.Addr(), inner.Port()),
		master: fmt.Sprintf(oddMaster, bounces, verifies, strict),
	})
	d := startDaemon(t, n, "")
	questions := []question{
		{"accept, then bounce: known", "ada@bounces.test", "risky/accepted_catch_all/domain"},
		{"accept, then bounce: unknown", "nobody@bounces.test", "risky/accepted_catch_all/domain"},
		// 450 says of nobody that it is dead, nor of a made-up recipient that the domain has a list.
		{"callout: known", "ada@verifies.test", "risky/accepted_untested/address"},
		{"callout: unknown", "nobody@verifies.test", "unknown/server_tempfail/mx"},
		{"callout, 550: known", "ada@strict.test", "deliverable/mailbox_accepted/address"},
		{"callout, 550: unknown", "nobody@strict.test", "undeliverable/mailbox_not_found/address"},
		{"backup MX, main MX up: known", "ada@backed.test", "deliverable/mailbox_accepted/address"},
		{"backup MX, main MX up: unknown", "nobody@backed.test", "undeliverable/mailbox_not_found/address"},
		{"backup MX, main MX down: known", "ada@orphan.test", "risky/accepted_untested/address"},
		{"backup MX, main MX down: unknown", "nobody@orphan.test", "risky/accepted_untested/address"},
	}
	answers := askAll(t, d, questions)
	d.stop(t)
	sessions := postfixSessions(t, r.log, n.source())
	checkManners(t, sessions, manners{questions: len(questions), maxRefused: 3, maxSessions: 16})
	section{server: "Postfix, odd ones", version: version(t, "postfix"), questions: questions, answers: answers, sessions: sessions}.write(t)
}
