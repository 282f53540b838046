//go:build interop

package interop

import (
	"fmt"
	"net/netip"
	"regexp"
	"testing"
)

// opensmtpdPackages are OpenSMTPD and the libraries it needs.
var opensmtpdPackages = []string{
	"opensmtpd", "libaudit1", "libc6", "libcap-ng0", "libcrypt1", "libdb5.3", "libevent-2.1-7", "libgcc-s1", "libpam0g",
	"libssl3", "zlib1g",
}

const (
	opensmtpdUsers = "opensmtpd:x:101:101::/var/lib/opensmtpd/empty:/bin/false\n" +
		"opensmtpq:x:102:102::/var/lib/opensmtpd/empty:/bin/false\n" +
		"vmail:x:103:103::/var/mail:/bin/false\n"
	opensmtpdGroups = "opensmtpd:x:101:\nopensmtpq:x:102:\nvmail:x:103:\n"
)

// opensmtpdConfig is an OpenSMTPD of virtual users. What a mailbox's own state makes it say comes from filters.
const opensmtpdConfig = `pki "%[1]s" cert "/etc/ssl/cert.pem"
pki "%[1]s" key "/etc/ssl/cert.pem"
table domains file:/etc/domains
table users file:/etc/users
filter full phase rcpt-to match rcpt-to { "full@opensmtpd.test" } reject "552 5.2.2 Mailbox is over its quota"
filter fuller phase rcpt-to match rcpt-to { "fuller@opensmtpd.test" } reject "452 4.2.2 Mailbox is over its quota"
filter closed phase rcpt-to match rcpt-to { "closed@opensmtpd.test" } reject "550 5.2.1 Account disabled"
filter grey phase rcpt-to match rcpt-to { "grey@opensmtpd.test" } reject "451 4.7.1 Greylisted, try again later"
filter states chain { full, fuller, closed, grey }
listen on %[2]s port %[3]d hostname "%[1]s" tls pki "%[1]s" filter states
action deliver maildir "/var/mail/%%{user.username}" virtual <users>
action unix maildir "/var/mail/%%{user.username}"
match from any for domain "system.opensmtpd.test" action unix
match from any for domain <domains> action deliver
`

// startOpenSMTPD runs an OpenSMTPD until the test ends, and returns its root. users is its table of virtual users.
func startOpenSMTPD(t testing.TB, n *network, host string, addr netip.AddrPort, domains, users string) *root {
	t.Helper()
	r := newRoot(t, opensmtpdPackages, opensmtpdUsers, opensmtpdGroups)
	r.mkdir(t, "var/lib/opensmtpd/empty", 0o755, 0, 0)
	r.mkdir(t, "var/spool/smtpd", 0o711, 0, 0)
	r.write(t, "etc/hosts", n.hostsFile()+addr.Addr().String()+" "+host+"\n")
	r.write(t, "etc/mailname", host+"\n")
	r.writeMode(t, "etc/ssl/cert.pem", selfSigned(t, host), 0o600)
	r.write(t, "etc/domains", domains)
	r.write(t, "etc/users", users)
	r.write(t, "etc/smtpd.conf", fmt.Sprintf(opensmtpdConfig, host, addr.Addr(), addr.Port()))
	r.start(t, "/usr/sbin/smtpd", "-F", "-T", "smtp")
	n.waitForGreeting(t, r, addr)
	return r
}

// opensmtpdLine is a line of its trace: the session, who speaks, and what.
//
//	smtpd[11]: smtp: 0x562eade32480: <<< EHLO probe.egress.test
var opensmtpdLine = regexp.MustCompile(`^smtpd\[\d+\]: smtp: (0x\w+): (<<<|>>>|connected) (.*)`)

// opensmtpdSessions waits until the log has the end of all our sessions, and returns them.
func opensmtpdSessions(t testing.TB, log *systemLog) []session {
	t.Helper()
	var sessions dialogues
	log.wait(t, "the end of our sessions", func(lines []string) bool {
		sessions = dialogues{}
		for _, line := range lines {
			switch m := opensmtpdLine.FindStringSubmatch(line); {
			case m == nil:
			case m[2] == "<<<":
				sessions.command(m[1], m[3])
			case m[2] == ">>>":
				sessions.reply(m[1], m[3])
			default: // The address of a session that is over is used again.
				sessions.begin(m[1])
			}
		}
		return sessions.ended()
	})
	return sessions.ours()
}

// TestOpenSMTPD asks an OpenSMTPD about every kind of recipient, with verimaild's own defaults. It has no PIPELINING,
// and its STARTTLS fails: Debian 12's build does not get on with its OpenSSL.
func TestOpenSMTPD(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	addr := n.addHost("mx.opensmtpd.test",
		"opensmtpd.test", "catchall.opensmtpd.test", "system.opensmtpd.test", "elsewhere.test")
	r := startOpenSMTPD(t, n, "mx.opensmtpd.test", addr, "opensmtpd.test\ncatchall.opensmtpd.test\n", `ada@opensmtpd.test vmail
bob@opensmtpd.test vmail
cleo@opensmtpd.test vmail
full@opensmtpd.test vmail
fuller@opensmtpd.test vmail
closed@opensmtpd.test vmail
grey@opensmtpd.test vmail
@catchall.opensmtpd.test vmail
`)
	d := startDaemon(t, n, "")
	questions := []question{
		{"known", "ada@opensmtpd.test", "deliverable/mailbox_accepted/address"},
		{"known, with a tag", "bob+news@opensmtpd.test", "deliverable/mailbox_accepted/address"},
		{"known, in capitals", "CLEO@OPENSMTPD.TEST", "deliverable/mailbox_accepted/address"},
		{"known, a system user", "vmail@system.opensmtpd.test", "deliverable/mailbox_accepted/address"},
		{"unknown", "nobody@opensmtpd.test", "undeliverable/mailbox_not_found/address"},
		{"unknown", "nobody1@opensmtpd.test", "undeliverable/mailbox_not_found/address"},
		{"unknown", "nobody2@opensmtpd.test", "undeliverable/mailbox_not_found/address"},
		{"unknown, no system user", "nobody1@system.opensmtpd.test", "undeliverable/mailbox_not_found/address"},
		{"UTF-8", "jürgen@opensmtpd.test", "undeliverable/smtputf8_unsupported/domain"},
		{"over quota", "full@opensmtpd.test", "risky/mailbox_full/address"},
		{"over quota for now", "fuller@opensmtpd.test", "risky/mailbox_full/address"},
		{"disabled", "closed@opensmtpd.test", "undeliverable/mailbox_disabled/address"},
		{"greylisted", "grey@opensmtpd.test", "unknown/greylisted/address"},
		{"catch-all", "anybody@catchall.opensmtpd.test", "risky/accepted_catch_all/domain"},
		// What it says of domains that are not its own is what it says of unknown users: 550 Invalid recipient.
		{"not its domain", "ada@elsewhere.test", "undeliverable/mailbox_not_found/address"},
	}
	answers := askAll(t, d, questions)
	checkTLS(t, answers, "")
	d.stop(t)
	// jürgen is not asked about.
	sessions := opensmtpdSessions(t, r.log)
	checkManners(t, sessions, manners{questions: len(questions) - 1, maxRefused: 3, maxSessions: 10})
	section{server: "OpenSMTPD", version: version(t, "opensmtpd"), questions: questions, answers: answers, sessions: sessions}.write(t)
}
