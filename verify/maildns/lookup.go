package maildns

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/miekg/dns"

	"github.com/verimails/verimaild/verify/address"
)

const (
	maxHosts = 64 // Hosts that are listed.
	maxAsked = 10 // Of those, how many are looked up.

	// failedHostTTL bounds the TTL of a Found result with hosts that could not be looked up.
	failedHostTTL = 5 * time.Minute
)

// errNoDomain says that Lookup was called with the zero Domain.
var errNoDomain = errors.New("maildns: no domain")

type lookupKey struct {
	set    *settings
	domain address.Domain
}

// Lookup returns the mail hosts of d with their addresses. What the DNS says, its failures included, is in the
// result's Status; the error is ctx's, [ErrClosed], or that d is the zero Domain.
//
// Callers who look up the same domain at the same time share one lookup, which goes on if one of
// them gives up. It takes at most 5 times Options.Timeout. Once a host of the best preference has an
// address that may be dialled, the others get a third of Options.Timeout more; those that take
// longer have the status Timeout.
func (r *Resolver) Lookup(ctx context.Context, d address.Domain) (MailHosts, error) {
	if d == (address.Domain{}) {
		return MailHosts{}, errNoDomain
	}
	set := r.current()
	m, err := r.lookups.do(ctx, lookupKey{set, d}, lookupBudget*set.timeout, func(ctx context.Context) MailHosts {
		start := time.Now()
		m := r.distrusted(r.mailHosts(ctx, set, d))
		m.Domain, m.At, m.Took = d, set.opts.Now(), time.Since(start)
		if observe := set.opts.Observe; observe != nil {
			observe(m.Status, m.Took)
		}
		return m
	})
	if err != nil {
		return MailHosts{}, fmt.Errorf("look up mail hosts of %s: %w", d, err)
	}
	return m.clone(), nil
}

// mailHosts asks for the MX of d and goes on from there, RFC 5321 §5.1.
func (r *Resolver) mailHosts(ctx context.Context, set *settings, d address.Domain) MailHosts {
	implicit := []Host{{Name: d.ASCII()}}
	if isLocalhost(d.ASCII()) {
		return r.withHosts(ctx, set, MailHosts{Implicit: true, Hosts: implicit, TTL: maxTTL})
	}
	mx := r.question(ctx, set, dns.Fqdn(d.ASCII()), dns.TypeMX)
	m := MailHosts{Status: mx.status, TTL: mx.ttl, Server: mx.server, Detail: mx.detail}
	switch mx.status {
	case NoData:
		// Only this makes the domain its own mail host: not NXDOMAIN, and no failure.
		m.Implicit, m.Hosts = true, implicit
		return r.withHosts(ctx, set, m)
	case Found:
		return r.explicit(ctx, set, m, mx.records)
	}
	return m
}

// explicit goes on with the MX records of a domain.
func (r *Resolver) explicit(ctx context.Context, set *settings, m MailHosts, records []dns.RR) MailHosts {
	hosts, null := readMX(records)
	switch {
	case len(hosts) == 0 && null:
		m.Status = NullMX
		return m
	case len(hosts) == 0:
		m.Status, m.TTL, m.Detail = Failure, 0, "MX records without a host, from "+m.Server
		return m
	}
	m.Hosts = hosts
	return r.withHosts(ctx, set, m)
}

// readMX returns the hosts that records name, each once with its best preference, in the order that MailHosts
// promises. null says that one of the records is a null MX, which counts only if it stands
// alone: a domain that names hosts besides takes mail, whatever RFC 7505 §3 says of such a zone.
func readMX(records []dns.RR) (hosts []Host, null bool) {
	best := make(map[string]uint16)
	for _, rr := range records {
		mx, ok := rr.(*dns.MX)
		if !ok || mx.Mx == "" { // A record without data.
			continue
		}
		name := hostName(mx.Mx)
		if name == "" {
			null = true
			continue
		}
		if p, known := best[name]; !known || mx.Preference < p {
			best[name] = mx.Preference
		}
	}
	for name, preference := range best {
		hosts = append(hosts, Host{Name: name, Preference: preference})
	}
	slices.SortFunc(hosts, func(a, b Host) int {
		return cmp.Or(cmp.Compare(a.Preference, b.Preference), cmp.Compare(a.Name, b.Name))
	})
	return hosts, null
}

// withHosts looks up the hosts of m and completes m by what comes of it.
func (r *Resolver) withHosts(ctx context.Context, set *settings, m MailHosts) MailHosts {
	total := len(m.Hosts)
	m.Hosts = m.Hosts[:min(total, maxHosts)]
	ttls := r.lookUpHosts(ctx, set, m.Hosts[:min(total, maxAsked)])
	m.Status, m.Detail = sum(m.Hosts, total)
	switch {
	case m.Status.Failed():
		m.TTL = 0
	case m.Status == Found:
		m.TTL = min(m.TTL, foundTTL(m.Hosts, ttls))
	default:
		m.TTL = min(m.TTL, slices.Min(ttls))
	}
	return m
}

// foundTTL is for how long the addresses in hosts hold. That a host has none is no reason to ask again soon; that
// it could not be looked up is.
func foundTTL(hosts []Host, ttls []time.Duration) time.Duration {
	ttl := maxTTL
	for i, t := range ttls {
		switch {
		case hosts[i].Status == Found:
			ttl = min(ttl, t)
		case hosts[i].Status.Failed():
			ttl = min(ttl, failedHostTTL)
		}
	}
	return ttl
}

// sum draws the domain's status from its hosts', of which there are total in the DNS. One that may be dialled is enough.
// Without one, nothing is said against the domain while any host is in doubt.
func sum(hosts []Host, total int) (Status, string) {
	status, detail := NoMailHost, ""
	for _, h := range hosts {
		if h.Status == Found {
			return Found, ""
		}
		switch {
		case status.Failed():
		case h.Status.Failed(), h.Status == Unroutable && status != Unroutable:
			status, detail = h.Status, h.Detail
		case detail == "":
			detail = h.Detail
		}
	}
	if !status.Failed() && total > maxAsked {
		return Failure, fmt.Sprintf("none of the first %d of %d mail hosts has an address that may be dialled", maxAsked, total)
	}
	return status, detail
}
