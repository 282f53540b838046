package cache

import (
	"github.com/verimails/verimaild/verify/verdict"
)

// place is where a record belongs, and what guards it there.
type place struct {
	key        memKey
	hash       uint64 // Of key.name.
	domainName string

	domain, name *generation
	was          stamp // When the place was looked up.
}

// stamp is the state of a place's two generations.
type stamp struct{ domain, name uint64 }

// open reports whether nobody is forgetting.
func (s stamp) open() bool { return (s.domain|s.name)&closedMask == 0 }

func (c *Cache) place(k kind, name, domain string) place {
	p := place{key: memKey{k, name}, hash: c.hash(name), domainName: domain, domain: c.domainGeneration(domain)}
	p.name = c.nameGeneration(p.hash)
	p.was = p.stamp()
	return p
}

func (p *place) stamp() stamp { return stamp{p.domain.Load(), p.name.Load()} }

// held returns the record in memory at a place, nil if there is none.
func held[V any](c *Cache, p *place) *V {
	it, ok := c.memory.get(p.hash, p.key)
	if !ok || it.stamp != p.was {
		return nil
	}
	v, _ := it.value.(*V)
	return v
}

// absent stands in memory for a record that the disk was found not to have: whoever looks is about to ask, looks again
// when the answer is to be stored, and each time would have to go to the disk.
type absent struct{}

// absent reports whether the disk is known not to have the record.
func (c *Cache) absent(p *place) bool { return held[absent](c, p) != nil }

func (c *Cache) noteAbsent(p *place, before seen) { c.admit(p, before, &absent{}, itemOverhead) }

// admit puts a record that was read from disk into memory, unless something was stored or forgotten since, or what
// was stored before had not reached the disk yet.
func (c *Cache) admit(p *place, before seen, v any, size int) {
	s := c.slot(p.hash)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.version != before.version || p.stamp() != p.was || c.store.Reached() < before.mark {
		return
	}
	c.memory.add(p.hash, p.key, &item{stamp: p.was, domain: p.domainName, size: size, value: v})
}

// commit stores a record in memory and queues it for the disk. It does nothing if the token is void. It reports
// whether the caller has to begin again because another record was stored after it had looked.
func (c *Cache) commit(t Token, p *place, before seen, v any, size int, put func() error) (again bool) {
	s := c.slot(p.hash)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !t.valid(p) {
		c.counter.void.Add(1)
		return false
	}
	if s.version != before.version {
		return true
	}
	s.version++
	// The generations may have moved on since the check. The record is of those in which the token was taken.
	of := stamp{t.domainWas.Load(), p.was.name}
	if p.key.kind == kindMailbox {
		of.name = t.nameWas
	}
	c.memory.add(p.hash, p.key, &item{stamp: of, domain: p.domainName, size: size, value: v})
	// What the store drops it counts, and it says so in the log. Memory has the record all the same.
	_ = put()
	s.mark = c.store.Mark()
	return false
}

// count notes the outcome of a look-up.
func (c *Cache) count(k kind, fromMemory bool, f verdict.Freshness) {
	n := &c.counter.kinds[k]
	switch {
	case f == verdict.Missing:
		n.misses.Add(1)
	case fromMemory:
		n.memory.Add(1)
	default:
		n.disk.Add(1)
	}
	if f == verdict.Stale {
		n.stale.Add(1)
	}
}
