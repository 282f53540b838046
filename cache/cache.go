// Package cache remembers what was learned until it goes stale, so that it is not asked twice.
//
// It holds three kinds of records: what a mailbox answered, what a domain's mail server makes of made-up recipients, and
// where a domain's mail goes. An LRU of decoded records stands in front of the store that may be lost. Each record has a
// soft age, past which it is served and asked about again, and a hard age, past which it is never served, from neither
// tier.
//
// What may be remembered is a closed list (verdict.Reason.OfMailbox, OfDomain): nothing about a source, a sender, a
// session, a mail server or this host. Keys are keyed hashes, and texts are stored without the addresses in them.
// Why it is built as it is stands in docs/adr/0008-memory-and-stores.md.
package cache

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/verimails/verimaild/internal/store"
	"github.com/verimails/verimaild/verify/verdict"
)

// Options are what a Cache needs.
type Options struct {
	Stores *store.Stores // Where it remembers; required. The cache does not close it.

	Ages    Ages // Zero means DefaultAges.
	Entries int  // The most records held in memory. 0 means 100,000.
	Bytes   int  // About how many bytes they may take. 0 means 32 MB.

	Logger *zap.Logger      // Nil means none.
	Now    func() time.Time // For ages; nil means time.Now.
}

// A Cache is safe for concurrent use. None of its methods waits for a disk to write, other than those that take a
// context. It has no goroutine: the store writes behind it.
type Cache struct {
	store  *store.Store
	hashes *hasher
	log    *zap.Logger
	now    func() time.Time
	ages   atomic.Pointer[Ages]

	memory  *memory
	gens    generations
	slots   slots
	counter counters
	epochs  epochs

	uniforms epochs // Since when a domain is known to refuse everybody alike; see uniform.go.

	mailboxes *store.Records[[]byte]
	facts     *store.Records[[]byte]
	hosts     *store.Records[[]byte]
}

// raw is the codec of records that this package encodes before it takes a lock, and decodes with the key at hand.
var raw = store.Codec[[]byte]{
	Encode: func(_, v []byte) []byte { return v }, // Nobody changes it any more.
	Decode: func(b []byte) ([]byte, error) { return b, nil },
}

// packed is raw for bodies that are worth compressing.
var packed = store.Codec[[]byte]{
	Encode: raw.Encode,
	Pack:   pack,
	Decode: unpack,
}

// New makes a cache over the cache store of opts.Stores. It reads the few records that are always held in memory.
func New(opts Options) (*Cache, error) {
	if opts.Stores == nil {
		return nil, errors.New("cache: no stores")
	}
	if opts.Entries == 0 {
		opts.Entries = 100_000
	}
	if opts.Bytes == 0 {
		opts.Bytes = 32 << 20
	}
	if opts.Logger == nil {
		opts.Logger = zap.NewNop()
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	c := &Cache{
		store:  opts.Stores.Cache(),
		hashes: newHasher(opts.Stores.Key(store.AddressHashes)),
		log:    opts.Logger, now: opts.Now,
		memory: newMemory(opts.Entries, opts.Bytes),
	}
	if err := c.SetAges(opts.Ages); err != nil {
		return nil, err
	}
	if err := c.openRecords(); err != nil {
		return nil, err
	}
	return c, errors.Join(c.loadEpochs(&c.epochs), c.loadEpochs(&c.uniforms))
}

// openRecords names the record sets. The first byte of a key is the kind, so that domain facts can be read without
// reading ten million mailboxes; the domain's hash comes next, so that a domain can be forgotten.
func (c *Cache) openRecords() error {
	var err error
	for _, s := range []struct {
		prefix string
		into   **store.Records[[]byte]
		codec  store.Codec[[]byte]
	}{
		{"m", &c.mailboxes, packed},
		{"d", &c.facts, packed},
		{"h", &c.hosts, packed},
		{"e", &c.epochs.records, raw},
		{"u", &c.uniforms.records, raw},
	} {
		if *s.into, err = store.NewRecords(c.store, s.prefix, s.codec); err != nil {
			return fmt.Errorf("cache: %w", err)
		}
	}
	return nil
}

// SetAges replaces the ages, for what is remembered already too. The zero Ages are the default ones.
// The error names the age that makes no sense; nothing has changed then.
func (c *Cache) SetAges(a Ages) error {
	if a == (Ages{}) {
		a = DefaultAges()
	}
	if err := a.check(); err != nil {
		return err
	}
	c.ages.Store(&a)
	return nil
}

// Flush waits until what was stored before is on disk, or has failed to get there.
func (c *Cache) Flush(ctx context.Context) error { return c.store.Flush(ctx) }

// bad notes a value on disk that can't be read. The first one is worth a line in the log.
func (c *Cache) bad(err error) {
	if c.counter.bad.Add(1) == 1 {
		c.log.Warn("a remembered record can't be read and counts as a miss; others like it are only counted", zap.Error(err))
	}
}

// A NotStorableError says that a reason may not be remembered. It is a fault of the caller, not of the world.
type NotStorableError struct {
	Of     string // "mailbox" or "domain".
	Reason verdict.Reason
}

func (e *NotStorableError) Error() string {
	return fmt.Sprintf("cache: %q may not be remembered of a %s: it is about the %s", e.Reason, e.Of, e.Reason.Subject())
}
