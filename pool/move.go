package pool

import (
	"time"

	"github.com/verimails/verimaild/pool/smtp"
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

// hand queues a probe's waiter at another path, and returns the lane; nil if no source may ask for it.
func (la *lane) hand(pr *probe, w waiter, why string) *lane {
	pa := la.path
	src, none := pa.pool.choose(pr.domain.name, la.hosts, w.pinned)
	if src == nil || src == pa.source {
		o := Outcome{
			Stage: smtp.StageConnect, Failure: FailNoSource,
			Detail: "source " + pa.source.Name + ": " + why + "; " + none, At: time.Now(),
		}
		w.call.deliver(w.index, &o)
		return nil
	}
	to := pa.site.path(src).lane(la.key)
	to.hosts = la.hosts
	req := Request{Domain: pr.domain.name, App: pr.in.app, Weight: pr.in.weight, Class: pr.in.class}
	next := to.queue.add(to, &req, &pr.rcpt, w)
	next.sends = max(next.sends, pr.sends)
	w.call.probes[w.index] = next
	return to
}
