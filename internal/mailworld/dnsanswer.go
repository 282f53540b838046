package mailworld

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// maxChain bounds the CNAMEs that one answer follows.
const maxChain = 16

// A Query is one DNS query and what became of it.
type Query struct {
	At      time.Time
	Client  netip.AddrPort
	Network string // "udp" or "tcp".
	Name    string // Without the final dot, in lower case.
	Type    string // "MX", "A", …
	Rcode   string // "NOERROR", …; "" if it was not answered.
}

// An answer is what is sent back, and when. A nil message is not sent.
type answer struct {
	msg  []byte
	wait time.Duration
}

// answer answers one query, which came over UDP or TCP.
func (w *World) answer(packet []byte, network string, client netip.AddrPort) answer {
	q := new(dns.Msg)
	if q.Unpack(packet) != nil || q.Response || len(q.Question) != 1 {
		return answer{}
	}
	name := canonical(q.Question[0].Name)
	kind := dns.TypeToString[q.Question[0].Qtype]
	d, _ := w.zone.lookup(name)
	reply, a, fault := w.zone.resolve(w, q), answer{}, Answer
	if d != nil {
		a.wait = d.spec.Slow
		fault = d.faultNow(kind, network)
		reply = fault.spoil(reply, q, network)
	}
	rcode := ""
	if reply != nil {
		rcode = dns.RcodeToString[reply.Rcode]
		a.msg = pack(reply, q, network)
	}
	if fault == Garbage {
		a.msg = []byte("\x00\x01garbage")
	}
	w.rec.query(Query{At: time.Now(), Client: client, Network: network, Name: name, Type: kind, Rcode: rcode})
	return a
}

// pack makes the bytes of a reply, cut to what the client takes over UDP.
func pack(reply, q *dns.Msg, network string) []byte {
	size := dns.MinMsgSize
	if opt := q.IsEdns0(); opt != nil && reply.Rcode != dns.RcodeFormatError {
		size = max(size, int(opt.UDPSize()))
		reply.SetEdns0(1232, false)
	}
	if network == "udp" && reply.Len() > size {
		reply.Truncate(size)
	}
	out, err := reply.Pack()
	if err != nil { // A spec with a name that is none.
		fail := new(dns.Msg).SetRcode(q, dns.RcodeServerFailure)
		out, _ = fail.Pack() // It repeats a question that was unpacked.
	}
	return out
}

// fault is what goes wrong with queries of this type.
func (d *domain) fault(kind string) Fault {
	if f, ok := d.spec.Faults[kind]; ok {
		return f
	}
	return d.spec.Fault
}

// faultNow is what goes wrong with this query.
func (d *domain) faultNow(kind, network string) Fault {
	f := d.fault(kind)
	if f != Answer || d.spec.Vary == nil {
		return f
	}
	return d.spec.Vary(int(d.asked.Add(1)), kind, network)
}

// spoil turns a good reply into what the fault makes of it; nil for no reply.
func (f Fault) spoil(reply, q *dns.Msg, network string) *dns.Msg {
	udp := network == "udp"
	switch {
	case f == ServFail:
		return new(dns.Msg).SetRcode(q, dns.RcodeServerFailure)
	case f == Refused:
		return new(dns.Msg).SetRcode(q, dns.RcodeRefused)
	case f == FormatError && q.IsEdns0() != nil:
		return new(dns.Msg).SetRcode(q, dns.RcodeFormatError)
	case f == NoAnswer, f == NoAnswerUDP && udp, f == TruncateMute && !udp:
		return nil
	case (f == Truncate || f == TruncateMute) && udp:
		cut := new(dns.Msg).SetReply(q)
		cut.Truncated, cut.Authoritative, cut.RecursionAvailable = true, true, true
		return cut
	case f == WrongID:
		reply.Id++
	case f == Lame:
		return new(dns.Msg).SetReply(q)
	}
	return reply
}

// resolve answers from the zone as a resolver would: authoritative, aliases followed.
func (z *zone) resolve(w *World, q *dns.Msg) *dns.Msg {
	m := new(dns.Msg).SetReply(q)
	m.Authoritative, m.RecursionAvailable = true, true
	name, kind := canonical(q.Question[0].Name), q.Question[0].Qtype
	owner := q.Question[0].Name // The first owner keeps the case of the question (0x20).
	for range maxChain {
		d, ok := z.lookup(name)
		if !ok {
			z.absent(m, w, name, owner, kind)
			return m
		}
		if d.spec.Fault == NXDomain || d.spec.Faults[dns.TypeToString[kind]] == NXDomain {
			m.Rcode = dns.RcodeNameError
			m.Ns = append(m.Ns, w.soa(name))
			return m
		}
		head := dns.RR_Header{Name: owner, Class: dns.ClassINET, Ttl: seconds(orDuration(d.spec.TTL, defaultTTL))}
		if d.spec.CNAME == "" || kind == dns.TypeCNAME {
			m.Answer = append(m.Answer, d.records(head, kind)...)
			if len(m.Answer) == 0 || m.Answer[len(m.Answer)-1].Header().Rrtype == dns.TypeCNAME && kind != dns.TypeCNAME {
				m.Ns = append(m.Ns, w.soa(name))
			}
			return m
		}
		head.Rrtype = dns.TypeCNAME
		m.Answer = append(m.Answer, &dns.CNAME{Hdr: head, Target: dns.Fqdn(d.spec.CNAME)})
		name = canonical(d.spec.CNAME)
		owner = dns.Fqdn(name)
	}
	return m
}

