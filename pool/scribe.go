package pool

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/verimails/verimaild/internal/store"
	"github.com/verimails/verimaild/pool/budget"
)

const (
	leaseSlack = 4               // Questions that an account is charged ahead, so that not each one waits for the disk.
	saveEvery  = 2 * time.Second // How often what has changed is written down.
	sweepEvery = time.Minute     // How often sites without work are looked at again.
)

// A scribe writes down what is to survive. Before a question is sent, the disk knows of it: what the disk does not know
// to have been given back counts as spent after an unclean end. All writes are one goroutine's, so they keep their order,
// and those who wait share a sync. Its fields are guarded by Pool.mu.
type scribe struct {
	pool   *Pool
	state  *ledger
	urgent []waiting
	dirty  []*site       // That have changed; some perhaps have been written since.
	wake   chan struct{} // Holds one token: somebody waits.
	failed bool          // The last write did; it is said once.
}

// waiting is a site that has to be written before its question is sent.
type waiting struct {
	site *site
	done chan struct{}
}

func newScribe(p *Pool, s *store.Store) (*scribe, error) {
	st, err := newLedger(s)
	if err != nil {
		return nil, err
	}
	sc := &scribe{pool: p, state: st, wake: make(chan struct{}, 1)}
	for item, err := range st.providers.Scan(store.Range{}) {
		if err != nil {
			if store.IsBad(err) {
				continue
			}
			return nil, err
		}
		p.restoreProvider(string(item.Key), &item.Value)
	}
	switch r, found, err := st.sender.Get([]byte(senderKey)); {
	case err != nil && !store.IsBad(err):
		return nil, err
	case err == nil && found:
		p.restoreSender(&r)
	}
	return sc, nil
}

// secure has it written down that f is about to be sent, unless the disk allows for it already. It blocks for a sync
// at most. The only error is that of ctx; a store that can't write is a fault that is logged, and stops nobody.
func (p *Pool) secure(ctx context.Context, pa *path, f *flight) error {
	p.mu.Lock()
	sc := p.scribe
	if sc == nil || !f.uncovered() {
		p.mu.Unlock()
		return nil
	}
	done := make(chan struct{})
	sc.urgent = append(sc.urgent, waiting{pa.site, done})
	p.mu.Unlock()
	select {
	case sc.wake <- struct{}{}:
	default:
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// uncovered reports whether some limited account of f has more under way than the disk allows for.
func (f *flight) uncovered() bool {
	for _, l := range f.levels {
		if (l.dead > 0 || l.controls > 0) && !l.covered() {
			return true
		}
	}
	return false
}

// write is the scribe's goroutine. What is left when ctx ends is written by last.
func (sc *scribe) write(ctx context.Context) {
	tick, sweep := time.NewTicker(saveEvery), time.NewTicker(sweepEvery)
	defer tick.Stop()
	defer sweep.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-sc.wake:
			sc.save(ctx, false)
		case <-tick.C:
			sc.save(ctx, true)
		case <-sweep.C:
			sc.sweep()
		}
	}
}

// save writes the sites that somebody waits for, and all that has changed if all.
func (sc *scribe) save(ctx context.Context, all bool) {
	p := sc.pool
	p.mu.Lock()
	urgent := sc.urgent
	sc.urgent = nil
	w := sc.writ(urgent, all)
	p.mu.Unlock()
	ok := true
	if w.batch.Len() > 0 {
		err := sc.state.store.Commit(ctx, &w.batch)
		sc.report(err)
		ok = err == nil
	}
	p.mu.Lock()
	w.written(ok)
	for _, s := range w.sites {
		s.forget()
	}
	p.mu.Unlock()
	for _, w := range urgent {
		close(w.done)
	}
}

// sweep forgets the sites of which there is nothing to tell any more. Where there are more than are shown, none is kept to
// be told of, and what was kept before goes when their number has doubled.
func (sc *scribe) sweep() {
	p := sc.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.sites) <= mostShown {
		p.forgetSites()
	}
}

// A writ is what is being written.
type writ struct {
	batch     store.Batch
	sites     []*site
	providers []*providerState
	sender    *senderState // Or nil.
}

// writ gathers what is to be written.
func (sc *scribe) writ(urgent []waiting, all bool) *writ {
	p, w := sc.pool, &writ{}
	now := p.now()
	for _, u := range urgent {
		sc.put(w, u.site, now)
	}
	if all {
		for _, s := range sc.dirty {
			if s.dirty && p.sites[s.key] == s { // Not one that was made since s was forgotten.
				sc.put(w, s, now)
			}
		}
		sc.dirty = nil
	}
	if all && p.sender.dirty {
		w.sender = &p.sender
		sc.putSender(&w.batch)
	}
	for _, v := range p.across {
		if v.dirty || len(urgent) > 0 && v.sessions > 0 {
			v.dirty = false
			w.providers = append(w.providers, v)
			sc.state.providers.PutIn(&w.batch, []byte(v.provider.ID), v.record(now, leaseSlack), memorable)
		}
	}
	return w
}

