package verify

import (
	"context"
	"math"
	"time"

	"github.com/verimails/verimaild/pool"
	"github.com/verimails/verimaild/pool/provider"
	"github.com/verimails/verimaild/verify/judge"
	"github.com/verimails/verimaild/verify/verdict"
)

// listenRounds is how often a run waits for others to hear whether a site still refuses anybody, before it asks by itself.
const listenRounds = 3

// weighAcceptance finds out whether an acceptance is to be believed.
func (r *run) weighAcceptance(now time.Time) {
	f := &r.facts
	refusedAt, silenced, other := r.v.paths.look(r.path(), r.domain())
	f.Silenced = now.Before(silenced)
	f.Suspected = f.Silenced || r.target.PathRefusals >= suspectLimit(r.provider)
	f.RefusedSince = refusedAt.After(r.acceptedAt)
	f.Alone = other.domain == ""
}

// suspectLimit is how many refusals within an hour make an acceptance suspect at a provider's hosts; nil is no provider that
// is known.
func suspectLimit(p *provider.Provider) int {
	switch {
	case p != nil && p.Quirks.SilentAccept:
		return suspectSilent
	case p != nil && (p.Confidence == provider.ConfidenceHigh || p.Confidence == provider.ConfidenceMedium):
		return math.MaxInt // Its habits are known, and that is none of them; it says so when it has had enough.
	default:
		return suspectAfter
	}
}

// listens spares step if it only asks whether the site still refuses anybody, and somebody else finds that out: it waits
// for that, and reports true when it has. A row of a list waits a little for the site to refuse another row, too. Where the
// site has refused somebody since, step asks for something else.
func (r *run) listens(ctx context.Context, step judge.Step) bool {
	proof := step == judge.AskElsewhere || step == judge.AskFresh && r.facts.AcceptAll == verdict.False
	if !proof || r.facts.RefusedSince || r.tests || r.listened >= listenRounds {
		return false
	}
	heard := r.v.paths.listen(r.path(), r.acceptedAt)
	if heard == nil {
		return true
	}
	r.listened++
	var tested <-chan struct{}
	patience := refusalWait
	if class, _ := r.v.urgency(r.flight); r.listened > 1 || class != pool.Bulk {
		if tested = r.v.paths.test(r.path(), r.v.now()); tested == nil {
			r.tests = true
			return false
		}
		patience = scoutWait
	}
	comes(ctx, patience, heard, tested)
	return true
}
