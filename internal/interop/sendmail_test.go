//go:build interop

package interop

import (
	"fmt"
	"net/netip"
	"regexp"
	"testing"
)

// sendmailPackages are sendmail, what makes its configuration, and the libraries both need.
var sendmailPackages = []string{
	"sendmail-bin", "sendmail-base", "sendmail-cf", "m4", "libc6", "libcom-err2", "libcrypt1", "libdb5.3", "libffi8", "libgcc-s1",
	"libgmp10", "libgnutls30", "libgssapi-krb5-2", "libhogweed6", "libidn2-0", "libk5crypto3", "libkeyutils1", "libkrb5-3",
	"libkrb5support0", "libldap-2.5-0", "liblockfile1", "libnettle8", "libnsl2", "libp11-kit0", "libsasl2-2", "libsigsegv2",
	"libssl3", "libtasn1-6", "libtirpc3", "libunistring2", "libwrap0",
}

const (
	sendmailUID   = 101
	sendmailUsers = "smmta:x:101:101::/var/lib/sendmail:/bin/false\nsmmsp:x:102:102::/var/lib/sendmail:/bin/false\n" +
		"ada:x:1001:1001::/:/bin/false\nbob:x:1002:1002::/:/bin/false\ncleo:x:1003:1003::/:/bin/false\n"
	sendmailGroups = "smmta:x:101:\nsmmsp:x:102:\nada:x:1001:\nbob:x:1002:\ncleo:x:1003:\n"
)

// sendmailConfig is Debian's sendmail.mc (/usr/share/sendmail/cf/debian/sendmail.mc) with its limits as they are, but that
// it looks away from the load of the machine, and a table of virtual users beside the system's. There is no DNS here, so names come from files and the sender's domain
// is not looked up.
const sendmailConfig = `define(` + "`_USE_ETC_MAIL_'" + `)dnl
include(` + "`/usr/share/sendmail/cf/m4/cf.m4'" + `)dnl
OSTYPE(` + "`debian'" + `)dnl
DOMAIN(` + "`debian-mta'" + `)dnl
FEATURE(` + "`no_default_msa'" + `)dnl
DAEMON_OPTIONS(` + "`Family=inet, Name=MTA-v4, Port=%[3]d, Addr=%[2]s'" + `)dnl
define(` + "`confPRIVACY_FLAGS'" + `, ` + "`needmailhelo,needexpnhelo,needvrfyhelo,restrictqrun,restrictexpand,nobodyreturn,authwarnings'" + `)dnl
define(` + "`confCONNECTION_RATE_THROTTLE', `15'" + `)dnl
define(` + "`confCONNECTION_RATE_WINDOW_SIZE', `10m'" + `)dnl
FEATURE(` + "`use_cw_file'" + `)dnl
FEATURE(` + "`access_db', , `skip'" + `)dnl
FEATURE(` + "`greet_pause', `1000'" + `)dnl
FEATURE(` + "`delay_checks', `friend', `n'" + `)dnl
define(` + "`confBAD_RCPT_THROTTLE', `3'" + `)dnl
FEATURE(` + "`conncontrol', `nodelay', `terminate'" + `)dnl
FEATURE(` + "`ratecontrol', `nodelay', `terminate'" + `)dnl
define(` + "`confDOMAIN_NAME', `%[1]s'" + `)dnl
define(` + "`confLOG_LEVEL', `15'" + `)dnl
define(` + "`confREFUSE_LA', `1000'" + `)dnl
define(` + "`confQUEUE_LA', `1000'" + `)dnl
define(` + "`confSERVER_CERT', `/etc/mail/tls/cert.pem'" + `)dnl
define(` + "`confCACERT_PATH', `/etc/mail/tls'" + `)dnl
define(` + "`confCACERT', `/etc/mail/tls/cert.pem'" + `)dnl
define(` + "`confSERVER_KEY', `/etc/mail/tls/cert.pem'" + `)dnl
define(` + "`confSERVICE_SWITCH_FILE', `/etc/mail/service.switch'" + `)dnl
FEATURE(` + "`nocanonify'" + `)dnl
FEATURE(` + "`accept_unresolvable_domains'" + `)dnl
FEATURE(` + "`virtusertable'" + `)dnl
MAILER(` + "`local'" + `)dnl
MAILER(` + "`smtp'" + `)dnl
`

// sendmailAccess is what Debian's table of access says of strangers.
const sendmailAccess = "ClientRate: 10\nClientConn: 10\n"

