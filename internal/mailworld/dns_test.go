package mailworld_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/verimails/verimaild/internal/mailworld"
)

// query asks the world's name server once, over network.
func query(t *testing.T, w *mailworld.World, network, name string, kind uint16) (*dns.Msg, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	c, err := w.DialDNS(ctx, network, w.DNSAddr())
	if err != nil {
		t.Fatal(err)
	}
	conn := &dns.Conn{Conn: c}
	defer func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}()
	if err := conn.SetDeadline(time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	m := new(dns.Msg).SetQuestion(dns.Fqdn(name), kind)
	if err := conn.WriteMsg(m); err != nil {
		t.Fatal(err)
	}
	return conn.ReadMsg()
}

// ask is query over UDP, which must be answered.
func ask(t *testing.T, w *mailworld.World, name string, kind uint16) *dns.Msg {
	t.Helper()
	m, err := query(t, w, "udp", name, kind)
	if err != nil {
		t.Fatalf("query for %s: %v", name, err)
	}
	return m
}

// answers are the records of a message without their headers.
func answers(m *dns.Msg) []string {
	var out []string
	for _, rr := range m.Answer {
		out = append(out, strings.TrimPrefix(rr.String(), rr.Header().String()))
	}
	return out
}

func sandboxMX(t *testing.T, w *mailworld.World, address string) string {
	t.Helper()
	_, domain, _ := strings.Cut(address, "@")
	m := ask(t, w, domain, dns.TypeMX)
	if len(m.Answer) == 0 {
		return domain
	}
	return m.Answer[0].(*dns.MX).Mx
}

func resolveA(t *testing.T, w *mailworld.World, name string) netip.Addr {
	t.Helper()
	m := ask(t, w, name, dns.TypeA)
	if len(m.Answer) == 0 {
		t.Fatalf("A of %s: none", name)
	}
	a, _ := netip.AddrFromSlice(m.Answer[0].(*dns.A).A.To4())
	return a
}

// dnsSpec has a name for everything that the name server can do.
func dnsSpec() mailworld.Spec {
	private := netip.MustParseAddr("10.0.0.5")
	many := make([]mailworld.MX, 60)
	for i := range many {
		many[i] = mailworld.MX{Preference: uint16(i), Host: strings.Repeat("x", 20) + string(rune('a'+i%26)) + ".many.test"}
	}
	return mailworld.Spec{
		NegativeTTL: 30 * time.Second,
		SourceNames: []string{"out.egress.test", ""},
		Hosts:       []mailworld.Host{{Name: host}, {Name: "six.test", IPv6: true, DeadIPv6: true, NoIPv4: true}},
		Domains: []mailworld.Domain{
			{Name: domain, MX: mailworld.MXs(host, "mx2."+domain), TTL: time.Hour, TXT: []string{"v=spf1 -all", strings.Repeat("y", 300)}},
			{Name: "null.test", MX: mailworld.NullMX()},
			{Name: "implicit.test", Host: host},
			{Name: "bare.test"},
			{Name: "private.test", Addrs: []netip.Addr{private, netip.MustParseAddr("fd00::1")}},
			{Name: "rebind.test", Addrs: []netip.Addr{netip.MustParseAddr("192.0.2.1")}, ThenAddrs: []netip.Addr{private}},
			{Name: "alias.test", CNAME: "alias2.test"},
			{Name: "alias2.test", CNAME: domain},
			{Name: "loop.test", CNAME: "loop.test"},
			{Name: "dangling.test", CNAME: "gone.test"},
			{Name: "servfail.test", Fault: mailworld.ServFail},
			{Name: "refused.test", Fault: mailworld.Refused},
			{Name: "nx.test", Fault: mailworld.NXDomain},
			{Name: "mute.test", Fault: mailworld.NoAnswer},
			{Name: "udpmute.test", MX: mailworld.MXs(host), Fault: mailworld.NoAnswerUDP},
			{Name: "cut.test", MX: mailworld.MXs(host), Fault: mailworld.Truncate},
			{Name: "cutmute.test", MX: mailworld.MXs(host), Fault: mailworld.TruncateMute},
			{Name: "partly.test", MX: mailworld.MXs(host), Faults: map[string]mailworld.Fault{"A": mailworld.ServFail}},
			{Name: "many.test", MX: many},
			{Name: "deep.below.test", Addrs: []netip.Addr{private}},
			{Name: "wrongid.test", MX: mailworld.MXs(host), Fault: mailworld.WrongID},
			{Name: "garbage.test", Fault: mailworld.Garbage},
			{Name: "lame.test", Fault: mailworld.Lame},
			{Name: "slow.test", MX: mailworld.MXs(host), Slow: 200 * time.Millisecond},
		},
		Find: func(name string) (mailworld.Domain, bool) {
			return mailworld.Domain{MX: mailworld.MXs(host)}, strings.HasSuffix(name, ".found.test")
		},
	}
}

