package maildns_test

import (
	"net"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/verimails/verimaild/verify/maildns"
)

func TestFailover(t *testing.T) {
	good := newZone(t, world)
	goodAddr := good.serve(t)
	answering := func(code int) string {
		z := newZone(t, "")
		z.special = func(_ dns.Question, _, _ bool, m *dns.Msg) *dns.Msg { return rcode(m, code) }
		return z.serve(t)
	}
	tests := []struct {
		name  string
		first string
	}{
		{"nobody listens", closedPort(t)},
		{"SERVFAIL", answering(dns.RcodeServerFailure)},
		{"REFUSED", answering(dns.RcodeRefused)},
		{"FORMERR with and without EDNS", answering(dns.RcodeFormatError)},
		{"NOTIMP", answering(dns.RcodeNotImplemented)},
		{"a code nobody knows", answering(13)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newResolver(t, maildns.Options{Servers: []string{tt.first, goodAddr}})
			if m := lookup(t, r, "plain.example"); m.Status != maildns.Found || m.Server != goodAddr {
				t.Errorf("Lookup = %s by %s (%s), want found by %s", m.Status, m.Server, m.Detail, goodAddr)
			}
			// An NXDOMAIN of a working server is the answer, whatever the other says.
			if m := lookup(t, r, "gone.example"); m.Status != maildns.DomainNotFound {
				t.Errorf("Lookup(gone.example) = %s (%s), want domain_not_found", m.Status, m.Detail)
			}

			alone := newResolver(t, maildns.Options{Servers: []string{tt.first}})
			m := lookup(t, alone, "plain.example")
			if m.Status != maildns.Failure || !strings.Contains(m.Detail, tt.first) || m.TTL != 0 {
				t.Errorf("alone: Lookup = %s, %s, TTL %s; want failure that names %s", m.Status, m.Detail, m.TTL, tt.first)
			}
		})
	}
}

func TestWithoutEDNS(t *testing.T) {
	for _, code := range []int{dns.RcodeFormatError, dns.RcodeNotImplemented, dns.RcodeBadVers} {
		t.Run(dns.RcodeToString[code], func(t *testing.T) {
			z := newZone(t, world)
			z.special = func(_ dns.Question, edns, _ bool, m *dns.Msg) *dns.Msg {
				if !edns {
					return m
				}
				m = rcode(m, code)
				if code == dns.RcodeBadVers {
					return m.SetEdns0(1232, false)
				}
				m.Question = nil // As servers do that could not read the query.
				return m
			}
			r := newResolver(t, maildns.Options{Servers: []string{z.serve(t)}})
			if m := lookup(t, r, "plain.example"); m.Status != maildns.Found {
				t.Errorf("Lookup = %s (%s), want found", m.Status, m.Detail)
			}
		})
	}
}

func TestTruncation(t *testing.T) {
	z := newZone(t, world)
	z.special = func(_ dns.Question, _, tcp bool, m *dns.Msg) *dns.Msg {
		if !tcp {
			m.Truncated, m.Answer = true, m.Answer[:min(len(m.Answer), 1)]
		}
		return m
	}
	r := newResolver(t, maildns.Options{Servers: []string{z.serve(t)}})
	m := lookup(t, r, "plain.example")
	if got, want := hostsText(m.Hosts), "mx1.plain.example 192.0.2.1; mx2.plain.example 192.0.2.2"; got != want {
		t.Errorf("Hosts = %s, want %s", got, want)
	}
	if m := lookup(t, r, "gone.example"); m.Status != maildns.DomainNotFound {
		t.Errorf("Lookup(gone.example) = %s (%s), want domain_not_found", m.Status, m.Detail)
	}

	t.Run("over TCP too", func(t *testing.T) {
		z := newZone(t, world)
		z.special = func(_ dns.Question, _, _ bool, m *dns.Msg) *dns.Msg {
			m.Truncated = true
			return m
		}
		r := newResolver(t, maildns.Options{Servers: []string{z.serve(t)}})
		if m := lookup(t, r, "plain.example"); m.Status != maildns.Failure {
			t.Errorf("Lookup = %s, want failure: half an answer is none", m.Status)
		}
	})
	t.Run("no TCP", func(t *testing.T) {
		pc, err := net.ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		z := newZone(t, world)
		serveRaw(t, pc, func(query *dns.Msg, _ net.Addr) [][]byte {
			m := z.answer(query, "udp")
			m.Truncated = true
			return [][]byte{pack(t, m)}
		})
		r := newResolver(t, maildns.Options{Servers: []string{pc.LocalAddr().String()}})
		if m := lookup(t, r, "plain.example"); m.Status != maildns.Failure {
			t.Errorf("Lookup = %s, want failure", m.Status)
		}
	})
}

