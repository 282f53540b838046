//go:build interop

package interop

import (
	"net"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"
)

// postgreyPackages are postgrey, the Perl modules it uses, and Perl.
var postgreyPackages = []string{
	"postgrey", "libberkeleydb-perl", "libnet-dns-perl", "libnet-server-perl", "libnetaddr-ip-perl", "libio-multiplex-perl",
	"libdigest-hmac-perl", "perl", "perl-base", "perl-modules-5.36", "libperl5.36", "libbz2-1.0", "libgdbm6",
	"libgdbm-compat4", "zlib1g",
}

const (
	postgreyUID   = 110
	postgreyUsers = "postgrey:x:110:110::/var/lib/postgrey:/bin/false\n"
	postgreyGroup = "postgrey:x:110:\n"
)

// postgreyDelay is postgrey's default: it defers each new triplet of client network, sender and recipient that long.
const postgreyDelay = 300 * time.Second

// TestPostgrey asks a Postfix with postgrey, as Debian's documentation sets it up: whoever exists is greylisted.
func TestPostgrey(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	addr := n.addHost("mx.postgrey.test", "postgrey.test")
	p := postfix{
		host: "mx.postgrey.test", addr: addr, domains: "postgrey.test x\n",
		mailbox: "ada@postgrey.test x\nbob@postgrey.test x\n",
		main: "smtpd_recipient_restrictions = reject_unauth_destination, reject_unlisted_recipient, " +
			"check_policy_service unix:/run/postgrey/socket\n",
	}
	r := newRoot(t, slices.Concat(postfixPackages, postgreyPackages), postfixUsers+postgreyUsers, postfixGroup+postgreyGroup)
	r.mkdir(t, "var/lib/postgrey", 0o700, postgreyUID, postgreyUID)
	r.mkdir(t, "run/postgrey", 0o755, postgreyUID, postgreyUID)
	r.start(t, "/usr/sbin/postgrey", "--unix=/run/postgrey/socket", "--user=postgrey", "--group=postgrey")
	r.waitForFile(t, "run/postgrey/socket")
	runPostfix(t, n, r, p)
	d := startDaemon(t, n, "")
	began := time.Now()
	questions := []question{
		{"known", "ada@postgrey.test", "unknown/greylisted/address"},
		{"known", "bob@postgrey.test", "unknown/greylisted/address"},
		{"unknown", "nobody@postgrey.test", "undeliverable/mailbox_not_found/address"},
	}
	answers := askAll(t, d, questions)
	for _, a := range answers[:2] {
		if got := a.RetryAt.Sub(began); got < postgreyDelay {
			t.Errorf("verify(%q).retry_at is in %v; postgrey wants %v", a.Email, got, postgreyDelay)
		}
	}
	d.stop(t)
	sessions := postfixSessions(t, r.log, n.source())
	checkManners(t, sessions, manners{questions: len(answers), maxRefused: 3})
	section{server: "Postfix with postgrey", version: version(t, "postgrey"), questions: questions, answers: answers, sessions: sessions}.write(t)
}

// waitForListener returns once a server accepts connections at addr.
func (r *root) waitForListener(t testing.TB, addr netip.AddrPort) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	timeout := time.After(patience)
	for {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr.String())
		if err == nil {
			conn.Close()
			return
		}
		select {
		case <-tick.C:
		case <-r.exited:
			t.Fatalf("the server has ended. It printed:\n%s\nand logged:\n%s", r.output(), r.log)
		case <-timeout:
			t.Fatalf("nobody listens at %s: %v. It printed:\n%s\nand logged:\n%s", addr, err, r.output(), r.log)
		}
	}
}

// waitForFile returns once a server has made a file.
func (r *root) waitForFile(t testing.TB, name string) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	timeout := time.After(patience)
	for {
		if _, err := os.Stat(r.path(name)); err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-r.exited:
			t.Fatalf("the server has ended. It printed:\n%s\nand logged:\n%s", r.output(), r.log)
		case <-timeout:
			t.Fatalf("the server has not made %s. It printed:\n%s\nand logged:\n%s", name, r.output(), r.log)
		}
	}
}
