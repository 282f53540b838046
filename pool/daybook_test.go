package pool

import (
	"testing"
	"time"

	"github.com/verimails/verimaild/pool/provider"
	"github.com/verimails/verimaild/pool/warmup"
)

// newDaybook is that of a source under a schedule, with a disk.
func newDaybook(t *testing.T, schedule string) *daybook {
	t.Helper()
	s, err := warmup.Parse(schedule)
	if err != nil {
		t.Fatal(err)
	}
	return &daybook{schedule: s, durable: true, identity: 1, nudge: func() {}}
}

func at(day int, hour int) time.Time {
	return warmup.Day(day).Begin().Add(time.Duration(hour) * time.Hour)
}

// TestDaybookLeases: what may be asked is written down before, and what was may have been asked counts as asked.
func TestDaybookLeases(t *testing.T) {
	b, now := newDaybook(t, "100, 200"), at(20000, 9)
	if n := b.mayProbe(now); n != 0 || !b.wanting {
		t.Fatalf("mayProbe() without a lease = %d, wanting %v, want 0, true", n, b.wanting)
	}
	r := b.lease(now, false)
	if n := b.mayProbe(now); n != 0 {
		t.Errorf("mayProbe() before the lease is written = %d, want 0", n)
	}
	b.granted(&r)
	b.wanting = false
	if n := b.mayProbe(now); n != 10 || b.wanting {
		t.Errorf("mayProbe() = %d, wanting %v, want 10, false", n, b.wanting)
	}
	google := &provider.Provider{ID: "google"}
	b.probed(google, 6, 0, now)
	if n := b.mayProbe(now); n != 4 || !b.wanting {
		t.Errorf("after 6: mayProbe() = %d, wanting %v, want 4, true", n, b.wanting)
	}

	after := newDaybook(t, "100, 200") // A kill -9.
	after.restore(&r)
	if n := after.mayAsk(nil, now); n != 90 {
		t.Errorf("after an unclean end: mayAsk() = %d, want 90", n)
	}
	if n := after.mayAsk(google, now); n != 10 {
		t.Errorf("after an unclean end: mayAsk(google) = %d, want 20 less the 10 that may have been its", n)
	}

	r = b.closing(false)
	after = newDaybook(t, "100, 200") // An end in good order.
	after.restore(&r)
	if n, g := after.mayAsk(nil, now), after.mayAsk(google, now); n != 94 || g != 14 {
		t.Errorf("after a restart: mayAsk() = %d, of google %d, want 94, 14", n, g)
	}
}

// TestDaybookNextDay: a lease of yesterday is worth nothing today.
func TestDaybookNextDay(t *testing.T) {
	b := newDaybook(t, "100, 200")
	b.wanting = true
	r := b.lease(at(20000, 23), false)
	b.granted(&r)
	b.probed(nil, 10, 0, at(20000, 23))
	if n := b.mayProbe(at(20001, 0)); n != 0 || !b.wanting {
		t.Errorf("mayProbe() the next day = %d, wanting %v, want 0, true", n, b.wanting)
	}
	late := b.lease(at(20000, 23), false) // Written late: it is about yesterday.
	b.wanting = true
	today := b.lease(at(20001, 0), false)
	b.granted(&late)
	if n := b.mayProbe(at(20001, 0)); n != 0 {
		t.Errorf("mayProbe() by yesterday's lease = %d, want 0", n)
	}
	b.granted(&today)
	if n := b.mayProbe(at(20001, 0)); n != 10 {
		t.Errorf("mayProbe() by today's lease = %d, want 10", n)
	}
}

// TestDaybookStuck: what cannot be written down is not asked, and others may take over.
func TestDaybookStuck(t *testing.T) {
	b, now := newDaybook(t, "100, 200"), at(20000, 9)
	if n := b.mayAsk(nil, now); n != 100 {
		t.Errorf("mayAsk() = %d, want 100", n)
	}
	b.stuck = true
	if n := b.mayAsk(nil, now); n != 0 {
		t.Errorf("mayAsk() where nothing can be leased = %d, want 0", n)
	}
}

// TestDaybookDistrust: with a record that cannot be read, nothing is asked until tomorrow.
func TestDaybookDistrust(t *testing.T) {
	b, now := newDaybook(t, "100, 200"), at(20000, 9)
	b.distrust(now)
	if n := b.mayAsk(nil, now); n != 0 {
		t.Errorf("mayAsk() = %d, want 0", n)
	}
	if n := b.mayAsk(nil, at(20001, 9)); n != 100 {
		t.Errorf("mayAsk() tomorrow = %d, want 100", n)
	}
}

