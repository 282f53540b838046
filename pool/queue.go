package pool

import (
	"slices"
	"time"
)

// A queue holds the probes that wait for a session of one lane. Interactive probes go before bulk ones, though
// not always; within a class applications share by weight, and within an application domains take turns.
// Guarded by Pool.mu.
type queue struct {
	rings   [classes + 1]ring // The last one is that of controls, which come first: each settles an acceptance.
	domains map[string]*domainQueue
	probes  map[string]*probe // Queued or in flight, by forward-path: identical questions share one.
	waiting int               // Probes queued.
	ahead   int               // Transactions in a row that interactive probes had while bulk ones waited.
}

const (
	// controls is the class of made-up recipients, whoever asks.
	controls = classes

	// mostAhead is how many transactions interactive probes have before bulk ones that wait have one.
	mostAhead = 4

	// impatient is how long bulk probes wait until they share with interactive ones as applications share.
	impatient = 10 * time.Minute
)

// A domainQueue is one domain's probes in a queue.
type domainQueue struct {
	name  string
	lines []*appDomain // One for each application and class.
	left  int          // Probes queued or in flight.
}

// A probe is one recipient on its way. Guarded by Pool.mu.
type probe struct {
	rcpt    Recipient
	lane    *lane
	domain  *domainQueue
	in      *appDomain
	state   probeState
	sends   int       // Flights that it was in.
	lost    bool      // Its reply did not come, or may be another command's: it is asked about in lock-step.
	owed    debt      // What was booked for one of them.
	queued  time.Time // When it came.
	target  *probe    // That it goes along with, for Request.Along; nil if with none.
	waiters []waiter
	first   [1]waiter // Room for the only one that most probes have.
}

// maxSends is how many times a recipient is asked about for one outcome.
const maxSends = 2

type probeState uint8

const (
	probeQueued probeState = iota
	probeSent
	probeDone
)

// A waiter is a place in a call that a probe's outcome goes to.
type waiter struct {
	call   *call
	index  int
	pinned string // The only source that may ask for it; "" if any may.
}

func newQueue() queue {
	return queue{domains: map[string]*domainQueue{}, probes: map[string]*probe{}}
}

// add queues rcpt for w, or joins a probe that already asks the same.
func (q *queue) add(la *lane, req *Request, rcpt *Recipient, w waiter) *probe {
	if pr := q.probes[rcpt.Path]; pr != nil {
		pr.waiters = append(pr.waiters, w)
		if pr.state == probeQueued && req.Class < pr.in.class && pr.in.class != controls {
			q.hurry(pr, req)
		}
		return pr
	}
	d := q.domains[req.Domain]
	if d == nil {
		d = &domainQueue{name: req.Domain}
		q.domains[req.Domain] = d
	}
	pr := &probe{rcpt: *rcpt, lane: la, domain: d, queued: time.Now()}
	pr.first[0] = w
	pr.waiters = pr.first[:]
	d.left++
	q.probes[rcpt.Path] = pr
	q.enlist(pr, d.line(req, pr, la.path.pool.apps.share(req)))
	return pr
}

// line finds or adds the line of req's application for pr, and sets its share.
func (d *domainQueue) line(req *Request, pr *probe, share float64) *appDomain {
	class := min(req.Class, Bulk)
	if pr.rcpt.Control {
		class = controls
	}
	for _, in := range d.lines {
		if in.app == req.App && in.class == class {
			in.share = share
			return in
		}
	}
	in := &appDomain{app: req.App, weight: req.Weight, class: class, share: share, domain: d}
	d.lines = append(d.lines, in)
	return in
}

// enlist puts pr at the end of a line.
func (q *queue) enlist(pr *probe, in *appDomain) {
	pr.in = in
	in.probes.push(pr)
	q.count(in, 1)
	q.rings[in.class].schedule(in, false)
}

// hurry moves a queued probe to the line of a request that is more urgent than those that wait for it.
func (q *queue) hurry(pr *probe, req *Request) {
	q.count(pr.in, -1)
	q.enlist(pr, pr.domain.line(req, pr, pr.lane.path.pool.apps.share(req)))
}

// count books n probes more or less as waiting.
func (q *queue) count(in *appDomain, n int) {
	in.waiting += n
	q.rings[in.class].waiting += n
	q.waiting += n
	if q.waiting < 0 || in.waiting < 0 {
		panic("pool: more probes taken than queued")
	}
}

// take removes the probes of one transaction: up to most of one domain, as far as a allows, which is charged. Those of
// the application whose turn it is come first, then other applications' for the same domain.
func (q *queue) take(most int, a *allowance) []*probe {
	in := q.turn(a)
	if in == nil {
		return nil
	}
	first := in
	if target := in.awaited(); target != nil && a.grants(false) {
		first = target.in
	}
	out := q.drain(first, most, a, make([]*probe, 0, min(most, in.domain.left)))
	if in.waiting > 0 {
		q.rings[in.class].schedule(in, first != in)
	}
	return controlsLast(q.fillUp(in.domain, most, a, out))
}