func TestDNSAnswers(t *testing.T) {
	w := start(t, dnsSpec())
	at := w.HostAddr(host).Addr().String()
	tests := []struct {
		name  string
		kind  uint16
		rcode int
		want  []string
		soa   bool
	}{
		{domain, dns.TypeMX, dns.RcodeSuccess, []string{"10 mx.example.test.", "20 mx2.example.test."}, false},
		{"EXAMPLE.test", dns.TypeMX, dns.RcodeSuccess, []string{"10 mx.example.test.", "20 mx2.example.test."}, false},
		{domain, dns.TypeA, dns.RcodeSuccess, nil, true},
		{domain, dns.TypeTXT, dns.RcodeSuccess, []string{`"v=spf1 -all"`, `"` + strings.Repeat("y", 255) + `" "` + strings.Repeat("y", 45) + `"`}, false},
		{host, dns.TypeA, dns.RcodeSuccess, []string{at}, false},
		{host, dns.TypeMX, dns.RcodeSuccess, nil, true},
		{"null.test", dns.TypeMX, dns.RcodeSuccess, []string{"0 ."}, false},
		{"implicit.test", dns.TypeMX, dns.RcodeSuccess, nil, true},
		{"implicit.test", dns.TypeA, dns.RcodeSuccess, []string{at}, false},
		{"bare.test", dns.TypeA, dns.RcodeSuccess, nil, true},
		{"private.test", dns.TypeA, dns.RcodeSuccess, []string{"10.0.0.5"}, false},
		{"private.test", dns.TypeAAAA, dns.RcodeSuccess, []string{"fd00::1"}, false},
		{"alias.test", dns.TypeMX, dns.RcodeSuccess, []string{"alias2.test.", "example.test.", "10 mx.example.test.", "20 mx2.example.test."}, false},
		{"alias.test", dns.TypeCNAME, dns.RcodeSuccess, []string{"alias2.test."}, false},
		{"dangling.test", dns.TypeMX, dns.RcodeNameError, []string{"gone.test."}, true},
		{"servfail.test", dns.TypeMX, dns.RcodeServerFailure, nil, false},
		{"refused.test", dns.TypeMX, dns.RcodeRefused, nil, false},
		{"nx.test", dns.TypeMX, dns.RcodeNameError, nil, true},
		{"nothing.test", dns.TypeMX, dns.RcodeNameError, nil, true},
		{"below.test", dns.TypeMX, dns.RcodeSuccess, nil, true},
		{"partly.test", dns.TypeMX, dns.RcodeSuccess, []string{"10 mx.example.test."}, false},
		{"partly.test", dns.TypeA, dns.RcodeServerFailure, nil, false},
		{"a.found.test", dns.TypeMX, dns.RcodeSuccess, []string{"10 mx.example.test."}, false},
		{"lame.test", dns.TypeMX, dns.RcodeSuccess, nil, false},
		{"slow.test", dns.TypeMX, dns.RcodeSuccess, []string{"10 mx.example.test."}, false},
		{"out.egress.test", dns.TypeA, dns.RcodeSuccess, []string{w.SourceAddr(0).String()}, false},
		{reverse(t, w.SourceAddr(0)), dns.TypePTR, dns.RcodeSuccess, []string{"out.egress.test."}, false},
		{reverse(t, w.SourceAddr(1)), dns.TypePTR, dns.RcodeNameError, nil, true},
		{reverse(t, w.HostAddr(host).Addr()), dns.TypePTR, dns.RcodeSuccess, []string{"mx.example.test."}, false},
	}
	for _, tt := range tests {
		for _, network := range []string{"udp", "tcp"} {
			t.Run(tt.name+" "+dns.TypeToString[tt.kind]+" "+network, func(t *testing.T) {
				m, err := query(t, w, network, tt.name, tt.kind)
				if err != nil {
					t.Fatal(err)
				}
				if m.Rcode != tt.rcode || !slices.Equal(answers(m), tt.want) || (len(m.Ns) > 0) != tt.soa {
					t.Errorf("got %s %q and %d authority records, want %s %q, SOA %t",
						dns.RcodeToString[m.Rcode], answers(m), len(m.Ns), dns.RcodeToString[tt.rcode], tt.want, tt.soa)
				}
			})
		}
	}
	if got := w.Queries(domain)[0]; got.Type != "MX" || got.Network != "udp" || got.Rcode != "NOERROR" {
		t.Errorf("first query = %+v, want MX over udp, NOERROR", got)
	}
}

