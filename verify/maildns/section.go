package maildns

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/miekg/dns"
)

const (
	// maxChain is how many CNAMEs are followed from one name.
	maxChain = 16

	// maxRecords is how many records of one message are read.
	maxRecords = 1024

	// maxTTL is the longest time a record is believed; more is a slip of the pen or malice, RFC 8767 §4.
	maxTTL = 7 * 24 * time.Hour
)

// A section is what one message says about a question: the records at the end of the chain of CNAMEs that
// starts at the question's name, or that there are none.
type section struct {
	server  string
	end     string // The name at the end of the chain, canonical.
	hops    int    // CNAMEs from the question's name to end.
	records []dns.RR
	nx      bool // NXDOMAIN, which is about end, RFC 6604 §2.
	settled bool // The message knows about end: it has its records, or the SOA of its zone, or end is the question's name.

	// ttl is the least of the chain, the records and, if there are none, the negative TTL.
	ttl time.Duration
}

// readSection reads m, the answer of server to q. The error says why m is no evidence about q's name.
func readSection(m *dns.Msg, q dns.Question, server string) (section, error) {
	if ede := extendedError(m); ede != nil && madeUp(ede.InfoCode) {
		return section{}, fmt.Errorf("an answer made up by policy, %s", describe(ede))
	}
	if m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError {
		return section{}, rcodeError(m)
	}
	s := section{server: server, end: dns.CanonicalName(q.Name), nx: m.Rcode == dns.RcodeNameError, ttl: maxTTL}
	if err := s.walk(m.Answer, q.Qtype); err != nil {
		return section{}, err
	}
	switch {
	case len(s.records) > 0 && s.nx:
		return section{}, errors.New("NXDOMAIN together with the records asked for")
	case len(s.records) > 0:
		s.settled = true
		return s, nil
	}
	if len(m.Answer) > 0 && s.hops == 0 {
		return section{}, errors.New("only records that were not asked for")
	}
	negative, known := negativeTTL(m.Ns, s.end)
	s.settled = s.hops == 0 || known
	if s.settled {
		s.ttl = min(s.ttl, negative)
	}
	switch {
	case s.hops > 0 || known || m.Authoritative:
	case !m.RecursionAvailable:
		return section{}, errors.New("nothing, from a server that neither recurses nor is authoritative")
	case !s.nx && isReferral(m):
		return section{}, errors.New("a referral instead of an answer: not a recursive server")
	}
	return s, nil
}

// walk follows the CNAMEs in answer from s.end and gathers the records of type qtype there.
// Records that belong to no name of the chain are passed over, RFC 5452 §6.
func (s *section) walk(answer []dns.RR, qtype uint16) error {
	answer = answer[:min(len(answer), maxRecords)]
	aliases := make(map[string]*dns.CNAME)
	for _, rr := range answer {
		if c, ok := rr.(*dns.CNAME); ok && c.Hdr.Class == dns.ClassINET {
			if name := dns.CanonicalName(c.Hdr.Name); aliases[name] == nil {
				aliases[name] = c
			}
		}
	}
	seen := map[string]bool{s.end: true}
	for {
		s.gather(answer, qtype)
		alias := aliases[s.end]
		if len(s.records) > 0 || alias == nil {
			return nil
		}
		s.end = dns.CanonicalName(alias.Target)
		s.ttl = min(s.ttl, ttlOf(alias.Hdr.Ttl))
		if s.hops++; s.hops > maxChain || seen[s.end] {
			return errChain
		}
		seen[s.end] = true
	}
}

// gather takes the records of type qtype at s.end from answer.
func (s *section) gather(answer []dns.RR, qtype uint16) {
	for _, rr := range answer {
		h := rr.Header()
		if h.Rrtype == qtype && h.Class == dns.ClassINET && strings.EqualFold(h.Name, s.end) {
			s.records = append(s.records, rr)
			s.ttl = min(s.ttl, ttlOf(h.Ttl))
		}
	}
}

// errChain says that a chain of CNAMEs has no end that we care to reach.
var errChain = fmt.Errorf("a chain of more than %d CNAMEs, or a loop", maxChain)

// ttlOf is a TTL as the wire has it; with the top bit set it means 0, RFC 2181 §8.
func ttlOf(ttl uint32) time.Duration {
	if ttl > 1<<31-1 {
		return 0
	}
	return min(time.Duration(ttl)*time.Second, maxTTL)
}

// negativeTTL is for how long the absence of records at name is known by the authority section ns: the lesser of
// TTL and MINIMUM of its zone's SOA, RFC 2308 §5. known is false, and the time 0, if there is no SOA of a
// zone that name can be in.
func negativeTTL(ns []dns.RR, name string) (ttl time.Duration, known bool) {
	for _, rr := range ns[:min(len(ns), maxRecords)] {
		if soa, ok := rr.(*dns.SOA); ok && soa.Hdr.Class == dns.ClassINET && dns.IsSubDomain(soa.Hdr.Name, name) {
			return min(ttlOf(soa.Hdr.Ttl), ttlOf(soa.Minttl)), true
		}
	}
	return 0, false
}

// isReferral says whether m, which has no SOA, sends us to other servers, RFC 2308 §2.2: from a server that does not
// recurse it must not be taken for "no data".
func isReferral(m *dns.Msg) bool {
	for _, rr := range m.Ns {
		if rr.Header().Rrtype == dns.TypeNS {
			return true
		}
	}
	return false
}

// extendedError returns the first extended DNS error of m, nil if there is none.
func extendedError(m *dns.Msg) *dns.EDNS0_EDE {
	opt := m.IsEdns0()
	if opt == nil {
		return nil
	}
	for _, o := range opt.Option {
		if ede, ok := o.(*dns.EDNS0_EDE); ok {
			return ede
		}
	}
	return nil
}

// madeUp says whether a server that gives this code admits that its answer is its own invention,
// RFC 8914 §4.5 and §4.16 to §4.19. Such an answer tells of the resolver's policy and not of the domain.
func madeUp(code uint16) bool {
	switch code {
	case dns.ExtendedErrorCodeForgedAnswer, dns.ExtendedErrorCodeBlocked, dns.ExtendedErrorCodeCensored,
		dns.ExtendedErrorCodeFiltered, dns.ExtendedErrorCodeProhibited:
		return true
	}
	return false
}

// rcodeError puts a response code other than NOERROR and NXDOMAIN into words, with the server's own reason if it has one.
func rcodeError(m *dns.Msg) error {
	code, ok := dns.RcodeToString[m.Rcode]
	if !ok {
		code = fmt.Sprintf("response code %d", m.Rcode)
	}
	if ede := extendedError(m); ede != nil {
		return fmt.Errorf("%s, %s", code, describe(ede))
	}
	return errors.New(code)
}

// describe names an extended error; its text is the server's, so only a little of it is repeated.
func describe(ede *dns.EDNS0_EDE) string {
	name, ok := dns.ExtendedErrorCodeToString[ede.InfoCode]
	if !ok {
		name = fmt.Sprintf("code %d", ede.InfoCode)
	}
	if ede.ExtraText == "" {
		return name
	}
	return fmt.Sprintf("%s: %.80s", name, ede.ExtraText)
}
