package provider

import (
	"cmp"
	"time"
)

// merge lays the fields that x sets over those of p.
func merge(p, x Provider) Provider {
	p.Name, p.Mode, p.Note = cmp.Or(x.Name, p.Name), cmp.Or(x.Mode, p.Mode), cmp.Or(x.Note, p.Note)
	p.Controls, p.Refuses = cmp.Or(x.Controls, p.Controls), cmp.Or(x.Refuses, p.Refuses)
	p.Source, p.Confidence = cmp.Or(x.Source, p.Source), cmp.Or(x.Confidence, p.Confidence)
	p.RCPTTimeout = cmp.Or[time.Duration](x.RCPTTimeout, p.RCPTTimeout)
	p.Quirks = cmp.Or(x.Quirks, p.Quirks)
	if x.MX != nil {
		p.MX = x.MX
	}
	if x.Consumer != nil {
		p.Consumer = x.Consumer
	}
	p.Limits = p.Limits.Over(x.Limits)
	p.ProviderLimits = p.ProviderLimits.Over(x.ProviderLimits)
	return p
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
