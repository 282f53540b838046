//go:build interop

package interop

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/verimails/verimaild/client/apitype"
)

// liftedLimits lets verimaild run into every limit of a server: one session, and no end to what it asks there.
func liftedLimits() string {
	return limits("sessions: 1, recipients_per_transaction: 0, transactions_per_session: 0, refusals_per_session: 0")
}

// crowd is as many names at a domain, each with a number.
func crowd(name, domain string, n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("%s%d@%s", name, i, domain)
	}
	return list
}

// rows makes a question of each address.
func rows(name string, emails []string, want string) []question {
	list := make([]question, len(emails))
	for i, email := range emails {
		list[i] = question{name, email, want}
	}
	return list
}

// TestPostfixManyErrors has verimaild err more often in one session than Postfix allows: from the 10th error on it waits
// a second before each reply, and at the 20th it hangs up. Whom it has not answered for by then is asked again.
func TestPostfixManyErrors(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	addr := n.addHost("mx.postfix.test", "postfix.test")
	known, unknown := crowd("ada", "postfix.test", 30), crowd("nobody", "postfix.test", 24)
	r := startPostfix(t, n, postfix{
		host: "mx.postfix.test", addr: addr, domains: "postfix.test x\n",
		mailbox: strings.Join(known, " x\n") + " x\n",
	})
	d := startDaemon(t, n, liftedLimits())
	askAll(t, d, append(
		rows("unknown", unknown, "undeliverable/mailbox_not_found/address"),
		rows("known", known, "deliverable/mailbox_accepted/address")...))
	d.stop(t)
	sessions := postfixSessions(t, r.log, n.source())
	if !slices.ContainsFunc(sessions, func(s session) bool { return s.cut }) {
		t.Error("Postfix cut no session off; this test has to err more often")
	}
	checkManners(t, sessions, manners{questions: len(known) + len(unknown), maxRefused: 20})
}

// TestEximManyDead has verimaild ask about many recipients in one transaction. When most are dead, Debian's Exim refuses
// whoever comes after the 11th, the living too, with a 550 that names none of them. No one may be called dead for that.
func TestEximManyDead(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	addr := n.addHost("mx.exim.test", "exim.test")
	known, unknown := crowd("ada", "exim.test", 12), crowd("nobody", "exim.test", 24)
	r := startExim(t, n, exim{
		host: "mx.exim.test", addr: addr, domains: "exim.test\n",
		virtual: strings.Join(known, ": :blackhole:\n") + ": :blackhole:\n",
	})
	d := startDaemon(t, n, liftedLimits())
	answers := askAll(t, d, append(
		rows("unknown", unknown, "undeliverable/mailbox_not_found/address or unknown/harvest_limited/source"),
		// Whoever was accepted before that may be without a made-up recipient to compare with.
		rows("known", known, "deliverable/mailbox_accepted/address or risky/accepted_untested/address or unknown/harvest_limited/source")...))
	d.stop(t)
	if !slices.ContainsFunc(answers, func(a apitype.Answer) bool { return a.Reason == "harvest_limited" }) {
		t.Error("Exim refused nobody for being one of too many; this test has to ask for more at once")
	}
	// Once the pool has heard of it, it asks no more.
	checkManners(t, eximSessions(t, r.log, n.source()), manners{questions: 12, maxRefused: 100})
}

// TestEximManyTransactions has verimaild reset more transactions in one session than Exim allows
// (smtp_accept_max_nonmail is 10): Exim hangs up at the 12th RSET, and whom it has not answered for is asked again.
func TestEximManyTransactions(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	addr := n.addHost("mx.exim.test", "exim.test")
	known := crowd("ada", "exim.test", 40)
	r := startExim(t, n, exim{
		host: "mx.exim.test", addr: addr, domains: "exim.test\n",
		virtual: strings.Join(known, ": :blackhole:\n") + ": :blackhole:\n",
	})
	d := startDaemon(t, n, limits("sessions: 1, recipients_per_transaction: 1, transactions_per_session: 0"))
	askAll(t, d, rows("known", known, "deliverable/mailbox_accepted/address"))
	d.stop(t)
	sessions := eximSessions(t, r.log, n.source())
	if !slices.ContainsFunc(sessions, func(s session) bool { return s.cut }) {
		t.Error("Exim cut no session off; this test has to reset more transactions in one")
	}
	checkManners(t, sessions, manners{questions: len(known), maxRefused: 3})
}

