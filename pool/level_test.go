package pool

import (
	"testing"
	"time"

	"github.com/verimails/verimaild/pool/budget"
)

// spentLevel is a level whose account has spent dead and controls at the instant at.
func spentLevel(l level, at time.Duration, dead, controls int) *level {
	l.account = &account{}
	l.account.refused(at, hold{dead, controls})
	return &l
}

func TestRoomOfALevel(t *testing.T) {
	const now = 48 * time.Hour
	for _, test := range []struct {
		name           string
		level          level
		dead, controls int
		held, want     hold
	}{
		{"untouched", level{dead: 15, controls: 30, ramp: true}, 0, 0, hold{}, hold{15, 10}},
		{"without a ramp", level{dead: 15, controls: 30}, 0, 0, hold{}, hold{15, 30}},
		{"dead are spent", level{dead: 15, controls: 30, ramp: true}, 4, 0, hold{}, hold{11, 10}},
		{"controls are spent", level{dead: 15, controls: 30, ramp: true}, 0, 4, hold{}, hold{15, 6}},
		{"what is held counts as spent", level{dead: 15, controls: 30, ramp: true}, 2, 1, hold{4, 2}, hold{9, 7}},
		{"both together end at the sum", level{dead: 15, controls: 30, ramp: true}, 14, 10, hold{}, hold{1, 0}},
		{"nearly all is spent", level{dead: 15, controls: 30, ramp: true}, 12, 10, hold{2, 0}, hold{1, 0}},
		{"more than all", level{dead: 15, controls: 30, ramp: true}, 20, 0, hold{}, hold{0, 5}},
		{"no ceiling of dead recipients", level{controls: 30, ramp: true}, 100, 3, hold{}, hold{unbounded, 7}},
		{"no ceiling of controls", level{dead: 15, ramp: true}, 3, 100, hold{}, hold{12, unbounded}},
		{"a low ceiling of controls", level{dead: 15, controls: 4, ramp: true}, 0, 1, hold{}, hold{15, 3}},
	} {
		l := spentLevel(test.level, now, test.dead, test.controls)
		l.held = test.held
		if got := l.room(now); got != test.want {
			t.Errorf("%s: room() = %v, want %v", test.name, got, test.want)
		}
		if got := l.room(now + 63*time.Minute); test.held == (hold{}) && got != (&level{account: &account{}, dead: l.dead, controls: l.controls, ramp: l.ramp}).room(now) {
			t.Errorf("%s: room() an hour later = %v, want all of it", test.name, got)
		}
	}
}

// When a question could be asked is when room says that it may be.
func TestNextOfALevel(t *testing.T) {
	const now = 48 * time.Hour
	later := now + 62*time.Minute // When the minute that is spent has left the window.
	for _, test := range []struct {
		name            string
		level           level
		dead, controls  int
		held            hold
		target, control time.Duration
	}{
		{"untouched", level{dead: 15, controls: 30, ramp: true}, 0, 0, hold{}, now, now},
		{"one of each is left", level{dead: 15, controls: 30, ramp: true}, 14, 9, hold{}, now, now},
		{"all dead are spent", level{dead: 15, controls: 30, ramp: true}, 15, 0, hold{}, later, now},
		{"all controls are spent", level{dead: 15, controls: 30, ramp: true}, 0, 10, hold{}, now, later},
		{"the sum is spent", level{dead: 15, controls: 20}, 10, 25, hold{}, later, later},
		{"but for one that is held", level{dead: 15, controls: 30, ramp: true}, 14, 0, hold{targets: 1}, later, now},
		{"the sum, with what is held", level{dead: 15, controls: 20}, 12, 17, hold{3, 3}, later, later},
		{"nothing is limited", level{}, 1000, 1000, hold{}, now, now},
		{"controls alone are", level{controls: 5}, 100, 5, hold{}, now, later},
	} {
		l := spentLevel(test.level, now, test.dead, test.controls)
		target, control := l.next(now, test.held)
		if target != test.target || control != test.control {
			t.Errorf("%s: next() = %v and %v from now, want %v and %v",
				test.name, target-now, control-now, test.target-now, test.control-now)
		}
	}
}

