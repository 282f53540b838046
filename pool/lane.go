package pool

import (
	"slices"
	"time"
)

// A lane is what a path has for the domains that are to be asked about at the same hosts first. Domains of one site
// may rank its hosts differently, and a session at a host of lesser preference must not speak for a domain whose
// best host was never tried: RFC 5321 §5.1, and backup hosts tend to accept whatever they are told.
// Guarded by Pool.mu.
type lane struct {
	path  *path
	key   string // The hosts of best preference.
	hosts []Host // Of the domain that came last, which has the newest addresses.
	queue queue

	open      int // Sessions that exist, lingering and being opened included.
	busy      int // Of those, the ones that do not linger.
	idle      []*session
	restUntil time.Time // No further session is opened until then, as long as there is one.
	barren    int       // Sessions in a row that died without a reply to anything.
}

const (
	// restAfterFailure is how long a lane that has a working session does not try to open another one.
	restAfterFailure = 30 * time.Second
	// mostBarren is how many sessions in a row may die without a reply until those who wait are told.
	mostBarren = 2
)

// advance gives waiting probes sessions: lingering ones first, then new ones as far as limits allow and the
// length of the queue warrants.
func (la *lane) advance() {
	pa, p := la.path, la.path.pool
	for la.wantsMore() {
		if la.lease() {
			continue
		}
		switch {
		case pa.full():
			if la.open == 0 {
				pa.makeRoom()
			}
			return
		case la.open > 0 && time.Now().Before(la.restUntil), !p.place(la):
			return
		}
		p.spawn(newSession(la))
	}
}

// wantsMore reports whether the queue is long enough for one more busy session.
func (la *lane) wantsMore() bool {
	waiting := la.queue.waiting
	return waiting > 0 && (la.busy == 0 || waiting > la.busy*2*la.path.batch())
}

// lease wakes the session that has lingered for the shortest time, which its server is least likely to have closed.
func (la *lane) lease() bool {
	for len(la.idle) > 0 {
		s := la.idle[len(la.idle)-1]
		s.wakeUp()
		if s.conn.Usable() == nil && !s.aged() {
			return true
		}
		s.retiring = true
	}
	return false
}

// makeRoom ends an idle session of another lane, unless one is on its way out already. Busy sessions see for
// themselves that a lane is hungry, and end soon.
func (pa *path) makeRoom() {
	if pa.parting > 0 {
		return
	}
	for _, la := range pa.lanes {
		if len(la.idle) > 0 {
			la.idle[0].retire()
			return
		}
	}
}

// moveToEnd notes that la was given a session.
func (pa *path) moveToEnd(la *lane) {
	if len(pa.lanes) > 1 {
		pa.lanes = append(slices.DeleteFunc(pa.lanes, func(o *lane) bool { return o == la }), la)
	}
}

// failAll gives every waiting probe of the lane the outcome o.
func (la *lane) failAll(o *Outcome) {
	for _, pr := range la.queue.all() {
		pr.finish(o)
	}
}
