package pool

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/verimails/verimaild/internal/store"
	"github.com/verimails/verimaild/pool/warmup"
)

// A keeper looks after the sources: it writes their daybooks down, leases what those that are being warmed up may ask,
// lets those that were suspended try again, and has others take over what a source may not ask any more today. It has one
// goroutine, which Start starts and the pool's context ends.
type keeper struct {
	wake    chan struct{} // Holds one token: there is something to do.
	failed  bool          // The last write did; it is said once. Only the goroutine's.
	waiting []chan error  // Of those who wait until all that is urgent is written. Guarded by Pool.mu.
	ended   chan struct{} // Closed when the goroutine has ended.
}

// daybooksEvery is how often a daybook that has changed is written down, and how long after a failure that is tried again.
const daybooksEvery = 10 * time.Second

// nudge wakes the keeper.
func (p *Pool) nudge() {
	select {
	case p.keeper.wake <- struct{}{}:
	default:
	}
}

// keep is the keeper's goroutine.
func (p *Pool) keep(ctx context.Context) {
	defer close(p.keeper.ended)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.keeper.wake:
		case <-timer.C:
		}
		timer.Reset(p.tend(ctx))
	}
}

// A page is what is written of one daybook.
type page struct {
	source *sourceState
	record warmup.Record
	wanted bool // A lease.
}

// tend does what is to be done, and says how long it is until there is more.
func (p *Pool) tend(ctx context.Context) time.Duration {
	p.mu.Lock()
	now := time.Now()
	p.handOn(now)
	p.readmit(now)
	p.overflow(now)
	pages, waiting := p.pages(now), p.keeper.waiting
	p.keeper.waiting = nil
	p.mu.Unlock()
	err := p.writeDown(ctx, pages)
	for _, w := range waiting {
		w <- err // Has room.
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.written(pages, err == nil)
	return p.nextLook(now)
}

// pages is what has to be written now: where something waits for it, at once; the rest when it was written last some
// time ago.
func (p *Pool) pages(now time.Time) []page {
	var out []page
	for _, s := range p.sources {
		old := s.dirty && now.Sub(s.written) >= daybooksEvery
		if s.durable && (s.wanting || s.urgent || old) {
			s.written = now
			wanted := s.wanting
			out = append(out, page{s, s.lease(now, s.drained), wanted})
		}
	}
	return out
}

// writeDown writes pages.
func (p *Pool) writeDown(ctx context.Context, pages []page) error {
	if len(pages) == 0 {
		return nil
	}
	var batch store.Batch
	for i := range pages {
		p.scribe.state.sources.PutIn(&batch, []byte(pages[i].source.Name), pages[i].record, pages[i].lifetime())
	}
	err := p.scribe.state.store.Commit(ctx, &batch)
	if err != nil && !p.keeper.failed && ctx.Err() == nil {
		p.log.Error("what sources have asked cannot be written down; those that are being warmed up wait", zap.Error(err))
	}
	p.keeper.failed = err != nil
	return err
}

// written lets the sources go on whose pages were written. What was not is wanted again.
func (p *Pool) written(pages []page, ok bool) {
	granted := map[*sourceState]bool{}
	for i := range pages {
		s := pages[i].source
		s.stuck = !ok && pages[i].wanted
		if !ok {
			s.dirty, s.wanting = true, s.wanting || pages[i].wanted
			continue
		}
		s.granted(&pages[i].record)
		granted[s] = pages[i].wanted
	}
	if len(granted) == 0 {
		return
	}
	for _, pa := range p.paths() {
		if granted[pa.source] {
			pa.advance()
		}
	}
}

// nextLook is how long it is until a suspension is over, or a daybook has to be written.
func (p *Pool) nextLook(now time.Time) time.Duration {
	next := forever
	for _, s := range p.sources {
		if s.restsAt(now) {
			next = min(next, s.suspendedUntil.Sub(now))
		}
		if s.durable && (s.dirty || s.wanting) {
			next = min(next, daybooksEvery)
		}
	}
	return next
}

// lifetime is how long a page is kept of a source that is not used: longer than a warm-up remembers, but for ever if the
// operator has drained it.
func (pg *page) lifetime() time.Duration {
	if pg.record.Drained {
		return 0
	}
	return 60 * 24 * time.Hour
}

// handOn has other sources take over what waits for those that were suspended.
func (p *Pool) handOn(now time.Time) {
	left := false
	for _, s := range p.sources {
		left = left || s.leaving
		s.leaving = false
	}
	if !left {
		return
	}
	for _, pa := range p.paths() {
		if pa.source.out(now) && pa.waiting() > 0 {
			pa.move(outOfUse)
			pa.forget()
		}
	}
}

// readmit lets those try again whose suspension is over.
func (p *Pool) readmit(now time.Time) {
	back := false
	for _, s := range p.sources {
		if s.resting && !s.restsAt(now) {
			s.resting, back = false, true
		}
	}
	if back {
		p.reassign(now)
	}
}

// overflow has other sources take over what waits for one that has asked enough for today.
func (p *Pool) overflow(now time.Time) {
	for _, pa := range p.paths() {
		if pa.source.warms(now) && pa.waiting() > 0 && pa.source.mayAsk(pa.site.provider, now) <= 0 {
			pa.move("it has asked enough for today")
			pa.forget()
		}
	}
}

// waiting is how many probes wait at the path.
func (pa *path) waiting() int {
	n := 0
	for _, la := range pa.lanes {
		n += la.queue.waiting
	}
	return n
}

// save has a source's daybook written down now, and waits for that.
func (p *Pool) save(src *sourceState) error {
	p.mu.Lock()
	src.dirty, src.urgent = true, true
	if p.spawn == nil || p.scribe == nil { // It is written when the pool is started, or there is nothing to write to.
		p.mu.Unlock()
		return nil
	}
	done := make(chan error, 1)
	p.keeper.waiting = append(p.keeper.waiting, done)
	p.mu.Unlock()
	p.nudge()
	select {
	case err := <-done:
		return err
	case <-p.keeper.ended:
		return errClosed
	}
}

// lastPages adds to a batch what is left to write of sources when nothing is under way any more.
func (p *Pool) lastPages(batch *store.Batch) {
	for _, s := range p.sources {
		if s.durable && (s.dirty || s.leased > s.state.Asked) {
			pg := page{source: s, record: s.closing(s.drained)}
			p.scribe.state.sources.PutIn(batch, []byte(s.Name), pg.record, pg.lifetime())
		}
	}
}

// kept is what was written down of sources, by name.
type kept map[string]keptRecord

type keptRecord struct {
	record warmup.Record
	found  bool
	err    error
}

// readSources reads what was written down of sources; it is not called under Pool.mu.
func (p *Pool) readSources(sources []Source) kept {
	if p.scribe == nil {
		return nil
	}
	out := kept{}
	for i := range sources {
		name := sources[i].Name
		var k keptRecord
		k.record, k.found, k.err = p.scribe.state.sources.Get([]byte(name))
		out[name] = k
	}
	return out
}

// restoreSources puts into force what was written down of the sources that are new to the pool.
func (p *Pool) restoreSources(k kept) {
	if k == nil {
		return
	}
	for _, s := range p.sources {
		if s.durable {
			continue
		}
		s.durable = true
		switch r := k[s.Name]; {
		case r.err != nil:
			p.log.Warn("what was kept of a source cannot be read: its warm-up begins again, tomorrow",
				zap.String("source", s.Name), zap.Error(r.err))
			s.distrust(time.Now())
		case r.found && r.record.Identity == s.identity:
			s.restore(&r.record)
			s.drained = r.record.Drained
		}
	}
}