// A site that bears all controls of an hour is given five more in the next, as far as dead recipients leave room.
func TestControlsGrow(t *testing.T) {
	l := &level{account: &account{}, dead: 15, controls: 22, ramp: true}
	now := 48 * time.Hour
	l.grow(now)
	if got := l.controlLimit(); got != 10 {
		t.Fatalf("controlLimit() = %d, want 10 to begin with", got)
	}
	for _, want := range []int{15, 20, 20} { // The sum of both is 25, of which dead recipients keep a third of theirs.
		l.account.refused(now, hold{controls: l.controlLimit()})
		l.grow(now + 59*time.Minute)
		before := l.controlLimit()
		now += 61 * time.Minute
		l.grow(now)
		if got := l.controlLimit(); got != want {
			t.Errorf("controlLimit() = %d after %d were borne for an hour, want %d", got, before, want)
		}
		now += 63 * time.Minute
	}
	l.account.refused(now, hold{controls: 19})
	raised := l.controlR
	if l.grow(now); l.controlR != raised {
		t.Errorf("the allowance grew to %v though not all of it was borne", l.controlR)
	}
	fixed := spentLevel(level{dead: 15, controls: 30}, now, 0, 30)
	fixed.raised = now - 2*time.Hour
	if fixed.grow(now); fixed.controlR != 0 || fixed.raised != now-2*time.Hour {
		t.Errorf("an allowance without a ramp grew to %v", fixed.controlR)
	}
	lifted := spentLevel(level{dead: 15, ramp: true}, now, 0, 30)
	if lifted.grow(now); lifted.controlR != 0 || lifted.raised != 0 {
		t.Errorf("an allowance that is lifted grew to %v", lifted.controlR)
	}
	capped := &level{account: &account{}, controls: 12, ramp: true}
	capped.grow(now)
	capped.account.refused(now, hold{controls: 10})
	if capped.grow(now + time.Hour); capped.controlLimit() != 12 {
		t.Errorf("controlLimit() = %d, want the ceiling, 12", capped.controlLimit())
	}
}

// A death between two writes leaves either record; both have to allow for what is under way.
func TestWhatTheDiskAllowsFor(t *testing.T) {
	for _, test := range []struct {
		name    string
		disk    promise
		writing *promise
		held    hold
		want    bool
	}{
		{"nothing is under way", promise{}, nil, hold{}, true},
		{"a target that is not written down", promise{}, nil, hold{targets: 1}, false},
		{"a control that is not written down", promise{}, nil, hold{controls: 1}, false},
		{"all that is leased", promise{leased: hold{2, 3}}, nil, hold{2, 3}, true},
		{"a target more", promise{leased: hold{2, 3}}, nil, hold{3, 3}, false},
		{"a control more", promise{leased: hold{2, 3}}, nil, hold{2, 4}, false},
		{"what was refused since has used the lease", promise{hold{2, 3}, hold{1, 0}}, nil, hold{2, 0}, false},
		{"and that of controls", promise{hold{2, 3}, hold{0, 1}}, nil, hold{0, 3}, false},
		{"some of it", promise{hold{2, 3}, hold{1, 1}}, nil, hold{1, 2}, true},
		{"the record that is being written has no room", promise{leased: hold{2, 2}}, &promise{leased: hold{1, 2}}, hold{2, 2}, false},
		{"it has", promise{leased: hold{2, 2}}, &promise{leased: hold{2, 2}}, hold{2, 2}, true},
		{"only it has", promise{}, &promise{leased: hold{2, 2}}, hold{2, 2}, false},
	} {
		a := account{disk: test.disk, writing: test.writing, held: test.held}
		if got := a.covered(); got != test.want {
			t.Errorf("%s: covered() = %v, want %v", test.name, got, test.want)
		}
	}
}

