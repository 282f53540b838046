package verify

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/verimails/verimaild/pool"
	"github.com/verimails/verimaild/pool/smtp"
	"github.com/verimails/verimaild/verify/verdict"
)

// A scout is the run that finds out about a domain first. What it learns of the domain's habit spares the others that
// want to know about the same domain at the same time: a hundred addresses of a domain that accepts everyone cost two
// recipients, not two hundred.
type scout struct {
	waiting atomic.Int32  // Runs that wait for it.
	back    chan struct{} // Closed when the fields below are set.

	acceptAll verdict.Tri
	evidence  []verdict.Evidence // About made-up recipients.
}

// scoutWait is how long a run waits for another's findings before it goes by itself: a server that keeps one recipient
// waiting must not keep the callers of all the others.
const scoutWait = 10 * time.Second

// scoutRounds is how many scouts a run waits for: the first may have met an address that shows nothing. After that it
// goes by itself, so that a server that puts everyone off does not make a domain's addresses wait one for another.
const scoutRounds = 2

// scout makes r the domain's scout, unless there is one: then it waits for that one's findings.
// What comes of being the scout has to be told by report.
func (r *run) scout(ctx context.Context) (mine *scout, found *scout) {
	domain := r.addr.Domain().ASCII()
	r.v.mu.Lock()
	other := r.v.scouts[domain]
	if other == nil {
		mine = &scout{back: make(chan struct{})}
		r.v.scouts[domain] = mine
	}
	r.v.mu.Unlock()
	if mine != nil {
		return mine, nil
	}
	other.waiting.Add(1)
	defer other.waiting.Add(-1)
	if comes(ctx, scoutWait, other.back, nil) {
		return nil, other
	}
	return nil, &scout{}
}

// comes waits until one of two channels is closed, either of which may be nil. It reports whether one was, within patience.
func comes(ctx context.Context, patience time.Duration, a, b <-chan struct{}) bool {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-a:
	case <-b:
	case <-timer.C:
		return false
	case <-ctx.Done():
		return false
	}
	return true
}

// awaited is how many questions come as soon as one of the scout's has this outcome: its own about a made-up recipient once
// the target is accepted, and those of the others once it is known what the domain does, unless nobody needs to be asked.
func (s *scout) awaited(o *pool.Outcome) int {
	accepted := o.Stage == smtp.StageRCPT && o.Reply.Positive()
	switch {
	case !accepted:
		return int(s.waiting.Load())
	case o.Recipient.Control:
		return 0
	default:
		return 1
	}
}

// report ends the scouting of s, which may be nil, with what is known of the domain now.
func (r *run) report(s *scout, acceptAll verdict.Tri, evidence []verdict.Evidence) {
	if s == nil {
		return
	}
	s.acceptAll, s.evidence = acceptAll, evidence
	r.v.mu.Lock()
	defer r.v.mu.Unlock()
	delete(r.v.scouts, r.addr.Domain().ASCII())
	close(s.back)
}
