package pool

import (
	"time"

	"github.com/verimails/verimaild/pool/provider"
)

// Limits bound what is done to one site from one source, or from one network prefix where that is said. A limit of 0
// is lifted. They are ceilings: with Ramp, a path that nothing is known about begins at Limits.start.
type Limits struct {
	Sessions                 int           // Open at once.
	SessionsPerHour          int           // Opened within any hour.
	DialInterval             time.Duration // Between the beginnings of two sessions.
	RecipientsPerTransaction int           // RCPT commands after one MAIL.
	TransactionsPerSession   int           // MAIL commands on one session; Exim closes at the 12th RSET.
	RefusalsPerSession       int           // RCPT replies that are not 2yz; Postfix slows down at 10, some hosts close at 5.
	RefusalsPerHour          int           // Dead recipients within any hour, per network prefix; Cisco stops answering at 25.
	ControlsPerHour          int           // Refused controls within any hour, per network prefix.
	RefusalRatio             float64       // Share of dead recipients, 0 to 1, above which the path goes on at one probe a minute.
	ProbesPerMinute          float64       // Recipients asked about, in bursts of five.
	Idle                     time.Duration // How long a session lingers without work.
	SessionAge               time.Duration // How old a session gets; several servers end it at 5 minutes.
	Ramp                     bool          // Begin low and rise by what the site shows that it takes.
}

// DefaultLimits hold for a site that nothing is known about.
func DefaultLimits() Limits {
	return Limits{
		Sessions:                 2,
		SessionsPerHour:          20,
		DialInterval:             5 * time.Second,
		RecipientsPerTransaction: 5,
		TransactionsPerSession:   8,
		RefusalsPerSession:       3,
		RefusalsPerHour:          15,
		ControlsPerHour:          30,
		RefusalRatio:             0.25,
		ProbesPerMinute:          10,
		Idle:                     15 * time.Second,
		SessionAge:               240 * time.Second,
		Ramp:                     true,
	}
}

// Where a path begins that ramps, unless its ceiling is lower.
const (
	startSessions   = 1
	startRecipients = 1
	startControls   = 10
	startRate       = 5.0 // Probes a minute.
)

// start is what a limit that ramps begins at. One that is lifted does not ramp.
func start[T int | float64](ramp bool, begin, ceiling T) T {
	if !ramp {
		return ceiling
	}
	return min(begin, ceiling)
}

// maxRecipients bounds a transaction where no limit does: what any server has to take, RFC 5321 §4.5.3.1.8.
const maxRecipients = 100

// A SiteRule is the operator's word on some sites. The fields of its match that are set must all hold.
type SiteRule struct {
	Provider string // Its id.
	MX       string // A pattern that every mail host matches: a name, or "*." and a suffix.
	Domain   string // A domain, A-labels. It is then asked as a site of its own, with budgets of its own.
	Limits   provider.Limits
}

// SourceLimits bound what one source does to all sites together. A limit of 0 is lifted.
type SourceLimits struct {
	Sessions       int
	DialsPerMinute int
}

// unpaced reports whether nothing in l says when, or how often, something may be asked.
func (l *Limits) unpaced() bool {
	return l.RefusalsPerHour == 0 && l.ControlsPerHour == 0 && l.RefusalRatio == 0 && l.ProbesPerMinute == 0
}

// limitsFor is what holds for a site: the built-in limits under the operator's, the provider's and a rule's, each of
// which wins over the one before it.
func (p *Pool) limitsFor(prov *provider.Provider, rule *SiteRule) Limits {
	l := p.base
	if prov != nil {
		l = l.With(&prov.Limits)
	}
	if rule != nil {
		l = l.With(&rule.Limits)
	}
	return l
}

// With returns l with what o sets in it; what o leaves out is inherited.
func (l Limits) With(o *provider.Limits) Limits {
	if o == nil {
		return l
	}
	override(&l.Sessions, o.Sessions)
	override(&l.SessionsPerHour, o.SessionsPerHour)
	override(&l.DialInterval, o.DialInterval)
	override(&l.RecipientsPerTransaction, o.RecipientsPerTransaction)
	override(&l.TransactionsPerSession, o.TransactionsPerSession)
	override(&l.RefusalsPerSession, o.RefusalsPerSession)
	override(&l.RefusalsPerHour, o.RefusalsPerHour)
	override(&l.ControlsPerHour, o.ControlsPerHour)
	override(&l.RefusalRatio, o.RefusalRatio)
	override(&l.ProbesPerMinute, o.ProbesPerMinute)
	override(&l.Idle, o.Idle)
	override(&l.SessionAge, o.SessionAge)
	override(&l.Ramp, o.Ramp)
	return l
}

func override[T any](dst *T, v *T) {
	if v != nil {
		*dst = *v
	}
}

// reached reports whether n is all that limit allows. A limit of 0 is never reached.
func reached[T int | time.Duration](n, limit T) bool { return limit > 0 && n >= limit }

// unbounded is more than anything is limited to.
const unbounded = 1 << 30

// room is what limit leaves above n: at least 0, and without bound where it is lifted.
func room(n, limit int) int {
	if limit == 0 {
		return unbounded
	}
	return max(0, limit-n)
}
