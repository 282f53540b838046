package pool

import (
	"slices"
	"time"
)

// A ring is the turns of the applications in one class. Each application has a clock that runs by the probes
// taken from it, the slower the greater its weight; who is furthest behind is next. So what is shared out is
// probes, not turns, whether an application asks about one recipient of a domain or a hundred.
type ring struct {
	apps    []*appQueue // Those that may have work, the furthest behind first.
	waiting int         // Probes.
	clock   float64     // Where the application served last was: newcomers begin there, without credit.
}

// An appQueue is what one application has in a ring. Its domains take turns.
type appQueue struct {
	name    string
	share   float64 // Of the probes, against that of others.
	clock   float64
	domains fifo[*appDomain]
}

// An appDomain is what one application wants to know of one domain in one class, oldest first.
type appDomain struct {
	app     string
	class   Class
	weight  int     // As the request said.
	share   float64 // What that comes to; see apps.share.
	domain  *domainQueue
	probes  fifo[*probe] // May hold some that were dropped, or moved to another line; they are passed over.
	waiting int
	queued  bool      // In its application's domains.
	turns   *appQueue // Where it is queued, or was last.
}

// schedule gives in a turn if it has none: the next one of its application, or the last.
func (r *ring) schedule(in *appDomain, next bool) {
	app := r.app(in.app, in.share)
	if in.queued {
		return
	}
	in.queued, in.turns = true, app
	if next {
		app.domains.pushFront(in)
	} else {
		app.domains.push(in)
	}
}

// app finds or adds the application's queue.
func (r *ring) app(name string, share float64) *appQueue {
	at := 0
	for i, a := range r.apps {
		if a.name == name {
			a.share = share
			return a
		}
		if a.clock <= r.clock {
			at = i + 1
		}
	}
	a := &appQueue{name: name, share: share, clock: r.clock}
	r.apps = slices.Insert(r.apps, at, a)
	return a
}

// next takes the domain whose turn it is out of the ring; nil if nothing waits. It forgets, on its way, domains
// and applications with nothing left to ask.
func (r *ring) next() *appDomain {
	for len(r.apps) > 0 {
		app := r.apps[0]
		for app.domains.len() > 0 {
			in := app.domains.pop()
			in.queued = false
			if in.waiting > 0 {
				r.clock = max(r.clock, app.clock)
				return in
			}
		}
		r.apps = slices.Delete(r.apps, 0, 1)
	}
	return nil
}

// charge moves the clock of an application from which n probes were taken.
func (r *ring) charge(app *appQueue, n int) {
	app.clock += float64(n) / app.share
	for i := slices.Index(r.apps, app); i+1 < len(r.apps) && r.apps[i+1].clock <= app.clock; i++ {
		r.apps[i], r.apps[i+1] = r.apps[i+1], r.apps[i]
	}
}

// prune forgets everything in a ring in which nothing waits.
func (r *ring) prune() {
	for _, app := range r.apps {
		for _, in := range app.domains.all() {
			in.queued = false
		}
	}
	r.apps = nil
}

// waited is for how long the probe has waited whose application is next.
func (r *ring) waited() time.Duration {
	for _, app := range r.apps {
		for _, in := range app.domains.all() {
			for _, pr := range in.probes.all() {
				if pr.state == probeQueued && pr.in == in {
					return time.Since(pr.queued)
				}
			}
		}
	}
	return 0
}

// share is that of the application that is next; 1 if there is none.
func (r *ring) share() float64 {
	if len(r.apps) == 0 {
		return 1
	}
	return r.apps[0].share
}
