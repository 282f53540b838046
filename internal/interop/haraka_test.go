//go:build interop

package interop

import (
	"fmt"
	"net/netip"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

// nodePackages are Debian's own Node.js, whatever other archive the machine knows, and the libraries it needs.
var nodePackages = []string{
	"nodejs/bookworm", "libnode108/bookworm", "node-acorn", "node-busboy", "node-cjs-module-lexer", "node-undici", "node-xtend",
	"libbrotli1", "libc-ares2", "libc6", "libgcc-s1", "libicu72", "libnghttp2-14", "libssl3", "libstdc++6", "libuv1", "zlib1g",
}

// harakaLock pins Haraka.
const harakaLock = "testdata/haraka.lock"

// harakaMailboxes is a plugin, for Haraka has no users of its own. It says what the shipped plugins say: in the words of
// haraka-dsn, which they have in common, and of haraka-plugin-greylist. Domains where it knows nobody are left to
// rcpt_to.in_host_list, which accepts everybody.
const harakaMailboxes = `'use strict'
const DSN = require('haraka-dsn')
const mailboxes = {
	ada: [OK], bob: [OK], cleo: [OK],
	full: [DENY, DSN.mbox_full('', 552)],
	fuller: [DENYSOFT, DSN.mbox_full()],
	closed: [DENY, DSN.mbox_disabled()],
	grey: [DENYSOFT, DSN.sec_unauthorized('Greylisted. Please come back later.', '451')],
}
exports.hook_rcpt = function (next, connection, params) {
	const [rcpt] = params
	if (rcpt.host.toLowerCase() !== 'haraka.test') return next()
	if (rcpt.user.startsWith('crowd')) return next(OK)
	const answer = mailboxes[rcpt.user.toLowerCase().split('+')[0]]
	return answer ? next(...answer) : next(DENY, DSN.no_such_user())
}
`

// ffdhe2048 are RFC 7919's parameters, which spare Haraka to make its own with a program that its root does not have.
const ffdhe2048 = `-----BEGIN DH PARAMETERS-----
MIIBCAKCAQEA//////////+t+FRYortKmq/cViAnPTzx2LnFg84tNpWp4TZBFGQz
+8yTnc4kmz75fS/jY2MMddj2gbICrsRhetPfHtXV/WVhJDP1H18GbtCFY2VVPe0a
87VXE15/V8k1mE8McODmi3fipona8+/och3xWKE2rec1MKzKT0g6eXq8CrGCsyT7
YdEIqUuyyOP7uWrat2DX9GgdT0Kj3jlN9K5W7edjcrsZCwenyO4KbXCeAvzhzffi
7MA0BM0oNC9hkXL+nOmFg/+OTxIy7vKBg8P+OxtMb61zO7X8vC7CIAXFjvGDfRaD
ssbzSibBsu/6iGtCOGEoXJf//////////wIBAg==
-----END DH PARAMETERS-----
`

// startHaraka runs a Haraka until the test ends, and returns its root. limits is its limit.ini.
func startHaraka(t testing.TB, n *network, host string, addr netip.AddrPort, domains, limits string) *root {
	t.Helper()
	r := newRoot(t, nodePackages, "", "")
	installNPM(t, r.path("haraka"), harakaLock)
	if err := os.CopyFS(r.path("haraka/config"), os.DirFS(r.path("haraka/node_modules/Haraka/config"))); err != nil { // As haraka -i does.
		t.Fatal(err)
	}
	r.write(t, "etc/hosts", n.hostsFile()+addr.Addr().String()+" "+host+"\n")
	r.write(t, "haraka/plugins/mailboxes.js", harakaMailboxes)
	cert := selfSigned(t, host)
	for name, text := range map[string]string{
		"me":           host + "\n",
		"smtp.ini":     fmt.Sprintf("listen=%s\n", addr),
		"log.ini":      "[main]\nlevel=protocol\n",
		"plugins":      "tls\nlimit\nmailboxes\nrcpt_to.in_host_list\n",
		"host_list":    domains,
		"limit.ini":    limits,
		"dhparams.pem": ffdhe2048,
		"tls_cert.pem": cert,
		"tls_key.pem":  cert,
	} {
		r.write(t, "haraka/config/"+name, text)
	}
	r.mkdir(t, "haraka/queue", 0o755, 0, 0)
	r.start(t, "/usr/bin/node", "/haraka/node_modules/Haraka/bin/haraka", "-c", "/haraka")
	n.waitForGreeting(t, r, addr)
	return r
}

// harakaLine is a line of its log: the connection, who speaks, and what.
//
//	[PROTOCOL] [3F2A…-…] [core]  C: EHLO probe.egress.test state=1
var harakaLine = regexp.MustCompile(`^(?:\S+Z )?\[PROTOCOL\] \[([0-9A-F-]+?)(?:\.\d+)?\] \[core\] +([CS]): (.*)`)

// harakaSessions waits until the log has the end of all our sessions, and returns them.
func harakaSessions(t testing.TB, r *root) []session {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	timeout := time.After(patience)
	for {
		var sessions dialogues
		for line := range strings.Lines(r.output()) {
			switch m := harakaLine.FindStringSubmatch(strings.TrimRight(line, "\r\n")); {
			case m == nil:
			case m[2] == "C":
				text, _, _ := strings.Cut(m[3], " state=")
				sessions.command(m[1], text)
			default:
				sessions.reply(m[1], m[3])
			}
		}
		if sessions.ended() {
			return sessions.ours()
		}
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatalf("Haraka's log does not show the end of our sessions:\n%s", r.output())
		}
	}
}

