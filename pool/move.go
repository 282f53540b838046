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

// staysHome is the domain's home in place of src where that has been refused at s and may ask: what it lost elsewhere by that
// is not to be asked from another source here.
func (s *site) staysHome(src, home *sourceState) *sourceState {
	at := s.paths[home]
	if home == src || at == nil || !at.breaker.Opened && !at.breaker.Tried {
		return src
	}
	if state, _, _ := home.standing(time.Now()); state != fit {
		return src
	}
	return home
}

// refusedAt is what the site has said to a domain's home, if that is why it is not asked: no other source is tried in
// its place. Nil if it has said nothing.
func (pa *path) refusedAt(home *sourceState, now time.Duration, rcpt string) *Outcome {
	at := pa.site.paths[home]
	if at == nil || at == pa {
		return nil
	}
	return at.refused(now, rcpt)
}

// hand queues a probe's waiter at the path of the source that may ask for it now, and returns the lane: the same one
// again, where it has to wait for the source. It is nil if no source may ask in time.
func (la *lane) hand(pr *probe, w waiter, why string) *lane {
	pa := la.path
	src, _, none := pa.pool.choose(want{domain: pr.domain.name, hosts: la.hosts, pinned: w.pinned, deadline: w.call.deadline})
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
	next.sends, next.lost = max(next.sends, pr.sends), next.lost || pr.lost
	w.call.probes[w.index] = next
	return to
}
