package maildns_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/verimails/verimaild/verify/maildns"
)

const reverseWorld = `
example.                 3600 IN SOA ns.example. h.example. 1 2 3 4 300
host.example.             600 IN A 192.0.2.1
host.example.              60 IN A 10.0.0.1
host.example.             500 IN AAAA 2001:db8::1
v6.example.               500 IN AAAA 2001:db8::2
servfail6.example.        600 IN A 192.0.2.3
servfail.example.         600 IN TXT "unseen"
spf.example.              600 IN TXT "v=spf1 ip4:192.0.2.1" " -all"
spf.example.              600 IN TXT "a \"quoted\" \\ back\255slash"
1.2.0.192.in-addr.arpa.   600 IN PTR Host.Example.
1.2.0.192.in-addr.arpa.   600 IN PTR other.example.
2.2.0.192.in-addr.arpa.   600 IN CNAME 2.sub.2.0.192.in-addr.arpa.
2.sub.2.0.192.in-addr.arpa. 90 IN PTR delegated.example.
1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa. 600 IN PTR six.example.
`

func recordsResolver(t *testing.T, records string) *maildns.Resolver {
	t.Helper()
	z := newZone(t, records)
	z.special = breakNames
	return newResolver(t, maildns.Options{Servers: []string{z.serve(t)}})
}

func TestLookupPTR(t *testing.T) {
	r := recordsResolver(t, reverseWorld)
	tests := []struct {
		addr   string
		status maildns.Status
		names  []string
		ttl    time.Duration
	}{
		{"192.0.2.1", maildns.Found, []string{"host.example", "other.example"}, 600 * time.Second},
		{"::ffff:192.0.2.1", maildns.Found, []string{"host.example", "other.example"}, 600 * time.Second},
		{"192.0.2.2", maildns.Found, []string{"delegated.example"}, 90 * time.Second}, // RFC 2317
		{"2001:db8::1", maildns.Found, []string{"six.example"}, 600 * time.Second},
		{"192.0.2.9", maildns.DomainNotFound, nil, 0},
	}
	for _, tt := range tests {
		got, err := r.LookupPTR(t.Context(), netip.MustParseAddr(tt.addr))
		if err != nil {
			t.Fatal(err)
		}
		if got.Status != tt.status || !slices.Equal(got.Values, tt.names) || got.TTL != tt.ttl {
			t.Errorf("LookupPTR(%s) = %s %q, TTL %s; want %s %q, TTL %s", tt.addr, got.Status, got.Values, got.TTL, tt.status, tt.names, tt.ttl)
		}
	}
	if _, err := r.LookupPTR(t.Context(), netip.Addr{}); err == nil {
		t.Error("LookupPTR(zero Addr) = nil error")
	}
}

func TestLookupAddrs(t *testing.T) {
	r := recordsResolver(t, reverseWorld)
	tests := []struct {
		name   string
		status maildns.Status
		addrs  string
		ttl    time.Duration
		detail string
	}{
		{"host.example", maildns.Found, "[192.0.2.1 10.0.0.1 2001:db8::1]", 60 * time.Second, ""},
		{"Host.Example.", maildns.Found, "[192.0.2.1 10.0.0.1 2001:db8::1]", 60 * time.Second, ""},
		{"v6.example", maildns.Found, "[2001:db8::2]", 500 * time.Second, ""},
		{"servfail6.example", maildns.Found, "[192.0.2.3]", 600 * time.Second, "servfail6.example AAAA: SERVFAIL"},
		{"servfail.example", maildns.Failure, "[]", 0, "servfail.example A: SERVFAIL"},
		{"spf.example", maildns.NoData, "[]", 300 * time.Second, ""},
		{"gone.example", maildns.DomainNotFound, "[]", 300 * time.Second, ""},
	}
	for _, tt := range tests {
		got, err := r.LookupAddrs(t.Context(), tt.name)
		if err != nil {
			t.Fatal(err)
		}
		if s := fmt.Sprint(got.Values); got.Status != tt.status || s != tt.addrs || got.TTL != tt.ttl {
			t.Errorf("LookupAddrs(%s) = %s %s, TTL %s; want %s %s, TTL %s", tt.name, got.Status, s, got.TTL, tt.status, tt.addrs, tt.ttl)
		}
		if !strings.HasPrefix(got.Detail, tt.detail) || (tt.detail == "") != (got.Detail == "") {
			t.Errorf("LookupAddrs(%s).Detail = %q, want %q", tt.name, got.Detail, tt.detail)
		}
		if want := strings.TrimSuffix(strings.ToLower(tt.name), "."); got.Name != want {
			t.Errorf("LookupAddrs(%s).Name = %q, want %q", tt.name, got.Name, want)
		}
	}
	for _, bad := range []string{"", "a..b", strings.Repeat("a", 64) + ".example"} {
		if _, err := r.LookupAddrs(t.Context(), bad); err == nil {
			t.Errorf("LookupAddrs(%q) = nil error", bad)
		}
	}
}

func TestLookupTXT(t *testing.T) {
	r := recordsResolver(t, reverseWorld)
	got, err := r.LookupTXT(t.Context(), "spf.example")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"v=spf1 ip4:192.0.2.1 -all", "a \"quoted\" \\ back\xffslash"}
	if got.Status != maildns.Found || !slices.Equal(got.Values, want) {
		t.Errorf("LookupTXT = %s %q, want found %q", got.Status, got.Values, want)
	}
	if got, err := r.LookupTXT(t.Context(), "servfail.example"); err != nil || got.Status != maildns.Failure {
		t.Errorf("LookupTXT(servfail.example) = %s, %v; want failure", got.Status, err)
	}
}

func TestLookupTXTLimits(t *testing.T) {
	z := newZone(t, "")
	z.special = func(q dns.Question, _, _ bool, m *dns.Msg) *dns.Msg {
		hdr := dns.RR_Header{Name: q.Name, Rrtype: dns.TypeTXT, Class: dns.ClassINET, Ttl: 60}
		long := make([]string, 17)
		for i := range long {
			long[i] = strings.Repeat("x", 255)
		}
		m.Rcode, m.Answer = dns.RcodeSuccess, []dns.RR{&dns.TXT{Hdr: hdr, Txt: long}}
		for range 100 {
			m.Answer = append(m.Answer, &dns.TXT{Hdr: hdr, Txt: []string{"short"}})
		}
		return m
	}
	r := newResolver(t, maildns.Options{Servers: []string{z.serve(t)}})
	got, err := r.LookupTXT(t.Context(), "many.example")
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Values) != 64 || got.Values[0] != "short" {
		t.Errorf("LookupTXT has %d values, the first of %d octets; want 64 and no record over 4096 octets", len(got.Values), len(got.Values[0]))
	}
}