func TestWrittenRecordOfAnAccount(t *testing.T) {
	a := account{writing: &promise{leased: hold{2, 2}}}
	a.refused(time.Hour, hold{targets: 1})
	if a.written(false); a.disk.leased != (hold{}) || a.disk.unsaved != (hold{targets: 1}) || a.writing != nil {
		t.Errorf("a record that failed: the disk has %+v, writing %v", a.disk, a.writing)
	}
	a.writing = &promise{leased: hold{2, 2}}
	a.refused(time.Hour, hold{controls: 1})
	if a.written(true); a.disk != (promise{hold{2, 2}, hold{controls: 1}}) || a.writing != nil {
		t.Errorf("a record that was written: the disk has %+v, writing %v", a.disk, a.writing)
	}
	was := a.disk
	if a.written(true); a.disk != was {
		t.Errorf("no record was being written, and the disk has %+v", a.disk)
	}
}

func TestWhoWaitsForWhatIsHeld(t *testing.T) {
	const now = 48 * time.Hour
	for _, test := range []struct {
		name           string
		dead, controls int // Spent.
		held           hold
		want           bool
	}{
		{"nothing is held", 15, 10, hold{}, false},
		{"there is room for both", 0, 0, hold{1, 1}, false},
		{"one of each is left", 13, 8, hold{1, 1}, false},
		{"no target is left", 14, 0, hold{1, 0}, true},
		{"no control is left", 0, 9, hold{0, 1}, true},
	} {
		_, pa := bareSite()
		l := spentLevel(level{dead: 15, controls: 30, ramp: true}, now, test.dead, test.controls)
		l.held = test.held
		l.await(pa, now)
		if got := l.waiting[pa]; got != test.want {
			t.Errorf("%s: it waits = %v, want %v", test.name, got, test.want)
		}
		if l.giveBack(test.held, now); len(l.waiting) > 0 || l.held != (hold{}) || (pa.waking > 0) != test.want {
			t.Errorf("%s: given back: held %v, %d wait, place in the waker %d", test.name, l.held, len(l.waiting), pa.waking)
		}
	}
}

func TestGivingBackMoreThanWasReservedPanics(t *testing.T) {
	for _, h := range []hold{{1, 0}, {0, 1}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("giving back %v that nobody has reserved does not panic", h)
				}
			}()
			(&hold{}).add(h, -1)
		}()
	}
}

func TestForgive(t *testing.T) {
	const now = 48 * time.Hour
	a := account{}
	a.refused(now, hold{3, 2})
	a.forgive(now+time.Minute, now, hold{1, 2})
	if dead, controls := a.dead.Spent(now+time.Minute), a.controls.Spent(now+time.Minute); dead != 2 || controls != 0 {
		t.Errorf("spent %d and %d, want 2 and 0", dead, controls)
	}
}

func TestAllowance(t *testing.T) {
	for _, test := range []struct {
		name            string
		a               allowance
		target, control bool
	}{
		{"nothing", nothing, false, false},
		{"everything", everything, true, true},
		{"one of each", allowance{hold{1, 1}, 1}, true, true},
		{"no probes", allowance{hold{1, 1}, 0}, false, false},
		{"no targets", allowance{hold{0, 1}, 5}, false, true},
		{"no controls", allowance{hold{1, 0}, 5}, true, false},
	} {
		if got := test.a.grants(false); got != test.target {
			t.Errorf("%s: grants a target = %v, want %v", test.name, got, test.target)
		}
		if got := test.a.grants(true); got != test.control {
			t.Errorf("%s: grants a control = %v, want %v", test.name, got, test.control)
		}
	}
	a := allowance{hold{2, 2}, 3}
	a.take(false)
	a.take(true)
	if want := (allowance{hold{1, 1}, 1}); a != want {
		t.Errorf("after one of each: %v, want %v", a, want)
	}
}