// awaited is the queued target that the line's next probe goes along with; nil if it goes with none.
func (in *appDomain) awaited() *probe {
	for in.waiting > 0 {
		pr := in.probes.front()
		if pr.state == probeQueued && pr.in == in {
			if pr.target != nil && pr.target.state == probeQueued {
				return pr.target
			}
			return nil
		}
		in.probes.pop()
	}
	return nil
}

// takeOf is take from the domain of this name, out of turn.
func (q *queue) takeOf(name string, most int, a *allowance) []*probe {
	d := q.domains[name]
	if d == nil {
		return nil
	}
	return controlsLast(q.fillUp(d, most, a, nil))
}

// turn is the line whose turn it is, taken out of its ring; nil if nothing waits that a allows.
func (q *queue) turn(a *allowance) *appDomain {
	urgent, bulk := &q.rings[Interactive], &q.rings[Bulk]
	switch {
	case a.grants(true) && q.rings[controls].waiting > 0:
		return q.rings[controls].next()
	case !a.grants(false):
		return nil
	case urgent.waiting == 0:
		q.ahead = 0
		urgent.prune()
		return bulk.next()
	case bulk.waiting == 0:
		q.ahead = 0
		bulk.prune()
		return urgent.next()
	case q.ahead >= mostAhead, q.ahead > 0 && bulk.waited() >= impatient && float64(q.ahead) >= urgent.share()/bulk.share():
		q.ahead = 0
		return bulk.next()
	default:
		q.ahead++
		return urgent.next()
	}
}

// fillUp adds probes of d to a transaction, interactive ones first.
func (q *queue) fillUp(d *domainQueue, most int, a *allowance, out []*probe) []*probe {
	for class := range Class(len(q.rings)) {
		for _, in := range d.lines {
			if in.class == class {
				out = q.drain(in, most, a, out)
			}
		}
	}
	return out
}

// drain moves waiting probes of in to out until that holds most, or a allows no more. Recipients that need SMTPUTF8 and
// others do not share a transaction: a server that dislikes the parameter would refuse them all.
func (q *queue) drain(in *appDomain, most int, a *allowance, out []*probe) []*probe {
	had := len(out)
	for len(out) < most && in.waiting > 0 && a.grants(in.class == controls) {
		pr := in.probes.front()
		if pr.state == probeQueued && pr.in == in {
			if len(out) > 0 && pr.rcpt.SMTPUTF8 != out[0].rcpt.SMTPUTF8 {
				break
			}
			pr.state = probeSent
			pr.sends++
			a.take(pr.rcpt.Control)
			q.count(in, -1)
			out = append(out, pr)
		}
		in.probes.pop()
	}
	if n := len(out) - had; n > 0 {
		q.rings[in.class].charge(in.turns, n)
	}
	return out
}

// controlsLast moves made-up recipients behind the others: some servers end a session at the first that is unknown.
func controlsLast(probes []*probe) []*probe {
	slices.SortStableFunc(probes, func(a, b *probe) int {
		switch {
		case a.rcpt.Control == b.rcpt.Control:
			return 0
		case b.rcpt.Control:
			return -1
		}
		return 1
	})
	return probes
}

// requeue puts probes that were taken back to the head of their lines, in their order.
func (q *queue) requeue(probes []*probe) {
	for _, pr := range slices.Backward(probes) {
		pr.state = probeQueued
		pr.in.probes.pushFront(pr)
		q.count(pr.in, 1)
		q.rings[pr.in.class].schedule(pr.in, true)
	}
}

// remove forgets a probe that is done or dropped, and its domain with the last one.
func (q *queue) remove(pr *probe) {
	if pr.state == probeQueued {
		q.count(pr.in, -1)
	}
	pr.state = probeDone
	delete(q.probes, pr.rcpt.Path)
	if pr.domain.left--; pr.domain.left == 0 {
		delete(q.domains, pr.domain.name)
	}
}

// all lists every waiting probe, each line in its order.
func (q *queue) all() []*probe {
	out := make([]*probe, 0, q.waiting)
	for c := range q.rings {
		for _, app := range q.rings[c].apps {
			for _, in := range app.domains.all() {
				out = in.appendWaiting(out)
			}
		}
	}
	return out
}

// appendWaiting appends the probes that wait in the line.
func (in *appDomain) appendWaiting(out []*probe) []*probe {
	for _, pr := range in.probes.all() {
		if pr.state == probeQueued && pr.in == in {
			out = append(out, pr)
		}
	}
	return out
}
