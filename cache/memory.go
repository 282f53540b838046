package cache

import (
	"hash/maphash"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// kind is a kind of record.
type kind uint8

const (
	kindMailbox kind = iota
	kindDomain
	kindHosts
	kinds // How many there are.
)

func (k kind) String() string { return [...]string{"mailbox", "domain", "mail_hosts"}[k] }

// memKey is a record in memory. Names are in clear there: only what is on disk is hashed.
type memKey struct {
	kind kind
	name string
}

// item is a decoded record in memory.
type item struct {
	stamp  stamp // Of the generations when it was stored or read: see tokens.go.
	domain string
	size   int
	value  any // A pointer to what the kind says; never changed.
}

// shards is how many parts the LRU has, each with a lock of its own. A hit holds it for some 50 ns: on two cores one
// part does as well as 16 (BenchmarkMemoryHit), on more it would be what they wait for.
const shards = 16

// memory is the LRU in front of the store: bounded by entries and, roughly, by bytes.
type memory struct {
	seed  maphash.Seed
	parts [shards]memPart
}

type memPart struct {
	mu       sync.Mutex
	lru      *simplelru.LRU[memKey, *item] // Guarded by mu, like bytes.
	bytes    int
	maxBytes int
	_        [64]byte // Keeps neighbours' locks off one cache line.
}

func newMemory(entries, bytes int) *memory {
	m := &memory{seed: maphash.MakeSeed()}
	for i := range m.parts {
		p := &m.parts[i]
		p.maxBytes = max(bytes/shards, 1)
		lru, err := simplelru.NewLRU(max(entries/shards, 1), func(_ memKey, it *item) { p.bytes -= it.size })
		if err != nil {
			panic("cache: " + err.Error()) // Only for a size below 1.
		}
		p.lru = lru
	}
	return m
}

func (m *memory) part(hash uint64) *memPart { return &m.parts[hash%shards] }

func (m *memory) get(hash uint64, k memKey) (*item, bool) {
	p := m.part(hash)
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lru.Get(k)
}

// add puts an item in place of the one at k, and drops the least recently used ones beyond the bounds.
func (m *memory) add(hash uint64, k memKey, it *item) {
	p := m.part(hash)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lru.Remove(k) // Add would replace the value without telling the eviction callback.
	p.lru.Add(k, it)
	p.bytes += it.size
	for p.bytes > p.maxBytes && p.lru.Len() > 1 {
		p.lru.RemoveOldest()
	}
}

func (m *memory) remove(hash uint64, k memKey) {
	p := m.part(hash)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lru.Remove(k)
}

// removeDomain drops everything about a domain. It looks at every key.
func (m *memory) removeDomain(domain string) {
	for i := range m.parts {
		m.parts[i].removeDomain(domain)
	}
}

func (p *memPart) removeDomain(domain string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, k := range p.lru.Keys() {
		if it, ok := p.lru.Peek(k); ok && it.domain == domain {
			p.lru.Remove(k)
		}
	}
}

func (m *memory) clear() {
	for i := range m.parts {
		p := &m.parts[i]
		p.mu.Lock()
		p.lru.Purge()
		p.bytes = 0
		p.mu.Unlock()
	}
}

// size is how much is held.
func (m *memory) size() (entries, bytes int) {
	for i := range m.parts {
		p := &m.parts[i]
		p.mu.Lock()
		entries += p.lru.Len()
		bytes += p.bytes
		p.mu.Unlock()
	}
	return entries, bytes
}
