package maildns_test

import (
	"slices"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/verimails/verimaild/verify/maildns"
)

const exam = `
.                   3600 IN NS a.root.
there.example.       600 IN A 192.0.2.1
example.            3600 IN SOA ns.example. h.example. 1 2 3 4 300
`

// TestExamine asks servers that behave in one way or another.
func TestExamine(t *testing.T) {
	for _, row := range []struct {
		name           string
		special        func(q dns.Question, edns, tcp bool, m *dns.Msg) *dns.Msg
		udp, tcp       bool // It answers.
		invents, hides []string
		validates      bool
	}{
		{name: "honest", udp: true, tcp: true},
		{name: "validating", udp: true, tcp: true, validates: true, special: func(_ dns.Question, _, _ bool, m *dns.Msg) *dns.Msg {
			m.AuthenticatedData = true
			return m
		}},
		{name: "no TCP", udp: true, special: func(_ dns.Question, _, tcp bool, m *dns.Msg) *dns.Msg {
			if tcp {
				return nil
			}
			return m
		}},
		{name: "refusing", special: func(_ dns.Question, _, _ bool, m *dns.Msg) *dns.Msg {
			m.Rcode, m.Answer = dns.RcodeRefused, nil
			return m
		}},
		{name: "silent", special: func(dns.Question, bool, bool, *dns.Msg) *dns.Msg { return nil }},
		{name: "inventing", udp: true, tcp: true, invents: []string{"gone.example"}, special: func(q dns.Question, _, _ bool, m *dns.Msg) *dns.Msg {
			if m.Rcode == dns.RcodeNameError {
				m.Rcode, m.Ns = dns.RcodeSuccess, nil
				m.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: q.Name, Rrtype: dns.TypeA, Class: dns.ClassINET}, A: []byte{203, 0, 113, 80}}}
			}
			return m
		}},
		{name: "hiding", udp: true, tcp: true, hides: []string{"there.example"}, special: func(q dns.Question, _, _ bool, m *dns.Msg) *dns.Msg {
			if q.Name == "there.example." {
				m.Rcode, m.Answer = dns.RcodeNameError, nil
			}
			return m
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			z := newZone(t, exam)
			z.special = row.special
			r := newResolver(t, maildns.Options{Servers: []string{z.serve(t)}, Timeout: 300 * time.Millisecond})
			list := r.Examine(t.Context(), []string{"gone.example"}, []string{"there.example."})
			if len(list) != 1 {
				t.Fatalf("Examine() = %d servers, want 1", len(list))
			}
			got := list[0]
			if (got.UDP == nil) != row.udp || (got.TCP == nil) != row.tcp || got.Validates != row.validates {
				t.Errorf("Examine() = UDP %v, TCP %v, validates %t, want answers %t, %t, %t", got.UDP, got.TCP, got.Validates, row.udp, row.tcp, row.validates)
			}
			if !slices.Equal(got.Invents, row.invents) || !slices.Equal(got.Hides, row.hides) {
				t.Errorf("Examine() = invents %q, hides %q, want %q, %q", got.Invents, got.Hides, row.invents, row.hides)
			}
		})
	}
}

func TestLookupMX(t *testing.T) {
	r := recordsResolver(t, reverseWorld+`
mx.example.   300 IN MX 10 Host.Example.
mx.example.   300 IN MX 20 v6.example.
null.example. 300 IN MX 0 .
`)
	for _, row := range []struct {
		name   string
		status maildns.Status
		want   []maildns.MX
	}{
		{"mx.example", maildns.Found, []maildns.MX{{Host: "host.example", Preference: 10}, {Host: "v6.example", Preference: 20}}},
		{"null.example", maildns.Found, []maildns.MX{{}}},
		{"host.example", maildns.NoData, nil},
		{"gone.example", maildns.DomainNotFound, nil},
		{"servfail.example", maildns.Failure, nil},
	} {
		got, err := r.LookupMX(t.Context(), row.name)
		if err != nil || got.Status != row.status || !slices.Equal(got.Values, row.want) {
			t.Errorf("LookupMX(%s) = %s %v, %v, want %s %v", row.name, got.Status, got.Values, err, row.status, row.want)
		}
	}
}

func TestLookupIPv4(t *testing.T) {
	z := newZone(t, reverseWorld)
	r := newResolver(t, maildns.Options{Servers: []string{z.serve(t)}})
	got, err := r.LookupIPv4(t.Context(), "host.example")
	if err != nil || got.Status != maildns.Found || len(got.Values) != 2 || got.Name != "host.example" {
		t.Errorf("LookupIPv4() = %+v, %v, want two addresses", got, err)
	}
	if got := z.count("host.example.", "AAAA"); got != 0 {
		t.Errorf("AAAA was asked for %d times, want 0", got)
	}
}
