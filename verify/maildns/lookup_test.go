package maildns_test

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/verimails/verimaild/internal/netguard"
	"github.com/verimails/verimaild/verify/address"
	"github.com/verimails/verimaild/verify/maildns"
)

// world is what most tests ask about.
const world = `
example.           3600 IN SOA ns.example. hostmaster.example. 1 7200 900 1209600 300
plain.example.      600 IN MX 20 mx2.plain.example.
plain.example.      600 IN MX 10 MX1.Plain.Example.
mx1.plain.example.   90 IN A 192.0.2.1
mx1.plain.example.   80 IN AAAA 2001:db8::1
mx2.plain.example.  900 IN A 192.0.2.2
equal.example.      600 IN MX 10 mx-c.equal.example.
equal.example.      600 IN MX 10 mx-a.equal.example.
equal.example.      600 IN MX 10 mx-b.equal.example.
equal.example.      600 IN MX 30 mx-a.equal.example.
mx-a.equal.example. 600 IN A 192.0.2.11
mx-b.equal.example. 600 IN A 192.0.2.12
mx-c.equal.example. 600 IN A 192.0.2.13
null.example.       600 IN MX 0 .
nullpref.example.   600 IN MX 10 .
nullmixed.example.  600 IN MX 0 .
nullmixed.example.  600 IN MX 10 mx1.plain.example.
implicit.example.   600 IN A 192.0.2.20
implicit6.example.  600 IN AAAA 2001:db8::20
implicitlo.example. 600 IN A 127.0.0.1
nomail.example.     600 IN TXT "nothing here"
alias.example.      500 IN CNAME plain.example.
aliasa.example.     500 IN CNAME implicit.example.
aliasnx.example.    500 IN CNAME gone.example.
aliasnone.example.  500 IN CNAME nomail.example.
mxalias.example.    600 IN MX 10 mxa.mxalias.example.
mxa.mxalias.example. 70 IN CNAME mx1.plain.example.
loop.example.       600 IN CNAME loop2.example.
loop2.example.      600 IN CNAME loop.example.
self.example.       600 IN CNAME self.example.
mxloop.example.     600 IN MX 10 loop.example.
deadhosts.example.  600 IN MX 10 gone1.example.
deadhosts.example.  600 IN MX 20 nomail.example.
private.example.    600 IN MX 10 mx.private.example.
private.example.    600 IN MX 20 gone.example.
mx.private.example. 600 IN A 10.0.0.5
mx.private.example. 600 IN A 0.0.0.0
mx.private.example. 600 IN AAAA ::1
mx.private.example. 600 IN AAAA ::ffff:10.0.0.1
mx.private.example. 600 IN AAAA 64:ff9b::10.0.0.1
mixed.example.      600 IN MX 10 mx.mixed.example.
mx.mixed.example.   600 IN A 10.0.0.5
mx.mixed.example.   600 IN A 192.0.2.30
v6behind.example.   600 IN MX 10 mx.v6behind.example.
mx.v6behind.example. 600 IN A 10.0.0.5
mx.v6behind.example. 600 IN AAAA 2001:db8::30
literal.example.    600 IN MX 10 8.8.8.8.
literallo.example.  600 IN MX 10 127.0.0.1.
localhost.example.  600 IN MX 10 localhost.
badname.example.    600 IN MX 10 mail\032host.example.
underscore.example. 600 IN MX 10 mx_1.underscore.example.
mx_1.underscore.example. 600 IN A 192.0.2.40
halfbroken.example. 3600 IN MX 10 servfail.example.
halfbroken.example. 3600 IN MX 20 mx2.plain.example.
allbroken.example.  600 IN MX 10 gone1.example.
allbroken.example.  600 IN MX 20 servfail.example.
refusedbroken.example. 600 IN MX 10 mx.mixedbroken.example.
mx.mixedbroken.example. 600 IN A 10.0.0.5
broken6.example.    600 IN MX 10 servfail6.example.
servfail6.example.  600 IN A 10.0.0.5
forever.example.    4294967295 IN MX 10 mx2.plain.example.
`

