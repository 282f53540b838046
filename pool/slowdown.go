package pool

import (
	"time"

	"go.uber.org/zap"

	"github.com/verimails/verimaild/pool/reply"
)

// A slowdown is how a provider has told several of our sources that they are too fast. A nil slowdown is of nobody. Guarded
// by Pool.mu.
type slowdown struct {
	told  map[*sourceState]time.Duration // Until when a path from there is shut for that.
	until time.Duration                  // All that the provider is asked goes at half the rate until then.
}

const (
	slowedBy  = 2 // Sources that were told so, so that it is meant for all.
	slowedFor = 30 * time.Minute
)

// slowdownOf finds or makes that of a provider; nil if it is not known.
func (p *Pool) slowdownOf(id string) *slowdown {
	d := p.slowdowns[id]
	if d == nil {
		if p.slowdowns == nil {
			p.slowdowns = map[string]*slowdown{}
		}
		d = &slowdown{told: map[*sourceState]time.Duration{}}
		p.slowdowns[id] = d
	}
	return d
}

// share is what is left of a rate just now. One that is lifted stays so.
func (d *slowdown) share(now time.Duration, rate float64) float64 {
	if d != nil && now < d.until {
		return rate / 2
	}
	return rate
}

// tooFast notes that the breaker of pa opened because o said that we are too fast. Where a provider says so to two sources,
// at any of its sites, it is meant for all that it is asked.
func (pa *path) tooFast(now time.Duration, o *Outcome) {
	d := pa.site.slowdown
	if d == nil || o.Meaning.Class != reply.RateLimited {
		return
	}
	d.told[pa.source] = max(d.told[pa.source], pa.breaker.Until)
	for src, until := range d.told {
		if until <= now {
			delete(d.told, src)
		}
	}
	if len(d.told) < slowedBy {
		return
	}
	if now >= d.until {
		pa.pool.log.Warn("a provider tells several sources that they are too fast: all that it is asked goes at half the rate",
			zap.String("provider", pa.site.provider.ID), zap.Int("sources", len(d.told)), zap.Duration("for", slowedFor))
	}
	d.until = now + slowedFor
}

// rateAt is the rate of the path just now, with what its provider has told all sources; 0 if it is lifted.
func (pa *path) rateAt(now time.Duration) float64 { return pa.site.slowdown.share(now, pa.perMinute()) }

// rateAt is the rate of the provider across its sites just now; 0 if it is lifted.
func (v *providerState) rateAt(now time.Duration) float64 {
	return v.slowdown.share(now, v.limits.ProbesPerMinute)
}

// slowUntil is until when all that a provider is asked goes at half the rate; zero if it does not.
func (p *Pool) slowUntil(id string, now time.Duration) time.Time {
	if d := p.slowdowns[id]; d != nil && now < d.until {
		return p.wall(d.until)
	}
	return time.Time{}
}
