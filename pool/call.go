package pool

import (
	"time"

	"github.com/verimails/verimaild/pool/smtp"
)

// A call is one Probe under way. Guarded by Pool.mu until done is closed.
type call struct {
	outcomes []Outcome
	probes   []*probe // Parallel to outcomes; nil where it was answered at once.
	paths    []*path
	left     int
	done     chan struct{} // Closed when every outcome is there.
}

// deliver sets one outcome.
func (c *call) deliver(i int, o Outcome) {
	c.outcomes[i] = o
	if c.left--; c.left < 0 {
		panic("pool: an outcome was delivered twice")
	}
	if c.left == 0 {
		close(c.done)
	}
}

// cancel withdraws c from its queued probes; a probe that nobody else waits for is dropped.
func (c *call) cancel(p *Pool) {
	for i, pr := range c.probes {
		if pr == nil || pr.state != probeQueued {
			continue
		}
		pr.waiters = without(pr.waiters, c, i)
		if len(pr.waiters) == 0 {
			c.paths[i].queue.remove(pr)
			p.total.Dropped++
		}
		c.deliver(i, Outcome{
			Recipient: pr.rcpt, Stage: smtp.StageConnect, Failure: FailCanceled,
			Detail: "nobody waited for the answer any more", At: time.Now(),
		})
	}
}

func without(ws []waiter, c *call, i int) []waiter {
	for at, w := range ws {
		if w.call == c && w.index == i {
			return append(ws[:at], ws[at+1:]...)
		}
	}
	return ws
}

// finish gives pr its outcome, for all who wait.
func (pa *path) finish(pr *probe, o Outcome) {
	if pr.state == probeDone {
		return
	}
	pa.queue.remove(pr)
	if o.At.IsZero() {
		o.At = time.Now()
	}
	o.Source = pa.source.Name
	if pa.site.provider != nil {
		o.Provider = pa.site.provider.ID
	}
	for _, w := range pr.waiters {
		o.Recipient = pr.rcpt
		w.call.deliver(w.index, o)
	}
	pr.waiters = nil
}
