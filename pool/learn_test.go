package pool

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/verimails/verimaild/pool/budget"
)

// bare is a pool with one source and without a world.
func bare() *Pool {
	return &Pool{
		started: time.Now(), base: DefaultLimits(), sites: map[string]*site{}, across: map[string]*providerState{},
		routes: routes{}, outages: outages{}, hosts: map[string]hostRecord{}, waker: waker{reset: make(chan struct{}, 1)},
		sources: []*sourceState{{Source: Source{Name: "a"}}},
	}
}

// bareSite is a site of a bare pool, and the path from its source.
func bareSite() (*site, *path) {
	p := bare()
	s := p.siteOf("mx.a.test", "a.test")
	return s, s.path(p.sources[0])
}

func TestLearnFromSessionsThatWereClosed(t *testing.T) {
	work := func(transactions, refusals int, refused bool, age time.Duration) closed {
		return closed{known: true, transactions: transactions, refusals: refusals, refused: refused, age: age}
	}
	for _, test := range []struct {
		name   string
		closes []closed
		want   learned
	}{
		{"twice is no habit", []closed{work(3, 0, false, 5*time.Second), work(3, 0, false, 9*time.Second)}, learned{}},
		{"thrice after as many transactions", []closed{
			work(3, 0, false, time.Second), work(3, 1, false, 3*time.Second), work(3, 0, false, 9*time.Second),
		}, learned{Transactions: 3}},
		{"thrice right behind as many refusals", []closed{
			work(3, 2, true, time.Second), work(3, 2, true, 3*time.Second), work(3, 2, true, 9*time.Second),
		}, learned{Refusals: 1}},
		{"thrice at one age", []closed{
			work(1, 0, false, 60*time.Second), work(5, 1, false, 61*time.Second), work(3, 0, false, 63*time.Second),
		}, learned{Age: 48 * time.Second}},
		{"young sessions are all of one age", []closed{
			work(1, 0, false, 2*time.Second), work(5, 1, false, 2*time.Second), work(3, 0, false, 2*time.Second),
		}, learned{}},
		{"nothing had been asked", []closed{
			work(0, 0, false, time.Second), work(0, 0, false, 3*time.Second), work(0, 0, false, 9*time.Second),
		}, learned{}},
		{"they have nothing in common", []closed{
			work(1, 0, false, 30*time.Second), work(2, 1, true, 60*time.Second), work(3, 0, false, 90*time.Second),
		}, learned{}},
	} {
		s, _ := bareSite()
		for _, c := range test.closes {
			s.closedAtWork(c)
		}
		got := learned{Transactions: s.learned.Transactions, Refusals: s.learned.Refusals, Age: s.learned.Age}
		if got != test.want {
			t.Errorf("%s: learned %+v, want %+v", test.name, got, test.want)
		}
	}
}

func TestLearnedNarrowsAndNeverWidens(t *testing.T) {
	s, _ := bareSite()
	s.closedIdle(time.Hour)
	if got := s.idle(); got != 15*time.Second {
		t.Errorf("idle() = %v after an hour was borne, want the limit, 15s", got)
	}
	s.closedIdle(10 * time.Second)
	if got := s.idle(); got != 8*time.Second {
		t.Errorf("idle() = %v after it was closed at 10s, want 8s", got)
	}
	s.closedIdle(time.Millisecond)
	if got := s.idle(); got != 8*time.Second {
		t.Errorf("idle() = %v after an accident, want 8s still", got)
	}
	s.boreOnly(9)
	if got := s.refusalsPerSession(); got != 3 {
		t.Errorf("refusalsPerSession() = %d after 9 were borne, want the limit, 3", got)
	}
	s.boreOnly(1)
	if got := s.refusalsPerSession(); got != 1 {
		t.Errorf("refusalsPerSession() = %d after one was too many, want 1: it has to be asked somehow", got)
	}
	s.limits.Idle, s.limits.RefusalsPerSession = 0, 0 // Lifted: what was learned holds all the same.
	if s.idle() != 8*time.Second || s.refusalsPerSession() != 1 {
		t.Errorf("lifted: idle() = %v, refusalsPerSession() = %d, want 8s and 1", s.idle(), s.refusalsPerSession())
	}
}

func TestBatchGrowsByWhatWasTaken(t *testing.T) {
	s, _ := bareSite()
	for want := 1; want <= 5; want++ {
		if got := s.batch(); got != want {
			t.Fatalf("batch() = %d, want %d", got, want)
		}
		for range 3 {
			s.took(want)
		}
	}
	for range 10 {
		s.took(5)
	}
	if got := s.batch(); got != 5 {
		t.Errorf("batch() = %d, want the ceiling, 5", got)
	}
	s.tookOnly(2)
	s.dirty = false
	for range 10 {
		s.took(2)
	}
	if got := s.batch(); got != 2 || s.dirty {
		t.Errorf("batch() = %d, dirty %v, want 2, and nothing new learned", got, s.dirty)
	}
}

