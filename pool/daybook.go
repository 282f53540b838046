package pool

import (
	"cmp"
	"slices"
	"time"

	"github.com/verimails/verimaild/pool/provider"
	"github.com/verimails/verimaild/pool/warmup"
)

// A daybook is what a source has asked today and how that was taken. What a source that is being warmed up may ask is
// written down ahead, in leases: should we die, what was leased counts as asked, so that no death gives an allowance
// twice. Guarded by Pool.mu.
type daybook struct {
	schedule warmup.Schedule
	state    warmup.State
	shares   map[string]int // Recipients of each provider, on the state's day.
	leased   int            // What the disk takes for asked on the state's day.
	durable  bool           // There is a disk.
	wanting  bool           // More has to be leased.
	dirty    bool           // There is something to write down.
	urgent   bool           // And not only some time soon.
	stuck    bool           // It could not be written, so that there is no lease.
	written  time.Time      // When it was last.
	identity uint64         // Of the source's addresses.
	nudge    func()         // Wakes the keeper.
}

// What warm-up calls unlimited is what limits call unbounded.
var _ [0]struct{} = [warmup.Unlimited - unbounded]struct{}{}

// leasePart is the part of a day's allowance that is leased at once, and leastLease the least.
const (
	leasePart  = 10
	leastLease = 10
)

// warms reports whether a schedule holds the source back.
func (b *daybook) warms(now time.Time) bool {
	today := b.today(now)
	return today.Limited(b.schedule)
}

// today is the state as of now. What was never used is not changed by looking at it: only days of use count.
func (b *daybook) today(now time.Time) warmup.State { return b.state.On(warmup.DayOf(now), b.schedule) }

// open makes today's state the daybook's.
func (b *daybook) open(now time.Time) {
	today := b.today(now)
	if today.Day != b.state.Day {
		b.shares, b.leased = nil, 0
	}
	b.state = today
}

// mayProbe is how many recipients the source may ask about now, for all it was leased; without bound where it is not
// being warmed up.
func (b *daybook) mayProbe(now time.Time) int {
	today := b.today(now)
	left := today.Left(b.schedule)
	if left >= unbounded || !b.durable {
		return left
	}
	leased := 0
	if today.Day == b.state.Day {
		leased = b.leased
	}
	if leased < today.Level && leased-today.Asked < b.chunk(today.Level)/2 {
		b.wanting = true
		b.nudge()
	}
	return max(0, min(left, leased-today.Asked))
}

// mayProbeOf is mayProbe for recipients of a provider, which may have a part of the day's allowance only. Nil is no
// known provider.
func (b *daybook) mayProbeOf(prov *provider.Provider, now time.Time) int {
	return min(b.mayProbe(now), b.shareLeft(prov, now))
}

// mayAsk is how many recipients of a provider the source may ask about today, leased or not, if it can be leased.
func (b *daybook) mayAsk(prov *provider.Provider, now time.Time) int {
	if b.stuck {
		return b.mayProbeOf(prov, now)
	}
	today := b.today(now)
	return min(today.Left(b.schedule), b.shareLeft(prov, now))
}

// shareLeft is what is left of a provider's part of today's allowance.
func (b *daybook) shareLeft(prov *provider.Provider, now time.Time) int {
	today := b.today(now)
	most := today.Share(b.schedule)
	if prov == nil || most >= unbounded {
		return unbounded
	}
	if today.Day != b.state.Day {
		return most
	}
	return most - b.shares[prov.ID] - b.shares[anyProvider]
}

// anyProvider is what is counted to every provider: what nobody knows of any more.
const anyProvider = "*"

// chunk is how much is leased at once of an allowance.
func (b *daybook) chunk(level int) int { return max(leastLease, level/leasePart) }

// probed counts n recipients that were sent, a negative number for those that were not after all, and how many turned out
// to be dead. Both may be counted apart.
func (b *daybook) probed(prov *provider.Provider, n, dead int, now time.Time) {
	b.open(now)
	b.state.Asked = max(0, b.state.Asked+n)
	b.state.Dead = max(0, b.state.Dead+dead)
	b.dirty = b.dirty || b.schedule.Active()
	if !b.state.Limited(b.schedule) {
		return
	}
	if prov != nil {
		if b.shares == nil {
			b.shares = map[string]int{}
		}
		b.shares[prov.ID] = max(0, b.shares[prov.ID]+n)
	}
	if n > 0 && b.mayAsk(prov, now) <= 0 {
		b.nudge() // What waits has to go elsewhere.
	}
}

// sourceRefused notes that a receiver refused the source itself: its day is not a clean one.
func (b *daybook) sourceRefused(now time.Time) {
	b.open(now)
	b.state.Refusals++
	b.dirty, b.urgent = true, true
	b.nudge()
}

// nextDay is when the next day's allowance begins.
func nextDay(now time.Time) time.Time { return (warmup.DayOf(now) + 1).Begin() }

// appeal is how much of its weight the source has just now, from 0 to 1.
func (b *daybook) appeal(now time.Time) float64 {
	today := b.today(now)
	return today.Health() * today.Headroom(b.schedule)
}

// lease grows the lease by what is wanted, and is the record that says so. It holds once that is written: see granted.
func (b *daybook) lease(now time.Time, drained bool) warmup.Record {
	if b.wanting {
		b.open(now)
	}
	r := b.record(drained)
	if b.wanting && b.state.Limited(b.schedule) {
		r.Leased = max(r.Leased, min(b.state.Level, b.state.Asked+b.chunk(b.state.Level)))
	}
	b.wanting, b.dirty, b.urgent = false, false, false
	return r
}

// granted notes that a lease has been written down.
func (b *daybook) granted(r *warmup.Record) {
	if r.State.Day == b.state.Day {
		b.leased = max(b.leased, r.Leased)
	}
}

// record is what is to be kept over a restart.
func (b *daybook) record(drained bool) warmup.Record {
	r := warmup.Record{Identity: b.identity, State: b.state, Leased: max(b.leased, b.state.Asked), Drained: drained}
	for id, n := range b.shares {
		r.Providers = append(r.Providers, warmup.Share{Provider: id, Asked: n})
	}
	slices.SortFunc(r.Providers, func(a, b warmup.Share) int { return cmp.Compare(a.Provider, b.Provider) })
	return r
}

// closing is the record of a source that has asked its last: what is left of a lease was not asked.
func (b *daybook) closing(drained bool) warmup.Record {
	r := b.record(drained)
	r.Leased = r.State.Asked
	return r
}

// restore takes up what was kept. What was leased and may have been asked counts as asked, and of every provider.
func (b *daybook) restore(r *warmup.Record) {
	lost := r.Leased - r.State.Asked
	b.state, b.leased = r.State, r.Leased
	b.state.Asked = r.Leased
	b.shares = map[string]int{}
	for _, s := range r.Providers {
		b.shares[s.Provider] = s.Asked
	}
	if lost > 0 {
		b.shares[anyProvider] += lost
		b.dirty = true
	}
}

// distrust begins anew without knowing what was asked today: nothing more may be, and the day does not count as clean.
func (b *daybook) distrust(now time.Time) {
	b.open(now)
	b.state.Asked, b.state.Dead = b.state.Level, b.state.Level
	b.dirty = true
}