// breakNames makes names that say so fail, like a recursive server does for a lame zone.
func breakNames(q dns.Question, _, _ bool, m *dns.Msg) *dns.Msg {
	switch {
	case strings.HasPrefix(q.Name, "servfail."), strings.HasPrefix(q.Name, "servfail6.") && q.Qtype == dns.TypeAAAA:
		return rcode(m, dns.RcodeServerFailure)
	case strings.HasPrefix(q.Name, "refused."):
		return rcode(m, dns.RcodeRefused)
	}
	return m
}

// rcode turns m into an answer that has a response code only.
func rcode(m *dns.Msg, code int) *dns.Msg {
	m.Rcode, m.Answer, m.Ns = code, nil, nil
	return m
}

func TestLookup(t *testing.T) {
	tests := []struct {
		domain   string
		status   maildns.Status
		hosts    string
		implicit bool
		ttl      time.Duration
		detail   string // A part of Detail.
	}{
		{"plain.example", maildns.Found, "mx1.plain.example 192.0.2.1 2001:db8::1; mx2.plain.example 192.0.2.2", false, 80 * time.Second, ""},
		{"equal.example", maildns.Found, "mx-a.equal.example 192.0.2.11; mx-b.equal.example 192.0.2.12; mx-c.equal.example 192.0.2.13", false, 600 * time.Second, ""},
		{"null.example", maildns.NullMX, "", false, 600 * time.Second, ""},
		{"nullpref.example", maildns.NullMX, "", false, 600 * time.Second, ""},
		{"nullmixed.example", maildns.Found, "mx1.plain.example 192.0.2.1 2001:db8::1", false, 80 * time.Second, ""},
		{"implicit.example", maildns.Found, "implicit.example 192.0.2.20", true, 300 * time.Second, ""},
		{"implicit6.example", maildns.Found, "implicit6.example 2001:db8::20", true, 300 * time.Second, ""},
		{"implicitlo.example", maildns.Unroutable, "implicitlo.example !127.0.0.1 (unroutable)", true, 300 * time.Second, "127.0.0.1"},
		{"nomail.example", maildns.NoMailHost, "nomail.example (no_data)", true, 300 * time.Second, "nomail.example has no address"},
		{"gone.example", maildns.DomainNotFound, "", false, 300 * time.Second, ""},
		{"alias.example", maildns.Found, "mx1.plain.example 192.0.2.1 2001:db8::1; mx2.plain.example 192.0.2.2", false, 80 * time.Second, ""},
		{"aliasa.example", maildns.Found, "aliasa.example 192.0.2.20", true, 300 * time.Second, ""},
		{"aliasnx.example", maildns.DomainNotFound, "", false, 300 * time.Second, ""},
		{"aliasnone.example", maildns.NoMailHost, "aliasnone.example (no_data)", true, 300 * time.Second, "aliasnone.example has no address"},
		{"mxalias.example", maildns.Found, "mxa.mxalias.example 192.0.2.1 2001:db8::1", false, 70 * time.Second, ""},
		{"loop.example", maildns.Failure, "", false, 0, "loop.example MX: a chain"},
		{"self.example", maildns.Failure, "", false, 0, "self.example MX: a chain"},
		{"mxloop.example", maildns.Failure, "loop.example (failure)", false, 0, "loop.example A: a chain"},
		{"deadhosts.example", maildns.NoMailHost, "gone1.example (domain_not_found); nomail.example (no_data)", false, 300 * time.Second, "gone1.example has no address"},
		{
			"private.example", maildns.Unroutable,
			"mx.private.example !10.0.0.5 !0.0.0.0 !::1 !::ffff:10.0.0.1 !64:ff9b::a00:1 (unroutable); gone.example (domain_not_found)",
			false, 300 * time.Second, "10.0.0.5",
		},
		{"mixed.example", maildns.Found, "mx.mixed.example 192.0.2.30 !10.0.0.5", false, 600 * time.Second, ""},
		{"v6behind.example", maildns.Found, "mx.v6behind.example 2001:db8::30 !10.0.0.5", false, 600 * time.Second, ""},
		{"literal.example", maildns.NoMailHost, "8.8.8.8 (no_mail_host)", false, 600 * time.Second, "8.8.8.8 is an address"},
		{"literallo.example", maildns.Unroutable, "127.0.0.1 !127.0.0.1 (unroutable)", false, 600 * time.Second, "127.0.0.1 is an address"},
		{"localhost.example", maildns.Unroutable, "localhost !127.0.0.1 !::1 (unroutable)", false, 600 * time.Second, "localhost is the host that asks"},
		{"badname.example", maildns.NoMailHost, `mail\ host.example (no_mail_host)`, false, 600 * time.Second, "not a host name"},
		{"underscore.example", maildns.Found, "mx_1.underscore.example 192.0.2.40", false, 600 * time.Second, ""},
		{"servfail.example", maildns.Failure, "", false, 0, "servfail.example MX: SERVFAIL (127.0.0.1:"},
		{"refused.example", maildns.Failure, "", false, 0, "REFUSED"},
		{"halfbroken.example", maildns.Found, "servfail.example (failure); mx2.plain.example 192.0.2.2", false, 300 * time.Second, ""},
		{"allbroken.example", maildns.Failure, "gone1.example (domain_not_found); servfail.example (failure)", false, 0, "servfail.example A: SERVFAIL"},
		{"broken6.example", maildns.Failure, "servfail6.example !10.0.0.5 (failure)", false, 0, "servfail6.example AAAA: SERVFAIL"},
		{"forever.example", maildns.Found, "mx2.plain.example 192.0.2.2", false, 0, ""},
	}
	z := newZone(t, world)
	z.special = breakNames
	addr := z.serve(t)
	r := newResolver(t, maildns.Options{Servers: []string{addr}, IPv6: true})
	for _, tt := range tests {
		t.Run(tt.domain, func(t *testing.T) {
			m := lookup(t, r, tt.domain)
			if m.Status != tt.status || m.Implicit != tt.implicit {
				t.Errorf("Lookup(%s) = %q, implicit %t; want %q, %t (%s)", tt.domain, m.Status, m.Implicit, tt.status, tt.implicit, m.Detail)
			}
			if got := hostsText(m.Hosts); got != tt.hosts {
				t.Errorf("Lookup(%s).Hosts = %s\nwant %s", tt.domain, got, tt.hosts)
			}
			if m.TTL != tt.ttl {
				t.Errorf("Lookup(%s).TTL = %s, want %s", tt.domain, m.TTL, tt.ttl)
			}
			if !strings.Contains(m.Detail, tt.detail) || (tt.detail == "") != (m.Detail == "") {
				t.Errorf("Lookup(%s).Detail = %q, want %q in it", tt.domain, m.Detail, tt.detail)
			}
			checkStamps(t, m, tt.domain, addr)
		})
	}
	for _, name := range []string{"localhost.", "127.0.0.1.", "8.8.8.8."} {
		if n := z.count(name, "A"); n != 0 {
			t.Errorf("the server was asked for %s %d times, want never", name, n)
		}
	}
}

