package maildns_test

import (
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/verimails/verimaild/verify/address"
	"github.com/verimails/verimaild/verify/maildns"
)

// A resolver that invents addresses makes every domain that does not exist its own mail host.
func TestDistrust(t *testing.T) {
	z := newZone(t, exam)
	z.special = func(q dns.Question, _, _ bool, m *dns.Msg) *dns.Msg {
		if m.Rcode == dns.RcodeNameError {
			m.Rcode, m.Ns = dns.RcodeSuccess, nil
			if q.Qtype == dns.TypeA {
				m.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: q.Name, Rrtype: dns.TypeA, Class: dns.ClassINET}, A: []byte{203, 0, 113, 80}}}
			}
		}
		return m
	}
	r := newResolver(t, maildns.Options{Servers: []string{z.serve(t)}, Timeout: 300 * time.Millisecond})
	d, err := address.ParseDomain("gone.example")
	if err != nil {
		t.Fatal(err)
	}
	for _, invents := range []bool{true, false} {
		r.Distrust(invents)
		m, err := r.Lookup(t.Context(), d)
		if err != nil {
			t.Fatal(err)
		}
		if failed := m.Status == maildns.Failure && m.Detail != "" && len(m.Hosts) == 0; failed != invents {
			t.Errorf("Distrust(%v): Lookup() = %s, %d hosts (%s)", invents, m.Status, len(m.Hosts), m.Detail)
		}
	}
}
