package api

import (
	"fmt"
	"sync"
	"time"

	"github.com/verimails/verimaild/verify/verdict"
)

// An account is what is counted of one application. It outlives reloads.
type account struct {
	name string

	mu      sync.Mutex // Guards all below.
	rate    gcra
	asking  int
	day     day      // To which today belongs.
	today   dayCount // Of that day.
	month   uint64   // Charged this month before today.
	dirty   bool     // today is not stored as it is.
	past    []storedDay
	totals  map[total]uint64 // Answers since the start, for the metrics.
	refused uint64           // Addresses that a quota refused, since the start.
}

// A total is what answers are counted by.
type total struct {
	reason verdict.Reason
	cached bool
}

// A storedDay is a day that is over, and not stored yet.
type storedDay struct {
	day   day
	count dayCount
}

func newAccount(name string, today day) *account {
	return &account{name: name, day: today, totals: map[total]uint64{}}
}

// roll begins a new day at t, if it is one. A clock that is set back does not bring a day back. The caller holds mu.
func (a *account) roll(t time.Time) {
	now := dayOf(t)
	if now <= a.day {
		return
	}
	if a.dirty {
		a.past = append(a.past, storedDay{a.day, a.today})
	}
	a.month += a.today.Charged
	if a.day.firstOfMonth() != now.firstOfMonth() {
		a.month = 0
	}
	a.day, a.today, a.dirty = now, dayCount{}, false
}

// A QuotaError says that an application has spent what it may ask. Nobody was asked.
type QuotaError struct {
	App   string
	Rule  string        // The configuration key, such as "apps[0].quota.per_day".
	Limit int           // Its value.
	Retry time.Duration // From when asking again may help.

	what string // The limit, in words.
}

func (e *QuotaError) Error() string {
	return fmt.Sprintf("api: application %s has spent its %d %s (%s)", e.App, e.Limit, e.what, e.Rule)
}

// RetryAfter is when asking again may help, from now.
func (e *QuotaError) RetryAfter() time.Duration { return e.Retry }

// concurrentRetry is when to ask again while as many questions as are allowed are under way; nobody knows for how long.
const concurrentRetry = 250 * time.Millisecond

// spendAt charges m one address at t. It changes nothing if it returns an error, which is a *QuotaError. The month is
// looked at before the day, and the day before the minute, so that the longest wait is the one that is told.
func (m *member) spendAt(t time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.roll(t)
	q := &m.Quota
	switch {
	case spent(q.PerMonth, m.month+m.today.Charged):
		return m.refuse("per_month", "addresses a month", q.PerMonth, m.day.nextMonth().start().Sub(t))
	case spent(q.PerDay, m.today.Charged):
		return m.refuse("per_day", "addresses a day", q.PerDay, (m.day + 1).start().Sub(t))
	}
	if q.PerMinute != nil {
		if wait := m.rate.spendAt(t, *q.PerMinute); wait > 0 {
			return m.refuse("per_minute", "addresses a minute", q.PerMinute, wait)
		}
	}
	m.today.Charged++
	m.dirty = true
	return nil
}

func spent(limit *int, used uint64) bool { return limit != nil && used >= uint64(*limit) } //nolint:gosec // G115: no limit is negative.

// refuse makes the error for a limit that is reached. The caller holds mu.
func (m *member) refuse(key, what string, limit *int, retry time.Duration) error {
	return &QuotaError{App: m.Name, Rule: m.rule("quota." + key), Limit: *limit, what: what, Retry: retry}
}

// giveBack takes back what was charged on a day that is still today.
func (m *member) giveBack(on day) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.day == on && m.today.Charged > 0 {
		m.today.Charged--
		m.dirty = true
	}
	if m.Quota.PerMinute != nil {
		m.rate.giveBack(*m.Quota.PerMinute)
	}
}

// enter counts one more question that is under way, if it may be; leave must follow.
func (m *member) enter() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if q := m.Quota.Concurrent; q != nil && m.asking >= *q {
		return m.refuse("concurrent", "addresses at once", q, concurrentRetry)
	}
	m.asking++
	return nil
}

func (a *account) leave() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asking--
	if a.asking < 0 {
		panic("api: account: more left than entered")
	}
}

// answered counts an answer.
func (a *account) answered(t time.Time, ans *verdict.Answer, charged bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.roll(t)
	i := verdictIndex(ans.Reason.Verdict())
	if ans.Cached {
		a.today.Cached[i]++
	} else {
		a.today.Asked[i]++
	}
	if charged {
		a.today.Charged++
	}
	a.totals[total{ans.Reason, ans.Cached}]++
	a.dirty = true
}

// turnedAway counts an address that an application was refused for good: one that waits for its turn is not refused.
func (a *Accounts) turnedAway(app string) { a.table.Load().named(app).turnedAway(a.now()) }

func (a *account) turnedAway(t time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.roll(t)
	a.today.Refused++
	a.refused++
	a.dirty = true
}

// take hands over what is to be stored.
func (a *account) take() []storedDay {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := a.past
	a.past = nil
	if a.dirty {
		out = append(out, storedDay{a.day, a.today})
		a.dirty = false
	}
	return out
}

// putBack has what could not be stored stored later.
func (a *account) putBack(days []storedDay) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, d := range days {
		if d.day == a.day {
			a.dirty = true // What is there by then is newer.
		} else {
			a.past = append(a.past, d)
		}
	}
}
