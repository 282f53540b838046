package pool

import (
	"slices"
	"strings"
	"time"

	"github.com/verimails/verimaild/pool/provider"
)

// A site is the machinery behind a set of mail hosts, whatever the domain and the preference.
// Guarded by Pool.mu.
type site struct {
	pool     *Pool
	key      string
	provider *provider.Provider // nil if unknown.
	limits   Limits
	paths    map[*sourceState]*path
}

// A path is a source at a site. Guarded by Pool.mu.
type path struct {
	pool       *Pool
	site       *site
	source     *sourceState
	queue      queue
	open       int // Sessions that exist, lingering and being opened included.
	busy       int // Of those, the ones that are being opened or have work.
	idle       []*session
	starved    bool // Waits in Pool.starved.
	recipients int  // What the site showed that it takes in a transaction; 0 if it showed nothing.
	restUntil  time.Time
}

// siteKey is the key of a set of hosts.
func siteKey(hosts []Host) string {
	names := make([]string, len(hosts))
	for i, h := range hosts {
		names[i] = h.Name
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), " ")
}

// siteOf finds or makes the site of req.
func (p *Pool) siteOf(req *Request) *site {
	key := siteKey(req.Hosts)
	s := p.sites[key]
	if s == nil {
		prov, _ := provider.Match(strings.Fields(key))
		s = &site{pool: p, key: key, provider: prov, paths: map[*sourceState]*path{}, limits: p.limitsFor(prov)}
		p.sites[key] = s
	}
	return s
}

// path finds or makes the path from src.
func (s *site) path(src *sourceState) *path {
	pa := s.paths[src]
	if pa == nil {
		pa = &path{pool: s.pool, site: s, source: src, queue: newQueue()}
		s.paths[src] = pa
	}
	return pa
}

// forget drops a path that holds nothing, and its site with the last one, so that a pool that has seen a
// million sites is no larger than one that has seen ten.
func (pa *path) forget() {
	if pa.open > 0 || pa.queue.waiting > 0 || len(pa.queue.domains) > 0 || pa.starved {
		return
	}
	delete(pa.site.paths, pa.source)
	if len(pa.site.paths) == 0 {
		delete(pa.pool.sites, pa.site.key)
	}
}

// batch is how many recipients a transaction may have.
func (pa *path) batch() int {
	k := room(0, pa.site.limits.RecipientsPerTransaction)
	if q := pa.site.provider; q != nil && q.Quirks.OneRecipient {
		k = 1
	}
	if pa.recipients > 0 {
		k = min(k, pa.recipients)
	}
	return k
}

// advance gives waiting probes sessions: lingering ones first, then new ones as far as limits allow and the
// length of the queue warrants.
func (pa *path) advance() {
	p := pa.pool
	for pa.queue.waiting > 0 && pa.wantsMore() {
		if s := pa.lease(); s != nil {
			p.spawn(s)
			continue
		}
		if reached(pa.open, pa.site.limits.Sessions) || pa.open > 0 && time.Now().Before(pa.restUntil) {
			return
		}
		if !p.place(pa) {
			return
		}
		p.spawn(&session{path: pa})
	}
}

// wantsMore reports whether the queue is long enough for one more busy session.
func (pa *path) wantsMore() bool {
	return pa.busy == 0 || pa.queue.waiting > pa.busy*2*pa.batch()
}

// lease takes the session that has lingered for the shortest time, which its server is least likely to have closed.
func (pa *path) lease() *session {
	for len(pa.idle) > 0 {
		s := pa.idle[len(pa.idle)-1]
		s.unpark()
		pa.busy++
		if s.conn.Usable() != nil || reached(time.Since(s.opened), pa.site.limits.SessionAge) {
			s.retiring = true
			pa.pool.spawn(s)
			continue
		}
		return s
	}
	return nil
}

// place reserves a place for a new session of pa under the limits of the source and of the pool, all or none.
// Where they are reached, the session that has lingered for the longest has to go, and pa waits for its place.
func (p *Pool) place(pa *path) bool {
	src := pa.source
	if !reached(src.sessions, p.opts.SourceSessions) && !reached(p.sessions, p.opts.MaxSessions) {
		src.sessions++
		p.sessions++
		pa.open++
		pa.busy++
		return true
	}
	onlyFrom := src
	if !reached(src.sessions, p.opts.SourceSessions) {
		onlyFrom = nil
	}
	if s := p.idle.oldest(onlyFrom); s != nil {
		s.retire()
	}
	if !pa.starved {
		pa.starved = true
		p.starved.push(pa)
	}
	return false
}

// release gives back what place reserved.
func (p *Pool) release(pa *path) {
	pa.source.sessions--
	p.sessions--
	pa.open--
	pa.busy--
	if pa.source.sessions < 0 || p.sessions < 0 || pa.open < 0 || pa.busy < 0 {
		panic("pool: a session was released twice")
	}
	pa.advance()
	for n := p.starved.len(); n > 0 && !reached(p.sessions, p.opts.MaxSessions); n-- {
		next := p.starved.pop()
		next.starved = false
		next.advance() // Goes to the back again if its source is full.
		next.forget()
	}
	pa.forget()
}

// failAll gives every waiting probe of the path the outcome o.
func (pa *path) failAll(o Outcome) {
	for _, pr := range pa.queue.all() {
		pa.finish(pr, o)
	}
}
