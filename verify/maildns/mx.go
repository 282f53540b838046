package maildns

import (
	"context"

	"github.com/miekg/dns"
)

// An MX is one MX record. The Host "" is the root: alone, it is a null MX, RFC 7505.
type MX struct {
	Host       string // In lower case, without the dot at the end.
	Preference uint16
}

// LookupMX returns the MX records of name as the DNS has them, without the implicit one and without a look at the
// hosts; at most 64. Lookup is for who wants to send mail. The error is as LookupAddrs'.
func (r *Resolver) LookupMX(ctx context.Context, name string) (Records[MX], error) {
	return lookup(ctx, r, name, dns.TypeMX, maxHosts, func(rr dns.RR) (MX, bool) {
		mx, ok := rr.(*dns.MX)
		if !ok || mx.Mx == "" {
			return MX{}, false
		}
		return MX{Host: hostName(mx.Mx), Preference: mx.Preference}, true
	})
}