// put adds what is kept of s. It stays in memory until that is on the disk.
func (sc *scribe) put(w *writ, s *site, now time.Duration) {
	if s.writing {
		return // It is in w.
	}
	s.dirty, s.writing = false, true
	w.sites = append(w.sites, s)
	sc.state.sites.PutIn(&w.batch, recordKey(s.key), s.record(now, leaseSlack), memorable)
}

// written notes whether w is on the disk. What is not is written again.
func (w *writ) written(ok bool) {
	for _, s := range w.sites {
		s.writing = false
		if !ok {
			s.changed()
		}
		s.accounts.written(ok)
	}
	if w.sender != nil {
		w.sender.dirty = w.sender.dirty || !ok
	}
	for _, v := range w.providers {
		v.dirty = v.dirty || !ok
		v.accounts.written(ok)
	}
}

// report logs that writing failed, once in a row.
func (sc *scribe) report(err error) {
	if errors.Is(err, context.Canceled) {
		return
	}
	if err != nil && !sc.failed {
		sc.pool.log.Error("what was spent and learned cannot be written down; after a restart it would be forgotten", zap.Error(err))
	}
	sc.failed = err != nil
}

// last writes what has changed when nothing is under way any more: then nothing counts as spent that was not.
func (p *Pool) last(ctx context.Context) error {
	if p.scribe == nil {
		return nil
	}
	p.mu.Lock()
	w := &writ{}
	now := p.now()
	for _, s := range p.sites {
		p.scribe.put(w, s, now)
	}
	for _, v := range p.across {
		p.scribe.state.providers.PutIn(&w.batch, []byte(v.provider.ID), v.record(now, 0), memorable)
	}
	clear(p.sites)
	if p.sender.dirty {
		p.scribe.putSender(&w.batch)
	}
	p.lastPages(&w.batch)
	p.mu.Unlock()
	if w.batch.Len() == 0 {
		return nil
	}
	return p.scribe.state.store.Commit(ctx, &w.batch)
}

// recall brings back what is kept of a site that is not in memory. It is called under Pool.mu, which it gives up to
// read.
func (p *Pool) recall(key, domain string) {
	key = p.siteKey(key, domain)
	if p.scribe != nil && p.sites[key] == nil {
		p.fetch(key, domain)
	}
}

// fetch is the part of recall that hardly any call needs, nor the stack for it.
func (p *Pool) fetch(key, domain string) {
	p.mu.Unlock()
	r, found, err := p.scribe.state.sites.Get(recordKey(key))
	p.mu.Lock()
	if err != nil {
		p.log.Warn("what is kept of a site cannot be read, and is forgotten", zap.String("site", key), zap.Error(err))
	}
	if err == nil && found && p.sites[key] == nil {
		p.siteOf(key, domain).restore(&r)
	}
}

// record is what is kept of a provider across its sites.
func (v *providerState) record(now time.Duration, slack int) record {
	return record{
		Written: time.Now(), Accounts: v.accounts.notes(now, slack),
		Paths: []pathNote{{Debt: v.rate.Debt(now), Openings: v.openings.Minutes(now), NextDial: v.nextDial - now}},
	}
}

// restoreProvider puts into force what was kept of a provider; that it is known no more is no fault.
func (p *Pool) restoreProvider(id string, r *record) {
	v := p.acrossID(id)
	if v == nil {
		return
	}
	now, elapsed := p.now(), max(0, time.Since(r.Written))
	v.dirty = v.accounts.restore(now, elapsed, r.Accounts)
	for _, n := range r.Paths {
		v.rate.Restore(now, elapsed, n.Debt)
		v.openings.Restore(now, elapsed, n.Openings)
		v.nextDial = now + max(0, min(n.NextDial-elapsed, time.Hour))
	}
}

// mostShown is how many sites without work stay in memory so that Egress can tell of them, where they are written down
// anyway.
const mostShown = 2000

// keeps reports whether s holds something that would be lost with it, or that people look for.
func (s *site) keeps() bool {
	if s.pool.scribe != nil {
		return s.dirty || s.writing || len(s.pool.sites) <= mostShown && s.tells()
	}
	return s.tells()
}

// tells reports whether something has been spent or learned at s within the time that it matters, or is held against us.
func (s *site) tells() bool {
	now := s.pool.now()
	if s.learned != (learned{closes: s.learned.closes, clean: s.learned.clean}) {
		return true
	}
	for _, a := range s.accounts {
		if a.dead.Spent(now)+a.controls.Spent(now) > 0 {
			return true
		}
	}
	for _, pa := range s.paths {
		if pa.breaker.State(now) != budget.Closed || pa.rate.Debt(now) > 0 || pa.nextDial > now || pa.openings.Spent(now) > 0 {
			return true
		}
	}
	return false
}

// recordKey is where a site is kept. The names of many hosts are too long for a key: a hash of them stands for them.
func recordKey(key string) []byte {
	const long = 200
	if len(key) <= long {
		return []byte(key)
	}
	sum := sha256.Sum256([]byte(key))
	return append([]byte("sha256 "), sum[:]...)
}
