package store

import (
	"bytes"
	"iter"
	"time"

	"github.com/dgraph-io/badger/v4"
)

// A Range says which records a scan visits, in the order of their keys. The zero Range is all of them.
type Range struct {
	Prefix   []byte // Only keys that begin with this.
	From     []byte // Start here, this key included; with Reverse, go down from here. Must begin with Prefix.
	Reverse  bool
	KeysOnly bool // Leave the values out, which spares decoding them.
}

// An Item is one record of a scan. It is the caller's to keep.
type Item[V any] struct {
	Key     []byte // Without the set's prefix.
	Value   V      // The zero V if the error says that it can't be decoded, and with KeysOnly.
	Expires time.Time
}

// Scan visits the records that were there when it began. With a [*DecodeError] the scan may go on to the next record;
// any other error ends it. A store that is being closed waits for the scan to end.
func (r *Records[V]) Scan(rg Range) iter.Seq2[Item[V], error] {
	return func(yield func(Item[V], error) bool) {
		for e, err := range r.store.scan(r.key(rg.Prefix), r.key(rg.From), rg) {
			var item Item[V]
			if err != nil {
				yield(item, err)
				return
			}
			item.Key, item.Expires = e.key[len(r.prefix):], e.expires
			if !rg.KeysOnly {
				if item.Value, err = r.codec.Decode(e.value); err != nil {
					var none V
					item.Value, err = none, &DecodeError{Prefix: r.prefix, Key: item.Key, Err: err}
				}
			}
			if !yield(item, err) {
				return
			}
		}
	}
}

// scanned is one raw record.
type scanned struct {
	key []byte
	entry
}

// scan yields copies, so that the consumer's code runs outside of what guards against Badger's panics.
func (s *Store) scan(prefix, from []byte, rg Range) iter.Seq2[scanned, error] {
	return func(yield func(scanned, error) bool) {
		if !s.gate.enter() {
			yield(scanned{}, ErrClosed)
			return
		}
		defer s.gate.leave()
		if s.db == nil {
			return
		}
		c, err := s.openCursor(prefix, from, rg)
		if err != nil {
			yield(scanned{}, err)
			return
		}
		defer c.close()
		for {
			e, ok, err := c.next()
			if err != nil {
				yield(e, err)
				return
			}
			if !ok || !yield(e, nil) {
				return
			}
		}
	}
}

// cursor is a Badger iterator that reports damage instead of panicking.
type cursor struct {
	s      *Store
	txn    *badger.Txn
	it     *badger.Iterator
	prefix []byte
	opts   Range
}

func (s *Store) openCursor(prefix, from []byte, rg Range) (c *cursor, err error) {
	defer s.damaged(&err)
	o := badger.DefaultIteratorOptions
	o.Prefix, o.Reverse = prefix, rg.Reverse
	o.PrefetchValues = false // Values lie beside their keys; fetching ahead would only start goroutines.
	c = &cursor{s: s, txn: s.db.NewTransaction(false), prefix: prefix, opts: rg}
	c.it = c.txn.NewIterator(o)
	if len(from) < len(prefix) || (rg.Reverse && bytes.Equal(from, prefix)) {
		from = prefix
		if rg.Reverse {
			// The last key with the prefix is at or below this: no key is that long.
			from = append(bytes.Clone(prefix), bytes.Repeat([]byte{0xff}, 256)...)
		}
	}
	c.it.Seek(from)
	return c, nil
}

func (c *cursor) next() (e scanned, ok bool, err error) {
	defer c.s.damaged(&err)
	if !c.it.ValidForPrefix(c.prefix) {
		return e, false, nil
	}
	item := c.it.Item()
	e.key, e.expires = item.KeyCopy(nil), expiry(item)
	if !c.opts.KeysOnly {
		if e.value, err = item.ValueCopy(nil); err != nil {
			return e, false, &DamageError{Dir: c.s.tune.dir, Problem: err.Error()}
		}
	}
	c.it.Next()
	return e, true, nil
}

func (c *cursor) close() {
	c.it.Close()
	c.txn.Discard()
}