// startSendmail runs a sendmail until the test ends, and returns its root.
func startSendmail(t testing.TB, n *network, host string, addr netip.AddrPort, domains, virtual string) *root {
	t.Helper()
	r := newRoot(t, sendmailPackages, sendmailUsers, sendmailGroups)
	for _, d := range []string{"var/spool/mqueue", "var/lib/sendmail/host_status", "var/run/sendmail/mta"} {
		r.mkdir(t, d, 0o755, sendmailUID, sendmailUID)
	}
	r.write(t, "etc/hosts", n.hostsFile()+addr.Addr().String()+" "+host+"\n")
	r.write(t, "etc/mail/service.switch", "hosts files\naliases files\n")
	r.write(t, "etc/mail/aliases", "postmaster: ada\nmailer-daemon: ada\n")
	r.write(t, "etc/mail/local-host-names", domains)
	r.write(t, "etc/mail/access", sendmailAccess)
	r.write(t, "etc/mail/virtusertable", virtual)
	r.writeMode(t, "etc/mail/tls/cert.pem", selfSigned(t, host), 0o600)
	r.write(t, "etc/mail/sendmail.mc", fmt.Sprintf(sendmailConfig, host, addr.Addr(), addr.Port()))
	r.write(t, "etc/mail/sendmail.cf", r.run(t, "/usr/bin/m4", "/etc/mail/sendmail.mc"))
	for _, table := range []string{"access", "virtusertable"} {
		r.runInput(t, "etc/mail/"+table, "/usr/libexec/sendmail/makemap", "hash", "/etc/mail/"+table)
	}
	r.start(t, "/usr/libexec/sendmail/sendmail", "-bD")
	n.waitForGreeting(t, r, addr)
	return r
}

// sendmailLine is a line of its log: the session, who speaks, and what.
//
//	sm-mta[12]: 4AND0Vxx000012: <-- RCPT TO:<ada@sendmail.test>
var sendmailLine = regexp.MustCompile(`^\S+\[(\d+)\]: \w+: (<--|---) (.*)`)

// sendmailSessions waits until the log has the end of all our sessions, and returns them. It has a process for each.
func sendmailSessions(t testing.TB, log *systemLog) []session {
	t.Helper()
	var sessions dialogues
	log.wait(t, "the end of our sessions", func(lines []string) bool {
		sessions = dialogues{}
		for _, line := range lines {
			switch m := sendmailLine.FindStringSubmatch(line); {
			case m == nil:
			case m[2] == "<--":
				sessions.command(m[1], m[3])
			default:
				sessions.reply(m[1], m[3])
			}
		}
		return sessions.ended()
	})
	return sessions.ours()
}

// TestSendmail asks a sendmail about every kind of recipient, with verimaild's own defaults.
func TestSendmail(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	addr := n.addHost("mx.sendmail.test", "sendmail.test", "catchall.sendmail.test", "elsewhere.test")
	r := startSendmail(t, n, "mx.sendmail.test", addr, "sendmail.test\ncatchall.sendmail.test\n", `dora@sendmail.test ada
full@sendmail.test error:5.2.2:552 Mailbox full
fuller@sendmail.test error:4.2.2:452 Mailbox full
closed@sendmail.test error:5.2.1:550 Mailbox disabled
grey@sendmail.test error:4.7.1:451 Greylisting in action, please come back in 00:05:00
@catchall.sendmail.test ada
`)
	d := startDaemon(t, n, "")
	questions := []question{
		{"known", "ada@sendmail.test", "deliverable/mailbox_accepted/address"},
		{"known, with a tag", "bob+news@sendmail.test", "deliverable/mailbox_accepted/address"},
		{"known, in capitals", "CLEO@SENDMAIL.TEST", "deliverable/mailbox_accepted/address"},
		{"known, a virtual user", "dora@sendmail.test", "deliverable/mailbox_accepted/address"},
		{"unknown", "nobody1@sendmail.test", "undeliverable/mailbox_not_found/address"},
		{"unknown", "nobody2@sendmail.test", "undeliverable/mailbox_not_found/address"},
		{"unknown", "nobody3@sendmail.test", "undeliverable/mailbox_not_found/address"},
		{"UTF-8", "jürgen@sendmail.test", "undeliverable/smtputf8_unsupported/domain"},
		{"over quota", "full@sendmail.test", "risky/mailbox_full/address"},
		{"over quota for now", "fuller@sendmail.test", "risky/mailbox_full/address"},
		{"disabled", "closed@sendmail.test", "undeliverable/mailbox_disabled/address"},
		{"greylisted", "grey@sendmail.test", "unknown/greylisted/address"},
		{"catch-all", "anybody@catchall.sendmail.test", "risky/accepted_catch_all/domain"},
		{"not its domain", "ada@elsewhere.test", "unknown/relay_denied/mx"},
	}
	answers := askAll(t, d, questions)
	checkTLS(t, answers, "TLS1.3")
	d.stop(t)
	// jürgen is not asked about.
	sessions := sendmailSessions(t, r.log)
	checkManners(t, sessions, manners{questions: len(questions) - 1, maxRefused: 3, maxSessions: 8})
	section{server: "sendmail", version: version(t, "sendmail-bin"), questions: questions, answers: answers, sessions: sessions}.write(t)
}
