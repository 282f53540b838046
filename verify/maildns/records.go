package maildns

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

const (
	maxNames   = 64   // PTR names of one address.
	maxTexts   = 64   // TXT records of one name.
	maxTextLen = 4096 // Octets of one TXT record.
)

// Records are the records of one type at one name, all CNAMEs followed.
type Records[T any] struct {
	Name   string        // As asked, in lower case, without the dot at the end.
	Status Status        // Found, NoData, DomainNotFound, Timeout or Failure.
	Values []T           // Only if Found.
	TTL    time.Duration // For how long this holds, at most 7 days; 0 if the DNS names no time or failed.
	Detail string        // What went wrong, in printable ASCII; "" if nothing did.
	Server string        // Who answered; "" if nobody did.
}

// LookupAddrs returns the IPv4 and then the IPv6 addresses of name as the DNS has them: the guard is not
// asked. If one family could not be looked up and the other has addresses, the status is Found, and
// Detail tells. The error is ctx's, [ErrClosed], or that name is no name of the DNS.
func (r *Resolver) LookupAddrs(ctx context.Context, name string) (Records[netip.Addr], error) {
	set, err := r.begin(ctx, name)
	if err != nil {
		return Records[netip.Addr]{}, err
	}
	return merge(r.families(ctx, set, dns.Fqdn(name))), r.ended(ctx, name)
}

// LookupIPv4 is LookupAddrs for A records alone.
func (r *Resolver) LookupIPv4(ctx context.Context, name string) (Records[netip.Addr], error) {
	set, err := r.begin(ctx, name)
	if err != nil {
		return Records[netip.Addr]{}, err
	}
	recs := r.addrs(ctx, set, dns.Fqdn(name), dns.TypeA)
	recs.Name = hostName(name)
	return recs, r.ended(ctx, name)
}

// LookupPTR returns the host names that a's reverse zone gives, in lower case, without the dot at the end; at most 64. The
// names are as hostile as whoever owns the zone. The error is ctx's, [ErrClosed], or that a is the zero Addr.
func (r *Resolver) LookupPTR(ctx context.Context, a netip.Addr) (Records[string], error) {
	name, err := dns.ReverseAddr(a.WithZone("").Unmap().String())
	if err != nil {
		return Records[string]{}, fmt.Errorf("maildns: no address to look up: %w", err)
	}
	return lookup(ctx, r, name, dns.TypePTR, maxNames, func(rr dns.RR) (string, bool) {
		ptr, ok := rr.(*dns.PTR)
		if !ok || ptr.Ptr == "" {
			return "", false
		}
		return hostName(ptr.Ptr), true
	})
}

// LookupTXT returns the TXT records of name, the strings of each joined without a space (as RFC 7208 §3.3 has it); at most
// 64 of at most 4096 octets, longer ones are left out. They hold whatever octets the zone's owner likes. The
// error is as LookupAddrs'.
func (r *Resolver) LookupTXT(ctx context.Context, name string) (Records[string], error) {
	return lookup(ctx, r, name, dns.TypeTXT, maxTexts, func(rr dns.RR) (string, bool) {
		txt, ok := rr.(*dns.TXT)
		if !ok {
			return "", false
		}
		s := unescape(strings.Join(txt.Txt, ""))
		return s, len(s) <= maxTextLen
	})
}

// lookup asks for records of type kind and turns each into a value by read, which says whether it is one.
func lookup[T any](ctx context.Context, r *Resolver, name string, kind uint16, limit int, read func(dns.RR) (T, bool)) (Records[T], error) {
	set, err := r.begin(ctx, name)
	if err != nil {
		return Records[T]{}, err
	}
	return valuesOf(name, r.question(ctx, set, dns.Fqdn(name), kind), limit, read), r.ended(ctx, name)
}

// begin returns the settings to look name up with.
func (r *Resolver) begin(ctx context.Context, name string) (*settings, error) {
	if _, ok := dns.IsDomainName(name); !ok || name == "" {
		return nil, fmt.Errorf("maildns: %.80q: not a name of the DNS", name)
	}
	if err := r.ended(ctx, name); err != nil {
		return nil, err
	}
	return r.current(), nil
}

// ended returns why a lookup of name could not run to its end on our side, nil if it could.
func (r *Resolver) ended(ctx context.Context, name string) error {
	err := ctx.Err()
	if err == nil && r.questions.isClosed() {
		err = ErrClosed
	}
	if err != nil {
		return fmt.Errorf("look up %s: %w", name, err)
	}
	return nil
}

// valuesOf reads out's records. If there are some and none can be read, that is a Failure, and not "no data".
func valuesOf[T any](name string, out outcome, limit int, read func(dns.RR) (T, bool)) Records[T] {
	recs := Records[T]{Name: hostName(name), Status: out.status, TTL: out.ttl, Detail: out.detail, Server: out.server}
	for _, rr := range out.records {
		if v, ok := read(rr); ok && len(recs.Values) < limit {
			recs.Values = append(recs.Values, v)
		}
	}
	if out.status == Found && len(recs.Values) == 0 {
		recs.Status, recs.TTL, recs.Detail = Failure, 0, clip(recs.Name+": records that can't be read, from "+out.server)
	}
	return recs
}

// addrs asks for the addresses of name of one family, kind being A or AAAA.
func (r *Resolver) addrs(ctx context.Context, set *settings, name string, kind uint16) Records[netip.Addr] {
	return valuesOf(name, r.question(ctx, set, name, kind), maxRecords, func(rr dns.RR) (netip.Addr, bool) {
		switch rr := rr.(type) {
		case *dns.A:
			return netip.AddrFromSlice(rr.A.To4())
		case *dns.AAAA:
			return netip.AddrFromSlice(rr.AAAA)
		}
		return netip.Addr{}, false
	})
}

// families asks for the addresses of name of both families at once.
func (r *Resolver) families(ctx context.Context, set *settings, name string) (v4, v6 Records[netip.Addr]) {
	var wg sync.WaitGroup
	wg.Go(func() { v6 = r.addrs(ctx, set, name, dns.TypeAAAA) })
	v4 = r.addrs(ctx, set, name, dns.TypeA)
	wg.Wait()
	return v4, v6
}

// merge joins what the DNS says of the two families of a name's addresses. One that has some outweighs a
// failure of the other, and a failure outweighs the absence of the other.
func merge(v4, v6 Records[netip.Addr]) Records[netip.Addr] {
	switch {
	case v4.Status == Found && v6.Status == Found:
		v4.Values, v4.TTL = slices.Concat(v4.Values, v6.Values), min(v4.TTL, v6.TTL)
		return v4
	case v4.Status == Found, v4.Status.Failed() && v6.Status != Found:
		v4.Detail = firstSet(v4.Detail, v6.Detail)
		return v4
	case v6.Status == Found, v6.Status.Failed():
		v6.Detail = firstSet(v6.Detail, v4.Detail)
		return v6
	case v6.Status == NoData: // The name exists, whatever was said when A was asked for.
		v4.Status = NoData
	}
	v4.TTL = min(v4.TTL, v6.TTL)
	return v4
}

// unescape undoes the escapes that package dns writes, \DDD and \X.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:min(i+4, len(s))], 10, 8); err == nil && i+3 < len(s) {
				out, i = append(out, byte(n)), i+3
				continue
			}
			i++
		}
		out = append(out, s[i])
	}
	return string(out)
}
