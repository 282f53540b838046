//go:build interop

package interop

import "testing"

// TestPostfix asks a Postfix about every kind of recipient, with verimaild's own defaults.
func TestPostfix(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	addr := n.addHost("mx.postfix.test", "postfix.test", "catchall.postfix.test", "elsewhere.test", "sender.test", "client.test", "helo.test")
	r := startPostfix(t, n, postfix{
		host: "mx.postfix.test", addr: addr,
		domains: "postfix.test x\ncatchall.postfix.test x\nsender.test x\nclient.test x\nhelo.test x\n",
		mailbox: `ada@postfix.test x
bob@postfix.test x
cleo@postfix.test x
postmaster@postfix.test x
full@postfix.test x
fuller@postfix.test x
closed@postfix.test x
members@postfix.test x
staff@postfix.test x
grey@postfix.test x
@catchall.postfix.test x
`,
		access: `full@postfix.test 552 5.2.2 The email account that you tried to reach is over quota
fuller@postfix.test 452 4.2.2 Mailbox full
closed@postfix.test 550 5.2.1 This mailbox has been disabled
grey@postfix.test 450 4.2.0 Greylisted, see http://postgrey.schweikert.ch/help/postfix.test.html
members@postfix.test 550 5.7.1 Only members of this list may write to it
staff@postfix.test reject
sender.test sender_refused
client.test client_refused
helo.test helo_refused
`,
		main: `recipient_delimiter = +
transport_maps = inline:{{left@postfix.test=error:5.2.1 The mailbox is closed}}
smtpd_restriction_classes = sender_refused, client_refused, helo_refused
sender_refused = check_sender_access static:reject
client_refused = check_client_access static:reject
helo_refused = check_helo_access static:reject
`,
	})
	d := startDaemon(t, n, "")
	questions := []question{
		{"known", "ada@postfix.test", "deliverable/mailbox_accepted/address"},
		{"known, with a tag", "bob+news@postfix.test", "deliverable/mailbox_accepted/address"},
		{"known, in capitals", "CLEO@POSTFIX.TEST", "deliverable/mailbox_accepted/address"},
		{"known, a role", "postmaster@postfix.test", "risky/role_address/local"},
		{"unknown", "nobody@postfix.test", "undeliverable/mailbox_not_found/address"},
		{"unknown, quoted", `"no body"@postfix.test`, "undeliverable/mailbox_not_found/address"},
		{"unknown, UTF-8", "jürgen@postfix.test", "undeliverable/mailbox_not_found/address"},
		{"unknown", "nobody1@postfix.test", "undeliverable/mailbox_not_found/address"},
		{"unknown", "nobody2@postfix.test", "undeliverable/mailbox_not_found/address"},
		{"unknown", "nobody3@postfix.test", "undeliverable/mailbox_not_found/address"},
		{"unknown", "nobody4@postfix.test", "undeliverable/mailbox_not_found/address"},
		{"over quota", "full@postfix.test", "risky/mailbox_full/address"},
		{"over quota for now", "fuller@postfix.test", "risky/mailbox_full/address"},
		{"disabled", "closed@postfix.test", "undeliverable/mailbox_disabled/address"},
		{"error: transport", "left@postfix.test", "undeliverable/mailbox_disabled/address"},
		{"a list for its members", "members@postfix.test", "undeliverable/recipient_refused/address"},
		{"a recipient of few", "staff@postfix.test", "undeliverable/recipient_refused/address"},
		{"greylisted", "grey@postfix.test", "unknown/greylisted/address"},
		{"catch-all", "anybody@catchall.postfix.test", "risky/accepted_catch_all/domain"},
		{"not its domain", "ada@elsewhere.test", "unknown/relay_denied/mx"},
		{"sender refused", "ada@sender.test", "unknown/sender_refused/sender"},
		{"client refused", "ada@client.test", "unknown/source_blocked/source"},
		{"EHLO refused", "ada@helo.test", "unknown/helo_refused/sender"},
	}
	answers := askAll(t, d, questions)
	again, err := d.get(t.Context(), "ada@postfix.test")
	if err != nil {
		t.Fatal(err)
	}
	if got := outcome(&again); !again.Cached || got != outcome(&answers[0]) {
		t.Errorf("a second verify(%q) = %s, cached %t; want %s, cached", again.Email, got, again.Cached, outcome(&answers[0]))
	}
	d.stop(t)
	sessions := postfixSessions(t, r.log, n.source())
	checkManners(t, sessions, manners{questions: len(questions), maxRefused: 3, maxSessions: 10})
	section{server: "Postfix", version: version(t, "postfix"), questions: questions, answers: answers, sessions: sessions}.write(t)
}
