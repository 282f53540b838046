//go:build interop

package interop

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

// nsdPackages are NSD, an authoritative name server, and the libraries it needs.
var nsdPackages = []string{
	"nsd", "libc6", "libcap2", "libevent-2.1-7", "libfstrm0", "libgcc-s1", "libgcrypt20", "libgpg-error0", "liblz4-1",
	"liblzma5", "libprotobuf-c1", "libssl3", "libsystemd0", "libzstd1",
}

// unboundPackages are Unbound, a resolver, and the libraries it needs.
var unboundPackages = []string{
	"unbound", "libc6", "libcap2", "libevent-2.1-7", "libexpat1", "libgcc-s1", "libgcrypt20", "libgpg-error0", "liblz4-1",
	"liblzma5", "libnghttp2-14", "libprotobuf-c1", "libpython3.11", "libssl3", "libsystemd0", "libzstd1", "zlib1g",
}

const nsdConfig = `server:
  ip-address: %s@%d
  server-count: 1
  username: ""
  zonesdir: "/etc/nsd"
  database: ""
  pidfile: "/run/nsd.pid"
  xfrdfile: ""
  zonelistfile: "/run/zone.list"
  logfile: ""
remote-control:
  control-enable: no
zone:
  name: "dns.test"
  zonefile: "dns.test.zone"
`

// unboundConfig has it ask NSD for dns.test, and for lame.test, which NSD refuses to answer for.
const unboundConfig = `server:
  interface: %[1]s@%[3]d
  access-control: 127.0.0.0/8 allow
  do-not-query-localhost: no
  do-ip6: no
  module-config: "iterator"
  chroot: ""
  username: ""
  directory: "/etc/unbound"
  pidfile: "/run/unbound.pid"
  local-zone: "test." nodefault
stub-zone:
  name: "dns.test"
  stub-addr: %[2]s@%[3]d
stub-zone:
  name: "lame.test"
  stub-addr: %[2]s@%[3]d
remote-control:
  control-enable: no
`

// zone is dns.test. The first address is that of the mail host, the second one where nobody listens.
const zone = `$ORIGIN dns.test.
$TTL 300
@          SOA   ns hostmaster 1 3600 600 86400 60
@          NS    ns
ns         A     192.0.2.53
mx         A     %[1]s
dead       A     %[2]s
private    A     10.0.0.5
alias      CNAME mx
one        MX    10 mx
fallback   MX    10 dead
fallback   MX    20 mx
implicit   A     %[1]s
cname      CNAME one
mxcname    MX    10 alias
*.wild     MX    10 mx
null       MX    0 .
nodata     TXT   "v=spf1 -all"
inside     MX    10 private
nowhere    MX    10 nobody
%[3]s`

// TestResolver asks a Postfix that is found through a real resolver and a real authoritative name server, and domains
// that have no mail, each in another way.
func TestResolver(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	mx, dead := n.addHost("mx.dns.test"), n.addHost("dead.dns.test")
	startNames(t, n, mx.Addr(), dead.Addr())
	accepting := []string{"one", "fallback", "implicit", "cname", "mxcname", "a.wild", "many"}
	var domains, mailboxes strings.Builder
	for _, name := range accepting {
		fmt.Fprintf(&domains, "%s.dns.test x\n", name)
		fmt.Fprintf(&mailboxes, "ada@%s.dns.test x\n", name)
	}
	r := startPostfix(t, n, postfix{host: "mx.dns.test", addr: mx, domains: domains.String(), mailbox: mailboxes.String()})
	d := startDaemon(t, n, "")
	questions := []question{
		{"no such domain", "ada@nobody.dns.test", "undeliverable/domain_not_found/domain"},
		{"null MX", "ada@null.dns.test", "undeliverable/null_mx/domain"},
		{"neither MX nor address", "ada@nodata.dns.test", "undeliverable/no_mail_host/domain"},
		{"MX at a private address", "ada@inside.dns.test", "undeliverable/mx_unroutable/domain"},
		{"MX that has no address", "ada@nowhere.dns.test", "undeliverable/no_mail_host/domain"},
		{"SERVFAIL", "ada@lame.test", "unknown/dns_failure/domain"},
	}
	for _, name := range accepting {
		questions = append(questions, question{name, "ada@" + name + ".dns.test", "deliverable/mailbox_accepted/address"})
	}
	answers := askAll(t, d, questions)
	d.stop(t)
	for _, a := range answers {
		if a.Flags.ImplicitMX == nil || a.Domain == nil {
			continue
		}
		if got, want := *a.Flags.ImplicitMX, a.Domain.ASCII == "implicit.dns.test"; got != want {
			t.Errorf("verify(%q).flags.implicit_mx = %t, want %t", a.Email, got, want)
		}
	}
	checkManners(t, postfixSessions(t, r.log, n.source()), manners{questions: len(accepting), maxRefused: 3})
}

// startNames runs an NSD with the zone and an Unbound before it, and has the daemon ask that.
func startNames(t testing.TB, n *network, mx, dead netip.Addr) {
	t.Helper()
	auth, resolver := n.addHost("nsd"), n.addHost("unbound")
	var many strings.Builder // More than fits a UDP answer.
	many.WriteString("many MX 1 mx\n")
	for i := range 80 {
		fmt.Fprintf(&many, "many MX %d a-long-name-of-a-mail-host-%d\n", 10+i, i)
	}
	r := newRoot(t, nsdPackages, "", "")
	r.write(t, "etc/nsd/dns.test.zone", fmt.Sprintf(zone, mx, dead, many.String()))
	r.write(t, "etc/nsd/nsd.conf", fmt.Sprintf(nsdConfig, auth.Addr(), auth.Port()))
	r.start(t, "/usr/sbin/nsd", "-d", "-c", "/etc/nsd/nsd.conf")

	u := newRoot(t, unboundPackages, "", "")
	u.write(t, "etc/unbound/unbound.conf", fmt.Sprintf(unboundConfig, resolver.Addr(), auth.Addr(), resolver.Port()))
	u.start(t, "/usr/sbin/unbound", "-d", "-c", "/etc/unbound/unbound.conf")
	n.resolver = resolver.String()
	n.waitForName(t, u, "mx.dns.test")
}
