package cache

import (
	"hash/maphash"
	"sync"
	"sync/atomic"

	"github.com/verimails/verimaild/verify/address"
)

// Forgetting has to hold for what is under way too: an answer that is being fetched while somebody forgets its
// address must not bring it back, nor a record that is being read from disk while it is deleted there. So each domain
// and each address has a generation. Forgetting closes it, deletes, and opens a new one. Whatever began in another
// generation, or in none, is neither stored nor taken into memory; while it is closed, nothing is found. Names share
// generations by hash, which costs a needless miss at times and no memory.

// generation is a count of generations, and below it the number of those who hold it closed.
type generation struct{ atomic.Uint64 }

const (
	oneGeneration = 1 << 16
	closedMask    = oneGeneration - 1
)

func (g *generation) close() { g.Add(oneGeneration + 1) }
func (g *generation) open()  { g.Add(^uint64(0)) }

const generationCount = 1024

// generations are those of domains, and those of single names.
type generations struct{ domains, names [generationCount]generation }

func (c *Cache) hash(name string) uint64 { return maphash.String(c.memory.seed, name) }

func (c *Cache) domainGeneration(domain string) *generation {
	return &c.gens.domains[c.hash(domain)%generationCount]
}

func (c *Cache) nameGeneration(hash uint64) *generation {
	return &c.gens.names[hash%generationCount]
}

// A Token is the right to store what one is about to find out about a mailbox and its domain, or about a domain. It is
// taken before asking, and is void once its subject or everything was forgotten, or somebody else found a fact about
// the domain wrong. Storing with a void token, or with one for something else, does nothing. Copies of a token are the
// same token. The zero Token is void.
type Token struct {
	domain, name *generation    // name is nil if the token is for a domain alone.
	domainWas    *atomic.Uint64 // Goes along when its own holder finds a fact wrong.
	nameWas      uint64
}

// Begin returns a token for a mailbox and its domain. It costs nothing to take one in vain.
func (c *Cache) Begin(a address.Address) Token {
	t := c.BeginDomain(a.Domain())
	t.name = c.nameGeneration(c.hash(a.Key()))
	t.nameWas = t.name.Load()
	return t
}

// BeginDomain returns a token for a domain.
func (c *Cache) BeginDomain(d address.Domain) Token {
	t := Token{domain: c.domainGeneration(d.ASCII()), domainWas: new(atomic.Uint64)}
	t.domainWas.Store(t.domain.Load())
	return t
}

// Void reports whether t stores nothing any more.
func (t Token) Void() bool {
	return t.domain == nil || t.domain.Load() != t.domainWas.Load() || t.name != nil && t.name.Load() != t.nameWas
}

// valid reports whether t is good for storing at a place.
func (t Token) valid(p *place) bool {
	if t.domain == nil || t.domain != p.domain {
		return false
	}
	if was := t.domainWas.Load(); t.domain.Load() != was || was&closedMask != 0 {
		return false
	}
	return p.key.kind != kindMailbox || t.name == p.name && t.name.Load() == t.nameWas && t.nameWas&closedMask == 0
}

// Records are read, judged against what is new, and written, by many at once. No lock is held over the read: each
// record belongs to a slot by its name's hash, the slot counts its writes, and whoever finds the count changed after
// reading begins again.

const slotCount = 16384 // More than writes wait: what waits in a slot keeps what is read there out of memory.

type slots [slotCount]slot

type slot struct {
	mu      sync.Mutex
	version uint64 // Counts writes; guarded by mu, like mark.
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

// settle waits until whoever found a token valid before the call has stored with it.
func (s *slot) settle() {
	s.mu.Lock()
	defer s.mu.Unlock()
}

func (s *slots) settle() {
	for i := range s {
		s[i].settle()
	}
}