// checkStamps checks what every result says of the lookup itself.
func checkStamps(t *testing.T, m maildns.MailHosts, name, server string) {
	t.Helper()
	if m.Domain != domain(t, name) || m.At.IsZero() || m.Took <= 0 {
		t.Errorf("Lookup(%s): Domain %s, At %s, Took %s", name, m.Domain, m.At, m.Took)
	}
	if answered := !m.Status.Failed() || len(m.Hosts) > 0; answered != (m.Server == server) {
		t.Errorf("Lookup(%s).Server = %q, want %q if MX was answered", name, m.Server, server)
	}
}

func TestLookupPreferences(t *testing.T) {
	z := newZone(t, world)
	r := newResolver(t, maildns.Options{Servers: []string{z.serve(t)}})
	var got []uint16
	for _, h := range lookup(t, r, "equal.example").Hosts {
		got = append(got, h.Preference)
	}
	if want := []uint16{10, 10, 10}; !slices.Equal(got, want) {
		t.Errorf("preferences = %v, want %v: a host listed twice keeps its best", got, want)
	}
}

func TestLookupWithoutIPv6(t *testing.T) {
	z := newZone(t, world)
	r := newResolver(t, maildns.Options{Servers: []string{z.serve(t)}})
	tests := []struct {
		domain, hosts, host string
		aaaa                int
	}{
		{"plain.example", "mx1.plain.example 192.0.2.1; mx2.plain.example 192.0.2.2", "mx1.plain.example.", 0},
		{"implicit6.example", "implicit6.example 2001:db8::20", "implicit6.example.", 1},
		{"v6behind.example", "mx.v6behind.example 2001:db8::30 !10.0.0.5", "mx.v6behind.example.", 1},
	}
	for _, tt := range tests {
		m := lookup(t, r, tt.domain)
		if got := hostsText(m.Hosts); got != tt.hosts || m.Status != maildns.Found {
			t.Errorf("Lookup(%s) = %s %s, want %s %s", tt.domain, m.Status, got, maildns.Found, tt.hosts)
		}
		if got := z.count(tt.host, "AAAA"); got != tt.aaaa {
			t.Errorf("AAAA of %s asked %d times, want %d", tt.host, got, tt.aaaa)
		}
	}
}

