package verify

import (
	"sync"
	"time"

	"github.com/verimails/verimaild/pool"
)

// Some servers that were asked for too many unknown names go on as if everybody existed. That shows only in what they
// say to us next: an acceptance that follows many refusals on the same path is not believed before the site is heard
// to refuse somebody again.
const (
	// suspectAfter is how many refusals within an hour make an acceptance suspect. The lowest limit that is published
	// by a product that then accepts everything is 25 an hour, counted for a network prefix that others may share.
	suspectAfter = 10

	// suspectSilent is suspectAfter for providers that are known to do so.
	suspectSilent = 5

	// silencedFor is for how long a site that was found to accept whatever is asked is not believed.
	silencedFor = time.Hour

	// refusalWait is how long a row of a list waits for the site to refuse somebody by itself, before a made-up recipient is
	// asked about: on the path of a list there is a next one nearly always.
	refusalWait = 250 * time.Millisecond

	// maxPaths bounds the paths of which something is known.
	maxPaths = 4096
)

// A pathKey is a source at a site.
type pathKey struct{ source, site string }

// paths knows when each path was last heard to refuse somebody. Safe for concurrent use.
type paths struct {
	mu sync.Mutex // Guards all below.
	of map[pathKey]*pathState
}

type pathState struct {
	refusedAt time.Time
	refusers  [2]refuser // The domains that did, the last one first.
	silenced  time.Time  // Not believed until then, unless it refuses somebody.

	heard  chan struct{} // Closed when it refuses somebody; nil if nobody waits for that.
	tested chan struct{} // Closed when the one who finds out whether it still does is done; nil if there is none.
}

// A refuser is a domain that refuses unknown names.
type refuser struct {
	domain string
	hosts  []pool.Host
}

// refused notes that a path refused an unknown name.
func (p *paths) refused(key pathKey, by refuser, at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.state(key, at)
	s.refusedAt, s.silenced = later(s.refusedAt, at), time.Time{}
	if s.refusers[0].domain != by.domain {
		s.refusers[1] = s.refusers[0]
	}
	s.refusers[0] = by
	if s.heard != nil {
		close(s.heard)
		s.heard = nil
	}
}

// listen returns what is closed when the path refuses somebody after a time; nil if it has.
func (p *paths) listen(key pathKey, after time.Time) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.state(key, after)
	if s.refusedAt.After(after) {
		return nil
	}
	if s.heard == nil {
		s.heard = make(chan struct{})
	}
	return s.heard
}

// test makes the caller the one who finds out whether the path still refuses anybody; or returns what is closed when
// the one who does so is done.
func (p *paths) test(key pathKey, now time.Time) (other <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.state(key, now)
	if s.tested != nil {
		return s.tested
	}
	s.tested = make(chan struct{})
	return nil
}

// done is the end of what test began.
func (p *paths) done(key pathKey) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.of[key]; s != nil && s.tested != nil {
		close(s.tested)
		s.tested = nil
	}
}

// state finds or makes what is known of a path. The caller holds p.mu.
func (p *paths) state(key pathKey, now time.Time) *pathState {
	if s := p.of[key]; s != nil {
		return s
	}
	if p.of == nil {
		p.of = map[pathKey]*pathState{}
	}
	if len(p.of) >= maxPaths {
		p.makeRoom(now)
	}
	s := &pathState{}
	p.of[key] = s
	return s
}

// makeRoom drops the paths that refused nobody for an hour, or any one if there are none, but none that somebody waits
// for. The caller holds p.mu.
func (p *paths) makeRoom(now time.Time) {
	idle := func(s *pathState) bool { return s.heard == nil && s.tested == nil }
	for key, s := range p.of {
		if idle(s) && now.Sub(s.refusedAt) > silencedFor && !now.Before(s.silenced) {
			delete(p.of, key)
		}
	}
	for key, s := range p.of {
		if len(p.of) < maxPaths {
			break
		}
		if idle(s) {
			delete(p.of, key)
		}
	}
}

// silence notes that a path accepts whatever is asked, and returns until when it is not believed.
func (p *paths) silence(key pathKey, now time.Time) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.state(key, now)
	s.silenced = now.Add(silencedFor)
	return s.silenced
}

// look returns when the path last refused somebody, until when it is not believed, and a domain other than the given
// one that refuses unknown names there.
func (p *paths) look(key pathKey, domain string) (refusedAt, silenced time.Time, other refuser) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.of[key]
	if s == nil {
		return
	}
	other = s.refusers[0]
	if other.domain == domain {
		other = s.refusers[1]
	}
	return s.refusedAt, s.silenced, other
}
