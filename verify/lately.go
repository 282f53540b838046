package verify

import (
	"hash/maphash"
	"time"

	"github.com/verimails/verimaild/verify/address"
)

// lately knows which addresses flights began about within minRepeat, of as many as it has places: an address that loses
// its place to another is forgotten early. The zero value knows none. Guarded by Verifier.mu.
type lately struct {
	seed   maphash.Seed
	places []asking
}

type asking struct {
	hash uint64
	at   time.Time
}

const latelyPlaces = 8192

// asked reports whether a flight about a began within minRepeat.
func (l *lately) asked(a address.Address, now time.Time) bool {
	if l.places == nil {
		return false
	}
	p, hash := l.place(a)
	return p.hash == hash && now.Sub(p.at) < minRepeat
}

// note notes that a flight about a begins.
func (l *lately) note(a address.Address, now time.Time) {
	if l.places == nil {
		l.seed, l.places = maphash.MakeSeed(), make([]asking, latelyPlaces)
	}
	p, hash := l.place(a)
	*p = asking{hash, now}
}

func (l *lately) place(a address.Address) (*asking, uint64) {
	hash := maphash.String(l.seed, a.Key())
	return &l.places[hash%latelyPlaces], hash
}
