//go:build interop

package interop

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// courierPackages are Courier's mail server, what knows its users, and the libraries both need.
var courierPackages = []string{
	"courier-mta", "courier-base", "courier-authlib", "courier-authdaemon", "courier-authlib-userdb", "dash", "libc6",
	"libcourier-unicode4", "libcrypt1", "libffi8", "libgcc-s1", "libgcrypt20", "libgdbm6", "libgmp10", "libgnutls30", "libgpg-error0",
	"libhogweed6", "libidn12", "libidn2-0", "libltdl7", "libnettle8", "libp11-kit0", "libpcre3", "libpcre2-8-0", "libstdc++6",
	"libtasn1-6", "libunistring2", "zlib1g",
}

const (
	courierUID      = 101
	courierAccounts = "courier:x:101:101::/var/lib/courier:/bin/false\nvmail:x:102:102::/var/mail:/bin/false\n"
	courierGroups   = "courier:x:101:\nvmail:x:102:\n"
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

// courierFilter is what Courier asks at RCPT, with the recipient's home directory: an owner's own words, or none.
const courierFilter = `#!/bin/sh
case $4 in
rcptfilter*) test ! -f "$HOME/refuse" || { read -r words <"$HOME/refuse"; echo "$words"; exit 77; } ;;
esac
`

// courierUsers is its directory of users: addresses and what their filter says, if it says anything.
type courierUsers map[string]string

// startCourier runs a Courier until the test ends, and returns its root.
func startCourier(t testing.TB, n *network, host string, addr netip.AddrPort, domains string, users courierUsers) *root {
	t.Helper()
	r := newRoot(t, courierPackages, courierAccounts, courierGroups)
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
	r.writeMode(t, "usr/bin/filter", courierFilter, 0o755)
	r.write(t, "etc/courier/maildropfilter", "/usr/bin/filter\n")
	var directory strings.Builder
	for user, refusal := range users {
		home := "home/" + user
		fmt.Fprintf(&directory, "%s\thome=/%s|uid=102|gid=102|mail=/%[2]s/Maildir\n", user, home)
		r.write(t, home+"/.courier-default", "./Maildir\n")
		if refusal != "" {
			r.write(t, home+"/refuse", refusal+"\n")
		}
	}
	r.makedat(t, "etc/courier/userdb.dat", directory.String())
	r.writeMode(t, "etc/courier/esmtpd.pem", selfSigned(t, host), 0o600)
	r.own(t, "etc/courier/esmtpd.pem", courierUID, courierUID)
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

// TestCourier asks two Couriers. Their TARPIT, on by default, answers the first refused recipient of a session after 8 s,
// the second after 16, the third after 32; so the operator of this verimaild has it leave after one.
func TestCourier(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	plain := n.addHost("mx.courier.test", "courier.test", "catchall.courier.test", "elsewhere.test")
	filtering := n.addHost("mx.filter.courier.test", "filter.courier.test")
	r := startCourier(t, n, "mx.courier.test", plain, "courier.test\ncatchall.courier.test\n", courierUsers{
		"ada@courier.test": "", "bob@courier.test": "", "alias@catchall.courier.test": "",
	})
	f := startCourier(t, n, "mx.filter.courier.test", filtering, "filter.courier.test\n", courierUsers{
		"ada@filter.courier.test":    "",
		"full@filter.courier.test":   "552 5.2.2 Mailbox is over its quota",
		"fuller@filter.courier.test": "452 4.2.2 Mailbox is over its quota",
		"closed@filter.courier.test": "550 5.2.1 This account has been disabled",
		"alone@filter.courier.test":  "Mail from you is not wanted here",
		"grey@filter.courier.test":   "451 4.7.1 Greylisted, please come back in 300 seconds",
	})
	d := startDaemon(t, n, limits("sessions: 1, refusals_per_session: 1"))
	questions := []question{
		{"known", "ada@courier.test", "deliverable/mailbox_accepted/address"},
		{"unknown", "nobody@courier.test", "undeliverable/mailbox_not_found/address"},
		{"catch-all", "anybody@catchall.courier.test", "risky/accepted_catch_all/domain"},
		{"not its domain", "ada@elsewhere.test", "unknown/relay_denied/mx"},
		{"known, with a filter", "ada@filter.courier.test", "deliverable/mailbox_accepted/address"},
		{"over quota", "full@filter.courier.test", "risky/mailbox_full/address"},
		{"over quota for now", "fuller@filter.courier.test", "risky/mailbox_full/address"},
		{"disabled", "closed@filter.courier.test", "undeliverable/mailbox_disabled/address"},
		{"refused by its owner", "alone@filter.courier.test", "unknown/protocol_error/mx"},
		{"greylisted", "grey@filter.courier.test", "unknown/greylisted/address"},
	}
	answers := askAll(t, d, questions)
	checkTLS(t, answers, "TLS1.3")
	d.stop(t)
	sessions := slices.Concat(courierSessions(t, r.log), courierSessions(t, f.log))
	checkManners(t, sessions, manners{questions: len(questions), maxRefused: 1, maxSessions: 12})
	section{server: "Courier", version: version(t, "courier-mta"), questions: questions, answers: answers, sessions: sessions}.write(t)
}
