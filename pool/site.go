package pool

import (
	"slices"
	"strings"

	"github.com/verimails/verimaild/pool/provider"
)

// A site is the machinery behind a set of mail hosts, whatever the domain and the preference.
// Guarded by Pool.mu.
type site struct {
	pool     *Pool
	key      string
	hosts    []string           // Their names, sorted.
	domain   string             // The only one that is asked about here, because a rule names it; else "".
	provider *provider.Provider // nil if unknown.
	limits   Limits
	paths    map[*sourceState]*path
}

// A path is a source at a site: what limits count. Guarded by Pool.mu.
type path struct {
	pool       *Pool
	site       *site
	source     *sourceState
	lanes      []*lane // Nearly always one; the one that was given a session last is last.
	open       int     // Sessions that exist, lingering and being opened included.
	parting    int     // Of those, the ones that were told to end while they lingered.
	starved    bool    // Waits in Pool.starved.
	recipients int     // What the site showed that it takes in a transaction; 0 if it showed nothing.
	pace       pace
}

// A destination is where a request goes: the keys of its site and of its lane.
type destination struct{ site, lane string }

// destinationOf computes the keys of a set of hosts.
func destinationOf(hosts []Host) destination {
	if len(hosts) == 1 {
		return destination{hosts[0].Name, hosts[0].Name}
	}
	names := make([]string, len(hosts))
	for i, h := range hosts {
		names[i] = h.Name
	}
	best := 0
	for best < len(hosts) && hosts[best].Preference == hosts[0].Preference {
		best++
	}
	first := slices.Clone(names[:best])
	return destination{site: key(names), lane: key(first)}
}

// key sorts names and makes one key of them.
func key(names []string) string {
	slices.Sort(names)
	return strings.Join(slices.Compact(names), " ")
}

// siteOf finds or makes the site of this key, the one for the domain alone where a rule names that.
func (p *Pool) siteOf(key, domain string) *site {
	if len(p.rules) == 0 || !p.rules.ofDomain(domain) {
		domain = ""
	}
	hosts := key
	if domain != "" {
		key += " for " + domain
	}
	s := p.sites[key]
	if s == nil {
		s = &site{pool: p, key: key, hosts: strings.Fields(hosts), domain: domain, paths: map[*sourceState]*path{}}
		s.provider, _ = provider.Match(s.hosts)
		s.limits = p.limitsOf(s)
		p.sites[key] = s
	}
	return s
}

// limitsOf is what holds for s.
func (p *Pool) limitsOf(s *site) Limits {
	var rule *SiteRule
	if r := p.rules.find(s.provider, s.hosts, s.domain); r != nil {
		rule = &r.SiteRule
	}
	return p.limitsFor(s.provider, rule)
}

// path finds or makes the path from src.
func (s *site) path(src *sourceState) *path {
	pa := s.paths[src]
	if pa == nil {
		pa = &path{pool: s.pool, site: s, source: src}
		s.paths[src] = pa
	}
	return pa
}

// lane finds or makes the lane of this key.
func (pa *path) lane(key string) *lane {
	for _, la := range pa.lanes {
		if la.key == key {
			return la
		}
	}
	la := &lane{path: pa, key: key, queue: newQueue()}
	pa.lanes = append(pa.lanes, la)
	return la
}

// forget drops what holds nothing: lanes, then the path, then its site, so that a pool that has seen a million
// sites is no larger than one that has seen ten.
func (pa *path) forget() {
	pa.lanes = slices.DeleteFunc(pa.lanes, func(la *lane) bool { return la.open == 0 && len(la.queue.probes) == 0 })
	if len(pa.lanes) > 0 || pa.starved {
		return
	}
	delete(pa.site.paths, pa.source)
	if len(pa.site.paths) == 0 {
		delete(pa.pool.sites, pa.site.key)
	}
}

// batch is how many recipients a transaction may have.
func (pa *path) batch() int {
	k := min(room(0, pa.site.limits.RecipientsPerTransaction), maxRecipients)
	if q := pa.site.provider; q != nil && q.Quirks.OneRecipient {
		k = 1
	}
	if pa.recipients > 0 {
		k = min(k, pa.recipients)
	}
	return max(1, k)
}

// advance gives waiting probes sessions, in the lane first that was given one longest ago.
func (pa *path) advance() {
	if pa.pool.spawn == nil || pa.pool.halted {
		return
	}
	if len(pa.lanes) == 1 {
		pa.lanes[0].advance()
		return
	}
	for _, la := range slices.Clone(pa.lanes) { // Their order changes.
		la.advance()
	}
}

// full reports whether the path has all the sessions that it may have.
func (pa *path) full() bool { return reached(pa.open, pa.site.limits.Sessions) }

// hungry reports whether some lane of the path has work and not a single session.
func (pa *path) hungry() bool {
	return len(pa.lanes) > 1 && slices.ContainsFunc(pa.lanes, func(la *lane) bool {
		return la.open == 0 && la.queue.waiting > 0
	})
}

// failAll gives every waiting probe of the path the outcome o.
func (pa *path) failAll(o *Outcome) {
	for _, la := range pa.lanes {
		la.failAll(o)
	}
}