// TestHaraka asks a Haraka about every kind of recipient, with verimaild's own defaults.
func TestHaraka(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	addr := n.addHost("mx.haraka.test", "haraka.test", "catchall.haraka.test", "elsewhere.test")
	r := startHaraka(t, n, "mx.haraka.test", addr, "catchall.haraka.test\n", "")
	d := startDaemon(t, n, "")
	questions := []question{
		{"known", "ada@haraka.test", "deliverable/mailbox_accepted/address"},
		{"known, with a tag", "bob+news@haraka.test", "deliverable/mailbox_accepted/address"},
		{"known, in capitals", "CLEO@HARAKA.TEST", "deliverable/mailbox_accepted/address"},
		{"unknown", "nobody@haraka.test", "undeliverable/mailbox_not_found/address"},
		{"unknown, quoted", `"no body"@haraka.test`, "undeliverable/mailbox_not_found/address"},
		{"unknown, UTF-8", "jürgen@haraka.test", "undeliverable/mailbox_not_found/address"},
		{"unknown", "nobody1@haraka.test", "undeliverable/mailbox_not_found/address"},
		{"unknown", "nobody2@haraka.test", "undeliverable/mailbox_not_found/address"},
		{"over quota", "full@haraka.test", "risky/mailbox_full/address"},
		{"over quota for now", "fuller@haraka.test", "risky/mailbox_full/address"},
		{"disabled", "closed@haraka.test", "undeliverable/mailbox_disabled/address"},
		{"greylisted", "grey@haraka.test", "unknown/greylisted/address"},
		{"catch-all", "anybody@catchall.haraka.test", "risky/accepted_catch_all/domain"},
		{"not its domain", "ada@elsewhere.test", "unknown/relay_denied/mx"},
	}
	answers := askAll(t, d, questions)
	checkTLS(t, answers, "TLS1.3")
	d.stop(t)
	sessions := harakaSessions(t, r)
	checkManners(t, sessions, manners{questions: len(questions), maxRefused: 3, maxSessions: 8})
	version := ""
	for _, p := range readLock(t, harakaLock) {
		if p.name == "Haraka" {
			version = p.version
		}
	}
	section{server: "Haraka", version: version, questions: questions, answers: answers, sessions: sessions}.write(t)
}
