package cache

import (
	"hash/maphash"
	"sync"
	"sync/atomic"

	"github.com/verimails/verimaild/verify/address"
)

// Forgetting has to hold for what is under way too: an answer that is being fetched while somebody forgets its
// address must not bring it back. So each domain has a generation. Forgetting raises it; a [Token] taken before that
// no longer stores anything, and what is in memory from before it no longer counts. Domains share generations by
// hash, which costs a needless miss at times and no memory.

const generationCount = 1024

type generations [generationCount]atomic.Uint64

func (c *Cache) hash(name string) uint64 { return maphash.String(c.memory.seed, name) }

func (c *Cache) generation(domain string) *atomic.Uint64 {
	return &c.gens[c.hash(domain)%generationCount]
}

// A Token is the right to store what one is about to find out about a domain and its mailboxes. It is taken before
// asking, and is void once the domain, one of its addresses or everything was forgotten, or a fact about the domain
// was found wrong. Storing with a void token does nothing. The zero Token is void.
type Token struct {
	gen *atomic.Uint64
	was uint64
}

// Begin returns a token for a domain. It costs nothing to take one in vain.
func (c *Cache) Begin(d address.Domain) Token {
	g := c.generation(d.ASCII())
	return Token{g, g.Load()}
}

func (t Token) valid() bool { return t.gen != nil && t.gen.Load() == t.was }

// Records are read, judged against what is new, and written, by many at once. No lock is held over the read: each
// record belongs to a slot by its name's hash, the slot counts its writes, and whoever finds the count changed after
// reading begins again.

const slotCount = 1024

type slots [slotCount]slot

type slot struct {
	mu      sync.Mutex
	version uint64 // Counts writes and removals; guarded by mu, like mark.
	mark    uint64 // How far the store's queue reached at the last of them.
}

// seen is a slot's state before a read.
type seen struct{ version, mark uint64 }

func (c *Cache) slot(hash uint64) *slot { return &c.slots[hash%slotCount] }

func (s *slot) look() seen {
	s.mu.Lock()
	defer s.mu.Unlock()
	return seen{s.version, s.mark}
}

// raise makes every token of the generation void, and waits until no one who found theirs valid is still storing.
// What they stored lies before whatever the caller does next.
func (c *Cache) raise(gens ...*atomic.Uint64) {
	for _, g := range gens {
		g.Add(1)
	}
	for i := range c.slots {
		c.slots[i].mu.Lock()
		c.slots[i].mu.Unlock() //nolint:staticcheck // SA2001: waiting for whoever holds it is the point.
	}
}
