// Package crew runs functions on goroutines that are used again.
//
// A goroutine begins with a small stack. One that asks a store and a pool grows it several times over, by copying, and
// throws it away at its end; with thousands of questions a second that costs more than what they do. A goroutine that
// takes the next question has the stack that it takes.
package crew

import (
	"slices"
	"sync"
	"time"
)

const (
	// mostIdle is how many goroutines wait for work at most. Others end.
	mostIdle = 128
	// idleFor is how long one waits before it ends.
	idleFor = time.Second
)

// A Crew runs functions, each on a goroutine of its own for as long as it runs. The zero Crew is ready. It is safe for
// concurrent use, and must not be copied.
type Crew struct {
	jobs  sync.WaitGroup // Functions that have not returned.
	hands sync.WaitGroup // Goroutines.

	mu   sync.Mutex
	idle []*hand // Guarded by mu. The last one has worked last.
}

// A hand is a goroutine.
type hand struct {
	next  chan func() // What it does next; nil ends it. Has room for one.
	timer *time.Timer // Nil before it has rested.
}

// Go runs f at once and returns.
func (c *Crew) Go(f func()) {
	c.jobs.Add(1)
	if h := c.rested(); h != nil {
		h.next <- f
		return
	}
	c.hands.Go(func() { c.work(&hand{next: make(chan func(), 1)}, f) })
}

// Wait blocks until every function has returned, and all goroutines have ended. Nobody may call Go meanwhile, other than
// the functions themselves.
func (c *Crew) Wait() {
	c.jobs.Wait()
	for h := c.rested(); h != nil; h = c.rested() {
		h.next <- nil
	}
	c.hands.Wait()
}

// rested takes an idle hand; nil if there is none.
func (c *Crew) rested() *hand {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := len(c.idle)
	if n == 0 {
		return nil
	}
	h := c.idle[n-1]
	c.idle[n-1] = nil
	c.idle = c.idle[:n-1]
	return h
}

// work is h's goroutine.
func (c *Crew) work(h *hand, f func()) {
	for f != nil {
		f()
		stays := c.rest(h)
		c.jobs.Done() // Only now, so that Wait finds the hand.
		if !stays {
			return
		}
		f = c.await(h)
	}
}

// rest puts h with the idle ones, unless there are enough.
func (c *Crew) rest(h *hand) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.idle) >= mostIdle {
		return false
	}
	c.idle = append(c.idle, h)
	return true
}

// await returns what h is to do next; nil if nothing comes for a while.
func (c *Crew) await(h *hand) func() {
	if h.timer == nil {
		h.timer = time.NewTimer(idleFor)
	} else {
		h.timer.Reset(idleFor)
	}
	select {
	case f := <-h.next:
		h.timer.Stop()
		return f
	case <-h.timer.C:
	}
	if c.retire(h) {
		return nil
	}
	return <-h.next // It was taken at the last moment.
}

// retire takes h from the idle ones. It reports whether it was there.
func (c *Crew) retire(h *hand) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.Index(c.idle, h)
	if i < 0 {
		return false
	}
	c.idle = slices.Delete(c.idle, i, i+1)
	return true
}
