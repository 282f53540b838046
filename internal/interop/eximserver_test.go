//go:build interop

package interop

import "testing"

// TestExim asks an Exim about every kind of recipient, with verimaild's own defaults.
func TestExim(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	addr := n.addHost("mx.exim.test", "exim.test", "catchall.exim.test", "elsewhere.test")
	r := startExim(t, n, exim{
		host: "mx.exim.test", addr: addr,
		domains: "exim.test\ncatchall.exim.test\n",
		virtual: `ada@exim.test: :blackhole:
bob@exim.test: :blackhole:
cleo@exim.test: :blackhole:
full@exim.test: :fail: 552 5.2.2 Mailbox is full / Blocks limit exceeded / Inode limit exceeded
fuller@exim.test: :defer: 452 4.2.2 The mailbox is over quota. Please try again later.
closed@exim.test: :fail: 550 5.2.1 This account has been disabled
grey@exim.test: :blackhole:
greyer@exim.test: :blackhole:
broken@exim.test: :defer:
*@catchall.exim.test: :blackhole:
`,
		rcpt: `  defer
    recipients = grey@exim.test
    message = 451 4.7.1 Greylisted, please try again in 300 seconds
  defer
    recipients = greyer@exim.test
    message = $sender_host_address is not yet authorized to deliver mail from <$sender_address> to <$local_part@$domain>. Please try later.
`,
	})
	d := startDaemon(t, n, "")
	questions := []question{
		{"known", "ada@exim.test", "deliverable/mailbox_accepted/address"},
		{"known, with a tag", "bob+news@exim.test", "deliverable/mailbox_accepted/address"},
		{"known, in capitals", "CLEO@EXIM.TEST", "deliverable/mailbox_accepted/address"},
		{"unknown", "nobody@exim.test", "undeliverable/mailbox_not_found/address"},
		{"unknown, quoted", `"no body"@exim.test`, "undeliverable/mailbox_not_found/address"},
		{"unknown, UTF-8", "jürgen@exim.test", "undeliverable/mailbox_not_found/address"},
		{"unknown", "nobody1@exim.test", "undeliverable/mailbox_not_found/address"},
		{"unknown", "nobody2@exim.test", "undeliverable/mailbox_not_found/address"},
		{"unknown", "nobody3@exim.test", "undeliverable/mailbox_not_found/address"},
		{"unknown", "nobody4@exim.test", "undeliverable/mailbox_not_found/address"},
		{"over quota", "full@exim.test", "risky/mailbox_full/address"},
		{"over quota for now", "fuller@exim.test", "risky/mailbox_full/address"},
		{"disabled", "closed@exim.test", "undeliverable/mailbox_disabled/address"},
		{"greylisted", "grey@exim.test", "unknown/greylisted/address"},
		{"out of order", "broken@exim.test", "unknown/server_tempfail/mx"},
		{"restricted characters", "a%b@exim.test", "undeliverable/recipient_refused/address"},
		{"catch-all", "anybody@catchall.exim.test", "risky/accepted_catch_all/domain"},
		{"not its domain", "ada@elsewhere.test", "unknown/relay_denied/mx"},
	}
	answers := askAll(t, d, questions)
	checkTLS(t, answers, "TLS1.3")
	d.stop(t)
	sessions := eximSessions(t, r.log, n.source())
	checkManners(t, sessions, manners{questions: len(questions), maxRefused: 3, maxSessions: 10})
	section{server: "Exim", version: version(t, "exim4-daemon-light"), questions: questions, answers: answers, sessions: sessions}.write(t)
}
