package pool

import (
	"time"

	"github.com/verimails/verimaild/pool/provider"
)

// Limits bound what is done to one site from one source. A limit of 0 is lifted.
type Limits struct {
	Sessions                 int           // Open at once.
	RecipientsPerTransaction int           // RCPT commands after one MAIL.
	TransactionsPerSession   int           // MAIL commands on one session; Exim closes at the 12th RSET.
	RefusalsPerSession       int           // RCPT replies that are not 2yz; Postfix slows down at 10, some hosts close at 5.
	Idle                     time.Duration // How long a session lingers without work.
	SessionAge               time.Duration // How old a session gets; several servers end it at 5 minutes.
}

// DefaultLimits hold for a site that nothing is known about.
func DefaultLimits() Limits {
	return Limits{
		Sessions:                 2,
		RecipientsPerTransaction: 5,
		TransactionsPerSession:   8,
		RefusalsPerSession:       3,
		Idle:                     15 * time.Second,
		SessionAge:               240 * time.Second,
	}
}

// maxRecipients bounds a transaction where no limit does: what any server has to take, RFC 5321 §4.5.3.1.8.
const maxRecipients = 100

// limitsFor is what holds for a site of prov, which may be nil.
func (p *Pool) limitsFor(prov *provider.Provider) Limits {
	if prov == nil {
		return p.base
	}
	return p.base.With(&prov.Limits)
}

// With returns l with what o sets in it; what o leaves out is inherited.
func (l Limits) With(o *provider.Limits) Limits {
	if o == nil {
		return l
	}
	override(&l.Sessions, o.Sessions)
	override(&l.RecipientsPerTransaction, o.RecipientsPerTransaction)
	override(&l.TransactionsPerSession, o.TransactionsPerSession)
	override(&l.RefusalsPerSession, o.RefusalsPerSession)
	override(&l.Idle, o.Idle)
	override(&l.SessionAge, o.SessionAge)
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
