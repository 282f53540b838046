package mailworld

import (
	"sync"
	"time"
)

// An alarm is a deadline that wakes those who wait on cond. It is guarded by cond's lock.
type alarm struct {
	cond  *sync.Cond
	at    time.Time
	timer *time.Timer
}

// setLocked moves the deadline; the zero time means none.
func (a *alarm) setLocked(t time.Time) {
	a.at = t
	if t.IsZero() {
		a.stopLocked()
		return
	}
	d := max(time.Until(t), 0)
	if a.timer == nil {
		a.timer = time.AfterFunc(d, a.ring)
		return
	}
	a.timer.Reset(d)
}

// ring is what the timer calls. A timer may be early by the wall clock's measure, and is then set again.
func (a *alarm) ring() {
	a.cond.L.Lock()
	defer a.cond.L.Unlock()
	if left := time.Until(a.at); left > 0 {
		a.timer.Reset(left)
		return
	}
	a.cond.Broadcast()
}

func (a *alarm) stopLocked() {
	if a.timer != nil {
		a.timer.Stop()
	}
}

// passedLocked reports whether the deadline has come.
func (a *alarm) passedLocked() bool { return !a.at.IsZero() && !time.Now().Before(a.at) }
