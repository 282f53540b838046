package pool

import (
	"net/netip"
	"time"

	"github.com/verimails/verimaild/pool/budget"
)

// A record is what is kept of a site, or of a provider across its sites. Instants in it are times before or after it
// was written, so that they survive a clock that was wrong.
type record struct {
	Written  time.Time
	Learned  learned
	Hosts    []hostNote
	Accounts []accountNote
	Paths    []pathNote
}

// A hostNote is a host's defects.
type hostNote struct {
	Name  string
	Until hostRecord
}

// An accountNote is an account.
type accountNote struct {
	Prefix   netip.Prefix
	Dead     []budget.Minute
	Controls []budget.Minute
	Leased   hold // Spent besides, for all that is known.
	Allowed  int  // Controls an hour; 0 is where the ramp begins.
	Raised   time.Duration
}

// A pathNote is a path's conduct. That of a provider's record has no source.
type pathNote struct {
	Source      string
	Debt        time.Duration // Of the rate.
	LearnedRate float64
	Window      float64
	Ratio       []budget.Event
	Openings    []budget.Minute
	NextDial    time.Duration // From when the record was written.
	LastProbe   time.Duration // Before it.
	Welcome     bool
	PutOff      bool
	Breaker     budget.Breaker // Until counts from when the record was written.
	Refusal     *Outcome
}

// record is what is kept of s; slack is for how many questions more an account is charged than it has under way.
func (s *site) record(now time.Duration, slack int) record {
	r := record{Written: time.Now(), Learned: s.learned, Accounts: s.accounts.notes(now, slack)}
	for _, h := range s.hosts {
		if rec, ok := s.pool.hosts[h]; ok {
			r.Hosts = append(r.Hosts, hostNote{h, rec})
		}
	}
	for _, pa := range s.paths {
		r.Paths = append(r.Paths, pa.note(now))
	}
	return r
}

// notes is what is kept of as; written is to be told whether that is on the disk.
func (as accounts) notes(now time.Duration, slack int) []accountNote {
	out := make([]accountNote, 0, len(as))
	for prefix, a := range as {
		a.writing = &promise{leased: a.held}
		if slack > 0 && a.held != (hold{}) {
			a.writing.leased.add(hold{slack, slack}, 1)
		}
		out = append(out, accountNote{
			Prefix: prefix, Dead: a.dead.Minutes(now), Controls: a.controls.Minutes(now), Leased: a.writing.leased,
			Allowed: int(a.controlR), Raised: now - a.raised,
		})
	}
	return out
}

// written notes whether what notes gave is on the disk.
func (as accounts) written(ok bool) {
	for _, a := range as {
		a.written(ok)
	}
}

func (pa *path) note(now time.Duration) pathNote {
	n := pathNote{
		Source: pa.source.Name, Debt: pa.rate.Debt(now), LearnedRate: pa.learnedRate, Window: pa.window,
		Ratio: pa.ratio.Events(now), Openings: pa.openings.Minutes(now), NextDial: pa.nextDial - now, LastProbe: now - pa.lastProbe,
		Welcome: pa.welcome, PutOff: pa.putOff, Breaker: pa.breaker, Refusal: pa.refusal,
	}
	n.Breaker.Until -= now
	return n
}

// restore puts what was kept of s into force.
func (s *site) restore(r *record) {
	now, wall := s.pool.now(), time.Now()
	elapsed := max(0, wall.Sub(r.Written)) // A clock that was set back forgives nothing.
	if wall.Sub(r.Learned.At) < memorable {
		s.learned = r.Learned
	}
	for _, h := range r.Hosts {
		s.pool.restoreHost(h, wall)
	}
	if s.accounts.restore(now, elapsed, r.Accounts) {
		s.changed()
	}
	for i := range r.Paths {
		for _, src := range s.pool.sources {
			if src.Name == r.Paths[i].Source {
				s.path(src).restore(now, elapsed, &r.Paths[i])
			}
		}
	}
}

// restore puts what was kept of as into force. It reports whether that says more than was kept: what was under way when
// it was written has become what was spent.
func (as accounts) restore(now, elapsed time.Duration, notes []accountNote) (more bool) {
	for i := range notes {
		n := &notes[i]
		a := as.of(n.Prefix)
		a.dead.Restore(now, elapsed, n.Dead)
		a.controls.Restore(now, elapsed, n.Controls)
		// What was under way when the record was written may have been spent at any time since.
		a.dead.Add(now, n.Leased.targets)
		a.controls.Add(now, n.Leased.controls)
		a.controlR, a.raised = float64(n.Allowed), max(0, now-elapsed-n.Raised)
		more = more || n.Leased != (hold{})
	}
	return more
}

func (pa *path) restore(now, elapsed time.Duration, n *pathNote) {
	pa.rate.Restore(now, elapsed, n.Debt)
	pa.learnedRate, pa.window = n.LearnedRate, n.Window
	pa.ratio.Restore(now, elapsed, n.Ratio)
	pa.openings.Restore(now, elapsed, n.Openings)
	pa.nextDial = now + max(0, min(n.NextDial-elapsed, time.Hour))
	pa.lastProbe = max(0, now-elapsed-max(0, n.LastProbe))
	pa.welcome, pa.putOff, pa.breaker, pa.refusal = n.Welcome, n.PutOff, n.Breaker, n.Refusal
	const longest = 48 * time.Hour
	pa.breaker.Until = now + min(n.Breaker.Until-elapsed, longest)
}

// restoreHost takes over defects of a host that are not known to be younger.
func (p *Pool) restoreHost(h hostNote, wall time.Time) {
	r := p.hosts[h.Name]
	for d := range r {
		until := h.Until[d]
		if limit := wall.Add(remembered[d]); until.After(limit) {
			until = limit
		}
		if until.After(wall) && until.After(r[d]) {
			r[d] = until
		}
	}
	if r != (hostRecord{}) {
		p.hosts[h.Name] = r
	}
}
