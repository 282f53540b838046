package pool

import (
	"time"

	"go.uber.org/zap"
)

// self watches for faults of this host: when connecting fails to one site after another, it is not the sites that are
// down, and none of them is blamed. Guarded by Pool.mu.
type self struct {
	until    time.Duration // Nothing is dialled until then.
	last     []dialResult  // Of the last minute, the oldest first.
	breaking bool          // A pause has been made, and no dial has gone well since.
}

// A dialResult is what came of trying to reach a site.
type dialResult struct {
	at     time.Duration
	site   string
	failed bool
}

const (
	selfWindow = time.Minute
	selfPause  = 30 * time.Second
	selfSites  = 10  // More sites than this fail within the window,
	selfShare  = 0.3 // and more than this share of all dials.
	selfTrials = 3   // That many sites are tried after a pause.
)

// dialled notes whether anything came back from a site, and reports whether this host is, or is now found to be, at
// fault if nothing did.
func (p *Pool) dialled(site string, failed bool) bool {
	w, now := &p.self, p.now()
	if !failed {
		w.breaking = false
	}
	for len(w.last) > 0 && now-w.last[0].at > selfWindow {
		w.last = w.last[1:]
	}
	w.last = append(w.last, dialResult{now, site, failed})
	if !failed || now < w.until {
		return failed && now < w.until
	}
	failures, sites := 0, map[string]bool{}
	for _, r := range w.last {
		if r.failed {
			failures++
			sites[r.site] = true
		}
	}
	most := selfSites
	if w.breaking {
		most = selfTrials - 1
	}
	if len(sites) <= most || float64(failures) <= selfShare*float64(len(w.last)) {
		return false
	}
	w.until, w.breaking, w.last = now+selfPause, true, nil
	p.routes.pardon(now - selfWindow)
	p.log.Warn("connecting fails everywhere: this host's network is taken to be down, and nothing is dialled",
		zap.Int("sites", len(sites)), zap.Int("failures", failures), zap.Duration("for", selfPause))
	return true
}
