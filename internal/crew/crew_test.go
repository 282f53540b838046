package crew

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// resting is how many hands are idle.
func (c *Crew) resting() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.idle)
}

// TestAllRun: what is given is done, each on a goroutine of its own, and Wait waits for it.
func TestAllRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c Crew
		var done atomic.Int32
		meet := make(chan struct{})
		for range 500 {
			c.Go(func() {
				meet <- struct{}{} // Two at a time: each needs another that runs.
				done.Add(1)
			})
			c.Go(func() {
				<-meet
				c.Go(func() { done.Add(1) })
			})
		}
		c.Wait()
		if n := done.Load(); n != 1000 {
			t.Errorf("%d functions have returned, want 1000", n)
		}
	})
}

// TestHandsAreUsedAgain: one after another needs one goroutine, and nobody stays for ever.
func TestHandsAreUsedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c Crew
		for range 100 {
			c.Go(func() {})
			synctest.Wait()
		}
		if n := c.resting(); n != 1 {
			t.Errorf("%d hands rest, want 1", n)
		}
		time.Sleep(time.Minute)
		if n := c.resting(); n != 0 {
			t.Errorf("%d hands rest after a minute, want none", n)
		}
		c.Go(func() {})
		c.Wait()
	})
}

// TestFewStay: of many that ran at once, a bounded number waits.
func TestFewStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c Crew
		stop := make(chan struct{})
		for range 1000 {
			c.Go(func() { <-stop })
		}
		close(stop)
		synctest.Wait()
		if n := c.resting(); n < 2 || n > 200 {
			t.Errorf("%d hands rest, want some, 200 at most", n)
		}
		c.Wait()
	})
}

// TestTakenWhileRetiring: whoever is given work at the moment when it would end does the work.
func TestTakenWhileRetiring(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c Crew
		var done atomic.Int32
		for range 1000 {
			c.Go(func() { done.Add(1) })
			time.Sleep(time.Second) // Just when the last one retires.
		}
		c.Wait()
		if n := done.Load(); n != 1000 {
			t.Errorf("%d functions have returned, want 1000", n)
		}
	})
}
