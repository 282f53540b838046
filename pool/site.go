package pool

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/verimails/verimaild/pool/budget"
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
	across   *providerState     // What the provider's sites share; nil if nothing limits that.
	limits   Limits
	unpaced  bool // Nothing limits when something is asked, or how often.
	paths    map[*sourceState]*path
	accounts accounts
	learned  learned
	slowdown *slowdown // Of the provider; nil if it is unknown.
	// senderTaken is when the reverse-path was taken here, as far as that counted.
	senderTaken time.Duration
	stumbled    stumble // The last time that one of its hosts was out of step.
	dirty       bool    // There is something to write down.
	writing     bool    // That is being done.
}

// A path is a source at a site: what limits count. Guarded by Pool.mu.
type path struct {
	pool      *Pool
	site      *site
	source    *sourceState
	lanes     []*lane // Nearly always one; the one that was given a session last is last.
	open      int     // Sessions that exist, lingering and being opened included.
	parting   int     // Of those, the ones that were told to end while they lingered.
	starved   bool    // Waits in Pool.starved, since starvedAt.
	starvedAt time.Time
	promised  bool // A session that lingered is on its way out for its sake.
	pace      pace

	conduct

	wake   time.Duration // When it is looked at again.
	waking int           // Its place in the waker, plus one; 0 if it has none.
}

// A conduct is how we behave at a path, by what its server has shown us.
type conduct struct {
	rate        budget.Bucket
	learnedRate float64       // Probes a minute; 0 is where the ramp begins.
	raised      time.Duration // When that was last changed.
	window      float64       // Sessions at once; 0 is where the ramp begins.
	ratio       budget.Ratio
	lastProbe   time.Duration
	openings    budget.Window // Sessions opened.
	nextDial    time.Duration // When the next session may be opened at the earliest.
	slowedAt    time.Duration // When a failure was last held against it.
	odd         int           // Flights in a row that were answered oddly slowly.
	welcome     bool          // Some MAIL has been accepted.
	putOff      bool          // The first session was put off, and another was opened at once.
	breaker     budget.Breaker
	refusal     *Outcome // What the breaker opened for.
	blocks      int      // Recipients in a row for whom we were not wanted.
	testing     bool     // The test of a half-open breaker is under way.

	seen netip.Prefix // The network that its last session came from.
	met  bool         // There was one.
}

// A destination is where a request goes: the keys of its site and of its lane.
type destination struct{ site, lane string }

// destinationOf computes the keys of a set of hosts.
func destinationOf(hosts []Host) destination {
	if len(hosts) == 1 {
		return destination{hosts[0].Name, hosts[0].Name}
	}
	best := 0
	for best < len(hosts) && hosts[best].Preference == hosts[0].Preference {
		best++
	}
	return destination{site: SiteName(hosts), lane: key(hostNames(hosts[:best]))}
}

// SiteName names the site of a set of mail hosts, whatever their order and their preferences.
func SiteName(hosts []Host) string {
	if len(hosts) == 1 {
		return hosts[0].Name
	}
	return key(hostNames(hosts))
}

// key sorts names and makes one key of them.
func key(names []string) string {
	slices.Sort(names)
	return strings.Join(slices.Compact(names), " ")
}

// siteKey is the key of a site: that of its hosts, or of a site of its own for a domain that a rule names.
func (p *Pool) siteKey(hosts, domain string) string {
	if len(p.rules) == 0 || !p.rules.ofDomain(domain) {
		return hosts
	}
	return hosts + " for " + domain
}

// siteOf finds or makes the site of these hosts, the one for the domain alone where a rule names that.
func (p *Pool) siteOf(hosts, domain string) *site {
	key := p.siteKey(hosts, domain)
	if key == hosts {
		domain = ""
	}
	s := p.sites[key]
	if s == nil {
		p.sweepSites()
		s = p.newSite(key, strings.Fields(hosts), domain)
		p.sites[key] = s
	}
	return s
}

// newSite makes a site that is kept nowhere yet.
func (p *Pool) newSite(key string, hosts []string, domain string) *site {
	s := &site{pool: p, key: key, hosts: hosts, domain: domain, paths: map[*sourceState]*path{}, accounts: accounts{}}
	if s.provider, _ = provider.Match(hosts); s.provider != nil {
		s.slowdown = p.slowdownOf(s.provider.ID)
	}
	p.limit(s)
	return s
}

// sweepSites forgets sites that are of no use any more, once their number has doubled.
func (p *Pool) sweepSites() {
	if len(p.sites) < p.sitesAt {
		return
	}
	p.forgetSites()
	p.sitesAt = 2*len(p.sites) + 100
}

// forgetSites forgets sites that are of no use any more. It looks at all of them.
func (p *Pool) forgetSites() {
	for _, s := range p.sites {
		s.forget()
	}
}

// changed has s written down soon, where that is done.
func (s *site) changed() {
	if sc := s.pool.scribe; sc != nil && !s.dirty {
		sc.dirty = append(sc.dirty, s)
	}
	s.dirty = true
}

// limit puts what holds for s into force.
func (p *Pool) limit(s *site) {
	s.limits = p.limitsFor(s.provider, p.rules.find(s.provider, s.hosts, s.domain))
	s.across = p.acrossOf(s.provider)
	s.unpaced = s.across == nil && s.limits.unpaced()
}

// providerID is the id of the site's provider; "" if none is known.
func (s *site) providerID() string {
	if s.provider == nil {
		return ""
	}
	return s.provider.ID
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

// forget drops what holds nothing: lanes, then the site with its paths, so that a pool that has seen a million sites
// is no larger than one that has seen ten. What was spent and learned is kept until it is written down, or old.
func (pa *path) forget() {
	pa.lanes = slices.DeleteFunc(pa.lanes, func(la *lane) bool { return la.open == 0 && len(la.queue.probes) == 0 })
	if len(pa.lanes) == 0 {
		pa.pool.dontWake(pa)
		pa.site.forget()
	}
}

func (s *site) forget() {
	for _, pa := range s.paths {
		if len(pa.lanes) > 0 || pa.starved {
			return
		}
	}
	if s.keeps() {
		return
	}
	for _, pa := range s.paths {
		s.pool.dontWake(pa)
	}
	if s.pool.sites[s.key] == s { // Not one that was made since s was forgotten.
		delete(s.pool.sites, s.key)
	}
}

// advance gives waiting probes sessions, in the lane first that was given one longest ago.
func (pa *path) advance() {
	if pa.pool.spawn == nil || pa.pool.halted || !pa.source.works(time.Now()) {
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
func (pa *path) full() bool { return reached(pa.open, pa.sessions()) }

// sessions is how many sessions the path may have at once; 0 is without limit.
func (pa *path) sessions() int {
	l := &pa.site.limits
	n := start(l.Ramp, startSessions, l.Sessions)
	if l.Sessions > 0 && pa.window > 0 {
		n = min(l.Sessions, max(1, int(pa.window)))
	}
	if pa.breaker.Opened || pa.breaker.Tried {
		return 1
	}
	return n
}

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