// TestSendmailConnectionRate has verimaild dial more often than Debian's sendmail allows a stranger (ClientRate: 10 a
// minute): from the 11th session on it greets with 421. Nobody may be called dead, or alive, for that.
func TestSendmailConnectionRate(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	addr := n.addHost("mx.sendmail.test", "sendmail.test")
	r := startSendmail(t, n, "mx.sendmail.test", addr, "sendmail.test\n", "")
	d := startDaemon(t, n, limits("sessions: 4, recipients_per_transaction: 1, transactions_per_session: 1"))
	answers := askAll(t, d, rows("unknown", crowd("nobody", "sendmail.test", 16),
		"undeliverable/mailbox_not_found/address or unknown/source_rate_limited/source"))
	d.stop(t)
	limited := 0
	for _, a := range answers {
		if a.Reason == "source_rate_limited" {
			limited++
			if a.RetryAt.IsZero() {
				t.Errorf("verify(%q).retry_at is missing; a rate limit passes", a.Email)
			}
		}
	}
	if limited == 0 {
		t.Errorf("sendmail limited nobody; this test has to dial more often:\n%s", r.log)
	}
}

// TestPostfixManyTransactions has verimaild reset more transactions in one session than Postfix allows: from the 101st on
// each counts as an error.
func TestPostfixManyTransactions(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	addr := n.addHost("mx.postfix.test", "postfix.test")
	known := crowd("ada", "postfix.test", 112)
	r := startPostfix(t, n, postfix{
		host: "mx.postfix.test", addr: addr, domains: "postfix.test x\n", mailbox: strings.Join(known, " x\n") + " x\n",
	})
	d := startDaemon(t, n, limits("sessions: 1, recipients_per_transaction: 1, transactions_per_session: 0"))
	askAll(t, d, rows("known", known, "deliverable/mailbox_accepted/address"))
	d.stop(t)
	sessions := postfixSessions(t, r.log, n.source())
	if !slices.ContainsFunc(sessions, func(s session) bool { return s.commands["rset"] > 100 }) {
		t.Error("Postfix saw no session with more than 100 RSET; this test has to reset more transactions in one")
	}
	checkManners(t, sessions, manners{questions: len(known), maxRefused: 3, maxSessions: 20})
}

// TestPostfixManyRecipients has verimaild ask about more recipients in one transaction than a Postfix takes: 452 4.5.3 says
// so of the rest, who are asked about in another. Its own limit of 1000 is beyond what verimaild ever puts into one.
func TestPostfixManyRecipients(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	addr := n.addHost("mx.postfix.test", "postfix.test")
	known := crowd("ada", "postfix.test", 60)
	r := startPostfix(t, n, postfix{
		host: "mx.postfix.test", addr: addr, domains: "postfix.test x\n", mailbox: strings.Join(known, " x\n") + " x\n",
		main: "smtpd_recipient_limit = 20\n",
	})
	d := startDaemon(t, n, liftedLimits())
	askAll(t, d, rows("known", known, "deliverable/mailbox_accepted/address"))
	d.stop(t)
	sessions := postfixSessions(t, r.log, n.source())
	if !slices.ContainsFunc(sessions, func(s session) bool { return s.refused > 0 }) {
		t.Error("Postfix refused nobody for being one of too many; this test has to ask for more at once")
	}
	checkManners(t, sessions, manners{questions: len(known), maxRefused: 60, maxSessions: 10})
}

// checkFull has verimaild ask a server that takes no more sessions, because others have them all, and once they are gone
// again. Nobody may be called dead, or alive, for a session that was refused.
func checkFull(t *testing.T, n *network, addr netip.AddrPort, sessions int, emails []string) {
	t.Helper()
	others := n.occupy(t, addr, sessions)
	d := startDaemon(t, n, limits("sessions: 4"))
	for _, a := range askAll(t, d, rows("known", emails[:4],
		"unknown/source_rate_limited/source or unknown/server_tempfail/mx or unknown/disconnected/mx")) {
		if a.RetryAt.IsZero() {
			t.Errorf("verify(%q).retry_at is missing; a full house empties", a.Email)
		}
	}
	d.stop(t)
	for _, conn := range others {
		conn.Close()
	}
	for _, email := range emails[4:] { // A server may need a moment to see that they are gone.
		d := startDaemon(t, n, "")
		a, err := d.get(t.Context(), email)
		d.stop(t)
		if err == nil && outcome(&a) == "deliverable/mailbox_accepted/address" {
			return
		}
		t.Logf("verify(%q) = %s, %v", email, outcome(&a), err)
	}
	t.Errorf("the server's sessions are gone, and %v can't be verified", emails[4:])
}

