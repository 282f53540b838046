package verify

import (
	"time"

	"github.com/verimails/verimaild/verify/address"
	"github.com/verimails/verimaild/verify/verdict"
)

// A ticket is a recipient that a mail server has put off: who has to ask again, when, and what is answered until then.
// Greylists know whoever asks by source, sender and recipient, so none of the three changes from visit to visit.
// A ticket does not change; each visit makes the next one.
type ticket struct {
	addr   address.Address
	source string
	sender string

	first   time.Time // Of the visits.
	visits  int
	due     time.Time // From when the next visit is made; of a spent ticket, until when it answers.
	spent   bool      // The schedule is over.
	control bool      // The domain's made-up recipient was put off along with it.

	reason     verdict.Reason
	checkedAt  time.Time // Of the last visit.
	provider   string
	mx         []verdict.MX
	implicitMX verdict.Tri
	evidence   []verdict.Evidence
}

const (
	// ticketLife is how long after the first visit the last one is made.
	ticketLife = 12 * time.Hour

	// spentLife is how long after the first visit the outcome of a whole schedule is answered at most: whoever has put
	// us off for half a day is left alone for the other half.
	spentLife = 24 * time.Hour

	// toldGrace is added to a time that a server states: it may count in whole seconds.
	toldGrace = time.Second
)

// visitWaits is how long to wait after each visit where the server states no time. The first is just past the 300 s that
// most greylists want.
var visitWaits = [...]time.Duration{310 * time.Second, 30 * time.Minute, 2 * time.Hour, 6 * time.Hour}

// lastVisit reports whether a visit now is the last of t's schedule. nil is a recipient that was not visited before.
func (t *ticket) lastVisit(now time.Time) bool {
	return t != nil && (t.visits >= len(visitWaits) || !now.Before(t.first.Add(ticketLife)))
}

// schedule sets when next, which follows t (nil at the first visit), is due; told is how long the server says to wait,
// 0 if it does not. What it says counts at the first visit. Later it counts only where it is longer than the schedule:
// a server that says "in a minute" for ever is not asked every minute.
func (t *ticket) schedule(next *ticket, told time.Duration, now time.Time) {
	next.first, next.visits = now, 1
	if t != nil {
		next.first, next.visits = t.first, t.visits+1
	}
	if t.lastVisit(now) {
		next.spent, next.due = true, later(next.first.Add(spentLife), now.Add(minRepeat))
		return
	}
	wait := visitWaits[next.visits-1]
	if told > 0 {
		if told != visitWaits[0] { // That is what is usual where nothing is said.
			told += toldGrace
		}
		if next.visits > 1 {
			told = max(told, wait)
		}
		wait = told
	}
	next.due = earlier(now.Add(wait), next.first.Add(ticketLife))
}

// postponed is t, whose visit at now came to nothing through no fault of the recipient's, due at another time instead;
// nil if its schedule ends before.
func (t *ticket) postponed(until time.Time) *ticket {
	if until.After(t.first.Add(ticketLife)) {
		return nil
	}
	next := *t
	next.due = later(until, t.due)
	return &next
}

// answers reports whether a question at now is answered by t.
func (t *ticket) answers(req *Request, now time.Time) bool {
	return now.Before(t.due) && (!t.spent || req.takes(now.Sub(t.checkedAt)))
}

// fill writes into ans what t knows.
func (t *ticket) fill(ans *verdict.Answer) {
	ans.Reason, ans.Evidence, ans.MX, ans.Provider = t.reason, t.evidence, t.mx, t.provider
	ans.Flags.ImplicitMX, ans.CheckedAt, ans.RetryAt = t.implicitMX, t.checkedAt, t.due
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
