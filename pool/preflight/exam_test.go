package preflight

import (
	"errors"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
)

// TestExamine changes one thing in a world that is in order, and looks for the one finding that tells.
func TestExamine(t *testing.T) {
	drop := func(line string) func(*zone, *wires, *Options) {
		return func(z *zone, _ *wires, _ *Options) { z.set(strings.Replace(good, line+"\n", "", 1)) }
	}
	add := func(lines string) func(*zone, *wires, *Options) {
		return func(z *zone, _ *wires, _ *Options) { z.set(good + lines) }
	}
	swap := func(old, new string) func(*zone, *wires, *Options) {
		return func(z *zone, _ *wires, _ *Options) { z.set(strings.Replace(good, old, new, 1)) }
	}
	port25 := func(err error, more ...string) func(*zone, *wires, *Options) {
		return func(_ *zone, n *wires, _ *Options) {
			n.fail("25", err)
			for _, where := range more {
				n.fail(where, syscall.ETIMEDOUT)
			}
		}
	}
	with := func(change func(*Options)) func(*zone, *wires, *Options) {
		return func(_ *zone, _ *wires, o *Options) { change(o) }
	}
	const spfLine = "egress.test TXT v=spf1 ip4:192.0.2.10 ip6:2001:db8::/64 -all"
	for _, row := range []struct {
		name   string
		change func(*zone, *wires, *Options)
		check  Check
		state  State
		what   string // Part of What.
		advice string // Part of Advice.
	}{
		{"all is well: address", nil, CheckAddress, OK, "192.0.2.10", ""},
		{"all is well: port", nil, CheckPort, OK, "mx.one.test took the connection", ""},
		{"all is well: PTR", nil, CheckPTR, OK, "a.egress.test", ""},
		{"all is well: EHLO", nil, CheckEHLO, OK, "a.egress.test", ""},
		{"all is well: SPF", nil, CheckSPF, OK, "egress.test", ""},
		{"all is well: lists", nil, CheckDNSBL, OK, "bl.test", ""},
		{
			"no such address", with(func(o *Options) { o.Bind = func(netip.Addr) error { return syscall.EADDRNOTAVAIL } }),
			CheckAddress, Bad, "not an address of this host", "ipv4 of source a",
		},
		{
			"no descriptor to try with", with(func(o *Options) { o.Bind = func(netip.Addr) error { return syscall.EMFILE } }),
			CheckAddress, Unknown, "could not be tried", "",
		},

		{
			"one server is down", func(_ *zone, n *wires, _ *Options) { n.fail("198.51.100.1:25", syscall.ETIMEDOUT) },
			CheckPort, OK, "mx.one.test cannot be reached, which is a matter of theirs", "",
		},
		{"two servers are down", func(_ *zone, n *wires, _ *Options) {
			n.fail("198.51.100.1:25", syscall.ECONNREFUSED)
			n.fail("203.0.113.2:25", syscall.EHOSTUNREACH)
		}, CheckPort, OK, "three.test took", ""},
		{"closed in silence", port25(os.ErrDeadlineExceeded), CheckPort, Bad, "while web.test:443 can", "provider of this host"},
		{"closed by refusals", port25(syscall.ECONNREFUSED), CheckPort, Bad, "all refuse", "firewall"},
		{"closed by a firewall here", port25(syscall.EPERM), CheckPort, Bad, "all refuse", "firewall"},
		{"the network is down", port25(syscall.ETIMEDOUT, "443"), CheckPort, Unknown, "nothing else can either", "reaches the Internet"},
		{"no descriptor to dial with", port25(syscall.EMFILE), CheckPort, Unknown, "could not be tried", ""},
		{"an error that is not the network's", port25(errors.New("the proxy is not up")), CheckPort, Unknown, "the proxy is not up", ""},
		{"only two servers can be looked up", func(z *zone, n *wires, _ *Options) {
			n.fail("25", syscall.ETIMEDOUT)
			z.set(strings.Replace(good, "three.test A 198.18.3.3\n", "three.test A !\n", 1))
		}, CheckPort, Unknown, "too few to tell", "preflight.port_targets"},
		{"a domain whose MX cannot be looked up, and that has an address of its own", func(z *zone, n *wires, _ *Options) {
			n.fail("25", syscall.ETIMEDOUT)
			z.set(strings.Replace(good, "two.test MX mx.two.test", "two.test MX !\ntwo.test A 203.0.113.9", 1))
		}, CheckPort, Unknown, "only 2 mail servers", ""},
		{"three servers in one network", func(z *zone, n *wires, _ *Options) {
			n.fail("25", syscall.ETIMEDOUT)
			z.set(strings.NewReplacer("198.51.100.1", "203.0.113.1", "198.18.3.3", "203.0.113.3").Replace(good))
		}, CheckPort, Unknown, "too few to tell", ""},
		{"a server that may not be dialled", swap("mx.one.test A 198.51.100.1", "mx.one.test A 10.0.0.1"), CheckPort, OK, "mx.two.test", ""},
		{
			"a server that refuses us by its greeting", func(_ *zone, n *wires, _ *Options) { n.greets = "554-go\r\n554 away" },
			CheckPort, OK, "with the words 554-go", "",
		},
		{"a DNS that is down: port", func(z *zone, _ *wires, _ *Options) { z.fail(true) }, CheckPort, Unknown, "too few to tell", "resolver"},

		{"no PTR", drop("192.0.2.10 PTR a.egress.test"), CheckPTR, Bad, "has no PTR record", "PTR record to a.egress.test"},
		{"no PTR: EHLO", drop("192.0.2.10 PTR a.egress.test"), CheckEHLO, Bad, "does not lead back", "PTR record to a.egress.test"},
		{"a PTR that leads elsewhere", swap("192.0.2.10 PTR a.egress.test", "192.0.2.10 PTR mail.egress.test"), CheckPTR, Bad, "does not lead back", "mail.egress.test"},
		{"a PTR that leads to nothing", swap("192.0.2.10 PTR a.egress.test", "192.0.2.10 PTR gone.test"), CheckPTR, Bad, "does not lead back", "gone.test"},
		{"one of two PTRs leads back", add("192.0.2.10 PTR 192-0-2-10.isp.test"), CheckPTR, OK, "a.egress.test", ""},
		{"a PTR look-up fails", swap("192.0.2.10 PTR a.egress.test", "192.0.2.10 PTR !"), CheckPTR, Unknown, "SERVFAIL", "resolver"},
		{"a PTR look-up fails: EHLO", swap("192.0.2.10 PTR a.egress.test", "192.0.2.10 PTR !"), CheckEHLO, Unknown, "could not be looked up", ""},
		{"the way back fails", swap("a.egress.test A 192.0.2.10", "a.egress.test A !"), CheckPTR, Unknown, "SERVFAIL", ""},
		{"a private address", with(func(o *Options) { o.Sources[0].IPv4 = netip.MustParseAddr("10.0.0.5") }), CheckPTR, Unknown, "not a public address", "public_ipv4 of source a"},
		{"a private address: lists", with(func(o *Options) { o.Sources[0].IPv4 = netip.MustParseAddr("10.0.0.5") }), CheckDNSBL, Unknown, "not a public address", "public_ipv4"},
		{"a private address with a public one", with(func(o *Options) {
			o.Sources[0].IPv4, o.Sources[0].PublicIPv4 = netip.MustParseAddr("10.0.0.5"), netip.MustParseAddr("192.0.2.10")
		}), CheckPTR, OK, "192.0.2.10 is a.egress.test", ""},
		{"behind a proxy", with(func(o *Options) { o.Sources[0].Proxied = true }), CheckPTR, Unknown, "proxy", "public_ipv4"},

		{"another name in EHLO", with(func(o *Options) { o.Sources[0].EHLO = "mail.egress.test" }), CheckEHLO, Bad, "does not lead to 192.0.2.10", "ehlo of source a"},
		{"an alias in EHLO", func(z *zone, _ *wires, o *Options) {
			z.set(good + "alias.egress.test A 192.0.2.10")
			o.Sources[0].EHLO = "Alias.egress.test"
		}, CheckEHLO, Bad, "that of the address is a.egress.test", "to a.egress.test"},
		{"a literal in EHLO", with(func(o *Options) { o.Sources[0].EHLO = "[192.0.2.10]" }), CheckEHLO, Bad, "literal", "ehlo of source a"},
		{"the name in EHLO cannot be looked up", func(z *zone, _ *wires, o *Options) {
			z.set(good + "slow.test A !")
			o.Sources[0].EHLO = "slow.test"
		}, CheckEHLO, Unknown, "slow.test", ""},

		{"no SPF", drop(spfLine), CheckSPF, Bad, "has no SPF record", `"v=spf1 ip4:192.0.2.10 -all"`},
		{"SPF without us", swap(spfLine, "egress.test TXT v=spf1 mx -all"), CheckSPF, Bad, "(fail)", "Add ip4:192.0.2.10"},
		{"SPF soft", swap(spfLine, "egress.test TXT v=spf1 ~all"), CheckSPF, Bad, "(softfail)", "Add ip4:192.0.2.10"},
		{"SPF by a", swap(spfLine, "egress.test TXT v=spf1 a:a.egress.test -all"), CheckSPF, OK, "", ""},
		{"SPF by mx", swap("mail.egress.test A 192.0.2.99", "mail.egress.test A 192.0.2.10\negress.test TXT v=spf1 mx -all\n#"), CheckSPF, Bad, "multiple", ""},
		{"SPF by include", swap(spfLine, "egress.test TXT v=spf1 include:spf.test -all\nspf.test TXT v=spf1 ip4:192.0.2.0/24 -all"), CheckSPF, OK, "", ""},
		{"SPF by redirect", swap(spfLine, "egress.test TXT v=spf1 redirect=spf.test\nspf.test TXT v=spf1 ip4:192.0.2.0/24 -all"), CheckSPF, OK, "", ""},
		{"SPF by exists", swap(spfLine, "egress.test TXT v=spf1 exists:%{i}.spf.test -all\n192.0.2.10.spf.test A 127.0.0.1"), CheckSPF, OK, "", ""},
		{"SPF with a fault", swap(spfLine, "egress.test TXT v=spf1 ip4:192.0.2 -all"), CheckSPF, Bad, "cannot be used", ""},
		{"SPF that includes itself", swap(spfLine, "egress.test TXT v=spf1 include:egress.test -all"), CheckSPF, Bad, "lookup limit", ""},
		{"SPF behind a DNS that fails", swap(spfLine, "egress.test TXT v=spf1 include:spf.test -all\nspf.test TXT !"), CheckSPF, Unknown, "spf.test: SERVFAIL", "resolver"},

		{"listed", add("10.2.0.192.bl.test A 127.0.0.4\n10.2.0.192.bl.test TXT https://bl.test/q?192.0.2.10"), CheckDNSBL, Bad, "127.0.0.4: https://bl.test/", "site of bl.test"},
		{"a list that cannot be asked", add("10.2.0.192.bl.test A !"), CheckDNSBL, Unknown, "no block list could be asked", ""},
		{"a list that refuses", add("10.2.0.192.bl.test A 127.255.255.254"), CheckDNSBL, Unknown, "no block list could be asked", ""},
		{"a list with a parked domain's answer", add("10.2.0.192.bl.test A 203.0.113.80"), CheckDNSBL, Unknown, "no block list could be asked", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			z, n := newZone(good), new(wires)
			opts := options(z, n)
			if row.change != nil {
				row.change(z, n, &opts)
			}
			got := of(t, Examine(t.Context(), opts), row.check, "a", IPv4)
			n.wg.Wait()
			if got.State != row.state || !strings.Contains(got.What, row.what) || !strings.Contains(got.Advice, row.advice) {
				t.Errorf("%s: %s, %q, %q, want %s, …%s…, …%s…", row.check, got.State, got.What, got.Advice, row.state, row.what, row.advice)
			}
			if got.State == Bad && got.Advice == "" {
				t.Errorf("%s: %q comes without advice", row.check, got.What)
			}
		})
	}
}

