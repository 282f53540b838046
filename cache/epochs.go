package cache

import (
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/verimails/verimaild/internal/store"
	"github.com/verimails/verimaild/verify/address"
)

// An acceptance means something only because the domain refuses made-up recipients, and "accepts all" only until a
// mailbox there is refused. When such a fact is found wrong, the fact and every answer that leans on it must go at
// once, and there may be a million of those. So a record carries the epoch its domain was in, and a contradiction
// begins a new one: what is from an earlier epoch and leans on the fact no longer counts.
//
// An epoch is the time of the contradiction, in seconds since 1970; 0 before the first. It always rises. Epochs are
// rare, so all are held in memory; on disk they outlive every record that could be from before them.

type epochs struct {
	records *store.Records[[]byte]

	some atomic.Bool // Whether there ever was one: most look-ups need no more.

	mu sync.RWMutex
	of map[domainKey]uint32 // Guarded by mu.
}

// at is a domain's epoch.
func (e *epochs) at(d domainKey) uint32 {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.of[d]
}

// begin begins a new epoch at a time.
func (e *epochs) begin(d domainKey, now time.Time) uint32 {
	e.mu.Lock()
	defer e.mu.Unlock()
	epoch := max(uint32(max(now.Unix(), 1)), e.of[d]+1) //nolint:gosec // G115: until 2106.
	e.some.Store(true)
	e.of[d] = epoch
	if len(e.of)%256 == 0 { // Now and then, drop what no record can be older than.
		for k, v := range e.of {
			if now.Sub(epochTime(v)) > longestAge {
				delete(e.of, k)
			}
		}
	}
	return epoch
}

func (e *epochs) forget(d domainKey) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.of, d)
}

func (e *epochs) forgetAll() {
	e.mu.Lock()
	defer e.mu.Unlock()
	clear(e.of)
}

// epochOf is the epoch of a domain by its name.
func (c *Cache) epochOf(domain string) uint32 {
	if !c.epochs.some.Load() {
		return 0
	}
	return c.epochs.at(c.hashes.hash(kindDomain, domain))
}

// epochTime is when an epoch began; zero for the first.
func epochTime(epoch uint32) time.Time {
	if epoch == 0 {
		return time.Time{}
	}
	return time.Unix(int64(epoch), 0).UTC()
}

// loadEpochs reads the epochs from disk.
func (c *Cache) loadEpochs(e *epochs) error {
	e.of = map[domainKey]uint32{}
	for item, err := range e.records.Scan(store.Range{}) {
		if err != nil {
			return fmt.Errorf("cache: read epochs: %w", err)
		}
		epoch, n := binary.Uvarint(item.Value)
		if n <= 0 || epoch > 1<<32-1 || len(item.Key) != hashLen {
			c.bad(errWire)
			continue
		}
		e.of[domainKey(item.Key)] = uint32(epoch)
		e.some.Store(true)
	}
	return nil
}

// Contradict says that what is remembered of a domain's habit towards made-up recipients was found wrong: the fact is
// dropped, with every answer that leans on it. Storing a record that contradicts a fact does the same.
func (c *Cache) Contradict(d address.Domain) {
	c.domainGeneration(d.ASCII()).Add(oneGeneration)
	c.newEpoch(d)
}

// newEpoch begins a domain's new epoch. Its generation has been raised before, so that nothing from the old epoch is
// stored as if it were from the new.
func (c *Cache) newEpoch(d address.Domain) { c.begin(&c.epochs, d) }

// begin begins something of a domain, now.
func (c *Cache) begin(e *epochs, d address.Domain) {
	key := c.hashes.domain(d)
	epoch := e.begin(key, c.now())
	c.counter.contradictions.Add(1)
	c.log.Info("what was known of a domain was found wrong and is dropped", zap.String("domain", d.ASCII()))
	// If the write is dropped, the old records come back after a restart: old, but within their ages.
	_ = e.records.TryPut(key[:], binary.AppendUvarint(nil, uint64(epoch)), longestAge+maxAhead)
	c.memory.remove(c.hash(d.ASCII()), memKey{kindDomain, d.ASCII()})
}
