package pool

import (
	"time"

	"github.com/verimails/verimaild/pool/budget"
)

// place reserves a place for a new session of la at every level, all or none. Where sessions are too many, the one that
// has lingered for the longest has to go, and the path waits for a place; where they are opened too fast, it is looked
// at again when the time has come.
func (p *Pool) place(la *lane) bool {
	pa := la.path
	if !p.crowded(pa) {
		now := p.now()
		if at := pa.dialAt(now); at > now {
			p.wakeAt(pa, at)
			return false
		}
		pa.dialed(now)
		pa.source.sessions++
		p.sessions++
		pa.open++
		la.open++
		la.busy++
		pa.moveToEnd(la)
		return true
	}
	if pa.starved { // A session was told to make room for it already.
		return false
	}
	pa.starved, pa.starvedAt = true, time.Now()
	p.starved.push(pa)
	p.makeWay()
	return false
}

func (p *Pool) full() bool { return reached(p.sessions, p.opts.MaxSessions) }

func (p *Pool) sourceFull(src *sourceState) bool {
	return reached(src.sessions, p.opts.SourceLimits.Sessions)
}

func (v *providerState) full() bool { return v != nil && reached(v.sessions, v.limits.Sessions) }

// crowded reports whether there is no place for one more session of pa above the path itself.
func (p *Pool) crowded(pa *path) bool {
	return p.full() || p.sourceFull(pa.source) || pa.site.across.full()
}

// inTheWayOf tells the sessions whose end makes room for one of pa: those that share the narrowest level that is full.
// anyone says that this is the pool itself, so that the end of any session does.
func (p *Pool) inTheWayOf(pa *path) (wanted func(*session) bool, anyone bool) {
	switch {
	case pa.site.across.full():
		return func(s *session) bool { return s.lane.path.site.across == pa.site.across }, false
	case p.sourceFull(pa.source):
		return func(s *session) bool { return s.lane.path.source == pa.source }, false
	default:
		return func(*session) bool { return true }, true
	}
}

// dialAt is when the path may open a session, as every level sees it.
func (pa *path) dialAt(now time.Duration) time.Duration {
	p, l := pa.pool, &pa.site.limits
	at := max(now, pa.nextDial, p.self.until)
	if l.SessionsPerHour > 0 {
		at = max(at, pa.openings.Room(now, l.SessionsPerHour, 0, 1))
	}
	if v := pa.site.across; v != nil {
		at = max(at, v.nextDial)
		if v.limits.SessionsPerHour > 0 {
			at = max(at, v.openings.Room(now, v.limits.SessionsPerHour, 0, 1))
		}
	}
	at = max(at, pa.source.dials.Next(now, float64(p.opts.SourceLimits.DialsPerMinute), dialBurst, 1))
	return max(at, p.dials.Next(now, 60*float64(p.opts.DialsPerSecond), p.opts.DialsPerSecond, 1))
}

// dialed books a session that is being opened at every level.
func (pa *path) dialed(now time.Duration) {
	p, l := pa.pool, &pa.site.limits
	pa.nextDial = now + l.DialInterval
	if l.SessionsPerHour > 0 {
		pa.openings.Add(now, 1)
		pa.site.changed()
	}
	if v := pa.site.across; v != nil {
		v.sessions++
		v.nextDial = now + v.limits.DialInterval
		v.openings.Add(now, 1)
		v.dirty = true
	}
	pa.source.dials.Take(now, float64(p.opts.SourceLimits.DialsPerMinute), 1)
	p.dials.Take(now, 60*float64(p.opts.DialsPerSecond), 1)
	if pa.state(now) == budget.HalfOpen {
		pa.testing = true
	}
}

// oneMore books another connection of a session that is being opened, and reports whether the limits of an hour allow it:
// receivers count what is broken off too. The time between dials is not for these, who replace one another.
func (pa *path) oneMore() bool {
	p, l, v := pa.pool, &pa.site.limits, pa.site.across
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	if reached(pa.openings.Spent(now), l.SessionsPerHour) || v != nil && reached(v.openings.Spent(now), v.limits.SessionsPerHour) {
		return false
	}
	if l.SessionsPerHour > 0 {
		pa.openings.Add(now, 1)
	}
	if v != nil {
		v.openings.Add(now, 1)
	}
	pa.touch()
	pa.source.dials.Take(now, float64(p.opts.SourceLimits.DialsPerMinute), 1)
	p.dials.Take(now, 60*float64(p.opts.DialsPerSecond), 1)
	return true
}

// release gives back what place reserved. Who has waited for a place comes before the session's own path.
func (p *Pool) release(s *session) {
	la := s.lane
	pa := la.path
	pa.source.sessions--
	p.sessions--
	pa.open--
	la.open--
	la.busy--
	if s.parting {
		pa.parting--
	}
	if v := pa.site.across; v != nil {
		v.sessions--
	}
	pa.testing = false
	if to := s.promisedTo; to != nil {
		to.promised = false
	}
	if pa.source.sessions < 0 || p.sessions < 0 || pa.open < 0 || la.open < 0 || la.busy < 0 || pa.parting < 0 {
		panic("pool: a session was released twice")
	}
	if p.starved.len() > 0 {
		p.feed()
		p.makeWay()
	}
	pa.advance()
	pa.forget()
}

// feed lets the paths that wait for a place try again as long as there are places, the most urgent first, each once.
// Those that there is no place for keep their turn; those that had one and want another go behind them.
func (p *Pool) feed() {
	for range p.starved.len() {
		if p.full() {
			return
		}
		at := p.mostUrgent(time.Now())
		if at < 0 {
			return
		}
		pa := p.starved.remove(at)
		pa.starved = false
		pa.advance()
		pa.forget()
	}
}

// mostUrgent is the place in Pool.starved of the path that is next, of those that there is room for; -1 if there is none.
func (p *Pool) mostUrgent(now time.Time) int {
	best, most := -1, -1.0
	for i, pa := range p.starved.all() {
		if u := pa.urgency(now); u > most && !p.crowded(pa) {
			best, most = i, u
		}
	}
	return best
}

// urgency grows with the time that a path has waited for a place, and with what waits at it: a place that serves many is
// worth more, as long as nobody waits long for that.
func (pa *path) urgency(now time.Time) float64 {
	const many, aSecond = 16, 4
	waiting, hurry := 0, 0
	for _, la := range pa.lanes {
		waiting += la.queue.waiting
		hurry += la.queue.rings[Interactive].waiting
	}
	u := float64(min(waiting, many)) + aSecond*now.Sub(pa.starvedAt).Seconds()
	if hurry > 0 {
		u += many
	}
	return u
}