// TestSender looks at the sender's domain, which all sources share.
func TestSender(t *testing.T) {
	const mx = "egress.test MX mail.egress.test\n"
	for _, row := range []struct {
		name, zone string
		state      State
		what       string
	}{
		{"a mail host", good, OK, "mail.egress.test"},
		{"no MX", strings.Replace(good, mx, "", 1), Bad, "no MX record"},
		{"no MX, but an address", strings.Replace(good, mx, "egress.test A 192.0.2.1\n", 1), Bad, "no MX record"},
		{"a null MX", strings.Replace(good, mx, "egress.test MX .\n", 1), Bad, "null MX"},
		{"a mail host without an address", strings.Replace(good, "mail.egress.test A 192.0.2.99\n", "", 1), Bad, "no mail host"},
		{"a mail host that cannot be looked up", strings.Replace(good, "mail.egress.test A 192.0.2.99", "mail.egress.test A !", 1), Unknown, "SERVFAIL"},
		{"an MX that cannot be looked up", strings.Replace(good, mx, "egress.test MX !\n", 1), Unknown, "SERVFAIL"},
	} {
		t.Run(row.name, func(t *testing.T) {
			n := new(wires)
			got := of(t, Examine(t.Context(), options(newZone(row.zone), n)), CheckSenderMX, "", "")
			n.wg.Wait()
			if got.State != row.state || !strings.Contains(got.What, row.what) {
				t.Errorf("sender_mx: %s, %q, want %s, …%s…", got.State, got.What, row.state, row.what)
			}
		})
	}
}