// absent answers for a name that has no domain: a reverse name, an empty one, or one that does not exist.
func (z *zone) absent(m *dns.Msg, w *World, name, owner string, kind uint16) {
	if ptr, ok := z.reverse(name); ok {
		if kind == dns.TypePTR {
			head := dns.RR_Header{Name: owner, Rrtype: dns.TypePTR, Class: dns.ClassINET, Ttl: seconds(defaultTTL)}
			m.Answer = append(m.Answer, &dns.PTR{Hdr: head, Ptr: dns.Fqdn(ptr)})
			return
		}
	} else if z.elsewhere(name) {
		m.Rcode = dns.RcodeRefused
		return
	} else if !z.exists(name) {
		m.Rcode = dns.RcodeNameError
	}
	m.Ns = append(m.Ns, w.soa(name))
}

// elsewhere reports whether the world has nothing to say about a name.
func (z *zone) elsewhere(name string) bool {
	top := name[strings.LastIndexByte(name, '.')+1:]
	return z.only != nil && top != "arpa" && !slices.Contains(z.only, top)
}

// reverse returns the host name of an in-addr.arpa name.
func (z *zone) reverse(name string) (string, bool) {
	v4, ok := strings.CutSuffix(name, ".in-addr.arpa")
	if !ok {
		return "", false
	}
	parts := strings.Split(v4, ".")
	slices.Reverse(parts)
	a, err := netip.ParseAddr(strings.Join(parts, "."))
	if err != nil {
		return "", false
	}
	ptr, ok := z.ptr[a]
	return ptr, ok
}

// records are the domain's records of a type, with head but for its type.
func (d *domain) records(head dns.RR_Header, kind uint16) []dns.RR {
	head.Rrtype = kind
	var out []dns.RR
	switch kind {
	case dns.TypeMX:
		for _, mx := range d.spec.MX {
			out = append(out, &dns.MX{Hdr: head, Preference: mx.Preference, Mx: dns.Fqdn(mx.Host)})
		}
	case dns.TypeA:
		for _, a := range d.addrs(true) {
			out = append(out, &dns.A{Hdr: head, A: a.AsSlice()})
		}
	case dns.TypeAAAA:
		for _, a := range d.addrs(false) {
			out = append(out, &dns.AAAA{Hdr: head, AAAA: a.AsSlice()})
		}
	case dns.TypeTXT:
		for _, t := range d.txt {
			out = append(out, &dns.TXT{Hdr: head, Txt: slices.Collect(chunks(t))})
		}
	case dns.TypeCNAME:
		if d.spec.CNAME != "" {
			out = append(out, &dns.CNAME{Hdr: head, Target: dns.Fqdn(d.spec.CNAME)})
		}
	}
	return out
}

// chunks are the pieces of at most 255 bytes that a TXT record consists of.
func chunks(t string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for len(t) > 255 {
			if !yield(t[:255]) {
				return
			}
			t = t[255:]
		}
		yield(t)
	}
}

// soa is the record that says how long the absence of something under name may be remembered, RFC 2308.
// Zones are cut below the second label.
func (w *World) soa(name string) dns.RR {
	labels := dns.SplitDomainName(name)
	zone := dns.Fqdn(strings.Join(labels[max(0, len(labels)-2):], "."))
	ttl := seconds(orDuration(w.spec.NegativeTTL, defaultNegativeTTL))
	return &dns.SOA{
		Hdr: dns.RR_Header{Name: zone, Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: ttl},
		Ns:  "ns." + zone, Mbox: "hostmaster." + zone, Serial: 1, Refresh: 7200, Retry: 3600, Expire: 1209600, Minttl: ttl,
	}
}

func seconds(d time.Duration) uint32 { return uint32(d / time.Second) } //nolint:gosec // G115: a TTL that a test chose.

// query keeps a query.
func (r *record) query(q Query) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.queried++
	if !r.countOnly {
		r.queries = append(r.queries, q)
	}
}

// Queries returns the DNS queries so far for a name, for all names if name is "". With Spec.CountersOnly there are none.
func (w *World) Queries(name string) []Query {
	w.rec.mu.Lock()
	defer w.rec.mu.Unlock()
	if name == "" {
		return slices.Clone(w.rec.queries)
	}
	var out []Query
	for _, q := range w.rec.queries {
		if q.Name == canonical(name) {
			out = append(out, q)
		}
	}
	return out
}
