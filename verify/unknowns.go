package verify

import (
	"maps"
	"sync"
	"time"

	"github.com/verimails/verimaild/verify/address"
	"github.com/verimails/verimaild/verify/verdict"
)

// unknowns holds the answers of the last ten minutes that say nothing, so that their servers are not asked again before
// that can change anything. They are kept nowhere else: no fault of ours or of a server's becomes a property of an
// address. Safe for concurrent use.
type unknowns struct {
	now func() time.Time

	mu      sync.Mutex // Guards all below.
	answers map[string]unknown
	sweep   *time.Timer // Drops what is out of date, at the end of the ten minutes; nil before the first answer.
	waits   bool        // For its time.
}

// An unknown is an answer that was given, and until when it is given again.
type unknown struct {
	answer *verdict.Answer
	until  time.Time
	note   Note // Void once the address is forgotten.
}

// maxUnknowns bounds the answers that are held.
const maxUnknowns = 8192

// keep holds an answer until it can change, for ten minutes at most.
func (u *unknowns) keep(a address.Address, ans *verdict.Answer, note Note, now time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.answers == nil {
		u.answers = map[string]unknown{}
	}
	if len(u.answers) >= maxUnknowns {
		u.makeRoom(now)
	}
	until := now.Add(minRepeat)
	if !ans.RetryAt.IsZero() {
		until = earlier(until, ans.RetryAt)
	}
	u.answers[a.Key()] = unknown{ans, until, note}
	u.sweepLater()
}

// sweepLater has what is out of date dropped in ten minutes: an answer comes with its dialogue, and after a burst of them
// nobody may come to whom they are in the way. The caller holds u.mu.
func (u *unknowns) sweepLater() {
	switch {
	case u.waits:
		return
	case u.sweep == nil:
		u.sweep = time.AfterFunc(minRepeat, u.dropOld)
	default:
		u.sweep.Reset(minRepeat)
	}
	u.waits = true
}

// dropOld drops the answers that are out of date, and comes back for the others.
func (u *unknowns) dropOld() {
	now := u.now()
	u.mu.Lock()
	defer u.mu.Unlock()
	u.waits = false
	maps.DeleteFunc(u.answers, func(_ string, k unknown) bool { return !now.Before(k.until) })
	if len(u.answers) > 0 {
		u.sweepLater()
	}
}

// close forgets all of them when no flight is left.
func (u *unknowns) close() {
	u.mu.Lock()
	defer u.mu.Unlock()
	clear(u.answers)
	if u.sweep != nil {
		u.sweep.Stop()
	}
}

// makeRoom drops some answers, those that are out of date among a few first. The caller holds u.mu.
func (u *unknowns) makeRoom(now time.Time) {
	const look = 32
	n := 0
	for key, k := range u.answers {
		if n++; n > look {
			break
		}
		if n == look || !now.Before(k.until) {
			delete(u.answers, key)
		}
	}
}

// of returns the answer that was given about a, nil if there is none.
func (u *unknowns) of(a address.Address, now time.Time) *verdict.Answer {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.answers) == 0 {
		return nil
	}
	k, ok := u.answers[a.Key()]
	if !ok {
		return nil
	}
	if !now.Before(k.until) || k.note.Void() {
		delete(u.answers, a.Key())
		return nil
	}
	return k.answer
}

// clear forgets all of them: the operator may have changed what they were about.
func (u *unknowns) clear() {
	u.mu.Lock()
	defer u.mu.Unlock()
	clear(u.answers)
}

// brakes reports whether an answer is worth holding: somebody else's "not now", or whatever was said when a mail server
// was asked. What is about this host is not held against an address.
func brakes(ans *verdict.Answer) bool {
	r := ans.Reason
	said := !ans.RetryAt.IsZero() || len(ans.Evidence) > 0
	return said && r.Verdict() == verdict.Unknown && r.Subject() != verdict.SubjectLocal
}
