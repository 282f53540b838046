package pool

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"
)

// A duty is whether a source may be used, and why not. The zero duty may. Guarded by Pool.mu.
type duty struct {
	suspendedUntil time.Time // It could not be used: its address could not be bound, or its proxy failed.
	suspendedWhy   string
	suspensions    int    // In a row, for the same fault.
	leaving        bool   // What waits has not been handed on yet.
	resting        bool   // What waits has not been told yet that the suspension is over.
	drained        bool   // By the operator: it takes no new domains.
	unfit          string // Why, by the word of a preflight; "" if it is fit.
}

// A source that cannot be used is tried again soon, and then less and less often: trying costs nobody but this host
// anything, and what waits for it waits for less long.
const (
	firstSuspension = 5 * time.Second
	lastSuspension  = 5 * time.Minute
)

// restsAt reports whether the source is suspended.
func (d *duty) restsAt(now time.Time) bool { return now.Before(d.suspendedUntil) }

// works reports whether the source may open sessions.
func (s *sourceState) works(now time.Time) bool { return !s.gone && s.unfit == "" && !s.restsAt(now) }

// out reports whether what waits for the source has to go elsewhere, if it can.
func (s *sourceState) out(now time.Time) bool { return s.drained || !s.works(now) }

// fit is the standing of a source that nothing is wrong with.
const fit = "fit"

// standing is in a word whether the source is fit, why it is not, and until when; zero if nobody knows.
func (s *sourceState) standing(now time.Time) (state, why string, until time.Time) {
	switch {
	case s.gone:
		return "gone", unconfigured, time.Time{}
	case s.unfit != "":
		return "unfit", s.unfit, time.Time{}
	case s.restsAt(now):
		return "suspended", s.suspendedWhy, s.suspendedUntil
	case s.drained:
		return "drained", "by the operator", time.Time{}
	case s.share() == 0:
		return "standby", "its weight is 0", time.Time{}
	case s.mayAsk(nil, now) <= 0:
		return "spent", "it is being warmed up, and has asked enough for today", nextDay(now)
	default:
		return fit, "", time.Time{}
	}
}

// share is the operator's weight.
func (s *sourceState) share() float64 {
	if s.weight == nil {
		return 1
	}
	return float64(*s.weight)
}

// suspend lets a source rest that cannot be used: this host does not have its address just now, or its proxy fails.
func (p *Pool) suspend(src *sourceState, why string) {
	now := time.Now()
	if src.restsAt(now) { // By another session that was being opened.
		return
	}
	rest := lastSuspension
	if n := src.suspensions; n < 10 {
		rest = min(rest, firstSuspension<<n)
	}
	if src.suspensions++; src.suspensions == 1 {
		p.log.Warn("source suspended: it cannot be used", zap.String("source", src.Name), zap.String("error", why))
	}
	p.rest(src, now.Add(rest), why)
}

// rest lets a source rest until then.
func (p *Pool) rest(src *sourceState, until time.Time, why string) {
	src.suspendedUntil, src.suspendedWhy = until, why
	src.leaving, src.resting = true, true
	p.nudge()
}

// connected notes that a source can be used.
func (p *Pool) connected(src *sourceState) {
	if src.suspensions > 0 && !src.restsAt(time.Now()) {
		src.suspensions = 0
		p.log.Info("source can be used again", zap.String("source", src.Name))
	}
}

// ErrUnknownSource is wrapped by errors about a source that is not configured.
var ErrUnknownSource = errors.New("no such source")

// named is the source of this name.
func (p *Pool) named(name string) (*sourceState, error) {
	at := slices.IndexFunc(p.sources, func(s *sourceState) bool { return s.Name == name })
	if at < 0 {
		return nil, fmt.Errorf("pool: source %q: %w", name, ErrUnknownSource)
	}
	return p.sources[at], nil
}

// Drain lets a source take no new domains, until Resume and over restarts. What waits for it goes to other sources, its
// idle sessions end, and busy ones finish what they have begun. Only retries that have to come from this source, because
// a greylist knows it, are still made from it. It returns when that is written down; where it could not be written, it
// holds until a restart, and the error says why. ErrUnknownSource is an error by name.
func (p *Pool) Drain(name string) error { return p.setDrained(name, true) }

// Resume ends what Drain began. It has the same errors.
func (p *Pool) Resume(name string) error { return p.setDrained(name, false) }

func (p *Pool) setDrained(name string, drained bool) error {
	p.mu.Lock()
	src, err := p.named(name)
	if err != nil {
		p.mu.Unlock()
		return err
	}
	if src.drained != drained {
		src.drained = drained
		p.log.Info("source drained or resumed", zap.String("source", name), zap.Bool("drained", drained))
		p.standingChanged(src)
	}
	p.mu.Unlock()
	return p.save(src)
}

// Fitness says what a preflight found of a source: why it is not fit, or "" if it is. A source that is not fit is out,
// as one that cannot be used: it opens no sessions, and what waits for it goes to others. ErrUnknownSource is an error
// by name.
func (p *Pool) Fitness(name, why string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	src, err := p.named(name)
	if err != nil {
		return err
	}
	if src.unfit == why {
		return nil
	}
	src.unfit = why
	if why == "" {
		p.log.Info("source is fit again", zap.String("source", name))
	} else {
		p.log.Warn("source is not fit", zap.String("source", name), zap.String("why", why))
	}
	p.standingChanged(src)
	return nil
}

// standingChanged lets what waits go where it belongs now: away from a source that is out, and to one that is back.
func (p *Pool) standingChanged(src *sourceState) {
	now := time.Now()
	if src.out(now) {
		p.vacate(src)
		return
	}
	p.reassign(now)
}

// outOfUse is why what waited for a source cannot be asked from it.
const outOfUse = "it is out of use"

// reassign has every source that cannot be used hand on what it can, and every other one go on.
func (p *Pool) reassign(now time.Time) {
	paths := p.paths()
	for _, pa := range paths {
		if pa.source.out(now) {
			pa.move(outOfUse)
		}
	}
	for _, pa := range paths {
		pa.advance()
		pa.forget()
	}
}

// vacate hands on what waits at the paths of a source that is out, and ends its idle sessions.
func (p *Pool) vacate(src *sourceState) {
	for _, pa := range p.paths() {
		if pa.source == src {
			pa.vacate(outOfUse)
			pa.advance()
			pa.forget()
		}
	}
}

// Trouble is why no source can be used just now; "" if one can.
func (p *Pool) Trouble() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	trouble := ""
	for _, s := range p.sources {
		state, why, _ := s.standing(now)
		if state == fit || state == "spent" {
			return ""
		}
		trouble = fmt.Sprintf("source %s is %s: %s", s.Name, state, why)
	}
	return trouble
}
