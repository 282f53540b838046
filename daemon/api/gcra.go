package api

import "time"

// A gcra is a rate by the generic cell rate algorithm: one instant says all. Its time is when the last of what was let
// through would have been due, had it come evenly. The zero gcra has let nothing through.
type gcra struct{ due time.Time }

// spendAt lets one through at t, at a rate of perMinute with a burst of as many. If it can't, it returns how long to
// wait, and nothing has changed.
func (g *gcra) spendAt(t time.Time, perMinute int) (wait time.Duration) {
	step := time.Minute / time.Duration(perMinute)
	due := g.due
	if due.Before(t) {
		due = t
	}
	if wait = due.Add(step).Sub(t) - time.Minute; wait > 0 {
		return wait
	}
	g.due = due.Add(step)
	return 0
}

// giveBack takes back what was spent and not used.
func (g *gcra) giveBack(perMinute int) { g.due = g.due.Add(-time.Minute / time.Duration(perMinute)) }

// usedAt is how much of perMinute can't be spent at t.
func (g *gcra) usedAt(t time.Time, perMinute int) int {
	step := time.Minute / time.Duration(perMinute)
	ahead := g.due.Sub(t)
	if ahead <= 0 {
		return 0
	}
	return min(perMinute, int((ahead+step-1)/step))
}
