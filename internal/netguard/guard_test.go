package netguard_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"testing"

	"github.com/miekg/dns"
	"go.uber.org/goleak"

	"github.com/verimails/verimaild/internal/netguard"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// kindOf is the Kind of Check's refusal of s, "" if it may be dialled.
func kindOf(t *testing.T, g *netguard.Guard, a netip.Addr) netguard.Kind {
	t.Helper()
	err := g.Check(a)
	if err == nil {
		return ""
	}
	refused, ok := errors.AsType[*netguard.RefusedError](err)
	if !ok {
		t.Fatalf("Check(%s) = %T, want *RefusedError", a, err)
	}
	if refused.Addr != a {
		t.Errorf("Check(%s): RefusedError.Addr = %s", a, refused.Addr)
	}
	return refused.Kind
}

func TestCheckRegistry(t *testing.T) {
	tests := []struct {
		addr string
		want netguard.Kind
	}{
		{"8.8.8.8", ""},
		{"0.0.0.0", netguard.KindUnspecified},
		{"0.0.0.1", netguard.KindThisNetwork},
		{"0.255.255.255", netguard.KindThisNetwork},
		{"1.0.0.0", ""},
		{"9.255.255.255", ""},
		{"10.0.0.0", netguard.KindPrivate},
		{"10.255.255.255", netguard.KindPrivate},
		{"11.0.0.0", ""},
		{"100.63.255.255", ""},
		{"100.64.0.0", netguard.KindCGNAT},
		{"100.127.255.255", netguard.KindCGNAT},
		{"100.128.0.0", ""},
		{"126.255.255.255", ""},
		{"127.0.0.1", netguard.KindLoopback},
		{"127.255.255.255", netguard.KindLoopback},
		{"128.0.0.0", ""},
		{"169.253.255.255", ""},
		{"169.254.0.0", netguard.KindLinkLocal},
		{"169.254.169.254", netguard.KindLinkLocal},
		{"169.255.0.0", ""},
		{"172.15.255.255", ""},
		{"172.16.0.0", netguard.KindPrivate},
		{"172.31.255.255", netguard.KindPrivate},
		{"172.32.0.0", ""},
		{"191.255.255.255", ""},
		{"192.0.0.0", netguard.KindProtocol},
		{"192.0.0.171", netguard.KindProtocol},
		{"192.0.1.0", ""},
		{"192.0.2.0", netguard.KindDocumentation},
		{"192.0.2.255", netguard.KindDocumentation},
		{"192.0.3.0", ""},
		{"192.88.98.255", ""},
		{"192.88.99.1", netguard.KindProtocol},
		{"192.88.100.0", ""},
		{"192.167.255.255", ""},
		{"192.168.0.0", netguard.KindPrivate},
		{"192.168.255.255", netguard.KindPrivate},
		{"192.169.0.0", ""},
		{"198.17.255.255", ""},
		{"198.18.0.0", netguard.KindBenchmark},
		{"198.19.255.255", netguard.KindBenchmark},
		{"198.20.0.0", ""},
		{"198.51.100.7", netguard.KindDocumentation},
		{"198.51.101.0", ""},
		{"203.0.112.255", ""},
		{"203.0.113.9", netguard.KindDocumentation},
		{"203.0.114.0", ""},
		{"223.255.255.255", ""},
		{"224.0.0.0", netguard.KindMulticast},
		{"239.255.255.255", netguard.KindMulticast},
		{"240.0.0.0", netguard.KindReserved},
		{"255.255.255.254", netguard.KindReserved},
		{"255.255.255.255", netguard.KindBroadcast},

		{"2606:4700::1111", ""},
		{"::", netguard.KindUnspecified},
		{"::1", netguard.KindLoopback},
		{"::8.8.8.8", netguard.KindV4Compatible},
		{"::10.0.0.1", netguard.KindPrivate},
		{"::ffff:0:8.8.8.8", netguard.KindReserved}, // IPv4-translated, RFC 2765
		{"64:ff9b:2::1", netguard.KindReserved},
		{"100::1", netguard.KindDiscard},
		{"100:0:0:1::1", netguard.KindReserved}, // RFC 9780
		{"1fff:ffff::1", netguard.KindReserved},
		{"2000::1", ""},
		{"2001:1::1", netguard.KindProtocol},
		{"2001:2::1", netguard.KindBenchmark},
		{"2001:2:1::1", netguard.KindProtocol},
		{"2001:3::1", netguard.KindProtocol},
		{"2001:10::1", netguard.KindORCHID},
		{"2001:1f:ffff::1", netguard.KindORCHID},
		{"2001:20::1", netguard.KindORCHID},
		{"2001:2f:ffff::1", netguard.KindORCHID},
		{"2001:30::1", netguard.KindProtocol},
		{"2001:1ff:ffff::1", netguard.KindProtocol},
		{"2001:200::1", ""},
		{"2001:db7:ffff::1", ""},
		{"2001:db8::1", netguard.KindDocumentation},
		{"2001:db8:ffff::1", netguard.KindDocumentation},
		{"2001:db9::1", ""},
		{"3ffe:ffff::1", ""},
		{"3fff::1", netguard.KindDocumentation},
		{"3fff:fff:ffff::1", netguard.KindDocumentation},
		{"3fff:1000::1", ""},
		{"4000::1", netguard.KindReserved},
		{"5f00::1", netguard.KindReserved},
		{"fbff::1", netguard.KindReserved},
		{"fc00::1", netguard.KindPrivate},
		{"fdff:ffff::1", netguard.KindPrivate},
		{"fe00::1", netguard.KindReserved},
		{"fe80::1", netguard.KindLinkLocal},
		{"febf::1", netguard.KindLinkLocal},
		{"fec0::1", netguard.KindSiteLocal},
		{"feff::1", netguard.KindSiteLocal},
		{"ff02::1", netguard.KindMulticast},
		{"fe80::1%eth0", netguard.KindZone},
		{"2606:4700::1111%eth0", netguard.KindZone},

		{"::ffff:8.8.8.8", ""},
		{"::ffff:10.0.0.1", netguard.KindPrivate},
		{"::ffff:127.0.0.1", netguard.KindLoopback},
		{"::ffff:0.0.0.0", netguard.KindUnspecified},
		{"64:ff9b::8.8.8.8", ""},
		{"64:ff9b::10.0.0.1", netguard.KindPrivate},
		{"64:ff9b::127.0.0.1", netguard.KindLoopback},
		{"64:ff9b:1::8.8.8.8", netguard.KindNAT64Local},
		{"64:ff9b:1::10.0.0.1", netguard.KindPrivate},
		{"2002:808:808::1", ""},
		{"2002:a00:1::1", netguard.KindPrivate},
		{"2002:7f00:1::1", netguard.KindLoopback},
		{"2001:0:808:808::f7f7:f7f7", netguard.KindTeredo},  // server and client public
		{"2001:0:808:808::f5ff:fffe", netguard.KindPrivate}, // client 10.0.0.1
		{"2001:0:a00:1::f7f7:f7f7", netguard.KindPrivate},   // server 10.0.0.1
	}
	g := netguard.New(netguard.Options{})
	zero := new(netguard.Guard)
	for _, tt := range tests {
		t.Run(tt.addr, func(t *testing.T) {
			a := netip.MustParseAddr(tt.addr)
			if got := kindOf(t, g, a); got != tt.want {
				t.Errorf("Check(%s) refuses as %q, want %q", a, got, tt.want)
			}
			if got := kindOf(t, zero, a); got != tt.want {
				t.Errorf("zero Guard: Check(%s) refuses as %q, want %q", a, got, tt.want)
			}
		})
	}
	if got := kindOf(t, g, netip.Addr{}); got != netguard.KindInvalid {
		t.Errorf("Check(zero Addr) refuses as %q, want %q", got, netguard.KindInvalid)
	}
}

