package pool

import "time"

// mostWaiting is how many probes wait in one lane; more are turned away.
const mostWaiting = 20_000

// turnedAway is the outcome of a recipient that is not queued: because the path's breaker is open, or because it can't
// be asked about before its caller's deadline; nil if it may queue.
func (pa *path) turnedAway(now time.Duration, la *lane, req *Request, rcpt *Recipient) *Outcome {
	if o := pa.pool.sender.refused(pa, now); o != nil {
		return o
	}
	if o := pa.refused(now, rcpt.Path); o != nil {
		return o
	}
	if o := la.outOfReach(now); o != nil {
		return o
	}
	if la.queue.probes[rcpt.Path] != nil { // Somebody else has asked, and the answer will be for all.
		return nil
	}
	if la.queue.waiting >= mostWaiting {
		return pa.overdrawn("too many addresses wait for this site", pa.pool.wall(pa.estimate(now, la, req, rcpt)))
	}
	if req.Deadline.IsZero() && !rcpt.Control || pa.unpaced() && pa.pool.self.until <= now {
		return nil
	}
	if rcpt.Control && pa.roomFor(now, pa.prefix()).controls <= 0 {
		return pa.overdrawn("the allowance of made-up recipients at this site is spent", pa.controlRetry(now))
	}
	at := pa.estimate(now, la, req, rcpt)
	if req.Deadline.IsZero() || !pa.pool.wall(at).After(req.Deadline) {
		return nil
	}
	return pa.overdrawn("the pace at this site lets nobody ask before the deadline", pa.pool.wall(at))
}

// estimate is when a recipient that is queued now will be asked about, if those under way and those before it are
// answered without a refusal: what limits leave, who is before it in the queue, and how long a session takes to open. It
// errs on the early side, since what is reserved for refusals is given back as a rule.
func (pa *path) estimate(now time.Duration, la *lane, req *Request, rcpt *Recipient) time.Duration {
	target, control := pa.nextRoom(now, true)
	at := max(target, pa.nextRate(now, 1+la.queue.before(req, rcpt)))
	if rcpt.Control {
		at = max(control, pa.nextRate(now, 1))
	}
	if pa.open == 0 {
		at = max(at, pa.dialAt(now))
	}
	return at
}

// before is how many of the waiting probes come before one that is queued now.
func (q *queue) before(req *Request, rcpt *Recipient) int {
	n := q.rings[controls].waiting
	if rcpt.Control {
		return n
	}
	urgent, bulk := q.rings[Interactive].waiting, q.rings[Bulk].waiting
	if req.Class == Interactive {
		return n + urgent/max(1, len(q.rings[Interactive].apps)) + min(bulk, urgent/mostAhead)
	}
	return n + min(urgent, bulk*mostAhead) + bulk
}