func TestTCPOnly(t *testing.T) {
	z := newZone(t, world)
	r := newResolver(t, maildns.Options{Servers: []string{z.serve(t)}, TCP: true})
	if m := lookup(t, r, "plain.example"); m.Status != maildns.Found {
		t.Errorf("Lookup = %s (%s), want found", m.Status, m.Detail)
	}
	if udp, tcp := z.countOver("plain.example.", "MX", "udp"), z.countOver("plain.example.", "MX", "tcp"); udp != 0 || tcp != 1 {
		t.Errorf("MX asked %d times over UDP and %d over TCP, want 0 and 1", udp, tcp)
	}
}

// TestDoubtfulAnswers holds that an answer that contradicts itself, or that the server admits to have made up,
// is a failure: it must not become a statement about the domain.
func TestDoubtfulAnswers(t *testing.T) {
	soa := func(zone string) dns.RR {
		rr, err := dns.NewRR(zone + " 900 IN SOA ns.example. h.example. 1 2 3 4 60")
		if err != nil {
			t.Fatal(err)
		}
		return rr
	}
	ns := func(zone string) dns.RR {
		rr, err := dns.NewRR(zone + " 900 IN NS ns1.elsewhere.")
		if err != nil {
			t.Fatal(err)
		}
		return rr
	}
	policy := func(m *dns.Msg, code uint16) *dns.Msg {
		m.SetEdns0(1232, false)
		opt := m.IsEdns0()
		opt.Option = append(opt.Option, &dns.EDNS0_EDE{InfoCode: code, ExtraText: "see \x07 http://block.example"})
		return m
	}
	tests := []struct {
		name   string
		twist  func(m *dns.Msg) *dns.Msg
		status maildns.Status
		detail string
	}{
		{"NXDOMAIN with the MX asked for", func(m *dns.Msg) *dns.Msg {
			m.Rcode = dns.RcodeNameError
			return m
		}, maildns.Failure, "NXDOMAIN together with"},
		{"NXDOMAIN, blocked by policy", func(m *dns.Msg) *dns.Msg {
			return policy(rcode(m, dns.RcodeNameError), dns.ExtendedErrorCodeBlocked)
		}, maildns.Failure, "Blocked: see"},
		{"no data, filtered by policy", func(m *dns.Msg) *dns.Msg {
			return policy(rcode(m, dns.RcodeSuccess), dns.ExtendedErrorCodeFiltered)
		}, maildns.Failure, "Filtered: see"},
		{"NXDOMAIN with a harmless extended error", func(m *dns.Msg) *dns.Msg {
			return policy(rcode(m, dns.RcodeNameError), dns.ExtendedErrorCodeStaleNXDOMAINAnswer)
		}, maildns.DomainNotFound, ""},
		{"SERVFAIL with a reason", func(m *dns.Msg) *dns.Msg {
			return policy(rcode(m, dns.RcodeServerFailure), dns.ExtendedErrorCodeDNSBogus)
		}, maildns.Failure, "SERVFAIL, DNSSEC Bogus: see"},
		{"a referral", func(m *dns.Msg) *dns.Msg {
			m = rcode(m, dns.RcodeSuccess)
			m.Ns = []dns.RR{ns("example.")}
			return m
		}, maildns.Failure, "a referral"},
		{"no data of an authoritative server, with NS", func(m *dns.Msg) *dns.Msg {
			m = rcode(m, dns.RcodeSuccess)
			m.Authoritative, m.Ns = true, []dns.RR{ns("example."), soa("example.")}
			return m
		}, maildns.NoMailHost, "no address"},
		{"no data, no SOA", func(m *dns.Msg) *dns.Msg {
			return rcode(m, dns.RcodeSuccess)
		}, maildns.NoMailHost, "no address"},
		{"NXDOMAIN, no SOA", func(m *dns.Msg) *dns.Msg {
			return rcode(m, dns.RcodeNameError)
		}, maildns.DomainNotFound, ""},
		{"records of another name", func(m *dns.Msg) *dns.Msg {
			for _, rr := range m.Answer {
				rr.Header().Name = "other.example."
			}
			return m
		}, maildns.Failure, "not asked for"},
		{"records of another class", func(m *dns.Msg) *dns.Msg {
			for i, rr := range m.Answer {
				rr = dns.Copy(rr)
				rr.Header().Class = dns.ClassCHAOS
				m.Answer[i] = rr
			}
			return m
		}, maildns.Failure, "not asked for"},
		{"MX without data", func(m *dns.Msg) *dns.Msg {
			if m.Question[0].Qtype == dns.TypeMX {
				m.Answer = []dns.RR{&dns.ANY{Hdr: dns.RR_Header{Name: "plain.example.", Rrtype: dns.TypeMX, Class: dns.ClassINET}}}
			}
			return m
		}, maildns.Failure, "MX records without a host"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			z := newZone(t, world)
			z.special = func(_ dns.Question, _, _ bool, m *dns.Msg) *dns.Msg {
				m = m.Copy()
				m.Ns = nil
				return tt.twist(m)
			}
			r := newResolver(t, maildns.Options{Servers: []string{z.serve(t)}})
			m := lookup(t, r, "plain.example")
			if m.Status != tt.status || !strings.Contains(m.Detail, tt.detail) {
				t.Errorf("Lookup = %s (%s), want %s (%s)", m.Status, m.Detail, tt.status, tt.detail)
			}
			if strings.ContainsFunc(m.Detail, func(c rune) bool { return c < ' ' || c > '~' }) {
				t.Errorf("Detail = %q, want printable ASCII", m.Detail)
			}
		})
	}
}