func reverse(t *testing.T, a netip.Addr) string {
	t.Helper()
	r, err := dns.ReverseAddr(a.String())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestDNSTTL(t *testing.T) {
	w := start(t, dnsSpec())
	if got := ask(t, w, domain, dns.TypeMX).Answer[0].Header().Ttl; got != 3600 {
		t.Errorf("TTL of %s = %d, want 3600", domain, got)
	}
	if got := ask(t, w, "null.test", dns.TypeMX).Answer[0].Header().Ttl; got != 300 {
		t.Errorf("default TTL = %d, want 300", got)
	}
	if got := ask(t, w, "gone.test", dns.TypeMX).Ns[0].(*dns.SOA).Minttl; got != 30 {
		t.Errorf("SOA minimum = %d, want 30", got)
	}
}

func TestDNSRebinding(t *testing.T) {
	w := start(t, dnsSpec())
	for i, want := range []string{"192.0.2.1", "10.0.0.5", "10.0.0.5"} {
		if got := answers(ask(t, w, "rebind.test", dns.TypeA)); !slices.Equal(got, []string{want}) {
			t.Errorf("query %d = %q, want %q", i+1, got, want)
		}
	}
}

func TestDNSTruncation(t *testing.T) {
	w := start(t, dnsSpec())
	for _, name := range []string{"cut.test", "many.test"} {
		if m := ask(t, w, name, dns.TypeMX); !m.Truncated {
			t.Errorf("%s over UDP: not truncated", name)
		}
		m, err := query(t, w, "tcp", name, dns.TypeMX)
		if err != nil || m.Truncated || len(m.Answer) == 0 {
			t.Errorf("%s over TCP: %v, %v, want all records", name, m, err)
		}
	}
}

func TestDNSSilence(t *testing.T) {
	tests := []struct {
		name     string
		udp, tcp bool
	}{
		{"mute.test", false, false},
		{"udpmute.test", false, true},
		{"cutmute.test", true, false},
		{domain, true, true},
	}
	inMemory(t, dnsSpec(), func(t *testing.T, w *mailworld.World) {
		for _, tt := range tests {
			for network, want := range map[string]bool{"udp": tt.udp, "tcp": tt.tcp} {
				_, err := query(t, w, network, tt.name, dns.TypeMX)
				var ne net.Error
				if answered := err == nil; answered != want || !answered && !(errors.As(err, &ne) && ne.Timeout()) {
					t.Errorf("%s over %s: %v, want an answer %t, or else a timeout", tt.name, network, err, want)
				}
			}
		}
	})
}

func TestDNSNonsense(t *testing.T) {
	w := start(t, dnsSpec())
	if m, err := query(t, w, "udp", "wrongid.test", dns.TypeMX); err != nil || len(m.Answer) != 1 {
		t.Errorf("wrongid.test: %v, %v, want an answer", m, err)
	}
	if m, err := query(t, w, "udp", "garbage.test", dns.TypeMX); err == nil {
		t.Errorf("garbage.test: %v, want an error", m)
	}
	loop := ask(t, w, "loop.test", dns.TypeMX)
	if len(loop.Answer) == 0 || len(loop.Answer) > 16 {
		t.Errorf("loop.test: %d records, want 1 to 16", len(loop.Answer))
	}
}

func TestDNSTiming(t *testing.T) {
	s := dnsSpec()
	s.RTT = 100 * time.Millisecond
	inMemory(t, s, func(t *testing.T, w *mailworld.World) {
		begin := time.Now()
		ask(t, w, domain, dns.TypeMX)
		if got := time.Since(begin); got != 100*time.Millisecond {
			t.Errorf("UDP query took %v, want 100ms", got)
		}
		ask(t, w, "slow.test", dns.TypeMX)
		if got := time.Since(begin); got != 400*time.Millisecond {
			t.Errorf("both took %v, want 400ms", got)
		}
		if _, err := query(t, w, "tcp", domain, dns.TypeMX); err != nil {
			t.Error(err)
		}
		if got := time.Since(begin); got != 600*time.Millisecond {
			t.Errorf("with TCP %v, want 600ms", got)
		}
	})
}

func TestDNSOnly(t *testing.T) {
	s := dnsSpec()
	s.Only = []string{"test"}
	w := start(t, s)
	if got := ask(t, w, "gmail.com", dns.TypeMX).Rcode; got != dns.RcodeRefused {
		t.Errorf("a name elsewhere: rcode %d, want REFUSED", got)
	}
	if got := ask(t, w, "gone.test", dns.TypeMX).Rcode; got != dns.RcodeNameError {
		t.Errorf("a name in the world: rcode %d, want NXDOMAIN", got)
	}
}
