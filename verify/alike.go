package verify

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/verimails/verimaild/verify/address"
	"github.com/verimails/verimaild/verify/judge"
)

// A server that does not want to talk to a source may say "no such user" of everybody. It is not believed once
// alikeTargets recipients of a domain were refused in the same words and none was accepted: then the domain's postmaster
// and a made-up recipient are tried, and the domain's refusals say nothing if both are refused in those words too.
const (
	alikeTargets = 3

	// alikeCleared is for how long a domain is not tried again that was found to tell recipients apart.
	alikeCleared = 24 * time.Hour

	// maxTallies bounds the domains whose refusals are counted.
	maxTallies = 4096
)

// tallies counts refusals by domain. Safe for concurrent use.
type tallies struct {
	mu sync.Mutex // Guards all below.
	of map[string]*tally
}

type tally struct {
	words   uint64               // Of the refusals that count.
	targets [alikeTargets]string // Who was refused, local-parts.
	n       int
	cleared time.Time // Recipients are told apart, as far as is known until then.
	trial   *trial    // Under way; nil if there is none.
}

// A trial is one run's finding out whether a domain refuses all alike.
type trial struct{ over chan struct{} } // Closed when memory, or a tally that is cleared, has what came of it.

// refused notes that a target was refused in these words, and reports whether enough were that it may say nothing. That is
// for a trial to find out; meanwhile nobody's refusal is believed.
func (t *tallies) refused(a address.Address, words uint64, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.at(a.Domain().ASCII())
	if now.Before(c.cleared) {
		return false
	}
	if c.words != words {
		c.words, c.n = words, 0
	}
	known := slices.Contains(c.targets[:c.n], a.LocalPart())
	if !known && c.n < alikeTargets {
		c.targets[c.n] = a.LocalPart()
		c.n++
	}
	return c.n >= alikeTargets
}

// clear notes that the domain tells recipients apart.
func (t *tallies) clear(domain string, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.at(domain)
	*c = tally{cleared: now.Add(alikeCleared), trial: c.trial}
}

// try begins a trial of the domain, which is the caller's to end; if there is one, it is other's.
func (t *tallies) try(domain string) (mine, other *trial) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.at(domain)
	if c.trial != nil {
		return nil, c.trial
	}
	c.trial = &trial{over: make(chan struct{})}
	return c.trial, nil
}

// end ends a trial of the domain; nil is none.
func (t *tallies) end(domain string, tr *trial) {
	if tr == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if c := t.of[domain]; c != nil && c.trial == tr {
		c.trial = nil
	}
	close(tr.over)
}

// follows spares step if somebody else is finding out whether the domain refuses all alike: it waits for that, and reports
// true when it has.
func (r *run) follows(ctx context.Context, step judge.Step) bool {
	if step != judge.AskPostmaster || r.trial != nil || r.followed >= scoutRounds {
		return false
	}
	mine, other := r.v.tallies.try(r.domain())
	if mine != nil {
		r.trial = mine
		return false
	}
	r.followed++
	comes(ctx, scoutWait, other.over, nil)
	return true
}

// toldApart reports whether the domain is known to tell recipients apart.
func (t *tallies) toldApart(domain string, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return now.Before(t.at(domain).cleared)
}

// at finds or makes a domain's tally, in the place of any other if there are too many. The caller holds t.mu.
func (t *tallies) at(domain string) *tally {
	c := t.of[domain]
	if c != nil {
		return c
	}
	if t.of == nil {
		t.of = map[string]*tally{}
	}
	for other := range t.of {
		if len(t.of) < maxTallies {
			break
		}
		delete(t.of, other)
	}
	c = &tally{}
	t.of[domain] = c
	return c
}
