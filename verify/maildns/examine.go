package maildns

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// An Examination is how one server that the Resolver asks behaves.
type Examination struct {
	Server string        // host:port
	Took   time.Duration // For one answer over UDP.
	UDP    error         // Why it does not answer over UDP; nil if it does.
	TCP    error         // The same over TCP, which answers that do not fit a datagram need.

	// Invents are names that do not exist and for which it has addresses all the same; Hides are names that exist
	// and of which it says that they do not. Either makes its word about a domain worthless.
	Invents, Hides []string

	// Validates says that it checks DNSSEC signatures; false if it does not, or does not answer.
	Validates bool
}

// Examine asks each server of the Resolver by itself, and not the next one where it fails. absent are names that do not
// exist, present such that do. It takes the time for three unanswered messages at most.
func (r *Resolver) Examine(ctx context.Context, absent, present []string) []Examination {
	set := r.current()
	out := make([]Examination, len(set.servers))
	var wg sync.WaitGroup
	for i, srv := range set.servers {
		out[i].Server = srv.addr
		wg.Go(func() { r.examine(ctx, set, srv, absent, present, &out[i]) })
	}
	wg.Wait()
	return out
}

func (r *Resolver) examine(ctx context.Context, set *settings, srv *server, absent, present []string, out *Examination) {
	// The root is signed, and every resolver knows it, or nearly: some private ones know only names.
	names := append([]string{"."}, present...)
	var m *dns.Msg
	m, out.Took, out.UDP = r.firstAnswer(ctx, set, srv, names, "udp")
	_, _, out.TCP = r.firstAnswer(ctx, set, srv, names, "tcp")
	if out.UDP != nil && out.TCP != nil {
		return
	}
	out.Validates = out.UDP == nil && m.AuthenticatedData
	out.Invents = r.where(ctx, set, srv, absent, func(s section) bool { return len(s.records) > 0 })
	out.Hides = r.where(ctx, set, srv, present, func(s section) bool { return s.nx })
}

// firstAnswer asks for the name servers of names in turn until one is answered, and returns the time for that. The error
// is that of the first; silence ends it.
func (r *Resolver) firstAnswer(ctx context.Context, set *settings, srv *server, names []string, network string) (*dns.Msg, time.Duration, error) {
	var first error
	for _, name := range names {
		start := time.Now()
		m, err := r.askWithAD(ctx, set, srv, dns.Question{Name: dns.Fqdn(name), Qtype: dns.TypeNS, Qclass: dns.ClassINET}, network)
		if err == nil {
			return m, time.Since(start), nil
		}
		if first == nil {
			first = err
		}
		if noContact(err) {
			break
		}
	}
	return nil, 0, first
}

// where lists the names about which the server's answer, if it has a usable one, is as is says.
func (r *Resolver) where(ctx context.Context, set *settings, srv *server, names []string, is func(section) bool) []string {
	var out []string
	for _, name := range names {
		q := dns.Question{Name: dns.Fqdn(name), Qtype: dns.TypeA, Qclass: dns.ClassINET}
		if s, err := r.askServer(ctx, set, srv, q); err == nil && is(s) {
			out = append(out, strings.TrimSuffix(name, "."))
		}
	}
	return out
}

// askWithAD asks one server once, wanting to be told whether the answer was validated, RFC 6840 §5.7.
func (r *Resolver) askWithAD(ctx context.Context, set *settings, srv *server, q dns.Question, network string) (*dns.Msg, error) {
	qy, err := newQuery(q, true)
	if err != nil {
		return nil, err
	}
	const ad = 0x20 // In the fourth octet of the header, RFC 4035 §3.2.3.
	qy.wire[3] |= ad
	ctx, cancel := context.WithTimeout(ctx, set.timeout)
	defer cancel()
	m, err := set.roundTrip(ctx, network, srv.addr, qy)
	switch {
	case err != nil && timedOut(err):
		return nil, errSilent(set.timeout)
	case err != nil:
		return nil, err
	case m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError:
		return nil, fmt.Errorf("%w, asked for the name servers of %s", rcodeError(m), q.Name)
	}
	return m, nil
}
