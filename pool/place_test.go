package pool

import (
	"testing"
	"time"

	"github.com/verimails/verimaild/pool/budget"
)

// When a path may open a session: the latest of what every level says.
func TestDialAt(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(p *Pool, pa *path, now time.Duration)
		want   time.Duration // From now.
	}{
		{"at once", func(*Pool, *path, time.Duration) {}, 0},
		{"the pause between two", func(_ *Pool, pa *path, now time.Duration) { pa.nextDial = now + 4*time.Second }, 4 * time.Second},
		{"this host's network is down", func(p *Pool, _ *path, now time.Duration) { p.self.until = now + 9*time.Second }, 9 * time.Second},
		{"one of the hour is left", func(_ *Pool, pa *path, now time.Duration) { pa.openings.Add(now, 19) }, 0},
		{"the hour is full", func(_ *Pool, pa *path, now time.Duration) { pa.openings.Add(now, 20) }, 62 * time.Minute},
		{"hours are not counted", func(_ *Pool, pa *path, now time.Duration) {
			pa.site.limits.SessionsPerHour = 0
			pa.openings.Add(now, 20)
		}, 0},
		{"the provider's pause", func(_ *Pool, pa *path, now time.Duration) {
			pa.site.across = &providerState{nextDial: now + 7*time.Second}
		}, 7 * time.Second},
		{"the provider's hour is full", func(_ *Pool, pa *path, now time.Duration) {
			pa.site.across = &providerState{limits: Limits{SessionsPerHour: 2}}
			pa.site.across.openings.Add(now, 2)
		}, 62 * time.Minute},
		{"the provider's hour is not counted", func(_ *Pool, pa *path, now time.Duration) {
			pa.site.across = &providerState{}
			pa.site.across.openings.Add(now, 2)
		}, 0},
		{"the source's rate", func(p *Pool, pa *path, now time.Duration) {
			p.opts.SourceLimits.DialsPerMinute = 60
			pa.source.dials.Take(now, 60, dialBurst)
		}, time.Second},
		{"all sources' rate", func(p *Pool, pa *path, now time.Duration) {
			p.opts.DialsPerSecond = 2
			p.dials.Take(now, 120, 2)
		}, 500 * time.Millisecond},
	} {
		s, pa := bareSite()
		now := 48 * time.Hour
		test.change(s.pool, pa, now)
		if got := pa.dialAt(now) - now; got != test.want {
			t.Errorf("%s: dialAt() is in %v, want %v", test.name, got, test.want)
		}
	}
}

// A session that is opened is booked at every level, so that none of them is opened too soon after.
func TestDialed(t *testing.T) {
	s, pa := bareSite()
	p, now := s.pool, 48*time.Hour
	p.opts.SourceLimits.DialsPerMinute, p.opts.DialsPerSecond = 60, 2
	v := &providerState{limits: Limits{DialInterval: time.Minute}}
	s.across = v
	pa.dialed(now)
	if pa.nextDial != now+5*time.Second || pa.openings.Spent(now) != 1 || !s.dirty || pa.testing {
		t.Errorf("the path: next in %v, %d opened, dirty %v, testing %v", pa.nextDial-now, pa.openings.Spent(now), s.dirty, pa.testing)
	}
	if v.sessions != 1 || v.nextDial != now+time.Minute || v.openings.Spent(now) != 1 || !v.dirty {
		t.Errorf("the provider: %d sessions, next in %v, %d opened, dirty %v", v.sessions, v.nextDial-now, v.openings.Spent(now), v.dirty)
	}
	if got := pa.source.dials.Room(now, 60, dialBurst); got != dialBurst-1 {
		t.Errorf("the source may open %d at once, want %d", got, dialBurst-1)
	}
	if got := p.dials.Room(now, 120, 2); got != 1 {
		t.Errorf("all sources may open %d at once, want 1", got)
	}

	s, pa = bareSite()
	s.limits.SessionsPerHour = 0
	pa.breaker = budget.Breaker{Opened: true, Until: now}
	if pa.dialed(now); pa.openings.Spent(now) != 0 || s.dirty || !pa.testing {
		t.Errorf("without a limit of an hour: %d opened, dirty %v; testing %v, want true", pa.openings.Spent(now), s.dirty, pa.testing)
	}
}

