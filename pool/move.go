package pool

import (
	"time"
)

// move hands what waits at a path, whose source cannot be used for the reason why, to the sources that its domains
// go to now.
func (pa *path) move(why string) {
	to := map[*lane]bool{}
	for _, la := range pa.lanes {
		for _, pr := range la.queue.all() {
			waiters := pr.waiters
			pr.waiters = nil
			la.queue.remove(pr)
			for _, w := range waiters {
				if next := la.hand(pr, w, why); next != nil {
					to[next] = true
				}
			}
		}
	}
	for la := range to {
		la.path.advance()
	}
}

// hand queues a probe's waiter at the path of the source that may ask for it now, and returns the lane: the same one
// again, where it has to wait for the source. It is nil if no source may ask in time.
func (la *lane) hand(pr *probe, w waiter, why string) *lane {
	pa := la.path
	src, none := pa.pool.choose(want{domain: pr.domain.name, hosts: la.hosts, pinned: w.pinned, deadline: w.call.deadline})
	if src == nil {
		o := none.outcome(time.Now())
		if none.failure == FailNoSource {
			o.Detail = "source " + pa.source.Name + ": " + why + "; " + none.why
		}
		w.call.deliver(w.index, &o)
		return nil
	}
	to := pa.site.path(src).lane(la.key)
	to.hosts = la.hosts
	req := Request{
		Domain: pr.domain.name, App: pr.in.app, Weight: pr.in.weight, Class: min(pr.in.class, Bulk), Deadline: w.call.deadline,
	}
	if to != la { // It may have been refused there.
		if o := to.path.turnedAway(pa.pool.now(), to, &req, &pr.rcpt); o != nil {
			w.call.turnAway(w.index, o, to.path)
			to.path.forget()
			return nil
		}
	}
	next := to.queue.add(to, &req, &pr.rcpt, w)
	next.sends = max(next.sends, pr.sends)
	w.call.probes[w.index] = next
	return to
}
