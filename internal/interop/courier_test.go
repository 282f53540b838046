//go:build interop

package interop

import (
	"fmt"
	"net/netip"
	"regexp"
	"testing"
)

// courierPackages are Courier's mail server, what knows its users, and the libraries both need.
var courierPackages = []string{
	"courier-mta", "courier-base", "courier-authlib", "courier-authdaemon", "courier-authlib-userdb", "dash", "libc6",
	"libcourier-unicode4", "libcrypt1", "libgcc-s1", "libgdbm6", "libidn12", "libltdl7", "libstdc++6",
}

const (
	courierUID    = 101
	courierUsers  = "courier:x:101:101::/var/lib/courier:/bin/false\nvmail:x:102:102::/var/mail:/bin/false\n"
	courierGroups = "courier:x:101:\nvmail:x:102:\n"
)

// courierStart starts Courier's directory of users and its receiving server, as Debian's scripts do, with /etc/courier/esmtpd
// as Debian has it but for three things: the address; the log shows the dialogue; and the sender's domain is not looked
// up, for there is no DNS here.
const courierStart = `set -e
set -a
. /etc/courier/authdaemonrc
/usr/sbin/courierlogger -pid=/run/courier/authdaemon/pid -start /usr/lib/courier/courier-authlib/authdaemond
prefix=/usr exec_prefix=/usr sysconfdir=/etc/courier sbindir=/usr/sbin
. /etc/courier/esmtpd
ESMTP_LOG_DIALOG=1
BOFHCHECKDNS=0
exec /usr/sbin/couriertcpd $TCPDOPTS -nodnslookup -user=$MAILUSER -group=$MAILGROUP -address=%[1]s -maxprocs=$MAXDAEMONS \
	-maxperc=$MAXPERC -maxperip=$MAXPERIP %[2]d /usr/sbin/courieresmtpd
`

// startCourier runs a Courier until the test ends, and returns its root. users are the lines of its directory: an address,
// a tab, and where its mail is.
func startCourier(t testing.TB, n *network, host string, addr netip.AddrPort, domains, users string) *root {
	t.Helper()
	r := newRoot(t, courierPackages, courierUsers, courierGroups)
	for _, d := range []string{"allfilters", "filters", "msgq", "msgs", "track", "tmp"} {
		r.mkdir(t, "var/lib/courier/"+d, 0o770, courierUID, courierUID)
	}
	r.mkdir(t, "run/courier/authdaemon", 0o750, courierUID, courierUID)
	r.write(t, "etc/hosts", n.hostsFile()+addr.Addr().String()+" "+host+"\n")
	r.write(t, "etc/environment", "")
	r.write(t, "etc/courier/authdaemonrc", "authmodulelist=authuserdb\ndaemons=5\nauthdaemonvar=/run/courier/authdaemon\n")
	for _, name := range []string{"me", "defaultdomain", "dsnfrom"} {
		r.write(t, "etc/courier/"+name, host+"\n")
	}
	r.write(t, "etc/courier/locals", host+"\n")
	r.write(t, "etc/courier/esmtpacceptmailfor", domains)
	r.makedat(t, "etc/courier/hosteddomains.dat", regexp.MustCompile(`(\S+)\n`).ReplaceAllString(domains, "$1\t$1\n"))
	r.makedat(t, "etc/courier/userdb.dat", users)
	r.write(t, "start", fmt.Sprintf(courierStart, addr.Addr(), addr.Port()))
	r.start(t, "/bin/sh", "/start")
	n.waitForGreeting(t, r, addr)
	return r
}

// makedat makes a table of Courier's: keys and values with a tab between.
func (r *root) makedat(t testing.TB, name, lines string) {
	t.Helper()
	r.write(t, name+".text", lines+".\n")
	r.runInput(t, name+".text", "/usr/lib/courier/courier-authlib/makedatprog", "-", "/"+name+".tmp", "/"+name)
}

// courierLine is a line of its log: a session begins, a command came, or one was refused. Lines do not name their session.
//
//	courieresmtpd: started,ip=[::ffff:127.15.192.1],port=[60763]
//	courieresmtpd: RCPT TO:<ada@elsewhere.test>
//	courieresmtpd: error,relay=…,to=<ada@elsewhere.test>: 513 Relaying denied.
var courierLine = regexp.MustCompile(`^courieresmtpd: (started|error)?(?:,.*>: )?(.*)`)

// courierSessions waits until the log has the end of all our sessions, of which there was one at a time.
func courierSessions(t testing.TB, log *systemLog) []session {
	t.Helper()
	var sessions dialogues
	log.wait(t, "the end of our sessions", func(lines []string) bool {
		sessions = dialogues{}
		for _, line := range lines {
			switch m := courierLine.FindStringSubmatch(line); {
			case m == nil:
			case m[1] == "started":
				sessions.begin("")
			case m[1] == "error":
				sessions.reply("", m[2])
			default:
				sessions.command("", m[2])
			}
		}
		return sessions.ended()
	})
	return sessions.ours()
}

// TestCourier asks a Courier. Its TARPIT, on by default, answers the first refused recipient of a session after 8 s, the
// second after 16, the third after 32; so the operator of this verimaild has it leave after one.
func TestCourier(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	addr := n.addHost("mx.courier.test", "courier.test", "catchall.courier.test", "elsewhere.test")
	const home = "\thome=/var/mail|uid=102|gid=102|mail=/var/mail/Maildir\n"
	r := startCourier(t, n, "mx.courier.test", addr, "courier.test\ncatchall.courier.test\n",
		"ada@courier.test"+home+"bob@courier.test"+home+"alias@catchall.courier.test"+home)
	r.write(t, "var/mail/.courier-default", "./Maildir\n")
	d := startDaemon(t, n, limits("sessions: 1, refusals_per_session: 1"))
	questions := []question{
		{"known", "ada@courier.test", "deliverable/mailbox_accepted/address"},
		{"unknown", "nobody@courier.test", "undeliverable/mailbox_not_found/address"},
		{"catch-all", "anybody@catchall.courier.test", "risky/accepted_catch_all/domain"},
		{"not its domain", "ada@elsewhere.test", "unknown/relay_denied/mx"},
	}
	answers := askAll(t, d, questions)
	d.stop(t)
	sessions := courierSessions(t, r.log)
	checkManners(t, sessions, manners{questions: len(questions), maxRefused: 1})
	section{server: "Courier", version: version(t, "courier-mta"), questions: questions, answers: answers, sessions: sessions}.write(t)
}