// TestListsThatSayNothing holds back what a block list says that fails its own test, RFC 5782 §5.
func TestListsThatSayNothing(t *testing.T) {
	const listed = "10.2.0.192.bl.test A 127.0.0.2\n"
	const entry = "2.0.0.127.bl.test A 127.0.0.2\n"
	for _, row := range []struct{ name, zone, why string }{
		{"its test entry is missing", strings.Replace(good, entry, "", 1) + listed, "test entry is not listed"},
		{"it lists everybody", good + listed + "1.0.0.127.bl.test A 127.0.0.2", "lists every address"},
		{"it refuses the resolver", strings.Replace(good, entry, "2.0.0.127.bl.test A 127.255.255.254\n", 1) + listed, "does not answer the resolver of this host (127.255.255.254)"},
		{"it cannot be asked", strings.Replace(good, entry, "2.0.0.127.bl.test A !\n", 1) + listed, "SERVFAIL"},
	} {
		t.Run(row.name, func(t *testing.T) {
			n := new(wires)
			r := Examine(t.Context(), options(newZone(row.zone), n))
			n.wg.Wait()
			if got := of(t, r, CheckDNSBL, "a", IPv4); got.State != Unknown {
				t.Errorf("dnsbl of a: %s, %q, want unknown", got.State, got.What)
			}
			if got := of(t, r, CheckDNSBL, "", ""); got.State != Unknown || got.Severity != Info || !strings.Contains(got.What, row.why) {
				t.Errorf("dnsbl: %+v, want unknown, …%s…", got, row.why)
			}
		})
	}
}