// TestEximManySessions asks an Exim that has as many sessions as it takes (smtp_accept_max is 20): it greets with 421.
func TestEximManySessions(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	addr := n.addHost("mx.exim.test", "exim.test")
	known := crowd("ada", "exim.test", 8)
	r := startExim(t, n, exim{
		host: "mx.exim.test", addr: addr, domains: "exim.test\n",
		virtual: strings.Join(known, ": :blackhole:\n") + ": :blackhole:\n",
	})
	checkFull(t, n, addr, 20, known)
	if !strings.Contains(r.log.String(), "too many connections") {
		t.Errorf("Exim refused no session; this test has to open more at once:\n%s", r.log)
	}
}

// TestOpenSMTPDManyErrors has verimaild ask an OpenSMTPD about many dead recipients in one session, and reset many
// transactions.
func TestOpenSMTPDManyErrors(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	addr := n.addHost("mx.opensmtpd.test", "opensmtpd.test")
	known, unknown := crowd("ada", "opensmtpd.test", 60), crowd("nobody", "opensmtpd.test", 60)
	r := startOpenSMTPD(t, n, "mx.opensmtpd.test", addr, "opensmtpd.test\n", strings.Join(known, " vmail\n")+" vmail\n")
	d := startDaemon(t, n, limits("sessions: 1, recipients_per_transaction: 1, transactions_per_session: 0, refusals_per_session: 0"))
	askAll(t, d, append(
		rows("unknown", unknown, "undeliverable/mailbox_not_found/address"),
		rows("known", known, "deliverable/mailbox_accepted/address")...))
	d.stop(t)
	sessions := opensmtpdSessions(t, r.log)
	if !slices.ContainsFunc(sessions, func(s session) bool { return s.cut }) {
		t.Error("OpenSMTPD cut no session off; this test has to err more often")
	}
	checkManners(t, sessions, manners{questions: len(known) + len(unknown), maxRefused: 100})
}

// TestSendmailManyErrors has verimaild err more often than sendmail likes: after the third dead recipient of a transaction
// (BadRcptThrottle) it waits a second before each reply.
func TestSendmailManyErrors(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	addr := n.addHost("mx.sendmail.test", "sendmail.test")
	r := startSendmail(t, n, "mx.sendmail.test", addr, "sendmail.test\n", "")
	d := startDaemon(t, n, liftedLimits())
	unknown := crowd("nobody", "sendmail.test", 12)
	askAll(t, d, append(
		rows("unknown", unknown, "undeliverable/mailbox_not_found/address"),
		rows("known", []string{"ada@sendmail.test", "bob@sendmail.test"}, "deliverable/mailbox_accepted/address")...))
	d.stop(t)
	checkManners(t, sendmailSessions(t, r.log), manners{questions: len(unknown) + 2, maxRefused: 14, maxSessions: 3})
}

// TestHarakaManyRecipients has verimaild ask about more recipients in one session than Haraka's plugin of limits allows
// (recipients.max is 20, once it is enabled).
func TestHarakaManyRecipients(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	addr := n.addHost("mx.haraka.test", "haraka.test")
	r := startHaraka(t, n, "mx.haraka.test", addr, "", "[recipients]\nenabled=true\nmax=20\n[errors]\nenabled=true\nmax=10\n")
	d := startDaemon(t, n, liftedLimits())
	known := crowd("crowd", "haraka.test", 23)
	askAll(t, d, rows("known", known, "deliverable/mailbox_accepted/address"))
	d.stop(t)
	sessions := harakaSessions(t, r)
	if !slices.ContainsFunc(sessions, func(s session) bool { return s.refused > 0 }) {
		t.Error("Haraka refused nobody for being one of too many; this test has to ask about more recipients")
	}
	checkManners(t, sessions, manners{questions: len(known), maxRefused: 10, maxSessions: 4})
}

// TestCourierManySessions asks a Courier that has as many sessions of our network as it takes (MAXPERC is 5): it hangs up
// without a greeting.
func TestCourierManySessions(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	addr := n.addHost("mx.courier.test", "courier.test")
	users := make(courierUsers)
	known := crowd("ada", "courier.test", 8)
	for _, user := range known {
		users[user] = ""
	}
	startCourier(t, n, "mx.courier.test", addr, "courier.test\n", users)
	checkFull(t, n, addr, 5, known)
}
