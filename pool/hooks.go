package pool

import "time"

// mayProbe is how many probes the source may still send today.
func (s *sourceState) mayProbe(time.Time) int { return unbounded }

// nextDay is when its next day begins.
func (s *sourceState) nextDay(now time.Time) time.Time { return now }

// probed counts n probes that were sent, of which so many were about the dead.
func (s *sourceState) probed(_, _ int, _ time.Time) {}

// sourceRefused notes that a receiver refused the source itself.
func (s *sourceState) sourceRefused(time.Time) {}