func TestCheckOptions(t *testing.T) {
	own := []netip.Addr{
		netip.MustParseAddr("8.8.4.4"), netip.MustParseAddr("2606:4700::1"), netip.MustParseAddr("::ffff:9.9.9.9"),
		netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("2002:808:808::9"),
	}
	allow := func(prefixes ...string) []netip.Prefix {
		var out []netip.Prefix
		for _, p := range prefixes {
			out = append(out, netip.MustParsePrefix(p))
		}
		return out
	}
	tests := []struct {
		name  string
		allow []netip.Prefix
		addr  string
		want  netguard.Kind
	}{
		{"own IPv4", nil, "8.8.4.4", netguard.KindOwn},
		{"own IPv4, mapped", nil, "::ffff:8.8.4.4", netguard.KindOwn},
		{"own IPv4, NAT64", nil, "64:ff9b::8.8.4.4", netguard.KindOwn},
		{"own IPv4, 6to4", nil, "2002:808:404::25", netguard.KindOwn},
		{"own given as mapped", nil, "9.9.9.9", netguard.KindOwn},
		{"own loopback is loopback", nil, "127.0.0.1", netguard.KindLoopback},
		{"own 6to4", nil, "2002:808:808::9", netguard.KindOwn},
		{"own IPv6", nil, "2606:4700::1", netguard.KindOwn},
		{"beside own", nil, "8.8.4.5", ""},
		{"allowed", allow("10.0.0.0/8"), "10.1.2.3", ""},
		{"allowed, host bits set", allow("10.9.9.9/8"), "10.1.2.3", ""},
		{"allowed, mapped address", allow("10.0.0.0/8"), "::ffff:10.1.2.3", ""},
		{"allowed, mapped prefix", allow("::ffff:10.0.0.0/104"), "10.1.2.3", ""},
		{"allowed, NAT64", allow("10.0.0.0/8"), "64:ff9b::10.1.2.3", ""},
		{"allowed, local NAT64", allow("10.0.0.0/8"), "64:ff9b:1::10.1.2.3", ""},
		{"allowed, 6to4", allow("10.0.0.0/8"), "2002:a01:203::1", ""},
		{"allowed, the form itself", allow("64:ff9b::/96"), "64:ff9b::127.0.0.1", ""},
		{"allowed lifts own", allow("8.8.4.0/24"), "8.8.4.4", ""},
		{"not allowed", allow("10.0.0.0/8"), "127.0.0.1", netguard.KindLoopback},
		{"outside the prefix", allow("127.0.2.0/24"), "127.0.3.1", netguard.KindLoopback},
		{"IPv4 prefix says nothing of IPv6", allow("0.0.0.0/0"), "::1", netguard.KindLoopback},
		{"Teredo, client allowed only", allow("10.0.0.0/8"), "2001:0:7f00:1::f5ff:fffe", netguard.KindLoopback},
		{"Teredo, both allowed", allow("10.0.0.0/8"), "2001:0:a00:1::f5ff:fffe", ""},
		{"zone, allowed", allow("fe80::/10"), "fe80::1%eth0", ""},
		{"invalid prefix", []netip.Prefix{{}}, "10.0.0.1", netguard.KindPrivate},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := netguard.New(netguard.Options{Allow: tt.allow, Own: own})
			a := netip.MustParseAddr(tt.addr)
			if got := kindOf(t, g, a); got != tt.want {
				t.Errorf("Check(%s) refuses as %q, want %q", a, got, tt.want)
			}
		})
	}
}

