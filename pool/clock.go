package pool

import "time"

// history is how far before the start of the pool its instants reach, so that what is restored has its place.
const history = 48 * time.Hour

// now is the instant for what counts by time: since the pool's epoch, by the monotonic clock, so that a jump of the
// wall clock lets nothing through.
func (p *Pool) now() time.Duration { return p.instant(time.Now()) }

// instant is t as the time since the pool's epoch.
func (p *Pool) instant(t time.Time) time.Duration { return t.Sub(p.started) + history }

// wall is an instant as a time.
func (p *Pool) wall(at time.Duration) time.Time { return p.started.Add(at - history) }