// A session that tries another connection is one more to whoever counts connections.
func TestOneMore(t *testing.T) {
	s, pa := bareSite()
	p := s.pool
	s.limits.SessionsPerHour = 2
	v := &providerState{limits: Limits{SessionsPerHour: 9}}
	s.across = v
	p.opts.SourceLimits.DialsPerMinute, p.opts.DialsPerSecond = 60, 2
	if !pa.oneMore() || !s.dirty || !v.dirty {
		t.Fatalf("oneMore() = false, or nothing to write: %v, %v", s.dirty, v.dirty)
	}
	now := p.now()
	if pa.source.dials.Room(now, 60, dialBurst) != dialBurst-1 || p.dials.Room(now, 120, 2) != 1 {
		t.Error("a connection more is none to the rates")
	}
	if !pa.oneMore() || pa.oneMore() {
		t.Error("two in an hour: the second is refused, or the third is not")
	}
	if pa.openings.Spent(now) != 2 || v.openings.Spent(now) != 2 {
		t.Errorf("%d and %d are booked, want 2 and 2", pa.openings.Spent(now), v.openings.Spent(now))
	}
	s.limits.SessionsPerHour, v.limits.SessionsPerHour = 0, 3
	if !pa.oneMore() || pa.oneMore() {
		t.Error("three in an hour of the provider: the third is refused, or the fourth is not")
	}
	if pa.openings.Spent(now) != 2 {
		t.Errorf("%d are booked where none are counted", pa.openings.Spent(now)-2)
	}
}

// What is told to make room is what fills the narrowest level that is full.
func TestWhoIsInTheWay(t *testing.T) {
	here, pa := bareSite()
	p := here.pool
	sameProvider, sameSource, stranger := p.siteOf("mx.b.test", ""), p.siteOf("mx.c.test", ""), p.siteOf("mx.d.test", "")
	v := &providerState{limits: Limits{Sessions: 1}}
	here.across, sameProvider.across = v, v
	other := &sourceState{Source: Source{Name: "b"}}
	at := func(s *site, src *sourceState) *session { return &session{lane: &lane{path: s.path(src)}} }
	all := []*session{at(sameProvider, other), at(sameSource, pa.source), at(stranger, other)}
	for _, test := range []struct {
		name         string
		provider     int
		source, pool int
		crowded      bool
		which        [3]bool
	}{
		{"there is room", 0, 0, 0, false, [3]bool{true, true, true}},
		{"the pool is full", 0, 0, 9, true, [3]bool{true, true, true}},
		{"the source is full", 0, 4, 9, true, [3]bool{false, true, false}},
		{"the provider is full", 1, 4, 9, true, [3]bool{true, false, false}},
	} {
		p.opts.MaxSessions, p.opts.SourceLimits.Sessions = 9, 4
		v.sessions, pa.source.sessions, p.sessions = test.provider, test.source, test.pool
		if got := p.crowded(pa); got != test.crowded {
			t.Errorf("%s: crowded() = %v, want %v", test.name, got, test.crowded)
		}
		wanted, anyone := p.inTheWayOf(pa)
		if want := test.which == [3]bool{true, true, true}; anyone != want {
			t.Errorf("%s: inTheWayOf() says that anyone is: %v, want %v", test.name, anyone, want)
		}
		for i, s := range all {
			if got := wanted(s); got != test.which[i] {
				t.Errorf("%s: session %d is in the way = %v, want %v", test.name, i, got, test.which[i])
			}
		}
	}
}

// A place goes to whoever serves many, unless somebody has waited for long; who is waited for by a person goes first.
func TestUrgency(t *testing.T) {
	now := time.Now()
	waits := func(waiting, hurry int, since time.Duration) float64 {
		_, pa := bareSite()
		la := pa.lane("mx.a.test")
		la.queue.waiting, la.queue.rings[Interactive].waiting = waiting, hurry
		pa.starvedAt = now.Add(-since)
		return pa.urgency(now)
	}
	for _, test := range []struct {
		name           string
		waiting, hurry int
		since          time.Duration
		want           float64
	}{
		{"one row of a list", 1, 0, 0, 1},
		{"sixteen", 16, 0, 0, 16},
		{"more", 1000, 0, 0, 16},
		{"a person", 1, 1, 0, 17},
		{"for two seconds", 1, 0, 2 * time.Second, 9},
	} {
		if got := waits(test.waiting, test.hurry, test.since); got != test.want {
			t.Errorf("%s: urgency() = %v, want %v", test.name, got, test.want)
		}
	}
}

