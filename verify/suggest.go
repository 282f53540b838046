package verify

import (
	"hash/maphash"
	"sync/atomic"

	"github.com/verimails/verimaild/verify/address"
)

// suggestions remembers what address.Suggest says of domains that are asked about often: it compares with every
// well-known domain, which takes as long as all else in recalling an answer. A place holds the last domain with its
// hash; a wrong place costs the comparison, nothing else.
type suggestions struct {
	seed   maphash.Seed
	places [1024]atomic.Pointer[suggestion]
}

type suggestion struct {
	domain, near address.Domain
	ok           bool
}

// of is address.Suggest.
func (s *suggestions) of(d address.Domain) (near address.Domain, ok bool) {
	place := &s.places[maphash.String(s.seed, d.ASCII())%uint64(len(s.places))]
	if known := place.Load(); known != nil && known.domain == d {
		return known.near, known.ok
	}
	near, ok = address.Suggest(d)
	place.Store(&suggestion{d, near, ok})
	return near, ok
}
