package verify

import (
	"hash/maphash"
	"sync/atomic"

	"github.com/verimails/verimaild/verify/address"
)

// A sight is what a caller saw when it looked in memory and found no answer. As long as it holds, its flight need not
// look again. The zero sight does not hold.
type sight struct {
	looked bool
	ends   uint32 // Of flights, see endings.
	blank  bool   // Nothing at all is remembered of the mailbox.
}

// endings counts the flights that have ended, by domain: what they found out is in memory before they are counted.
// Domains share counters, which costs a needless look at times.
type endings struct {
	seed   maphash.Seed
	counts [1024]atomic.Uint32
}

func (e *endings) of(a address.Address) *atomic.Uint32 {
	return &e.counts[maphash.String(e.seed, a.Domain().ASCII())%uint64(len(e.counts))]
}

// holds reports whether nothing was found out about a's domain since s.
func (e *endings) holds(s sight, a address.Address) bool {
	return s.looked && e.of(a).Load() == s.ends
}