// How many come before a new one, by the turns that classes and applications take.
func TestHowManyComeBefore(t *testing.T) {
	q := newQueue()
	q.rings[controls].waiting = 3
	q.rings[Interactive].waiting, q.rings[Interactive].apps = 8, make([]*appQueue, 2)
	q.rings[Bulk].waiting = 100
	for _, test := range []struct {
		name    string
		class   Class
		control bool
		bulk    int
		want    int
	}{
		{"a control", Interactive, true, 100, 3},
		{"a person's", Interactive, false, 100, 3 + 8/2 + 8/mostAhead},
		{"a person's, with few rows", Interactive, false, 1, 3 + 8/2 + 1},
		{"a row", Bulk, false, 100, 3 + 8 + 100},
		{"a row, with few before it", Bulk, false, 1, 3 + mostAhead + 1},
	} {
		q.rings[Bulk].waiting = test.bulk
		if got := q.before(&Request{Class: test.class}, &Recipient{Control: test.control}); got != test.want {
			t.Errorf("%s: %d come before it, want %d", test.name, got, test.want)
		}
	}
	q.rings[Interactive].apps = nil
	if got := q.before(&Request{}, &Recipient{}); got != 3+8+1 {
		t.Errorf("without applications: %d come before it, want 12", got)
	}
}

// Who cannot be asked about in time is told at once, with the time at which that would make sense.
func TestTurnedAway(t *testing.T) {
	for _, test := range []struct {
		name    string
		change  func(s *site, pa *path, la *lane, now time.Duration)
		control bool
		within  time.Duration // Of the deadline; 0 is none.
		want    time.Duration // When to come back, from now; -1 if it is queued.
	}{
		{"there is room", func(*site, *path, *lane, time.Duration) {}, false, time.Second, -1},
		{"nobody waits for it", func(s *site, pa *path, _ *lane, now time.Duration) { pa.exhaust(now) }, false, 0, -1},
		{"too late", func(s *site, pa *path, _ *lane, now time.Duration) { pa.exhaust(now) }, false, time.Minute, 62 * time.Minute},
		{"in time", func(s *site, pa *path, _ *lane, now time.Duration) { pa.exhaust(now) }, false, 63 * time.Minute, -1},
		{"a control, with none left", func(s *site, pa *path, _ *lane, now time.Duration) {
			s.accounts.of(pa.prefix()).controls.Add(now, 10)
		}, true, 0, 62 * time.Minute},
		{"a control, with one left", func(s *site, pa *path, _ *lane, now time.Duration) {
			s.accounts.of(pa.prefix()).controls.Add(now, 9)
		}, true, 0, -1},
		{"too many wait", func(_ *site, pa *path, la *lane, _ time.Duration) { la.queue.waiting, pa.open = mostWaiting, 1 }, false, 0, 0},
		{"nearly too many", func(_ *site, pa *path, la *lane, _ time.Duration) { la.queue.waiting, pa.open = mostWaiting-1, 1 }, false, 0, -1},
		{"somebody else has asked", func(_ *site, _ *path, la *lane, _ time.Duration) {
			la.queue.waiting = mostWaiting
			la.queue.probes["ada@a.test"] = &probe{}
		}, false, 0, -1},
		{"a session is to be opened first", func(_ *site, pa *path, _ *lane, now time.Duration) { pa.nextDial = now + time.Hour }, false, time.Minute, time.Hour},
		{"there is a session", func(_ *site, pa *path, _ *lane, now time.Duration) { pa.nextDial, pa.open = now+time.Hour, 1 }, false, time.Minute, -1},
		{"unpaced", func(s *site, pa *path, _ *lane, now time.Duration) { s.unpaced, pa.nextDial = true, now+time.Hour }, false, time.Minute, -1},
		{"unpaced, and this host's network is down", func(s *site, _ *path, _ *lane, now time.Duration) {
			s.unpaced, s.pool.self.until = true, now+time.Hour
		}, false, time.Minute, time.Hour},
	} {
		s, pa := bareSite()
		la := pa.lane("mx.a.test")
		// To the minute: windows go by minutes.
		now := s.pool.now().Truncate(time.Minute) + time.Minute
		test.change(s, pa, la, now)
		req := &Request{Class: Interactive}
		if test.within > 0 {
			req.Deadline = s.pool.wall(now + test.within)
		}
		o := pa.turnedAway(now, la, req, &Recipient{Path: "ada@a.test", Control: test.control})
		switch {
		case o == nil && test.want != -1:
			t.Errorf("%s: it is queued, want it back in %v", test.name, test.want)
		case o != nil && test.want == -1:
			t.Errorf("%s: turned away with %s: %s", test.name, o.Failure, o.Detail)
		case o != nil && (o.Failure != FailBudget || o.RetryAt.Sub(s.pool.wall(now)).Round(time.Minute) != test.want.Round(time.Minute)):
			t.Errorf("%s: %s, to come back in %v, want %s and %v", test.name, o.Failure, o.RetryAt.Sub(s.pool.wall(now)), FailBudget, test.want)
		}
	}
}
