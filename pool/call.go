package pool

import (
	"time"

	"github.com/verimails/verimaild/pool/smtp"
)

// A call is one Probe under way. Guarded by Pool.mu until done is closed.
type call struct {
	recipients []Recipient
	outcomes   []Outcome
	probes     []*probe // Parallel to outcomes; none where all were answered at once.
	left       int
	canceled   bool               // Its caller has gone.
	along      bool               // Request.Along.
	deadline   time.Time          // Its caller's; zero if there is none.
	awaited    func(*Outcome) int // Request.Awaited.
	done       chan struct{}      // Closed when every outcome is there.
}

func newCall(recipients []Recipient) *call {
	return &call{
		recipients: recipients, outcomes: make([]Outcome, len(recipients)), left: len(recipients),
		done: make(chan struct{}),
	}
}

// deliver sets one outcome.
func (c *call) deliver(i int, o *Outcome) {
	c.outcomes[i] = *o
	c.outcomes[i].Recipient = c.recipients[i]
	if c.left--; c.left < 0 {
		panic("pool: an outcome was delivered twice")
	}
	if c.left == 0 {
		close(c.done)
	}
}

// fail gives all of a call that never was queued the same outcome.
func (c *call) fail(f Failure, detail string) {
	o := Outcome{Stage: smtp.StageConnect, Failure: f, Detail: detail, At: time.Now()}
	for i := range c.outcomes {
		c.deliver(i, &o)
	}
}

// deny gives all of a call that never was queued the outcome of a denial.
func (c *call) deny(d denial) {
	o := d.outcome(time.Now())
	for i := range c.outcomes {
		c.deliver(i, &o)
	}
}

// turnAway gives a recipient of c that is not queued at pa the outcome o.
func (c *call) turnAway(i int, o *Outcome, pa *path) {
	kept := *o
	if kept.At.IsZero() {
		kept.At = time.Now()
	}
	kept.askedOn(pa)
	c.deliver(i, &kept)
}

// askedOn notes in o the path that it is the outcome of, unless it was said to another one.
func (o *Outcome) askedOn(pa *path) {
	if o.Remembered && o.Source != "" {
		return
	}
	o.Source, o.Provider = pa.source.Name, pa.site.providerID()
}

// cancel withdraws c from its queued probes. Those in flight are waited for, but not asked about again on its behalf.
func (c *call) cancel() {
	c.canceled = true
	for _, pr := range c.probes {
		if pr != nil && pr.state == probeQueued && pr.abandon() {
			pr.lane.path.forget() // It may have been the last that waited there.
		}
	}
}

// abandon withdraws canceled calls from a queued probe, and reports whether the probe was dropped because nobody
// else waits for it.
func (pr *probe) abandon() bool {
	o := Outcome{
		Stage: smtp.StageConnect, Failure: FailCanceled, At: time.Now(),
		Detail: "nobody waited for the answer any more",
	}
	kept := pr.waiters[:0]
	for _, w := range pr.waiters {
		if w.call.canceled {
			w.call.deliver(w.index, &o)
		} else {
			kept = append(kept, w)
		}
	}
	clear(pr.waiters[len(kept):])
	pr.waiters = kept
	if len(kept) > 0 {
		return false
	}
	pr.lane.queue.remove(pr)
	pr.lane.path.pool.total.Dropped++
	return true
}

// finish gives pr its outcome, for all who wait.
func (pr *probe) finish(o *Outcome) {
	pa := pr.lane.path
	pr.lane.queue.remove(pr)
	if o.At.IsZero() {
		o.At = time.Now()
	}
	o.askedOn(pa)
	o.Recipient = pr.rcpt
	for _, w := range pr.waiters {
		if w.call.awaited != nil {
			pr.lane.expect(w.call.awaited(o))
		}
		w.call.deliver(w.index, o)
	}
	pr.waiters = nil
}
