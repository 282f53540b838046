package verify

import (
	"slices"
	"sync"
	"time"

	"github.com/verimails/verimaild/verify/address"
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
}

// refused notes that a target was refused in these words, and reports whether enough were that it may say nothing: then it
// is the caller's to find out, and to say by clear if the domain tells recipients apart. Of those that come while one does,
// none believes its refusal either; they all ask about postmaster and the same made-up recipient, which the pool asks about
// once for all.
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
	*t.at(domain) = tally{cleared: now.Add(alikeCleared)}
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
