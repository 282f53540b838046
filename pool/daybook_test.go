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