// TestDaybookWithoutSchedule: who is not being warmed up is not limited, with or without a disk.
func TestDaybookWithoutSchedule(t *testing.T) {
	b, now := newDaybook(t, "none"), at(20000, 9)
	b.probed(nil, 1_000_000, 900_000, now)
	if n := b.mayProbe(now); n != unbounded || b.wanting {
		t.Errorf("mayProbe() = %d, wanting %v, want no bound", n, b.wanting)
	}
	b.sourceRefused(now)
	if b.appeal(now) >= 1 || b.appeal(at(20003, 0)) != 1 {
		t.Errorf("appeal() = %v, and %v days later, want less than 1, and 1", b.appeal(now), b.appeal(at(20003, 0)))
	}
}

// TestDaybookWantsMore: more is leased once half of what is leased at once is used up, and nothing where it is all leased.
func TestDaybookWantsMore(t *testing.T) {
	for _, row := range []struct {
		leased, asked, left int
		wanting             bool
	}{{10, 5, 5, false}, {10, 6, 4, true}, {100, 98, 2, false}, {99, 98, 1, true}} {
		b, now := newDaybook(t, "100, 200"), at(20000, 9)
		b.probed(nil, row.asked, 0, now)
		b.leased = row.leased
		if n := b.mayProbe(now); n != row.left || b.wanting != row.wanting {
			t.Errorf("%d of %d asked: mayProbe() = %d, wanting %v, want %d, %v", row.asked, row.leased, n, b.wanting, row.left, row.wanting)
		}
	}
	b := newDaybook(t, "100, 200")
	b.probed(nil, 3, 0, at(20000, 9))
	if r := b.lease(at(20000, 9), false); r.Leased != 3 {
		t.Errorf("lease() that nobody wants = %d, want the 3 that were asked", r.Leased)
	}
}

// TestDaybookCounts: what was asked and who was dead is written down, and what waits is told when the day is over.
func TestDaybookCounts(t *testing.T) {
	b, now := newDaybook(t, "100, 200"), at(20000, 9)
	nudges := 0
	b.nudge = func() { nudges++ }
	b.probed(nil, 99, 0, now)
	b.probed(nil, 0, 3, now)
	if b.state.Asked != 99 || b.state.Dead != 3 || !b.dirty || nudges != 0 {
		t.Errorf("asked %d, dead %d, dirty %v, %d nudges, want 99, 3, true, 0", b.state.Asked, b.state.Dead, b.dirty, nudges)
	}
	b.probed(nil, 1, 0, now)
	b.probed(nil, 0, 1, now)
	b.probed(nil, -1, 0, now)
	if b.state.Asked != 99 || b.state.Dead != 4 || nudges != 1 {
		t.Errorf("asked %d, dead %d, %d nudges, want 99, 4, and one nudge for the last of the day", b.state.Asked, b.state.Dead, nudges)
	}
	free := newDaybook(t, "none")
	if free.probed(nil, 1, 0, now); free.dirty {
		t.Error("a source without a schedule has something to write down")
	}
}

// TestDaybookAppeal: a source that was refused, and has asked for half its day, has a quarter of its weight.
func TestDaybookAppeal(t *testing.T) {
	b, now := newDaybook(t, "100, 200"), at(20000, 9)
	b.probed(nil, 60, 0, now)
	b.sourceRefused(now)
	if got := b.appeal(now); got != 0.25 {
		t.Errorf("appeal() = %v, want 0.25", got)
	}
}

// TestDaybookRestore: only what was lost makes a record that has to be written again.
func TestDaybookRestore(t *testing.T) {
	b, now := newDaybook(t, "100, 200"), at(20000, 9)
	b.probed(nil, 5, 0, now)
	for _, row := range []struct {
		name  string
		lost  int
		dirty bool
	}{{"nothing lost", 0, false}, {"one lost", 1, true}} {
		r := b.closing(false)
		r.Leased += row.lost
		after := newDaybook(t, "100, 200")
		after.restore(&r)
		if after.dirty != row.dirty || after.shares[anyProvider] != row.lost {
			t.Errorf("%s: dirty %v, %d of any provider, want %v, %d", row.name, after.dirty, after.shares[anyProvider], row.dirty, row.lost)
		}
	}
}