func TestLookupWithoutGuard(t *testing.T) {
	z := newZone(t, "plain.example. 600 IN MX 10 mx.example.\nmx.example. 600 IN A 192.0.2.1\nmx.example. 600 IN A 8.8.8.8\n")
	r, err := maildns.New(maildns.Options{Servers: []string{z.serve(t)}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got, want := hostsText(lookup(t, r, "plain.example").Hosts), "mx.example 8.8.8.8 !192.0.2.1"; got != want {
		t.Errorf("Hosts = %s, want %s", got, want)
	}
}

func TestLookupLocalhostAsksNobody(t *testing.T) {
	z := newZone(t, world)
	everything := netguard.New(netguard.Options{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	r := newResolver(t, maildns.Options{Servers: []string{z.serve(t)}, Guard: everything})
	d, err := address.ParseDomain("mail.localhost")
	if err != nil {
		t.Skip("not a domain to package address")
	}
	m, err := r.Lookup(t.Context(), d)
	if err != nil || m.Status.Failed() || m.Status == maildns.Found {
		t.Errorf("Lookup(mail.localhost) = %s, %v; want a status that says that it can't be dialled", m.Status, err)
	}
	if n := z.count("mail.localhost.", "MX"); n != 0 {
		t.Errorf("mail.localhost was asked for %d times, want never", n)
	}
}

func TestLookupManyHosts(t *testing.T) {
	var private, public strings.Builder
	for i := range 100 {
		fmt.Fprintf(&private, "many.example. 600 IN MX %d mx%02d.many.example.\n", i, i)
		fmt.Fprintf(&private, "mx%02d.many.example. 600 IN A 10.0.0.%d\n", i, i)
		fmt.Fprintf(&public, "good.example. 600 IN MX %d mx%02d.good.example.\n", i, i)
		fmt.Fprintf(&public, "mx%02d.good.example. 600 IN A 192.0.2.%d\n", i, i)
	}
	z := newZone(t, private.String()+public.String())
	r := newResolver(t, maildns.Options{Servers: []string{z.serve(t)}})

	m := lookup(t, r, "good.example")
	if m.Status != maildns.Found || len(m.Hosts) != 64 {
		t.Errorf("Lookup(good.example) = %s with %d hosts, want found with 64", m.Status, len(m.Hosts))
	}
	for i, h := range m.Hosts {
		if want := fmt.Sprintf("mx%02d.good.example", i); h.Name != want || (h.Status == maildns.Found) != (i < 10) {
			t.Errorf("Hosts[%d] = %s %q, want %s, looked up only if among the first 10", i, h.Name, h.Status, want)
		}
	}
	if n := z.countOver("good.example.", "MX", "tcp"); n != 1 {
		t.Errorf("MX asked %d times over TCP, want 1: it does not fit a datagram", n)
	}
	// Hosts that nobody has looked at may well be reachable.
	if m := lookup(t, r, "many.example"); m.Status != maildns.Failure || !strings.Contains(m.Detail, "first 10 of 100") {
		t.Errorf("Lookup(many.example) = %s (%s), want failure: only 10 of 100 hosts were looked up", m.Status, m.Detail)
	}
}

func TestLookupManyAddresses(t *testing.T) {
	var text strings.Builder
	text.WriteString("many.example. 600 IN MX 10 mx.many.example.\n")
	for i := range 50 {
		fmt.Fprintf(&text, "mx.many.example. 600 IN A 10.0.0.%d\nmx.many.example. 600 IN A 192.0.2.%d\n", i, i)
	}
	z := newZone(t, text.String())
	r := newResolver(t, maildns.Options{Servers: []string{z.serve(t)}})
	m := lookup(t, r, "many.example")
	if h := m.Hosts[0]; len(h.Addrs) != 16 || len(h.Refused) != 16 {
		t.Errorf("%d addresses and %d refused, want 16 of each", len(h.Addrs), len(h.Refused))
	}
}

func TestLookupChains(t *testing.T) {
	var text strings.Builder
	text.WriteString("example. 3600 IN SOA ns.example. h.example. 1 7200 900 1209600 300\n")
	text.WriteString("c0.example. 600 IN MX 10 mx.example.\nmx.example. 600 IN A 192.0.2.1\n")
	for i := 1; i <= 17; i++ {
		fmt.Fprintf(&text, "c%d.example. 600 IN CNAME c%d.example.\n", i, i-1)
	}
	// In one message, and one CNAME a message as from a server that does not recurse.
	for _, whole := range []bool{true, false} {
		z := newZone(t, text.String())
		z.special = func(_ dns.Question, _, _ bool, m *dns.Msg) *dns.Msg {
			if !whole && len(m.Answer) > 1 {
				m.Answer = m.Answer[:1]
			}
			return m
		}
		r := newResolver(t, maildns.Options{Servers: []string{z.serve(t)}})
		if m := lookup(t, r, "c16.example"); m.Status != maildns.Found {
			t.Errorf("whole %t: chain of 16 = %s (%s), want found", whole, m.Status, m.Detail)
		}
		if m := lookup(t, r, "c17.example"); m.Status != maildns.Failure {
			t.Errorf("whole %t: chain of 17 = %s, want failure", whole, m.Status)
		}
	}
}

func TestLookupErrors(t *testing.T) {
	z := newZone(t, world)
	r := newResolver(t, maildns.Options{Servers: []string{z.serve(t)}})
	if _, err := r.Lookup(t.Context(), address.Domain{}); err == nil {
		t.Error("Lookup(zero Domain) = nil error")
	}
	r.Close()
	r.Close()
	if _, err := r.Lookup(t.Context(), domain(t, "plain.example")); !errors.Is(err, maildns.ErrClosed) {
		t.Errorf("Lookup after Close = %v, want ErrClosed", err)
	}
	if _, err := r.LookupTXT(t.Context(), "plain.example"); !errors.Is(err, maildns.ErrClosed) {
		t.Errorf("LookupTXT after Close = %v, want ErrClosed", err)
	}
}

func TestNewErrors(t *testing.T) {
	many := make([]string, 9)
	for i := range many {
		many[i] = fmt.Sprintf("192.0.2.%d", i+1)
	}
	tests := []struct {
		name string
		opts maildns.Options
		want string
	}{
		{"a name", maildns.Options{Servers: []string{"dns.example:53"}}, `"dns.example:53"`},
		{"no address", maildns.Options{Servers: []string{""}}, `""`},
		{"port 0", maildns.Options{Servers: []string{"127.0.0.1:0"}}, `"127.0.0.1:0"`},
		{"too many", maildns.Options{Servers: many}, "9 servers: at most 8"},
		{"timeout", maildns.Options{Servers: many[:1], Timeout: -1}, "timeout -1ns"},
		{"attempts", maildns.Options{Servers: many[:1], Attempts: -1}, "attempts -1"},
		{"no file", maildns.Options{ResolvConf: "testdata/none"}, "testdata/none"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := maildns.New(tt.opts); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("New(%+v) = %v, want an error with %s in it", tt.opts, err, tt.want)
			}
		})
	}
	for _, good := range []string{"127.0.0.1", "127.0.0.1:5353", "::1", "[::1]:53", "fe80::1%lo"} {
		if r, err := maildns.New(maildns.Options{Servers: []string{good}}); err != nil {
			t.Errorf("New(%s) = %v", good, err)
		} else {
			r.Close()
		}
	}
}

// closedPort is an address of 127.0.0.1 where nobody listens.
func closedPort(t testing.TB) string {
	t.Helper()
	l, pc := listenBoth(t)
	l.Close()
	pc.Close()
	return l.Addr().(*net.TCPAddr).String()
}
