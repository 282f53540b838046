package budget

import "time"

// sample is how many events a Ratio goes by.
const sample = 50

// A Ratio is the share of bad events among the last 50, those older than an hour left out. The zero Ratio has seen
// none.
type Ratio struct {
	ring [sample]event
	next uint8
}

// An event is the minute in which it happened, plus one so that zero is none, twice, plus one if it was bad.
type event uint32

// Add counts an event.
func (r *Ratio) Add(now time.Duration, bad bool) {
	r.push(int64(now/time.Minute), bad)
}

func (r *Ratio) push(minute int64, bad bool) {
	e := event(minute+1) << 1 //nolint:gosec // G115: minutes since the start.
	if bad {
		e |= 1
	}
	r.ring[r.next] = e
	r.next = (r.next + 1) % sample
}

// Share is the share of bad events, 0 to 1, and of how many it is one.
func (r *Ratio) Share(now time.Duration) (share float64, of int) {
	bad := 0
	for _, e := range r.ring {
		if e == 0 || now-time.Duration(e>>1-1)*time.Minute > time.Hour {
			continue
		}
		of++
		bad += int(e & 1)
	}
	if of == 0 {
		return 0, 0
	}
	return float64(bad) / float64(of), of
}

// An Event is one of those that a Ratio goes by.
type Event struct {
	Ago int // Minutes.
	Bad bool
}

// Events lists them, the oldest first.
func (r *Ratio) Events(now time.Duration) []Event {
	var out []Event
	for i := range sample {
		e := r.ring[(int(r.next)+i)%sample]
		ago := int64(now/time.Minute) - int64(e>>1) + 1
		if e != 0 && ago <= 60 {
			out = append(out, Event{int(max(0, ago)), e&1 == 1})
		}
	}
	return out
}

// Restore makes r what Events listed when that was elapsed ago.
func (r *Ratio) Restore(now, elapsed time.Duration, events []Event) {
	*r = Ratio{}
	for _, e := range events {
		minute := int64(now/time.Minute) - int64(e.Ago) - int64(max(0, elapsed)/time.Minute)
		if minute >= 0 {
			r.push(minute, e.Bad)
		}
	}
}
