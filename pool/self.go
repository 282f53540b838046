package pool

import (
	"time"

	"go.uber.org/zap"
)

// self watches for faults of this host: when connecting fails to one site after another, it is not the sites that are
// down, and none of them is blamed. Guarded by Pool.mu.
type self struct {
	until    time.Duration  // Nothing is dialled until then.
	last     []dialResult   // Of the last minute, the oldest first.
	failures int            // Among them.
	sites    map[string]int // How many of these each site has.
	breaking bool           // A pause has been made, and no dial has gone well since.
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
	w.note(dialResult{now, site, failed})
	if !failed || now < w.until {
		return failed
	}
	most := selfSites
	if w.breaking {
		most = selfTrials - 1
	}
	sites, failures := len(w.sites), w.failures
	if sites <= most || float64(failures) <= selfShare*float64(len(w.last)) {
		return false
	}
	*w = self{until: now + selfPause, breaking: true}
	p.routes.pardon(now - selfWindow)
	p.outages.pardon(now - selfWindow)
	p.log.Warn("connecting fails everywhere: this host's network is taken to be down, and nothing is dialled",
		zap.Int("sites", sites), zap.Int("failures", failures), zap.Duration("for", selfPause))
	return true
}

// note adds a result, and forgets those that are older than a minute.
func (w *self) note(r dialResult) {
	for len(w.last) > 0 && r.at-w.last[0].at > selfWindow {
		if old := w.last[0]; old.failed {
			w.failures--
			if w.sites[old.site]--; w.sites[old.site] == 0 {
				delete(w.sites, old.site)
			}
		}
		w.last = w.last[1:]
	}
	w.last = append(w.last, r)
	if !r.failed {
		return
	}
	if w.sites == nil {
		w.sites = map[string]int{}
	}
	w.failures++
	w.sites[r.site]++
}
