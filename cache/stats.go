package cache

import (
	"sync/atomic"

	"github.com/verimails/verimaild/internal/store"
)

// counters are what Stats reports.
type counters struct {
	kinds [kinds]struct{ memory, disk, misses, stale atomic.Uint64 }

	bad, void, contradictions atomic.Uint64
}

// KindStats count the look-ups of one kind of record.
type KindStats struct {
	Kind   string // mailbox, domain or mail_hosts.
	Memory uint64 // Answered from memory,
	Disk   uint64 // from disk,
	Misses uint64 // or not at all.
	Stale  uint64 // Of those answered, past the soft age.
}

// Stats are the counters since the cache was made, and its sizes.
type Stats struct {
	Kinds []KindStats

	Bad            uint64 // Values on disk that could not be read: damaged, or of another version. Each was a miss.
	Void           uint64 // Records not stored because their subject was forgotten meanwhile.
	Contradictions uint64 // Facts about domains that were found wrong.

	Entries int // Records in memory.
	Bytes   int // What they take, roughly.

	Store store.Stats // The disk.
}

// Stats counts. It looks at the store's directory, so it is for people and for scrapes, not for every request.
func (c *Cache) Stats() Stats {
	s := Stats{
		Bad:            c.counter.bad.Load(),
		Void:           c.counter.void.Load(),
		Contradictions: c.counter.contradictions.Load(),
		Store:          c.store.Stats(),
	}
	for k := range kinds {
		n := &c.counter.kinds[k]
		s.Kinds = append(s.Kinds, KindStats{
			Kind: k.String(), Memory: n.memory.Load(), Disk: n.disk.Load(), Misses: n.misses.Load(), Stale: n.stale.Load(),
		})
	}
	s.Entries, s.Bytes = c.memory.size()
	return s
}
