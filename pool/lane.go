package pool

import (
	"slices"
	"time"

	"github.com/verimails/verimaild/pool/budget"
	"github.com/verimails/verimaild/pool/smtp"
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
	spared    bool      // The last attempt to open a session failed for this host's fault, and nobody was told.
	barren    int       // Sessions in a row that died without a reply to anything.

	// expected is how many questions that waited for an answer given here have not come yet. They count until expectedBy.
	expected   int
	expectedBy time.Time
}

// expect notes that n more questions are about to come.
func (la *lane) expect(n int) {
	if n > 0 {
		la.expected += n
		la.expectedBy = time.Now().Add(mostExpected)
	}
}

// met notes that a question has come.
func (la *lane) met() { la.expected = max(0, la.expected-1) }

// expects is for how long the lane's sessions keep their places for what is about to come; 0 if nothing is.
func (la *lane) expects(now time.Time) time.Duration {
	if la.expected > 0 && !now.Before(la.expectedBy) {
		la.expected = 0
	}
	if la.expected == 0 {
		return 0
	}
	return la.expectedBy.Sub(now)
}

const (
	// restAfterFailure is how long a lane that has a working session does not try to open another one.
	restAfterFailure = 30 * time.Second
	// mostBarren is how many sessions in a row may die without a reply until those who wait are told.
	mostBarren = 2
)

// advance gives waiting probes sessions: lingering ones first, then new ones as far as limits allow and the
// number of those that may be asked warrants.
func (la *lane) advance() {
	pa, p := la.path, la.path.pool
	for la.wantsMore(la.askable()) {
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

// askable is how many of the waiting probes may be asked now. If none may, the path is looked at again when one may,
// and made-up recipients that would have to wait for their allowance are answered.
func (la *lane) askable() int {
	q, pa := &la.queue, la.path
	if q.waiting == 0 {
		return 0
	}
	now := pa.pool.now()
	pa.pool.sender.claim(pa, now)
	if pa.state(now) == budget.HalfOpen {
		if pa.testing {
			return 0
		}
		return 1
	}
	a := pa.allowance(now, pa.prefix())
	made := q.rings[controls].waiting
	n := min(a.probes, min(made, a.controls)+min(q.waiting-made, a.targets))
	if n > 0 {
		return n
	}
	if made > 0 && a.controls <= 0 {
		la.failControls(pa.controlRetry(now))
	}
	if q.waiting > 0 {
		pa.await(now)
		at, control := pa.nextRoom(now, false)
		if q.rings[controls].waiting > 0 { // They have room, and wait for what all wait for.
			at = min(at, control)
		}
		pa.pool.wakeAt(pa, max(now+leastWait, at))
	}
	return 0
}

// leastWait is how soon a path that may ask nothing is looked at again at the earliest.
const leastWait = 10 * time.Millisecond

// failControls answers the made-up recipients that wait: their allowance is spent, and nobody is to wait for it.
func (la *lane) failControls(until time.Time) {
	for _, pr := range la.queue.all() {
		if pr.rcpt.Control {
			pr.finish(la.path.overdrawn("the allowance of made-up recipients at this site is spent", until))
		}
	}
}

// controlRetry is when asking about a made-up recipient again makes sense, once their allowance is spent.
func (pa *path) controlRetry(now time.Duration) time.Time {
	_, control := pa.nextRoom(now, true)
	return pa.pool.wall(max(control, now+trickle))
}

// overdrawn is the outcome of a probe that some allowance stands in the way of.
func (pa *path) overdrawn(what string, until time.Time) *Outcome {
	return &Outcome{Stage: smtp.StageConnect, Failure: FailBudget, Detail: what, RetryAt: until}
}

// wantsMore reports whether so many probes that may be asked are enough for one more busy session.
func (la *lane) wantsMore(askable int) bool {
	return askable > 0 && (la.busy == 0 || askable > la.busy*2*la.path.site.batch())
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
