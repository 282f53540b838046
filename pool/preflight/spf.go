package preflight

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"

	spflib "blitiri.com.ar/go/spf"
)

// spf evaluates the SPF record of the sender's domain for an address, as a receiver does, RFC 7208 §4.
func (x *exam) spf(ctx context.Context, id *identity) finding {
	answer := func(st State, what, advice string) finding { return id.finding(CheckSPF, Warning, st, what, advice) }
	if !id.public.IsValid() {
		return answer(Unknown, "cannot tell: "+id.unseen(), id.advice)
	}
	d := x.senderDomain()
	advice := fmt.Sprintf("Publish one TXT record for %s such as %q.", d, x.spfRecord())
	result, err := spflib.CheckHostWithSender(id.public.AsSlice(), id.EHLO, x.opts.Sender,
		spflib.WithContext(ctx), spflib.WithResolver(spfDNS{x.opts.DNS}))
	switch result {
	case spflib.Pass:
		return answer(OK, fmt.Sprintf("the SPF record of %s has %v", d, id.public), "")
	case spflib.None:
		return answer(Bad, fmt.Sprintf("%s has no SPF record", d), advice)
	case spflib.Fail, spflib.SoftFail, spflib.Neutral:
		return answer(Bad, fmt.Sprintf("the SPF record of %s does not have %v (%s)", d, id.public, result),
			fmt.Sprintf("Add %s to the SPF record of %s.", spfTerm(id.public), d))
	case spflib.PermError:
		return answer(Bad, fmt.Sprintf("the SPF record of %s cannot be used: %s", d, reasonOf(err)), advice)
	default:
		return answer(Unknown, fmt.Sprintf("the SPF record of %s could not be looked up: %s", d, reasonOf(err)), resolverAdvice)
	}
}

// spfRecord is a record that has all sources.
func (x *exam) spfRecord() string {
	terms := []string{"v=spf1"}
	for i := range x.opts.Sources {
		s := &x.opts.Sources[i]
		for _, id := range []identity{
			{Source: s, family: IPv4, public: s.PublicIPv4}, {Source: s, family: IPv6, public: s.PublicIPv6},
		} {
			local := s.IPv4
			if id.family == IPv6 {
				local = s.IPv6
			}
			if x.identify(&id, local); id.public.IsValid() {
				terms = append(terms, spfTerm(id.public))
			}
		}
	}
	if len(terms) == 1 {
		terms = append(terms, "a", "mx")
	}
	return strings.Join(append(terms, "-all"), " ")
}

func spfTerm(a netip.Addr) string {
	if a.Is4() {
		return "ip4:" + a.String()
	}
	return "ip6:" + a.String()
}

func reasonOf(err error) string {
	if err == nil {
		return "no reason given"
	}
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		return sayable(e.Name + ": " + e.Err)
	}
	return sayable(err.Error())
}

// spfDNS answers the questions of an SPF evaluation. A look-up that failed is a temporary error, a record that is not
// there an absent one: RFC 7208 §5 treats them differently.
type spfDNS struct{ dns DNS }

// asked is an answer in the words of the net package.
func asked[T any](name string, a Answer[T]) ([]T, error) {
	switch a.Status {
	case Found:
		return a.Values, nil
	case Absent:
		return nil, &net.DNSError{Err: "no such record", Name: name, IsNotFound: true}
	default:
		return nil, &net.DNSError{Err: a.Detail, Name: name, IsTemporary: true}
	}
}

func (d spfDNS) LookupTXT(ctx context.Context, name string) ([]string, error) {
	return asked(name, d.dns.TXT(ctx, name))
}

func (d spfDNS) LookupMX(ctx context.Context, name string) ([]*net.MX, error) {
	list, err := asked(name, d.dns.MX(ctx, name))
	out := make([]*net.MX, len(list))
	for i, mx := range list {
		out[i] = &net.MX{Host: mx.Host, Pref: mx.Preference}
	}
	return out, err
}

func (d spfDNS) LookupIPAddr(ctx context.Context, host string) ([]net.IPAddr, error) {
	list, err := asked(host, d.dns.Addrs(ctx, host))
	out := make([]net.IPAddr, len(list))
	for i, a := range list {
		out[i] = net.IPAddr{IP: a.Unmap().AsSlice()}
	}
	return out, err
}

func (d spfDNS) LookupAddr(ctx context.Context, addr string) ([]string, error) {
	a, err := netip.ParseAddr(addr)
	if err != nil {
		return nil, &net.DNSError{Err: "no such record", Name: addr, IsNotFound: true}
	}
	return asked(addr, d.dns.PTR(ctx, a))
}
