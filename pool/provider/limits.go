package provider

import (
	"cmp"
	"time"
)

// Limits are what one source may do. A nil field is absent: the next wider table decides.
// Zero lifts a limit.
type Limits struct {
	Sessions                 *int           // At once.
	SessionsPerHour          *int           // Begun.
	DialInterval             *time.Duration // Between two dials.
	RecipientsPerTransaction *int
	TransactionsPerSession   *int
	RefusalsPerSession       *int
	RefusalsPerHour          *int
	ControlsPerHour          *int
	RefusalRatio             *float64 // 0 to 1.
	ProbesPerMinute          *float64
	Idle                     *time.Duration // How long an idle session is kept.
	SessionAge               *time.Duration
	Ramp                     *bool // Whether limits start low and grow.
}

// Over returns l with the limits that x has in place of its own.
func (l Limits) Over(x Limits) Limits {
	l.Sessions, l.SessionsPerHour = cmp.Or(x.Sessions, l.Sessions), cmp.Or(x.SessionsPerHour, l.SessionsPerHour)
	l.DialInterval = cmp.Or(x.DialInterval, l.DialInterval)
	l.RecipientsPerTransaction = cmp.Or(x.RecipientsPerTransaction, l.RecipientsPerTransaction)
	l.TransactionsPerSession = cmp.Or(x.TransactionsPerSession, l.TransactionsPerSession)
	l.RefusalsPerSession = cmp.Or(x.RefusalsPerSession, l.RefusalsPerSession)
	l.RefusalsPerHour = cmp.Or(x.RefusalsPerHour, l.RefusalsPerHour)
	l.ControlsPerHour = cmp.Or(x.ControlsPerHour, l.ControlsPerHour)
	l.RefusalRatio = cmp.Or(x.RefusalRatio, l.RefusalRatio)
	l.ProbesPerMinute = cmp.Or(x.ProbesPerMinute, l.ProbesPerMinute)
	l.Idle, l.SessionAge, l.Ramp = cmp.Or(x.Idle, l.Idle), cmp.Or(x.SessionAge, l.SessionAge), cmp.Or(x.Ramp, l.Ramp)
	return l
}

// Unpaced lifts what says when, and how often, something may be asked. What a session looks like is inherited.
func Unpaced() Limits {
	return Limits{
		Ramp: new(false), SessionsPerHour: new(0), DialInterval: new(time.Duration(0)), RefusalsPerHour: new(0),
		ControlsPerHour: new(0), RefusalRatio: new(0.0), ProbesPerMinute: new(0.0),
	}
}
