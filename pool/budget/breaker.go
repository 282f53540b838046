package budget

import "time"

// openTimes are for how long a breaker opens, the first time and the times after that.
var openTimes = [...]time.Duration{15 * time.Minute, time.Hour, 4 * time.Hour, 12 * time.Hour}

const (
	mostFailures = 3              // Soft ones in a row that open a breaker.
	trust        = 3              // Clean results that close one that is on probation.
	forgiven     = 24 * time.Hour // After which an opening no longer makes the next one longer.
)

// A State is what a breaker lets through.
type State uint8

// The states.
const (
	Closed    State = iota // Everything.
	Open                   // Nothing.
	HalfOpen               // A test of whether we are welcome, which asks about nobody.
	Probation              // One question a minute.
)

// A Breaker keeps us from knocking where we are not welcome. The zero Breaker is closed.
type Breaker struct {
	Until  time.Duration // Open until then; if Opened, the test is due from then on.
	Opened bool          // Since the last test that went well.
	Tried  bool          // The test went well: on probation.
	Opens  int           // In a row.
	Fails  int           // Soft failures in a row.
	Clean  int           // Clean results on probation.
}

// State is what b lets through now.
func (b *Breaker) State(now time.Duration) State {
	switch {
	case b.Opened && now < b.Until:
		return Open
	case b.Opened:
		return HalfOpen
	case b.Tried:
		return Probation
	}
	return Closed
}

// Trip opens b for the time that told says, or the time that is due, whichever is longer.
func (b *Breaker) Trip(now, told time.Duration) {
	if now-b.Until > forgiven {
		b.Opens = 0
	}
	b.Until = now + max(told, openTimes[min(b.Opens, len(openTimes)-1)])
	b.Opens++
	b.Opened, b.Tried, b.Fails, b.Clean = true, false, 0, 0
}

// Fail counts a soft failure, and reports whether that opened b: the third in a row does, and any on probation.
func (b *Breaker) Fail(now time.Duration) bool {
	b.Fails++
	if b.Fails < mostFailures && !b.Opened && !b.Tried {
		return false
	}
	b.Trip(now, 0)
	return true
}

// Pass counts a clean result: of the test while b is half open, of a question otherwise.
func (b *Breaker) Pass() {
	b.Fails = 0
	switch {
	case b.Opened:
		b.Opened, b.Tried, b.Clean = false, true, 0
	case b.Tried:
		if b.Clean++; b.Clean >= trust {
			b.Tried = false
		}
	}
}

// Penalty is how long an address is left alone after so many failures to connect to it in a row.
func Penalty(failures int, timedOut bool) time.Duration {
	const free, step, black = 4, 15 * time.Second, 15 * time.Minute
	if failures < free {
		return 0
	}
	n := min(failures-free+1, 16)
	p := min(time.Hour, time.Duration(n*n)*step)
	if timedOut { // A firewall that swallows packets costs a whole timeout each time.
		p = max(p, black)
	}
	return p
}
