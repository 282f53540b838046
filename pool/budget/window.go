// Package budget counts what a receiver may count of us, and says when there is room again.
//
// It has no clock and no lock: an instant is the time since an epoch of the caller's choosing, taken from a monotonic
// clock, so that a jump of the wall clock neither forgives nor invents anything. An instant before one that was
// given earlier stands for that one.
package budget

import "time"

// span is how many minutes a window holds: an hour, the minute that has begun, and one for the time that a command
// needs to arrive, so that no hour of the receiver's sees more than the limit, wherever it begins.
const span = 62

// A Window counts events of the last hour. The zero Window has seen none.
type Window struct {
	slots [span]uint16 // By minute, modulo span; a minute that has more keeps what it can hold.
	last  int64        // The minute of the last call.
	sum   int
}

// roll forgets what is older than the window.
func (w *Window) roll(now time.Duration) {
	minute := int64(now / time.Minute)
	if minute <= w.last {
		return
	}
	if minute-w.last >= span {
		w.slots, w.sum = [span]uint16{}, 0
	} else {
		for m := w.last + 1; m <= minute; m++ {
			w.sum -= int(w.slots[m%span])
			w.slots[m%span] = 0
		}
	}
	w.last = minute
}

// Add counts n events.
func (w *Window) Add(now time.Duration, n int) {
	w.roll(now)
	w.add(w.last, n)
}

func (w *Window) add(minute int64, n int) {
	const most = 1<<16 - 1
	slot := &w.slots[minute%span]
	n = min(n, most-int(*slot))
	*slot += uint16(n) //nolint:gosec // G115: bounded above.
	w.sum += n
}

// Remove takes back n events that were counted at an instant, if it has not forgotten them.
func (w *Window) Remove(now, at time.Duration, n int) {
	w.roll(now)
	minute := int64(at / time.Minute)
	if minute > w.last || w.last-minute >= span || minute < 0 {
		return
	}
	slot := &w.slots[minute%span]
	n = min(n, int(*slot))
	*slot -= uint16(n) //nolint:gosec // G115: at most what the slot has.
	w.sum -= n
}

// Spent is how many events the window holds.
func (w *Window) Spent(now time.Duration) int {
	w.roll(now)
	return w.sum
}

// Room is the instant from which n events more are within limit, while held events are on their way: now if they are
// already. It is Never where n and held alone are more than limit.
func (w *Window) Room(now time.Duration, limit, held, n int) time.Duration {
	return RoomInAll(now, limit, held, n, w)
}

// RoomInAll is Room for windows that share a limit.
func RoomInAll(now time.Duration, limit, held, n int, ws ...*Window) time.Duration {
	excess, last := held+n-limit, int64(0)
	for _, w := range ws {
		w.roll(now)
		excess += w.sum
		last = max(last, w.last)
	}
	if excess <= 0 {
		return now
	}
	for m := max(0, last-span+1); m <= last; m++ {
		for _, w := range ws {
			if m <= w.last {
				excess -= int(w.slots[m%span])
			}
		}
		if excess <= 0 {
			return time.Duration(m+span) * time.Minute
		}
	}
	return Never
}

// Through is the instant from which the last of n events more is within limit, if each happens as soon as it may: now if
// there is room for all of them. Unlike Room it takes more events than the limit. A limit of 0 is no limit.
func (w *Window) Through(now time.Duration, limit, n int) time.Duration {
	if limit <= 0 || n <= 0 {
		return now
	}
	rounds := (n - 1) / limit // In each, the whole of the window is spent anew.
	return w.Room(now, limit, 0, n-rounds*limit) + time.Duration(rounds*span)*time.Minute
}

// Never is later than any instant.
const Never = time.Duration(1<<63 - 1)

// Minutes lists what the window holds, as how many events there were how many minutes before now.
func (w *Window) Minutes(now time.Duration) []Minute {
	w.roll(now)
	var out []Minute
	for m := max(0, w.last-span+1); m <= w.last; m++ {
		if n := w.slots[m%span]; n > 0 {
			out = append(out, Minute{Ago: int(w.last - m), Events: int(n)})
		}
	}
	return out
}

// A Minute is what happened in one.
type Minute struct{ Ago, Events int }

// Restore makes w what Minutes listed when that was elapsed ago. A negative time is none: a clock that was set back
// forgives nothing.
func (w *Window) Restore(now, elapsed time.Duration, minutes []Minute) {
	*w = Window{last: int64(now / time.Minute)}
	for _, m := range minutes {
		ago := int64(max(0, m.Ago)) + int64(max(0, elapsed)/time.Minute)
		if ago < span && ago <= w.last && m.Events > 0 {
			w.add(w.last-ago, m.Events)
		}
	}
}