// Every rate has its say in how much may be asked and when; the breaker and the trickle are rates too.
func TestRatesOfAPath(t *testing.T) {
	const now = 48 * time.Hour
	for _, test := range []struct {
		name   string
		change func(*path)
		room   int
		next   time.Duration // From now, for the second probe.
	}{
		{"untouched", func(*path) {}, burst, 0},
		{"the burst is used up", func(pa *path) { pa.rate.Take(now, 5, burst) }, 0, 24 * time.Second},
		{"one of the burst is left", func(pa *path) { pa.rate.Take(now, 5, burst-1) }, 1, 12 * time.Second},
		{"a learned rate", func(pa *path) { pa.learnedRate = 2; pa.rate.Take(now, 2, burst) }, 0, time.Minute},
		{"a learned rate above the ceiling", func(pa *path) { pa.learnedRate = 60; pa.rate.Take(now, 10, burst) }, 0, 12 * time.Second},
		{"the provider's", func(pa *path) {
			pa.site.across = &providerState{limits: Limits{ProbesPerMinute: 1}, accounts: accounts{}}
			pa.site.across.rate.Take(now, 1, burst-1)
		}, 1, time.Minute},
		{"too many are dead", func(pa *path) {
			for i := range enough {
				pa.ratio.Add(now, i%3 == 0)
			}
			pa.lastProbe = now - trickle
		}, 1, time.Minute},
		{"too many are dead, and one was asked about just now", func(pa *path) {
			for i := range enough {
				pa.ratio.Add(now, i%3 == 0)
			}
			pa.lastProbe = now - trickle + 1
		}, 0, 2*trickle - trickle + 1},
		{"as many are dead as may be", func(pa *path) {
			for i := range enough {
				pa.ratio.Add(now, i%4 == 0)
			}
			pa.lastProbe = now
		}, burst, 0},
		{"too few to tell", func(pa *path) {
			for range enough - 1 {
				pa.ratio.Add(now, true)
			}
			pa.lastProbe = now
		}, burst, 0},
		{"the share of dead ones is lifted", func(pa *path) {
			pa.site.limits.RefusalRatio = 0
			for range enough {
				pa.ratio.Add(now, true)
			}
			pa.lastProbe = now
		}, burst, 0},
		{"the breaker is on probation", func(pa *path) { pa.breaker.Tried, pa.lastProbe = true, now }, 0, 2 * trickle},
		{"the breaker is open", func(pa *path) { pa.breaker.Opened, pa.breaker.Until = true, now+time.Hour }, burst, time.Hour},
		{"a limit that is lifted", func(pa *path) { pa.site.limits.ProbesPerMinute = 0; pa.rate.Take(now, 1, 100) }, unbounded, 0},
	} {
		_, pa := bareSite()
		test.change(pa)
		if got := pa.rateRoom(now); got != test.room {
			t.Errorf("%s: rateRoom() = %d, want %d", test.name, got, test.room)
		}
		if got := pa.nextRate(now, 2) - now; got != test.next {
			t.Errorf("%s: the second probe may be asked %v from now, want %v", test.name, got, test.next)
		}
	}
}

// What one path reserves is booked at every level, and given back at all of them.
func TestReserveAndRelease(t *testing.T) {
	s, pa := bareSite()
	now := s.pool.now()
	s.across = &providerState{limits: Limits{RefusalsPerHour: 20, ControlsPerHour: 20, ProbesPerMinute: 10}, accounts: accounts{}}
	f := &flight{batches: []batch{{probes: []*probe{{}, {rcpt: Recipient{Control: true}}, {}}}}}
	pa.reserve(now, f)
	if f.hold != (hold{2, 1}) || pa.lastProbe != now || len(f.levels) != 2 {
		t.Fatalf("reserved %v at %d levels, last probe %v, want 2 and 1 at 2, now", f.hold, len(f.levels), pa.lastProbe)
	}
	for i, l := range f.levels {
		if l.held != (hold{2, 1}) {
			t.Errorf("level %d holds %v, want 2 and 1", i, l.held)
		}
	}
	if own, all := pa.rate.Room(now, 5, burst), s.across.rate.Room(now, 10, burst); own != burst-3 || all != burst-3 {
		t.Errorf("the rates leave %d and %d, want %d of each", own, all, burst-3)
	}
	pa.unask(2)
	if own, all := pa.rate.Room(now, 5, burst), s.across.rate.Room(now, 10, burst); own != burst-1 || all != burst-1 {
		t.Errorf("two were not sent, and the rates leave %d and %d, want %d of each", own, all, burst-1)
	}
	s.dirty = false
	levels := f.levels
	pa.release(now, f)
	for i, l := range levels {
		if l.held != (hold{}) {
			t.Errorf("level %d holds %v after the release", i, l.held)
		}
	}
	if f.hold != (hold{}) || f.levels != nil || s.dirty {
		t.Errorf("after the release: %v, %d levels, dirty %v, want nothing, and nothing to write", f.hold, len(f.levels), s.dirty)
	}
	for name, account := range map[string]func(*account){
		"what the disk has leased": func(a *account) { a.disk.leased.targets = 1 },
		"a record on its way":      func(a *account) { a.writing = &promise{} },
	} {
		pa.reserve(now, f)
		account(f.levels[0].account)
		s.dirty, s.across.dirty = false, false
		if pa.release(now, f); !s.dirty || !s.across.dirty {
			t.Errorf("%s is not written anew: %v, %v", name, s.dirty, s.across.dirty)
		}
	}
}

