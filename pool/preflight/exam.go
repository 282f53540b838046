package preflight

import (
	"context"
	"slices"
	"sync"
	"time"
)

// An exam is one run. What sources have in common is looked up once.
type exam struct {
	opts *Options
	turn int // Of the run, so that the same mail server is not asked each time.

	// known is an earlier finding about the port of an identity that is young enough to hold; nil means none is.
	known func(*identity) (finding, bool)

	targets once[targetKey, found]
	lists   once[listKey, listState]
}

// Examine looks at everything once, whatever the mode, and returns when it is done, after three minutes at most. What
// ctx ended is Unknown.
func Examine(ctx context.Context, opts Options) *Report {
	opts = opts.filled()
	start := time.Now()
	x := exam{opts: &opts}
	return &Report{Findings: public(x.run(ctx)), At: time.Now(), Took: time.Since(start)}
}

// atOnce is how many identities are looked at at the same time.
const atOnce = 4

// run looks at everything.
func (x *exam) run(ctx context.Context) []finding {
	ctx, cancel := context.WithTimeout(ctx, runTimeout)
	defer cancel()
	bySource := make([][]finding, len(x.opts.Sources))
	var shared []finding
	var wg sync.WaitGroup
	places := make(chan struct{}, atOnce)
	for i := range x.opts.Sources {
		wg.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			bySource[i] = x.source(ctx, &x.opts.Sources[i])
		})
	}
	if x.opts.Sender != "" {
		wg.Go(func() { shared = []finding{x.senderMX(ctx)} })
	}
	wg.Wait()
	var out []finding
	for _, fs := range bySource {
		out = append(out, fs...)
	}
	return slices.Concat(out, shared, x.silentLists())
}

// source looks at one source.
func (x *exam) source(ctx context.Context, s *Source) []finding {
	ids := x.identities(ctx, s)
	if len(ids) == 0 {
		return []finding{{Finding: Finding{
			Check: CheckAddress, Source: s.Name, State: Unknown, Severity: Error,
			What:   "which address the kernel chooses is not known: it has no route to any of preflight.port_targets, or none could be looked up",
			Advice: "Name the addresses in egress.sources, or see whether this host has a default route and its resolver answers.",
		}}}
	}
	var out []finding
	for i := range ids {
		out = append(out, x.identity(ctx, &ids[i])...)
	}
	return out
}

// identity looks at one family of a source.
func (x *exam) identity(ctx context.Context, id *identity) []finding {
	var out []finding
	bound, tried := x.address(id)
	if tried {
		out = append(out, bound)
	}
	if len(x.opts.PortTargets) > 0 && (!tried || bound.State != Bad) { // From an address that is not there, nothing can be dialled.
		out = append(out, x.port(ctx, id))
	}
	ptr, names := x.ptr(ctx, id)
	out = append(out, ptr, x.ehlo(ctx, id, ptr.State, names))
	if x.opts.Sender != "" {
		out = append(out, x.spf(ctx, id))
	}
	return append(out, x.listings(ctx, id)...)
}

// binds looks only at whether this host has the addresses, which takes no time and no network.
func (x *exam) binds() []finding {
	var out []finding
	for i := range x.opts.Sources {
		s := &x.opts.Sources[i]
		for _, id := range []identity{{Source: s, family: IPv4, local: s.IPv4}, {Source: s, family: IPv6, local: s.IPv6}} {
			if f, tried := x.address(&id); tried {
				out = append(out, f)
			}
		}
	}
	return out
}

// once keeps what work returns for a key, so that it is done once. The zero once is empty.
type once[K comparable, V any] struct {
	mu   sync.Mutex
	vals map[K]func() V
}

// do returns what work returns, or returned, for k.
func (o *once[K, V]) do(k K, work func() V) V {
	o.mu.Lock()
	if o.vals == nil {
		o.vals = map[K]func() V{}
	}
	f := o.vals[k]
	if f == nil {
		f = sync.OnceValue(work)
		o.vals[k] = f
	}
	o.mu.Unlock()
	return f()
}

// peek returns what work returned for k, if it was asked for.
func (o *once[K, V]) peek(k K) (v V, ok bool) {
	o.mu.Lock()
	f := o.vals[k]
	o.mu.Unlock()
	if f == nil {
		return v, false
	}
	return f(), true
}
