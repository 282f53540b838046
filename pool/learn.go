package pool

import (
	"time"

	"github.com/verimails/verimaild/pool/budget"
)

// learned is what a site has shown that it takes, whatever the source. Each of it narrows a limit, never widens it.
// The zero learned is nothing. Guarded by Pool.mu.
type learned struct {
	Recipients   int           // In a transaction: more were put off. 0 is not known.
	Transactions int           // In a session: it was closed after that.
	Refusals     int           // In a session: it was closed after more.
	Idle         time.Duration // For which a session may linger: it was closed after that.
	Age          time.Duration // At which a session ends: it was closed after that.
	Proven       int           // Recipients in a transaction that were taken; the ramp goes by it.
	At           time.Time     // When any of it was learned last.

	clean  int       // Transactions of Proven recipients that were taken since.
	closes [3]closed // The last sessions that the server closed while they were at work.
}

// closed is how far a session came until its server closed it.
type closed struct {
	known        bool
	transactions int  // That were answered as a whole.
	refusals     int  // RCPT replies that were not 2yz.
	refused      bool // The last reply to a RCPT was one of them.
	age          time.Duration
}

// memorable is how long a site's habits are taken for granted.
const memorable = 30 * 24 * time.Hour

// batch is how many recipients a transaction at the site may have.
func (s *site) batch() int {
	k := min(room(0, s.limits.RecipientsPerTransaction), maxRecipients)
	if s.limits.Ramp {
		k = min(k, max(startRecipients, s.learned.Proven))
	}
	if q := s.provider; q != nil && q.Quirks.OneRecipient {
		k = 1
	}
	if s.learned.Recipients > 0 {
		k = min(k, s.learned.Recipients)
	}
	return max(1, k)
}

// narrower is the lesser of a limit and what was learned; 0 is without bound in both.
func narrower[T int | time.Duration](limit, learned T) T {
	if limit == 0 || learned > 0 && learned < limit {
		return learned
	}
	return limit
}

func (s *site) transactionsPerSession() int {
	return narrower(s.limits.TransactionsPerSession, s.learned.Transactions)
}

func (s *site) refusalsPerSession() int {
	return narrower(s.limits.RefusalsPerSession, s.learned.Refusals)
}

func (s *site) idle() time.Duration { return narrower(s.limits.Idle, s.learned.Idle) }

func (s *site) sessionAge() time.Duration { return narrower(s.limits.SessionAge, s.learned.Age) }

// note marks that something was learned.
func (s *site) note() {
	s.learned.At = time.Now()
	s.changed()
}

// took learns that a transaction of n recipients was taken. After some of the size that is allowed, one more is.
func (s *site) took(n int) {
	const sure = 3
	l := &s.learned
	most := min(room(0, s.limits.RecipientsPerTransaction), room(0, l.Recipients))
	if !s.limits.Ramp || n < s.batch() || n >= most {
		return
	}
	if l.clean++; l.clean >= sure {
		l.Proven, l.clean = n+1, 0
		s.note()
	}
}

// tookOnly learns that only n recipients of a transaction were taken.
func (s *site) tookOnly(n int) {
	s.learned.Recipients, s.learned.clean = max(1, n), 0
	s.note()
}

// closedIdle learns from a session that its server closed after it had idled for so long.
func (s *site) closedIdle(after time.Duration) {
	const least = time.Second // Less is no habit but an accident.
	if idle := after * 4 / 5; after >= least && (s.idle() == 0 || idle < s.idle()) {
		s.learned.Idle = max(least, idle)
		s.note()
	}
}

// closedAtWork learns from a session that its server closed in the midst of work: what three in a row have in common
// is taken for its habit.
func (s *site) closedAtWork(c closed) {
	l := &s.learned
	copy(l.closes[1:], l.closes[:])
	l.closes[0] = c
	a, b, d := l.closes[0], l.closes[1], l.closes[2]
	switch {
	case !d.known:
		return
	case a.refused && b.refused && d.refused && a.refusals == b.refusals && b.refusals == d.refusals:
		s.boreOnly(a.refusals)
	case a.transactions > 0 && a.transactions == b.transactions && b.transactions == d.transactions:
		l.Transactions = a.transactions
	case alike(a.age, b.age) && alike(b.age, d.age):
		l.Age = min(a.age, b.age, d.age) * 4 / 5
	default:
		return
	}
	l.closes = [3]closed{}
	s.note()
}

// alike reports whether two ages are the same but for a tenth. Those of young sessions are too much alike anyway.
func alike(a, b time.Duration) bool { return a > 20*time.Second && (a-b).Abs() < a/10 }

// boreOnly learns that a session with n refusals was ended for them.
func (s *site) boreOnly(n int) {
	if bears := max(1, n-1); s.refusalsPerSession() == 0 || bears < s.refusalsPerSession() {
		s.learned.Refusals = bears
		s.note()
	}
}

// raise makes a path bolder after a flight in which nothing was wrong.
func (pa *path) raise(now time.Duration) {
	const every, parts = 10 * time.Minute, 20
	l := &pa.site.limits
	pa.breaker.Pass()
	if pa.breaker.State(now) == budget.Closed && pa.refusal != nil {
		pa.refusal = nil
		pa.site.changed()
	}
	if w := pa.sessions(); l.Sessions > 0 {
		pa.window = min(float64(l.Sessions), max(pa.window, float64(w))+1/float64(w))
	}
	if now-pa.raised >= every && l.ProbesPerMinute > 0 {
		if pa.raised > 0 {
			pa.learnedRate = min(l.ProbesPerMinute, pa.perMinute()+l.ProbesPerMinute/parts)
			pa.site.changed()
		}
		pa.raised = now
	}
}

// slow makes a path more timid, and every other one of the site slower: what a receiver says to one source it means
// for us. Once in a while is enough: replies of one moment are one word.
func (pa *path) slow(now time.Duration) bool {
	const moment = 10 * time.Second
	if pa.slowedAt > 0 && now-pa.slowedAt < moment {
		return false
	}
	pa.slowedAt = now
	pa.window = max(1, float64(pa.sessions())/2)
	for _, other := range pa.site.paths {
		other.halve(now)
	}
	pa.site.changed()
	return true
}

// halve halves the rate of a path.
func (pa *path) halve(now time.Duration) {
	if r := pa.perMinute(); r > 0 {
		pa.learnedRate, pa.raised = max(min(1, r), r/2), now
	}
}
