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

func newHasher(key [32]byte) *hasher {
	return &hasher{pool: sync.Pool{New: func() any { return hmac.New(sha256.New, key[:]) }}}
}

// appendHash appends the hash of a name of some kind.
func (h *hasher) appendHash(dst []byte, of kind, name string) []byte {
	m, _ := h.pool.Get().(hash.Hash)
	defer h.pool.Put(m)
	m.Reset()
	var buf [1 + 320]byte
	buf[0] = byte(of)
	m.Write(append(buf[:1], name...))
	var sum [sha256.Size]byte
	return append(dst, m.Sum(sum[:0])[:hashLen]...)
}

// domainKey is a domain as epochs are kept by.
type domainKey [hashLen]byte

func (h *hasher) domain(d address.Domain) domainKey {
	return domainKey(h.appendHash(make([]byte, 0, hashLen), kindDomain, d.ASCII()))
}

// mailbox is the key of a mailbox record: its domain, then the address.
func (h *hasher) mailbox(d domainKey, a address.Address) []byte {
	return h.appendHash(append(make([]byte, 0, 2*hashLen), d[:]...), kindMailbox, a.Key())
}

func (h *hasher) site(name string) []byte {
	return h.appendHash(make([]byte, 0, hashLen), kindSite, name)
}
