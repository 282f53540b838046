package pool

import (
	"slices"
	"time"
)

// unconfigured is why a source that is gone cannot be used.
const unconfigured = "it is no longer configured"

// Reload puts new options into force for what begins from now on. Sessions that are open stay open, unless their
// source is gone; what waits for such a source goes to others. On error nothing has changed. Logger is not changed.
func (p *Pool) Reload(opts Options) error {
	if err := fill(&opts); err != nil {
		return err
	}
	before := p.readSources(opts.Sources)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.apply(opts)
	p.restoreSources(before)
	p.feed()
	for _, pa := range p.paths() {
		switch {
		case pa.source.gone:
			pa.vacate(unconfigured)
		case pa.source.out(time.Now()): // There may be another one now.
			pa.move(outOfUse)
		}
		pa.advance()
		pa.forget()
	}
	return nil
}

// apply puts opts into force.
func (p *Pool) apply(opts Options) {
	kept := make([]*sourceState, 0, len(opts.Sources))
	for _, s := range opts.Sources {
		kept = append(kept, p.stateOf(s))
	}
	for i := range kept { // What does not make it another source.
		kept[i].weight, kept[i].schedule = opts.Sources[i].Weight, opts.Sources[i].Warmup
	}
	p.retire(kept)
	p.base = DefaultLimits().With(opts.Limits)
	p.rules, _ = CompileSiteRules(opts.Sites)             // Checked by fill.
	opts.Sources, opts.Limits, opts.Sites = nil, nil, nil // They are the caller's.
	p.opts, p.sources = opts, kept
	p.setSender(opts.Sender)
	for _, v := range p.across {
		v.limit(p)
	}
	for _, s := range p.sites {
		p.limit(s)
	}
}

// stateOf is the state of a source: that which it has, or had before it was gone, since what was spent and refused is
// remembered with it; or a new one.
func (p *Pool) stateOf(s Source) *sourceState {
	for _, known := range [][]*sourceState{p.sources, p.former} {
		if at := slices.IndexFunc(known, func(o *sourceState) bool { return o.same(&s) }); at >= 0 {
			return known[at]
		}
	}
	return p.newSourceState(s)
}

// mostFormer is how many sources that are gone are remembered.
const mostFormer = 100

// retire notes that the sources are those that are kept, and that all others are gone.
func (p *Pool) retire(kept []*sourceState) {
	isKept := func(s *sourceState) bool { return slices.Contains(kept, s) }
	for _, old := range p.sources {
		if !isKept(old) {
			p.former = append(p.former, old)
		}
	}
	p.former = slices.DeleteFunc(p.former, isKept)
	p.former = p.former[max(0, len(p.former)-mostFormer):]
	for _, s := range p.former {
		s.gone = true
	}
	for _, s := range kept {
		s.gone = false
	}
}

// vacate ends the idle sessions of a path whose source is out, and hands on what waits. Busy ones take no more.
func (pa *path) vacate(why string) {
	for _, la := range pa.lanes {
		for len(la.idle) > 0 {
			la.idle[0].retire()
		}
	}
	pa.move(why)
}