// TestIPv6 looks at the other family, in which block lists write nibbles.
func TestIPv6(t *testing.T) {
	const nibbles = "0.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.bl.test"
	n, z := new(wires), newZone(good+nibbles+" A 127.0.0.3")
	opts := options(z, n)
	opts.Sources[0].IPv6 = netip.MustParseAddr("2001:db8::10")
	r := Examine(t.Context(), opts)
	n.wg.Wait()
	for _, c := range []Check{CheckAddress, CheckPort, CheckPTR, CheckEHLO, CheckSPF} {
		if got := of(t, r, c, "a", IPv6); got.State != OK {
			t.Errorf("%s: %s, %q, want ok", c, got.State, got.What)
		}
	}
	if got := of(t, r, CheckDNSBL, "a", IPv6); got.State != Bad || !strings.Contains(got.What, "127.0.0.3") {
		t.Errorf("dnsbl: %s, %q, want bad", got.State, got.What)
	}
	if got := of(t, r, CheckDNSBL, "a", IPv4); got.State != OK {
		t.Errorf("dnsbl of IPv4: %s, %q, want ok", got.State, got.What)
	}
}

// TestManners counts connections: one where the port is open, with QUIT after the greeting, and five at most.
func TestManners(t *testing.T) {
	z, n := newZone(good), new(wires)
	Examine(t.Context(), options(z, n))
	n.wg.Wait()
	if got := n.count("25") + n.count("443"); got != 1 {
		t.Errorf("%d connections to find an open port, want 1: %v", got, n.dialled)
	}
	if len(n.said) != 1 || n.said[0] != "QUIT\r\n" {
		t.Errorf("said %q after the greeting, want QUIT", n.said)
	}
	n = new(wires)
	n.fail("25", syscall.ETIMEDOUT)
	opts := options(z, n)
	opts.PortTargets = append(opts.PortTargets, "egress.test")
	Examine(t.Context(), opts)
	n.wg.Wait()
	if got := n.count("25"); got != 3 {
		t.Errorf("%d connections to find a closed port, want 3: %v", got, n.dialled)
	}
	if got := n.count("443"); got != 1 {
		t.Errorf("%d connections to something else, want 1: %v", got, n.dialled)
	}
	if got := z.count("2.0.0.127.bl.test"); got != 2 {
		t.Errorf("the list was tested %d times in two runs, want 2", got)
	}
}

// TestKernelChoice looks at the source that stands for whatever address the kernel takes.
func TestKernelChoice(t *testing.T) {
	z, n := newZone(good), new(wires)
	opts := options(z, n)
	opts.Sources = []Source{{Name: "default", EHLO: "a.egress.test"}}
	opts.Route = routeFrom(map[bool]netip.Addr{true: netip.MustParseAddr("192.0.2.10")})
	r := Examine(t.Context(), opts)
	if got := of(t, r, CheckPTR, "default", IPv4); got.State != OK {
		t.Errorf("ptr: %s, %q, want ok", got.State, got.What)
	}
	for _, f := range r.Findings {
		if f.Family == IPv6 || f.Check == CheckAddress {
			t.Errorf("%s %s: %q, want nothing about a family without a route, or a bind", f.Check, f.Family, f.What)
		}
	}
	opts.Route = routeFrom(nil)
	r = Examine(t.Context(), opts)
	n.wg.Wait()
	if got := of(t, r, CheckAddress, "default", ""); got.State != Unknown {
		t.Errorf("address without a route: %s, %q, want unknown", got.State, got.What)
	}
}
