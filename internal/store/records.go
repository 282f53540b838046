package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

// A Codec turns values into bytes and back. Encode appends to dst. Decode gets a slice of its own; it must take any
// bytes, since disks lie, and say what is wrong with them by an error.
type Codec[V any] struct {
	Encode func(dst []byte, v V) []byte
	Decode func(b []byte) (V, error)

	// Pack, if there is one, makes what is stored out of what Encode made, and Decode gets that. The store's own
	// goroutine calls it just before it writes: packers want much stack, which would else be grown in each goroutine
	// that writes something once. The bounds of values and of the queue are for what Encode made.
	Pack func(b []byte) []byte
}

// Records is a set of values of one type in a store, each at a key. It is safe for concurrent use. Writes of one
// caller take effect in their order.
type Records[V any] struct {
	store  *Store
	prefix string
	codec  Codec[V]
}

// A DecodeError says that a stored value is not one: written by another version, or damaged.
type DecodeError struct {
	Prefix string // Of the record set.
	Key    []byte // Within it.
	Err    error
}

func (e *DecodeError) Error() string {
	return fmt.Sprintf("record %x of %q: %v", e.Key, e.Prefix, e.Err)
}

// Unwrap is what the codec said.
func (e *DecodeError) Unwrap() error { return e.Err }

// prefixes are the record sets of a store, so that no set can see another's records.
type prefixes struct {
	mu    sync.Mutex
	taken []string
}

func (p *prefixes) take(prefix string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if prefix == "" || prefix[0] == 0 {
		return fmt.Errorf("store: record set %q: a prefix must not be empty nor begin with a zero byte", prefix)
	}
	for _, t := range p.taken {
		if strings.HasPrefix(t, prefix) || strings.HasPrefix(prefix, t) {
			return fmt.Errorf("store: record set %q: there is one at %q", prefix, t)
		}
	}
	p.taken = append(p.taken, prefix)
	return nil
}

// NewRecords makes the record set of s whose keys begin with prefix. No other set of s may have a prefix that this one
// begins with, nor the other way round; that is the only error.
func NewRecords[V any](s *Store, prefix string, c Codec[V]) (*Records[V], error) {
	if err := s.prefixes.take(prefix); err != nil {
		return nil, err
	}
	return &Records[V]{store: s, prefix: prefix, codec: c}, nil
}

func (r *Records[V]) key(key []byte) []byte {
	b := make([]byte, 0, len(r.prefix)+len(key))
	return append(append(b, r.prefix...), key...)
}

// Get returns the value at key. The error is a [*DecodeError], a [*DamageError] or [ErrClosed].
func (r *Records[V]) Get(key []byte) (v V, found bool, err error) {
	e, found, err := r.store.read(r.key(key))
	if err != nil || !found {
		return v, false, err
	}
	if v, err = r.codec.Decode(e.value); err != nil {
		var none V
		return none, false, &DecodeError{Prefix: r.prefix, Key: key, Err: err}
	}
	return v, true, nil
}

func (r *Records[V]) put(key []byte, v V, ttl time.Duration) op {
	return op{key: r.key(key), value: r.codec.Encode(nil, v), pack: r.codec.Pack, ttl: ttl}
}

// Put writes v at key and waits until it is written; in the state store that means synced to disk. It is gone after
// ttl, in whole seconds; 0 keeps it for ever. For the errors see [Store.Commit].
func (r *Records[V]) Put(ctx context.Context, key []byte, v V, ttl time.Duration) error {
	return r.store.commit(ctx, &request{ops: []op{r.put(key, v, ttl)}})
}

// TryPut is [Records.Put] for those who must not wait, and need not know when it is written, nor whether: while the queue
// of writes is full it drops the write, counts it and says [ErrQueueFull].
func (r *Records[V]) TryPut(key []byte, v V, ttl time.Duration) error {
	return r.store.tryCommit(&request{ops: []op{r.put(key, v, ttl)}})
}

// Delete removes the value at key, if there is one, and waits until that is written.
func (r *Records[V]) Delete(ctx context.Context, key []byte) error {
	return r.store.commit(ctx, &request{ops: []op{{key: r.key(key), delete: true}}})
}

// DeletePrefix removes the values whose keys begin with prefix, and waits until that is written. It does so in
// batches: after an error, or kill -9, some are gone. Values that are written meanwhile may stay.
func (r *Records[V]) DeletePrefix(ctx context.Context, prefix []byte) (n int, err error) {
	var b Batch
	for item, err := range r.Scan(Range{Prefix: prefix, KeysOnly: true}) {
		if err != nil {
			return n, err
		}
		r.DeleteIn(&b, item.Key)
		if b.Len() < r.store.tune.groupOps {
			continue
		}
		if err := r.store.Commit(ctx, &b); err != nil {
			return n, err
		}
		n += b.Len()
		b = Batch{}
	}
	if err := r.store.Commit(ctx, &b); err != nil {
		return n, err
	}
	return n + b.Len(), nil
}

// Drop removes every record of the set and gives the disk space back at once. Writers to the store wait meanwhile.
func (r *Records[V]) Drop(ctx context.Context) error {
	return r.store.drop(ctx, []byte(r.prefix))
}

// PutIn adds a write to a batch.
func (r *Records[V]) PutIn(b *Batch, key []byte, v V, ttl time.Duration) {
	b.add(r.store, r.put(key, v, ttl))
}

// DeleteIn adds a deletion to a batch.
func (r *Records[V]) DeleteIn(b *Batch, key []byte) {
	b.add(r.store, op{key: r.key(key), delete: true})
}

// IsBad reports whether err says that one value can't be read, so that the others are worth reading on.
func IsBad(err error) bool {
	_, bad := errors.AsType[*DecodeError](err)
	return bad
}