func TestSpendAndForgive(t *testing.T) {
	s, pa := bareSite()
	now := s.pool.now()
	prefix := pa.prefix()
	pa.spend(now, prefix, false, false)
	if n, of := pa.ratio.Share(now); n != 0 || of != 1 || pa.pathRefusals(now, prefix) != 0 || s.dirty {
		t.Errorf("a live one: share %v of %d, %d refusals, dirty %v", n, of, pa.pathRefusals(now, prefix), s.dirty)
	}
	pa.spend(now, prefix, false, true)
	pa.spend(now, prefix, true, true)
	a := s.accounts[prefix]
	if n, of := pa.ratio.Share(now); n != 0.5 || of != 2 || a.dead.Spent(now) != 1 || a.controls.Spent(now) != 1 || !s.dirty {
		t.Errorf("share %v of %d, spent %d and %d, dirty %v, want 0.5 of 2, 1 and 1, true",
			n, of, a.dead.Spent(now), a.controls.Spent(now), s.dirty)
	}
	if got := pa.pathRefusals(now, prefix); got != 2 {
		t.Errorf("pathRefusals() = %d, want 2", got)
	}
	pr := &probe{}
	if pa.forgive(now, pr); a.dead.Spent(now) != 1 {
		t.Error("a probe that owes nothing was forgiven something")
	}
	pr.owed = debt{now, prefix}
	if pa.forgive(now, pr); a.dead.Spent(now) != 0 || a.controls.Spent(now) != 1 || pr.owed != (debt{}) {
		t.Errorf("spent %d and %d, owed %v after one was forgiven", a.dead.Spent(now), a.controls.Spent(now), pr.owed)
	}
}

// The breaker goes before all that a path may ask; nothing limited is everything but for the breaker.
func TestAllowanceOfAPath(t *testing.T) {
	const now = 48 * time.Hour
	full := allowance{hold{15, 10}, burst}
	for _, test := range []struct {
		name    string
		breaker budget.Breaker
		unpaced bool
		want    allowance
	}{
		{"closed", budget.Breaker{}, false, full},
		{"open", budget.Breaker{Opened: true, Until: now + 1}, false, nothing},
		{"half open", budget.Breaker{Opened: true, Until: now}, false, nothing},
		{"on probation", budget.Breaker{Tried: true}, false, allowance{hold{15, 10}, 1}},
		{"unpaced", budget.Breaker{}, true, everything},
		{"unpaced and open", budget.Breaker{Opened: true, Until: now + 1}, true, nothing},
		{"unpaced and on probation", budget.Breaker{Tried: true}, true, allowance{hold{15, 10}, 1}},
	} {
		s, pa := bareSite()
		pa.breaker, s.unpaced = test.breaker, test.unpaced
		if got := pa.allowance(now, pa.prefix()); got != test.want {
			t.Errorf("%s: allowance() = %v, want %v", test.name, got, test.want)
		}
	}
}
