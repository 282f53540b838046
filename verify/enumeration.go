package verify

import (
	"hash/maphash"
	"sync"
	"time"

	"github.com/verimails/verimaild/verify/address"
	"github.com/verimails/verimaild/verify/verdict"
)

// Who asks one domain for name after name, most of them dead, is guessing names. An application is stopped at a domain
// for enumerationStop once so many different names (Settings.DeadNames) of those it asked for within an hour were dead,
// and two of three that it asked for were. What is remembered is still answered; other applications are not concerned.
// By the usual limits of a site it takes longer to come that far; they may have been lifted.
const (
	enumerationSpan = time.Hour
	enumerationStop = time.Hour

	// maxEnumerations bounds the pairs of application and domain that are counted.
	maxEnumerations = 4096
)

// enumerations counts what applications ask for. Safe for concurrent use.
type enumerations struct {
	mu   sync.Mutex // Guards all below.
	seed maphash.Seed
	of   map[asker]*enumeration
}

// An asker is an application at a domain.
type asker struct{ app, domain string }

// An enumeration is what an application asked for at a domain within a span.
type enumeration struct {
	since time.Time
	asked int
	dead  map[uint64]struct{} // Hashes of dead names, as many as are borne at most.
	more  int                 // Dead ones beyond those.
	until time.Time           // Stopped until then.
}

// note counts an answer for which somebody was asked; most is how many dead names are borne.
func (e *enumerations) note(app string, a address.Address, dead bool, most int, now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.of == nil {
		e.seed, e.of = maphash.MakeSeed(), map[asker]*enumeration{}
	}
	key := asker{app, a.Domain().ASCII()}
	n := e.of[key]
	if n == nil || now.Sub(n.since) >= enumerationSpan && !now.Before(n.until) {
		if n == nil && len(e.of) >= maxEnumerations {
			e.makeRoom(now)
		}
		n = &enumeration{since: now}
		e.of[key] = n
	}
	n.asked++
	if dead {
		n.die(maphash.String(e.seed, a.Key()), most)
	}
	if n.guesses(most) && n.until.IsZero() {
		n.until = now.Add(enumerationStop)
	}
}

// die counts a dead name.
func (n *enumeration) die(hash uint64, most int) {
	if len(n.dead) >= most {
		n.more++
		return
	}
	if n.dead == nil {
		n.dead = map[uint64]struct{}{}
	}
	n.dead[hash] = struct{}{}
}

// guesses reports whether the application guesses names.
func (n *enumeration) guesses(most int) bool {
	return len(n.dead) >= most && 3*(len(n.dead)+n.more) >= 2*n.asked
}

// makeRoom drops one of a few pairs: the one that began first and is not stopped. The caller holds e.mu.
func (e *enumerations) makeRoom(now time.Time) {
	const look = 16
	var oldest asker
	var since time.Time
	seen := 0
	for key, n := range e.of {
		if seen++; seen > look && !since.IsZero() {
			break
		}
		if !now.Before(n.until) && (since.IsZero() || n.since.Before(since)) {
			oldest, since = key, n.since
		}
	}
	delete(e.of, oldest)
}

// stopped returns until when the application is stopped at a's domain; zero if it is not.
func (e *enumerations) stopped(app string, a address.Address, now time.Time) time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	if n := e.of[asker{app, a.Domain().ASCII()}]; n != nil && now.Before(n.until) {
		return n.until
	}
	return time.Time{}
}

// tallyDead counts ans, which req's application was given.
func (v *Verifier) tallyDead(req *Request, a address.Address, ans *verdict.Answer) {
	most := v.inForce().deadNames
	if most > 0 && req.Depth == DepthSMTP && !ans.Cached {
		v.enumerations.note(req.App, a, ans.Reason == verdict.MailboxNotFound, most, v.now())
	}
}

// stopped is the answer for an application that guesses names; nil if it does not.
func (v *Verifier) stopped(req *Request, a address.Address) *verdict.Answer {
	most := v.inForce().deadNames
	if most == 0 || req.Depth != DepthSMTP {
		return nil
	}
	until := v.enumerations.stopped(req.App, a, v.now())
	if until.IsZero() {
		return nil
	}
	ans := v.describe(a)
	ans.Reason, ans.RetryAt = verdict.ProbeSuppressed, until
	ans.Explanation = "This application asked for many names of this domain, most of which do not exist; " +
		"it may ask for more of them later. What is remembered is still answered."
	v.conclude(&ans, Policy{})
	return &ans
}
