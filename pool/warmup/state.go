package warmup

import "time"

// What makes a day clean, and what the days between do. The numbers have no standard behind them; see docs/adr.
const (
	mostDead   = 0.20 // Share of dead recipients.
	deadSample = 20   // From this many recipients on the share says something.
	leastUse   = 5    // A day that used less than this part of its allowance has shown nobody anything.
	badInRow   = 2    // Days that were not clean, after which the allowance is halved.
	coolAfter  = 14   // Idle days, after which a quarter is left of what was reached.
	coldAfter  = 30   // Idle days, after which everything starts again.
	coolPart   = 4
	sharePart  = 5 // One provider's part of the allowance.
)

// A Day counts days from 1970-01-01, in UTC.
type Day int32

// secondsPerDay is without leap seconds, as Unix time is.
const secondsPerDay = 24 * 60 * 60

// DayOf is the day that t is in.
func DayOf(t time.Time) Day {
	s := t.Unix()
	d := s / secondsPerDay
	if s%secondsPerDay < 0 {
		d--
	}
	return Day(d) //nolint:gosec // G115: bounded above.
}

// Begin is the moment at which d begins.
func (d Day) Begin() time.Time { return time.Unix(int64(d)*secondsPerDay, 0).UTC() }

// A State is how far a source has come, and what it did on the day it was last used. The zero State is a source that
// was never used.
type State struct {
	Day      Day  // The day that the rest is about; 0 for one that was never used.
	Level    int  // Recipients allowed on that day, if a schedule is in force and not over.
	Over     bool // The schedule has been gone through.
	Bad      int  // Days in a row before that were not clean.
	Asked    int  // Recipients asked about.
	Dead     int  // Of those, the ones that were refused as dead; controls, which are meant to be, aside.
	Refusals int  // Replies that refused the source itself.
	Before   int  // Refusals of the day before.
}

// On is what the state is on the given day, under a schedule: that of a later day draws the consequence of those
// before. A day earlier than the state's, which a clock that was set back makes, is taken for the state's own.
func (s State) On(day Day, sched Schedule) State {
	if day > s.Day {
		s = s.next(day, sched)
	}
	if sched.Active() && !s.Over && s.Level == 0 {
		s.Level = sched.first()
	}
	return s
}

// next is the state at the beginning of a later day.
func (s State) next(day Day, sched Schedule) State {
	idle := int(day-s.Day) - 1
	out := State{Day: day, Level: s.Level, Over: s.Over, Bad: s.Bad}
	if idle == 0 {
		out.Before = s.Refusals
	}
	if s.Day == 0 || !sched.Active() {
		return out
	}
	out.judge(s, sched)
	switch {
	case idle > coldAfter:
		out.Level, out.Over, out.Bad = sched.first(), false, 0
	case idle > coolAfter:
		if out.Over {
			out.Level = sched.last()
		}
		out.Level, out.Over, out.Bad = max(sched.first(), out.Level/coolPart), false, 0
	}
	return out
}

// judge draws the consequence of the day that was.
func (s *State) judge(was State, sched Schedule) {
	if was.Over || was.Level == 0 {
		return
	}
	if !was.clean() {
		if s.Bad++; s.Bad >= badInRow {
			s.Level, s.Bad = max(sched.first(), s.Level/2), 0
		}
		return
	}
	s.Bad = 0
	if was.Asked*leastUse < was.Level {
		return
	}
	level, more := sched.after(was.Level)
	s.Level, s.Over = level, !more
}

// clean reports whether nobody took offence on the day.
func (s State) clean() bool {
	return s.Refusals == 0 && (s.Asked < deadSample || float64(s.Dead) <= mostDead*float64(s.Asked))
}

// Limited reports whether the schedule holds the source back on the state's day.
func (s State) Limited(sched Schedule) bool { return sched.Active() && !s.Over }

// Left is how many recipients may still be asked about on the state's day; Unlimited where no schedule is in force.
func (s State) Left(sched Schedule) int {
	if !s.Limited(sched) {
		return Unlimited
	}
	return max(0, s.Level-s.Asked)
}

// Share is how many recipients of the day's allowance may be of one provider; Unlimited where no schedule is in force.
func (s State) Share(sched Schedule) int {
	if !s.Limited(sched) {
		return Unlimited
	}
	return max(1, s.Level/sharePart)
}

// Health is how well the source was received on the state's day and the day before, from 0 to 1. It has few values, so
// that what is weighed by it seldom changes.
func (s State) Health() float64 {
	const some, many = 1, 3
	switch n := s.Refusals + s.Before; {
	case n >= many:
		return 0.25
	case n >= some:
		return 0.5
	default:
		return 1
	}
}

// Headroom is how much of the day's allowance is left, from 0 to 1, in few steps: 1 down to a half of it, a half down to
// a quarter, and so on.
func (s State) Headroom(sched Schedule) float64 {
	left := s.Left(sched)
	if left == Unlimited {
		return 1
	}
	const least = 1.0 / 16
	for part := 1.0; part > least; part /= 2 {
		if float64(left) >= float64(s.Level)*part/2 {
			return part
		}
	}
	if left == 0 {
		return 0
	}
	return least
}
