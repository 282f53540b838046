package pool

import (
	"maps"
	"net/netip"
	"time"

	"github.com/verimails/verimaild/pool/budget"
)

// A route is an address of a mail host, as it is reached from one source.
type route struct {
	source *sourceState
	to     netip.Addr
}

// A routeRecord is how connecting over a route has failed.
type routeRecord struct {
	failures int           // In a row.
	last     time.Duration // When the last one was.
	until    time.Duration // It is not tried before.
	timedOut bool          // The last one was a timeout.
	shunned  bool          // It was connected over, and its host would not have us.
}

// routes are those that have failed. Guarded by Pool.mu.
type routes map[route]*routeRecord

const (
	routeMemory = 4 * time.Hour // A failure older than this counts for nothing.
	mostRoutes  = 10_000        // Above this many the old ones are looked for.
)

// failed notes that a route could not be connected over.
func (rs routes) failed(r route, now time.Duration, timedOut bool) {
	if len(rs) >= mostRoutes {
		rs.sweep(now)
	}
	rec := rs[r]
	if rec == nil || rec.shunned || now-rec.last > routeMemory {
		rec = &routeRecord{}
		rs[r] = rec
	}
	rec.failures++
	rec.last = now
	rec.timedOut = timedOut
	rec.until = now + budget.Penalty(rec.failures, timedOut)
}

// shun leaves a route alone whose host greeted us with a refusal, while another host of its site did not.
func (rs routes) shun(r route, now time.Duration) {
	const while = time.Hour
	if len(rs) >= mostRoutes {
		rs.sweep(now)
	}
	rs[r] = &routeRecord{last: now, until: now + while, shunned: true}
}

// rest is the record of a route that is left alone; nil if it is not.
func (rs routes) rest(r route, now time.Duration) *routeRecord {
	if rec := rs[r]; rec != nil && rec.until > now {
		return rec
	}
	return nil
}

// pardon forgets what failed since an instant: it was this host's own doing.
func (rs routes) pardon(since time.Duration) {
	maps.DeleteFunc(rs, func(_ route, rec *routeRecord) bool { return rec.last >= since })
}

func (rs routes) sweep(now time.Duration) {
	makeRoom(rs, func(_ route, rec *routeRecord) bool { return now-rec.last > routeMemory })
}

// makeRoom drops what is of no use any more from what is known of addresses.
func makeRoom[M ~map[K]V, K comparable, V any](m M, useless func(K, V) bool) {
	maps.DeleteFunc(m, useless)
	if len(m) >= mostRoutes { // A world that is down: nothing of it is worth more than the rest.
		clear(m)
	}
}
