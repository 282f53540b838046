package cache

import (
	"crypto/hmac"
	"crypto/sha256"
	"hash"
	"sync"

	"github.com/verimails/verimaild/verify/address"
)

// hashLen is the length of a key's parts. Of ten million records two share 16 bytes with a probability of 10^-25.
const hashLen = 16

// hasher makes keys: HMAC-SHA256 under a key from the key file, cut short. Without the key nobody can tell from a key
// whether an address is remembered.
type hasher struct{ pool sync.Pool }

// keyed is the state of a hash, with room for what goes in and what comes out.
type keyed struct {
	mac hash.Hash
	in  []byte
	sum [sha256.Size]byte
}

func newHasher(key [32]byte) *hasher {
	return &hasher{pool: sync.Pool{New: func() any { return &keyed{mac: hmac.New(sha256.New, key[:])} }}}
}

// hash returns the hash of a name of some kind.
func (h *hasher) hash(of kind, name string) (sum [hashLen]byte) {
	k, _ := h.pool.Get().(*keyed)
	defer h.pool.Put(k)
	k.in = append(append(k.in[:0], byte(of)), name...)
	k.mac.Reset()
	k.mac.Write(k.in)
	copy(sum[:], k.mac.Sum(k.sum[:0]))
	return sum
}

// domainKey is a domain as epochs are kept by.
type domainKey [hashLen]byte

func (h *hasher) domain(d address.Domain) domainKey { return h.hash(kindDomain, d.ASCII()) }

// mailbox is the key of a mailbox record: its domain, then the address.
func (h *hasher) mailbox(d domainKey, a address.Address) []byte {
	name := h.hash(kindMailbox, a.Key())
	return append(append(make([]byte, 0, 2*hashLen), d[:]...), name[:]...)
}
