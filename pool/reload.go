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
		at := slices.IndexFunc(p.sources, func(o *sourceState) bool { return o.same(&s) })
		if at >= 0 {
			kept = append(kept, p.sources[at])
			continue
		}
		kept = append(kept, p.newSourceState(s))
	}
	for i := range kept { // What does not make it another source.
		kept[i].weight, kept[i].schedule = opts.Sources[i].Weight, opts.Sources[i].Warmup
	}
	for _, old := range p.sources {
		old.gone = !slices.Contains(kept, old)
	}
	p.base = DefaultLimits().With(opts.Limits)
	p.rules, _ = compileRules(opts.Sites)                 // Checked by fill.
	opts.Sources, opts.Limits, opts.Sites = nil, nil, nil // They are the caller's.
	p.opts, p.sources = opts, kept
	for _, v := range p.across {
		v.limit(p)
	}
	for _, s := range p.sites {
		p.limit(s)
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