func TestPaceOfAPath(t *testing.T) {
	s, pa := bareSite()
	now := 48 * time.Hour
	if pa.sessions() != 1 || pa.perMinute() != 5 {
		t.Fatalf("begins with %d sessions and %v a minute, want 1 and 5", pa.sessions(), pa.perMinute())
	}
	for range 100 { // Clean for 100 minutes.
		now += time.Minute
		pa.raise(now)
	}
	if pa.sessions() != 2 || pa.perMinute() < 9 || pa.perMinute() > 10 {
		t.Errorf("after 100 clean minutes: %d sessions and %v a minute, want 2 and nearly 10", pa.sessions(), pa.perMinute())
	}
	before := pa.perMinute()
	if !pa.slow(now) || pa.slow(now+time.Second) {
		t.Error("slow() twice in a moment counts twice, or not at all")
	}
	if pa.sessions() != 1 || pa.perMinute() != before/2 {
		t.Errorf("after a failure: %d sessions and %v a minute, want 1 and %v", pa.sessions(), pa.perMinute(), before/2)
	}
	for range 20 {
		now += time.Minute
		pa.slow(now)
	}
	if pa.perMinute() < 1 {
		t.Errorf("after 20 failures: %v a minute, want no less than 1", pa.perMinute())
	}
	other := s.path(&sourceState{Source: Source{Name: "b"}})
	pa.slow(now + time.Hour)
	if other.perMinute() >= 5 {
		t.Errorf("another source goes on at %v a minute, want it slowed down too", other.perMinute())
	}
}

func TestRoutes(t *testing.T) {
	rs, r := routes{}, route{to: netip.MustParseAddr("192.0.2.1")}
	now := 48 * time.Hour
	for i, want := range []time.Duration{0, 0, 0, 15 * time.Second, time.Minute, 135 * time.Second} {
		rs.failed(r, now, false)
		if got := max(0, rs[r].until-now); got != want {
			t.Errorf("after %d failures it rests for %v, want %v", i+1, got, want)
		}
	}
	if rs.rest(r, now) == nil || rs.rest(r, now+time.Hour) != nil {
		t.Error("it does not rest, or for more than an hour")
	}
	rs.failed(r, now+routeMemory+time.Second, true)
	if got := rs[r].failures; got != 1 {
		t.Errorf("failures = %d after hours of peace, want 1", got)
	}
	rs.shun(r, now)
	if rs.rest(r, now+59*time.Minute) == nil || rs.rest(r, now+61*time.Minute) != nil {
		t.Error("a host that refused us is not left alone for an hour")
	}
	rs.pardon(now)
	if len(rs) != 0 {
		t.Errorf("%d routes are still known after a pardon", len(rs))
	}
	for i := range uint16(3) { // No more memory than is good.
		for j := range uint16(mostRoutes / 2) {
			a := netip.AddrFrom4([4]byte{192, byte(i), byte(j >> 8), byte(j)})
			rs.failed(route{to: a}, now+time.Duration(i)*time.Hour, false)
		}
	}
	if len(rs) > mostRoutes {
		t.Errorf("%d routes are remembered, want at most %d", len(rs), mostRoutes)
	}
}

// A clock that is set back or forward over a restart forgives nothing within reason, and lets nothing burst.
func TestScenario52ClockJumps(t *testing.T) {
	for name, test := range map[string]struct {
		jump  time.Duration // Of the clock, while we were away for no time at all.
		spent int
	}{
		"none": {0, 15}, "an hour back": {-time.Hour, 15}, "a year back": {-365 * 24 * time.Hour, 15},
		"half an hour forward": {30 * time.Minute, 15}, "a year forward": {365 * 24 * time.Hour, 0}, // It can't be told from a year away.
	} {
		s, pa := bareSite()
		now := s.pool.now()
		prefix := netip.Prefix{}
		for range 15 {
			pa.spend(now, prefix, false, true)
		}
		pa.breaker.Trip(now, 0)
		pa.refusal = &Outcome{}
		pa.openings.Add(now, 20)
		pa.nextDial = now + 5*time.Second
		pa.rate.Take(now, 5, 5)
		r := s.record(now, 0)
		r.Written = r.Written.Add(-test.jump)

		again, back := bareSite()
		again.restore(&r)
		now = again.pool.now()
		if got := again.accounts[prefix].dead.Spent(now); got != test.spent {
			t.Errorf("%s: %d of 15 are spent, want %d", name, got, test.spent)
		}
		if test.jump <= 0 {
			if n := back.rate.Room(now, 5, burst); n > 1 {
				t.Errorf("%s: %d questions at once, want no burst", name, n)
			}
			if st := back.breaker.State(now); st != budget.Open {
				t.Errorf("%s: the breaker is in state %d, want it open", name, st)
			}
		}
		if wait := back.breaker.Until - now; wait > 15*time.Minute {
			t.Errorf("%s: the breaker is open for %v, want no longer than before", name, wait)
		}
		if wait := back.nextDial - now; wait > 5*time.Second {
			t.Errorf("%s: the next session is %v ahead, want no more than before", name, wait)
		}
	}
}

