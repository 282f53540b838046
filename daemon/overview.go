package daemon

import (
	"cmp"
	"context"
	"sync"
	"time"

	"github.com/verimails/verimaild/client/apitype"
	"github.com/verimails/verimaild/config"
	"github.com/verimails/verimaild/daemon/api"
)

// overview is the answer of GET /v1/status, but for what the API knows itself.
func (d *Daemon) overview() apitype.Status {
	ready, problems := d.ready()
	st := d.PoolStats()
	now := time.Now()
	out := apitype.Status{
		Ready: ready, Problems: problems, Version: Version().Version, Sandbox: d.sandbox != nil,
		StartedAt: d.started.UTC().Truncate(time.Second), UptimeS: int64(now.Sub(d.started) / time.Second),
		Work: apitype.StatusWork{
			Waiting: st.Waiting, Sites: st.Sites, SessionsBusy: st.SessionsOpen - st.SessionsIdle, SessionsIdle: st.SessionsIdle,
		},
		Rates: d.rates.since(d.counted()),
	}
	for _, s := range st.Sources {
		source := apitype.StatusSource{Name: s.Name, Sessions: s.Sessions}
		if s.SuspendedUntil.After(now) {
			source.SuspendedUntil, source.SuspendedWhy = new(s.SuspendedUntil.UTC().Truncate(time.Second)), new(s.SuspendedWhy)
		}
		out.Sources = append(out.Sources, source)
	}
	if d.cache != nil {
		out.Cache = d.overviewOfCache()
	}
	out.Feedback = d.overviewOfFeedback()
	return out
}

func (d *Daemon) overviewOfFeedback() []apitype.StatusFeedback {
	out := []apitype.StatusFeedback{}
	if d.ledger == nil {
		return out
	}
	st := d.ledger.Stats()
	for i := range st.Providers {
		p := &st.Providers[i]
		if ratio, ok := p.Ratio(); ok {
			out = append(out, apitype.StatusFeedback{
				Provider: cmp.Or(p.Provider, "none"), Delivered: int64(p.Delivered), Bounced: int64(p.Bounced), Precision: ratio, //nolint:gosec // G115: counts.
			})
		}
	}
	return out
}

func (d *Daemon) overviewOfCache() *apitype.StatusCache {
	st := d.cache.Stats()
	out := &apitype.StatusCache{
		Entries: int64(st.Entries), Bytes: int64(st.Bytes), DiskBytes: st.Store.Disk, Degraded: !st.Store.InUse || st.Store.Full,
	}
	var hits, all uint64
	for _, k := range st.Kinds {
		hits += k.Memory + k.Disk
		all += k.Memory + k.Disk + k.Misses
	}
	if all > 0 {
		out.HitRate = new(float64(hits) / float64(all))
	}
	return out
}

// counted is what has been counted since the start of what there are rates of.
func (d *Daemon) counted() apitype.StatusRates {
	st := d.PoolStats()
	out := apitype.StatusRates{
		Recipients: st.Recipients, Refusals: st.Refusals, Sessions: st.SessionsOpened, Dials: st.Dials,
	}
	for _, t := range d.accounts.Totals() {
		if t.Cached {
			out.Cached += int64(t.Count) //nolint:gosec // G115: a count.
		} else {
			out.Asked += int64(t.Count) //nolint:gosec // G115: a count.
		}
	}
	for _, s := range d.accounts.Standing() {
		out.Refused += int64(s.Refused) //nolint:gosec // G115: a count.
	}
	return out
}

// rates remembers what was counted up to a minute ago. The zero value is what was counted at the start: nothing.
type rates struct {
	mu    sync.Mutex // Guards taken.
	taken []apitype.StatusRates
}

const (
	rateEvery = 5 * time.Second
	rateOver  = time.Minute
)

// take notes what is counted now; it is called every rateEvery.
func (r *rates) take(now apitype.StatusRates) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.taken) == int(rateOver/rateEvery) {
		r.taken = append(r.taken[:0], r.taken[1:]...)
	}
	r.taken = append(r.taken, now)
}

// since is the difference between what is counted now and what was a minute ago.
func (r *rates) since(now apitype.StatusRates) apitype.StatusRates {
	r.mu.Lock()
	defer r.mu.Unlock()
	var then apitype.StatusRates
	if len(r.taken) == int(rateOver/rateEvery) {
		then = r.taken[0]
	}
	return apitype.StatusRates{
		Asked: now.Asked - then.Asked, Cached: now.Cached - then.Cached, Refused: now.Refused - then.Refused,
		Recipients: now.Recipients - then.Recipients, Refusals: now.Refusals - then.Refusals,
		Sessions: now.Sessions - then.Sessions, Dials: now.Dials - then.Dials,
	}
}

// sample keeps the rates until ctx ends.
func (d *Daemon) sample(ctx context.Context) {
	tick := time.NewTicker(rateEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			d.rates.take(d.counted())
		}
	}
}

// reloadByRequest is the reload of POST /v1/reload. It does not wait for a start, a stop or another reload: a stop
// waits for requests.
func (d *Daemon) reloadByRequest(ctx context.Context) (restart []string, err error) {
	if !d.control.TryLock() {
		return nil, api.ErrBusy
	}
	defer d.control.Unlock()
	if d.stopped {
		return nil, api.ErrBusy
	}
	d.tell(d.notify.Reloading())
	var cfg *config.Config
	if cfg, err = d.read(); err == nil {
		restart, err = d.reload(ctx, cfg)
	}
	d.noteReload(err)
	d.tell(d.notify.Ready(d.status()))
	return restart, err
}