// TestNegativeTTL holds RFC 2308 §5: the lesser of the SOA's TTL and MINIMUM, of the zone that the name is in.
func TestNegativeTTL(t *testing.T) {
	tests := []struct {
		name, soa string
		want      int
	}{
		{"minimum", "example. 900 IN SOA ns. h. 1 2 3 4 60", 60},
		{"TTL", "example. 30 IN SOA ns. h. 1 2 3 4 600", 30},
		{"of the root", ". 900 IN SOA ns. h. 1 2 3 4 60", 60},
		{"of another zone", "other. 900 IN SOA ns. h. 1 2 3 4 60", 0},
		{"of a zone below", "x.gone.example. 900 IN SOA ns. h. 1 2 3 4 60", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			z := newZone(t, "")
			z.special = func(_ dns.Question, _, _ bool, m *dns.Msg) *dns.Msg {
				rr, err := dns.NewRR(tt.soa)
				if err != nil {
					t.Error(err)
				}
				m.Rcode, m.Ns = dns.RcodeNameError, []dns.RR{rr}
				return m
			}
			r := newResolver(t, maildns.Options{Servers: []string{z.serve(t)}})
			m := lookup(t, r, "gone.example")
			if m.Status != maildns.DomainNotFound || int(m.TTL.Seconds()) != tt.want {
				t.Errorf("Lookup = %s, TTL %s; want domain_not_found, %ds", m.Status, m.TTL, tt.want)
			}
		})
	}
}

// TestLameNXDOMAIN has a server that calls the target of a CNAME missing without knowing about it.
func TestLameNXDOMAIN(t *testing.T) {
	z := newZone(t, world)
	z.special = func(q dns.Question, _, _ bool, m *dns.Msg) *dns.Msg {
		if q.Name == "alias.example." {
			m.Answer, m.Ns, m.Rcode = m.Answer[:1], nil, dns.RcodeNameError
		}
		return m
	}
	r := newResolver(t, maildns.Options{Servers: []string{z.serve(t)}})
	if m := lookup(t, r, "alias.example"); m.Status != maildns.Found {
		t.Errorf("Lookup = %s (%s), want found: the target exists", m.Status, m.Detail)
	}
	if n := z.count("plain.example.", "MX"); n != 1 {
		t.Errorf("the target's MX was asked for %d times, want 1", n)
	}
}

// TestEmptyAnswerOfAStranger has a server that says nothing about a domain that has mail hosts, as one does that neither
// recurses nor has the zone. Only a server that can know may say that there is nothing.
func TestEmptyAnswerOfAStranger(t *testing.T) {
	for _, row := range []struct {
		name                     string
		recursive, authoritative bool
		nx                       bool
		want                     maildns.Status
	}{
		{name: "neither recursive nor authoritative", want: maildns.Failure},
		{name: "the same, and NXDOMAIN", nx: true, want: maildns.Failure},
		{name: "recursive", recursive: true, want: maildns.NoMailHost},
		{name: "authoritative", authoritative: true, want: maildns.NoMailHost},
		{name: "recursive, and NXDOMAIN", recursive: true, nx: true, want: maildns.DomainNotFound},
	} {
		t.Run(row.name, func(t *testing.T) {
			z := newZone(t, world)
			z.special = func(_ dns.Question, _, _ bool, m *dns.Msg) *dns.Msg {
				m.Answer, m.Ns, m.Rcode = nil, nil, dns.RcodeSuccess
				m.RecursionAvailable, m.Authoritative = row.recursive, row.authoritative
				if row.nx {
					m.Rcode = dns.RcodeNameError
				}
				return m
			}
			r := newResolver(t, maildns.Options{Servers: []string{z.serve(t)}})
			if m := lookup(t, r, "plain.example"); m.Status != row.want {
				t.Errorf("Lookup = %s (%s), want %s", m.Status, m.Detail, row.want)
			}
		})
	}
}