// A failure counts for four hours, and is not the reason to leave a route alone a moment longer than it says.
func TestRoutesForgetInTime(t *testing.T) {
	for _, row := range []struct {
		name  string
		after time.Duration
		want  int
	}{{"for four hours", routeMemory, 2}, {"no longer", routeMemory + 1, 1}} {
		rs, r := routes{}, route{to: netip.MustParseAddr("192.0.2.1")}
		rs.failed(r, 0, false)
		rs.failed(r, row.after, false)
		if got := rs[r].failures; got != row.want {
			t.Errorf("%s: %d failures in a row, want %d", row.name, got, row.want)
		}
	}
	rs, r := routes{}, route{to: netip.MustParseAddr("192.0.2.1")}
	rs.shun(r, 0)
	if rs.rest(r, time.Hour-1) == nil || rs.rest(r, time.Hour) != nil {
		t.Errorf("a route that is shunned rests until %v, want an hour", rs[r].until)
	}
}

// Where there are too many, the old ones go, and all of them if none is old.
func TestRoutesAreSwept(t *testing.T) {
	notes := map[string]func(routes, route, time.Duration){
		"failed": func(rs routes, r route, now time.Duration) { rs.failed(r, now, false) },
		"shun":   routes.shun,
	}
	now := 10 * time.Hour
	for name, note := range notes {
		for _, row := range []struct {
			name       string
			known, old int
			want       int
		}{
			{"room for one", mostRoutes - 1, 5, mostRoutes},
			{"some are old", mostRoutes, 5, mostRoutes - 4},
			{"none is old", mostRoutes, 0, 1},
		} {
			rs := routes{}
			addr := netip.MustParseAddr("10.0.0.1")
			for i := range row.known {
				at := now - routeMemory
				if i < row.old {
					at--
				}
				rs[route{to: addr}] = &routeRecord{failures: 1, last: at}
				addr = addr.Next()
			}
			note(rs, route{to: addr}, now)
			if len(rs) != row.want || rs[route{to: addr}] == nil {
				t.Errorf("%s, %s: %d routes are known, want %d with the new one", name, row.name, len(rs), row.want)
			}
		}
	}
}

// A slow-down of the same moment is the same one, and the next moment begins where it ends.
func TestSlowdownsOfOneMoment(t *testing.T) {
	_, pa := bareSite()
	for _, test := range []struct {
		at   time.Duration
		want bool
	}{{time.Minute, true}, {time.Minute + 9*time.Second, false}, {time.Minute + 10*time.Second, true}} {
		if got := pa.slow(test.at); got != test.want {
			t.Errorf("slow() at %v = %v, want %v", test.at, got, test.want)
		}
	}
}

// A source that cannot be used rests for longer each time, and is told of as usable again once its rest is over.
func TestSuspensions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := bare()
		p.log = zap.NewNop()
		src := p.sources[0]
		rests := []time.Duration{firstSuspension, 2 * firstSuspension, 4 * firstSuspension}
		for _, want := range rests {
			p.suspend(src, "no such address")
			p.suspend(src, "no such address") // By another session, in the same moment.
			if got := time.Until(src.suspendedUntil); got != want {
				t.Fatalf("it rests for %v, want %v", got, want)
			}
			p.connected(src) // By a session that was being opened before.
			if src.suspensions == 0 {
				t.Fatal("a source that rests is taken for one that can be used")
			}
			time.Sleep(want)
		}
		for range 20 {
			p.suspend(src, "no such address")
			if got := time.Until(src.suspendedUntil); got > lastSuspension {
				t.Fatalf("it rests for %v, want at most %v", got, lastSuspension)
			}
			time.Sleep(time.Until(src.suspendedUntil))
		}
		if p.connected(src); src.suspensions != 0 {
			t.Errorf("after it was connected from: %d suspensions in a row, want none", src.suspensions)
		}
	})
}
