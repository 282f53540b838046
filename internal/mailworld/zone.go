package mailworld

import (
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	defaultTTL         = 5 * time.Minute
	defaultNegativeTTL = time.Minute
)

// A zone is what the name server knows: all domains, hosts and sources.
type zone struct {
	own     map[string][]netip.Addr // The addresses of hosts and sources, by name.
	ptr     map[netip.Addr]string
	sources string // What {sources} in a TXT record stands for.
	find    func(string) (Domain, bool)
	only    []string

	mu      sync.RWMutex       // Guards what follows.
	domains map[string]*domain // Nil for a name that Spec.Find does not know.
	parents map[string]bool    // Names that exist because names below them do.
}

// build makes the zone of a world whose addresses are known.
func (z *zone) build(w *World) {
	z.own = make(map[string][]netip.Addr)
	z.ptr = make(map[netip.Addr]string)
	z.find, z.only = w.spec.Find, w.spec.Only
	z.sources = w.sourceTerms()
	for _, h := range w.hosts {
		z.own[h.name] = slices.Concat(h.dead, h.addrs)
		for _, a := range h.addrs {
			z.ptr[a] = h.name
		}
	}
	for n := range perNet { // Sources of the first network have names.
		if name := w.spec.sourceName(n); name != "" {
			a := w.SourceAddr(n)
			z.ptr[a] = name
			z.own[name] = append(z.own[name], a)
		}
	}
	z.domains = make(map[string]*domain, len(w.spec.Domains)+len(z.own))
	z.parents = make(map[string]bool)
	for name := range z.own {
		z.putLocked(Domain{Name: name})
	}
	for _, d := range w.spec.Domains {
		z.putLocked(d)
	}
}

// sourceTerms are SPF terms for the first sources.
func (w *World) sourceTerms() string {
	terms := make([]string, 8)
	for n := range terms {
		terms[n] = "ip4:" + w.SourceAddr(n).String()
	}
	return strings.Join(terms, " ")
}

// putLocked puts a domain into the zone, in place of one of the same name.
func (z *zone) putLocked(d Domain) *domain {
	d.Name = canonical(d.Name)
	made := z.domain(d)
	z.domains[d.Name] = made
	for name := d.Name; ; {
		_, parent, ok := strings.Cut(name, ".")
		if !ok || z.parents[parent] {
			return made
		}
		z.parents[parent] = true
		name = parent
	}
}

// domain makes d ready for use. A name that is also a host's or a source's has their addresses too.
func (z *zone) domain(d Domain) *domain {
	out := &domain{spec: d, mailboxes: make(map[string]bool, len(d.Mailboxes))}
	for _, m := range d.Mailboxes {
		out.mailboxes[strings.ToLower(m)] = true
	}
	for _, t := range d.TXT {
		out.txt = append(out.txt, strings.ReplaceAll(t, "{sources}", z.sources))
	}
	out.addresses = slices.Clone(z.own[d.Name])
	for _, a := range slices.Concat(z.own[canonical(d.Host)], d.Addrs) {
		if !slices.Contains(out.addresses, a) {
			out.addresses = append(out.addresses, a)
		}
	}
	return out
}

// lookup returns the domain of this canonical name.
func (z *zone) lookup(name string) (*domain, bool) {
	z.mu.RLock()
	d, known := z.domains[name]
	z.mu.RUnlock()
	if known || z.find == nil {
		return d, d != nil
	}
	spec, ok := z.find(name)
	z.mu.Lock()
	defer z.mu.Unlock()
	if d, known = z.domains[name]; known { // Somebody else asked too.
		return d, d != nil
	}
	if !ok {
		z.domains[name] = nil
		return nil, false
	}
	spec.Name = name
	d = z.domain(spec)
	z.domains[name] = d
	return d, true
}

// exists reports whether a name that has no records has names below it.
func (z *zone) exists(name string) bool {
	z.mu.RLock()
	defer z.mu.RUnlock()
	return z.parents[name]
}

// ChangeDomain changes what the DNS and the hosts know of a domain, from now on; a name that the world did not know
// is made. Its name stays.
func (w *World) ChangeDomain(name string, f func(*Domain)) {
	name = canonical(name)
	d := Domain{}
	if old, ok := w.zone.lookup(name); ok {
		d = old.spec
	}
	f(&d)
	d.Name = name
	w.zone.mu.Lock()
	defer w.zone.mu.Unlock()
	w.zone.putLocked(d)
}

// serves reports whether h is a mail host of d: whether d's MX records, aliases followed, or its address lead to it.
func (z *zone) serves(h *host, d *domain) bool {
	if canonical(d.spec.Host) == h.name || len(d.spec.MX) == 0 && d.spec.Name == h.name {
		return true
	}
	for _, mx := range d.spec.MX {
		if z.leadsTo(canonical(mx.Host), h) {
			return true
		}
	}
	return false
}

// leadsTo reports whether the addresses of name are those of h.
func (z *zone) leadsTo(name string, h *host) bool {
	for range maxChain {
		if name == h.name {
			return true
		}
		next, ok := z.lookup(name)
		if !ok {
			return false
		}
		if next.spec.CNAME == "" {
			return canonical(next.spec.Host) == h.name
		}
		name = canonical(next.spec.CNAME)
	}
	return false
}
