package maildns

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"

	"github.com/verimails/verimaild/internal/netguard"
)

// maxAddrs is how many addresses of a host are kept, of those that may be dialled and of the others.
const maxAddrs = 16

// lookUpHosts fills in the addresses of hosts, which are sorted by preference, all at once. It returns the TTL of each.
func (r *Resolver) lookUpHosts(ctx context.Context, set *settings, hosts []Host) []time.Duration {
	if len(hosts) == 1 {
		return []time.Duration{r.lookUpHost(ctx, set, &hosts[0])}
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // Runs first: nobody waits for a host that is not waited for.
	ttls := make([]time.Duration, len(hosts))
	done := make(chan int, len(hosts))
	for i := range hosts {
		wg.Go(func() {
			ttls[i] = r.lookUpHost(ctx, set, &hosts[i])
			done <- i
		})
	}
	var grace <-chan time.Time
	for range hosts {
		select {
		case i := <-done:
			if grace == nil && hosts[i].Status == Found && hosts[i].Preference == hosts[0].Preference {
				t := time.NewTimer(set.timeout / 3)
				defer t.Stop()
				grace = t.C
			}
		case <-grace:
			return ttls
		}
	}
	return ttls
}

// lookUpHost fills in h's addresses, status and detail, and returns for how long they hold.
func (r *Resolver) lookUpHost(ctx context.Context, set *settings, h *Host) time.Duration {
	if addrs, detail := notInDNS(h.Name); detail != "" {
		h.Status, h.Detail = NoMailHost, fmt.Sprintf("%.80s is %s", h.Name, detail)
		if _, h.Refused = judge(set.opts.Guard, addrs); len(h.Refused) > 0 {
			h.Status = Unroutable
		}
		return maxTTL
	}
	v4, v6 := r.hostAddrs(ctx, set, dns.Fqdn(h.Name))
	all := merge(v4, v6)
	h.Addrs, h.Refused = judge(set.opts.Guard, all.Values)
	h.Status, h.Detail = all.Status, all.Detail
	switch {
	case len(h.Addrs) > 0:
		h.Status, h.Detail = Found, ""
	case v4.Status.Failed(): // Whatever the other family has: this one may have what can be dialled.
		h.Status, h.Detail = v4.Status, v4.Detail
	case v6.Status.Failed():
		h.Status, h.Detail = v6.Status, v6.Detail
	case len(h.Refused) > 0:
		h.Status = Unroutable
		h.Detail = fmt.Sprintf("%.80s has only addresses that may not be dialled, such as %s", h.Name, h.Refused[0])
	default:
		h.Detail = fmt.Sprintf("%.80s has no address (%s)", h.Name, h.Status)
	}
	return all.TTL
}

// hostAddrs asks for the addresses of a mail host, leaving out AAAA where that is neither wanted nor needed. What was not
// asked for has the status NotAsked.
func (r *Resolver) hostAddrs(ctx context.Context, set *settings, name string) (v4, v6 Records[netip.Addr]) {
	if set.opts.IPv6 {
		return r.families(ctx, set, name)
	}
	v4 = r.addrs(ctx, set, name, dns.TypeA)
	v6.TTL = maxTTL
	ok, _ := judge(set.opts.Guard, v4.Values)
	if v4.Status == NoData || v4.Status == Found && len(ok) == 0 {
		v6 = r.addrs(ctx, set, name, dns.TypeAAAA)
	}
	return v4, v6
}

// judge splits addrs by the guard's word, and keeps so many of each.
func judge(g *netguard.Guard, addrs []netip.Addr) (ok, refused []netip.Addr) {
	for _, a := range addrs {
		to := &ok
		if g.Check(a) != nil {
			to = &refused
		}
		if len(*to) < maxAddrs {
			*to = append(*to, a)
		}
	}
	return ok, refused
}

// notInDNS says what name is if no DNS question is to be asked about it as a mail host, and the addresses that it
// stands for. "" means that it is a host name.
func notInDNS(name string) (addrs []netip.Addr, what string) {
	switch a, err := netip.ParseAddr(name); {
	case err == nil:
		return []netip.Addr{a.WithZone("")}, "an address, where RFC 5321 section 5.1 wants a host name"
	case isLocalhost(name):
		// RFC 6761 §6.3: it is whoever asks, so it is never a mail host, whatever may be dialled.
		return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}, "the host that asks, not a mail host"
	case !isHostName(name):
		return nil, "not a host name"
	}
	return nil, ""
}

// isLocalhost says whether name, in lower case, is localhost or below it.
func isLocalhost(name string) bool {
	return name == "localhost" || strings.HasSuffix(name, ".localhost")
}

// isHostName says whether name can be a host's: letters, digits, hyphens (RFC 1123 §2.1), and the underscores that
// some hosts have in spite of it.
func isHostName(name string) bool {
	if len(name) > 253 {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || strings.ContainsFunc(label, notInHostName) {
			return false
		}
	}
	return true
}

func notInHostName(c rune) bool {
	switch {
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_':
		return false
	}
	return true
}

// hostName is a name of the DNS in the form that this package gives out: lower case, no dot at the end; "" is the root.
func hostName(name string) string { return strings.TrimSuffix(dns.CanonicalName(name), ".") }