func TestRefusedErrorNamesTheAddressInside(t *testing.T) {
	err := netguard.New(netguard.Options{}).Check(netip.MustParseAddr("64:ff9b::10.0.0.1"))
	const want = "netguard: 64:ff9b::a00:1 leads to 10.0.0.1, which may not be dialled (private)"
	if err == nil || err.Error() != want {
		t.Errorf("Check(64:ff9b::10.0.0.1) = %v, want %q", err, want)
	}
}

func TestReplaceUnderLoad(t *testing.T) {
	// Every Check sees one set of options: 10.0.0.1 is allowed by both, so it must never be refused.
	ten := netip.MustParsePrefix("10.0.0.0/8")
	g := netguard.New(netguard.Options{Allow: []netip.Prefix{ten}})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 2000 {
				if err := g.Check(netip.MustParseAddr("10.0.0.1")); err != nil {
					t.Errorf("Check(10.0.0.1) = %v, want nil", err)
					return
				}
			}
		})
	}
	for i := range 2000 {
		opts := netguard.Options{Allow: []netip.Prefix{ten}}
		if i%2 == 0 {
			opts.Own = []netip.Addr{netip.MustParseAddr("10.0.0.1")}
		}
		g.Replace(opts)
	}
	wg.Wait()
	g.Replace(netguard.Options{})
	if got := kindOf(t, g, netip.MustParseAddr("10.0.0.1")); got != netguard.KindPrivate {
		t.Errorf("after Replace: Check(10.0.0.1) refuses as %q, want %q", got, netguard.KindPrivate)
	}
}

