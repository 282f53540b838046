package pool

// A queue holds the probes that wait for a session of one path.
// Applications take turns by deficit round robin, and within an application its domains do;
// interactive probes go before bulk ones. Guarded by Pool.mu.
type queue struct {
	rings   [2]ring // By class.
	domains map[string]*domainQueue
	waiting int // Probes queued and not dropped.
}

// A ring is the turns of the applications in one class.
type ring struct {
	apps    map[string]*appQueue
	turns   fifo[*appQueue] // Those with work.
	waiting int
}

// An appQueue is what one application has in a ring.
type appQueue struct {
	name    string
	weight  int
	turns   int // Left before the next application's.
	domains fifo[*appDomain]
}

// An appDomain is what one application wants to know of one domain, oldest first.
type appDomain struct {
	key     appKey
	domain  *domainQueue
	probes  fifo[*probe] // May hold dropped ones; they are passed over.
	waiting int
	queued  bool // In its appQueue's domains.
}

// A domainQueue is one domain's probes on a path.
type domainQueue struct {
	name   string
	hosts  []Host
	byApp  map[appKey]*appDomain
	probes map[string]*probe // Queued or in flight, by forward-path: identical questions share one.
}

type appKey struct {
	app   string
	class Class
}

// A probe is one recipient on its way. Guarded by Pool.mu.
type probe struct {
	rcpt    Recipient
	domain  *domainQueue
	in      *appDomain
	pinned  string // The only source that may ask; "" if any may.
	state   probeState
	tries   int // Sessions that it was sent on, or waited for, in vain.
	waiters []waiter
}

type probeState uint8

const (
	probeQueued probeState = iota
	probeSent
	probeDone
)

// A waiter is a place in a call that a probe's outcome goes to.
type waiter struct {
	call  *call
	index int
}

func newQueue() queue {
	return queue{
		domains: map[string]*domainQueue{},
		rings:   [2]ring{{apps: map[string]*appQueue{}}, {apps: map[string]*appQueue{}}},
	}
}

// add queues rcpt for w, or joins a probe that already asks the same.
func (q *queue) add(req *Request, rcpt Recipient, w waiter) *probe {
	d := q.domains[req.Domain]
	if d == nil {
		d = &domainQueue{name: req.Domain, byApp: map[appKey]*appDomain{}, probes: map[string]*probe{}}
		q.domains[req.Domain] = d
	}
	d.hosts = req.Hosts // The newest knowledge of the mail hosts counts.
	if pr := d.probes[rcpt.Path]; pr != nil {
		pr.waiters = append(pr.waiters, w)
		return pr
	}
	key := appKey{req.App, req.Class}
	in := d.byApp[key]
	if in == nil {
		in = &appDomain{key: key, domain: d}
		d.byApp[key] = in
	}
	pr := &probe{rcpt: rcpt, domain: d, in: in, pinned: req.Source, waiters: []waiter{w}}
	d.probes[rcpt.Path] = pr
	in.probes.push(pr)
	q.count(in, 1)
	q.schedule(in, req.Weight)
	return pr
}

// count books n probes more or less as waiting.
func (q *queue) count(in *appDomain, n int) {
	in.waiting += n
	q.rings[in.key.class].waiting += n
	q.waiting += n
	if q.waiting < 0 || in.waiting < 0 {
		panic("pool: more probes taken than queued")
	}
}

// schedule gives in a turn if it has none. A weight of 0 changes nothing.
func (q *queue) schedule(in *appDomain, weight int) {
	r := &q.rings[in.key.class]
	app := r.apps[in.key.app]
	if app == nil {
		app = &appQueue{name: in.key.app, weight: 1}
		r.apps[in.key.app] = app
		r.turns.push(app)
	}
	if weight > 0 {
		app.weight = weight
	}
	if in.queued {
		return
	}
	in.queued = true
	app.domains.push(in)
}

// take removes up to most probes of one domain that can may ask for: first those of the
// application whose turn it is, then other applications' of the same domain.
func (q *queue) take(most int, may func(*domainQueue) bool) []*probe {
	for class := range q.rings {
		in := q.rings[class].next(may)
		if in == nil {
			continue
		}
		out := q.drain(in, most, nil)
		for _, other := range in.domain.byApp {
			out = q.drain(other, most-len(out), out)
		}
		return out
	}
	return nil
}

// head is the domain whose turn is next, which costs it the turn; nil if nothing waits.
func (q *queue) head() *domainQueue {
	for class := range q.rings {
		if in := q.rings[class].next(func(*domainQueue) bool { return true }); in != nil {
			return in.domain
		}
	}
	return nil
}

// next finds whose turn it is among the domains that may be asked about.
// An application has as many turns in a row as its weight; within it, domains take turns.
func (r *ring) next(may func(*domainQueue) bool) *appDomain {
	for range r.turns.len() {
		app := r.turns.front()
		in := app.next(may)
		switch {
		case in != nil:
			if app.turns--; app.turns <= 0 {
				app.turns = app.weight
				r.turns.push(r.turns.pop())
			}
			return in
		case app.domains.len() > 0: // Has work, but none that may be done here.
			r.turns.push(r.turns.pop())
		default:
			r.turns.pop()
			delete(r.apps, app.name)
		}
	}
	return nil
}

// next finds the application's next domain, and forgets those with nothing left to ask.
func (a *appQueue) next(may func(*domainQueue) bool) *appDomain {
	for range a.domains.len() {
		in := a.domains.pop()
		if in.waiting == 0 {
			in.queued = false
			continue
		}
		a.domains.push(in)
		if may(in.domain) {
			return in
		}
	}
	return nil
}

// drain moves up to most waiting probes of in to out.
func (q *queue) drain(in *appDomain, most int, out []*probe) []*probe {
	for n := 0; n < most && in.waiting > 0; {
		pr := in.probes.pop()
		if pr.state != probeQueued { // Dropped while it waited.
			continue
		}
		pr.state = probeSent
		q.count(in, -1)
		out = append(out, pr)
		n++
	}
	return out
}

// requeue puts probes that were taken back to the head of their lines.
func (q *queue) requeue(probes []*probe) {
	for i := len(probes) - 1; i >= 0; i-- {
		pr := probes[i]
		pr.state = probeQueued
		pr.in.probes.pushFront(pr)
		q.count(pr.in, 1)
		q.schedule(pr.in, 0)
	}
}

// remove forgets a probe that is done or dropped, and its domain with the last one.
func (q *queue) remove(pr *probe) {
	d := pr.domain
	if pr.state == probeQueued {
		q.count(pr.in, -1)
	}
	pr.state = probeDone
	delete(d.probes, pr.rcpt.Path)
	if len(d.probes) == 0 {
		delete(q.domains, d.name)
	}
}

// all lists every waiting probe.
func (q *queue) all() []*probe {
	out := make([]*probe, 0, q.waiting)
	for _, d := range q.domains {
		for _, pr := range d.probes {
			if pr.state == probeQueued {
				out = append(out, pr)
			}
		}
	}
	return out
}

// servedBy reports whether a session at host may ask about d's recipients: only the hosts of best
// preference speak for the domain first, RFC 5321 §5.1; others do where those could not be reached.
func (d *domainQueue) servedBy(host string, fallback bool) bool {
	for _, h := range d.hosts {
		if h.Name == host {
			return fallback || h.Preference == d.hosts[0].Preference
		}
	}
	return false
}