func TestHostAddrs(t *testing.T) {
	addrs, err := netguard.HostAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addrs {
		if !a.IsValid() || a.Zone() != "" || a.Is4In6() {
			t.Errorf("HostAddrs() has %s, want an address without zone, unmapped", a)
		}
	}
	if lo := netip.MustParseAddr("127.0.0.1"); len(addrs) == 0 || addrs[0].Compare(lo) > 0 {
		t.Errorf("HostAddrs() = %s, want 127.0.0.1 among them, sorted", addrs)
	}
}

// TestControlStopsRebinding has a name that is public when it is looked up and loopback when it is dialled.
func TestControlStopsRebinding(t *testing.T) {
	trap, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer trap.Close()
	resolver := rebinder(t, "8.8.8.8", "127.0.0.1")
	g := netguard.New(netguard.Options{})

	first, err := resolver.LookupNetIP(t.Context(), "ip4", "rebind.example.")
	if err != nil || len(first) != 1 {
		t.Fatalf("LookupNetIP = %v, %v", first, err)
	}
	if err := g.Check(first[0]); err != nil {
		t.Fatalf("Check(%s) = %v, want nil", first[0], err)
	}
	_, port, err := net.SplitHostPort(trap.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	d := net.Dialer{Resolver: resolver, Control: g.Control}
	conn, err := d.DialContext(t.Context(), "tcp4", net.JoinHostPort("rebind.example.", port))
	if err == nil {
		conn.Close()
	}
	refused, ok := errors.AsType[*netguard.RefusedError](err)
	if !ok || refused.Kind != netguard.KindLoopback {
		t.Fatalf("DialContext = %v, want a RefusedError of kind loopback", err)
	}

	g.Replace(netguard.Options{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	conn, err = d.DialContext(t.Context(), "tcp4", trap.Addr().String())
	if err != nil {
		t.Fatalf("allowed: DialContext = %v", err)
	}
	conn.Close()
}

func TestControlRefusesWhatIsNoAddress(t *testing.T) {
	g := netguard.New(netguard.Options{Allow: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}})
	for _, s := range []string{"", "/run/x.sock", "mail.example:25", "8.8.8.8"} {
		if _, ok := errors.AsType[*netguard.RefusedError](g.Control("tcp", s, nil)); !ok {
			t.Errorf("Control(%q) does not refuse", s)
		}
	}
	if err := g.Control("tcp4", "8.8.8.8:25", nil); err != nil {
		t.Errorf("Control(8.8.8.8:25) = %v, want nil", err)
	}
}

// rebinder is a resolver whose DNS server answers A questions with answers, one after the other,
// repeating the last.
func rebinder(t *testing.T, answers ...string) *net.Resolver {
	t.Helper()
	pc, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	started := make(chan struct{})
	srv := &dns.Server{
		PacketConn:        pc,
		NotifyStartedFunc: func() { close(started) },
		Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
			m := new(dns.Msg).SetReply(q)
			if q.Question[0].Qtype == dns.TypeA {
				mu.Lock()
				m.Answer = append(m.Answer, &dns.A{
					Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET},
					A:   net.ParseIP(answers[0]),
				})
				if len(answers) > 1 {
					answers = answers[1:]
				}
				mu.Unlock()
			}
			_ = w.WriteMsg(m) // A lost reply shows as the look-up's timeout.
		}),
	}
	served := make(chan error, 1)
	go func() { served <- srv.ActivateAndServe() }()
	<-started
	t.Cleanup(func() {
		if err := srv.Shutdown(); err != nil {
			t.Errorf("DNS server: %v", err)
		}
		<-served
	})
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp4", pc.LocalAddr().String())
	}}
}
