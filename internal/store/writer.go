package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dgraph-io/badger/v4"
	"go.uber.org/zap"
)

var (
	// ErrTooLarge is returned for a value or a batch that is larger than a store takes.
	ErrTooLarge = errors.New("store: value or batch too large")

	// ErrQueueFull is returned for a write that was dropped because too many were waiting.
	ErrQueueFull = errors.New("store: write queue full")
)

// op is one change.
type op struct {
	key    []byte
	value  []byte
	pack   func([]byte) []byte // Makes what is stored out of value; nil if that is value itself.
	ttl    time.Duration       // 0 is for ever.
	delete bool
}

func (o *op) size() int64 { return int64(len(o.key) + len(o.value)) }

// request is what one caller wants written, all of it or nothing.
type request struct {
	ops  []op
	size int64

	// alone is run in place of ops when everything queued before it has been written.
	alone func() error

	done chan error // Nil if nobody waits.
}

// deletesOnly reports whether r makes room rather than taking it.
func (r *request) deletesOnly() bool {
	for i := range r.ops {
		if !r.ops[i].delete {
			return false
		}
	}
	return true
}

// writer is the one goroutine that writes to a store. While it commits, and with the durable store syncs, callers
// queue up; it then takes all that has come, up to a bound, into one transaction. So the number of syncs a second
// stays that of the disk, whatever the number of callers.
type writer struct {
	s       *Store
	queue   chan *request
	waiting atomic.Int64 // Bytes in the queue.
	wg      sync.WaitGroup

	mu     sync.RWMutex // Held for reading while sending to queue, so that stop never closes it under a sender.
	closed bool

	warned time.Time // When the last warning was logged. Only the writer's goroutine uses it.
	lost   uint64    // Writes that failed or were dropped when it was.
}

func newWriter(s *Store) *writer {
	return &writer{s: s, queue: make(chan *request, s.tune.queue)}
}

func (w *writer) start() { w.wg.Go(w.loop) }

// stop writes out what is queued and ends the writer.
func (w *writer) stop() {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		close(w.queue)
	}
	w.mu.Unlock()
	w.wg.Wait()
}

// maxKey bounds a key, in bytes. Badger takes more; none of ours comes near.
const maxKey = 1024

// check refuses what a transaction can't hold, and weighs r.
func (w *writer) check(r *request) error {
	if len(r.ops) > w.s.tune.groupOps {
		return fmt.Errorf("%w: a batch of %d writes, at most %d", ErrTooLarge, len(r.ops), w.s.tune.groupOps)
	}
	for i := range r.ops {
		if n := len(r.ops[i].key); n > maxKey {
			return fmt.Errorf("%w: a key of %d bytes, at most %d", ErrTooLarge, n, maxKey)
		}
		if n := len(r.ops[i].value); n > w.s.tune.maxValue {
			return fmt.Errorf("%w: a value of %d bytes, at most %d", ErrTooLarge, n, w.s.tune.maxValue)
		}
		r.size += r.ops[i].size()
	}
	if r.size > w.s.tune.groupBytes {
		return fmt.Errorf("%w: a batch of %d bytes, at most %d", ErrTooLarge, r.size, w.s.tune.groupBytes)
	}
	return nil
}

// enqueue gives r to the writer. It blocks while the queue is full.
func (w *writer) enqueue(ctx context.Context, r *request) error {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.closed {
		return ErrClosed
	}
	w.queued(r, 1)
	select {
	case w.queue <- r:
		return nil
	case <-ctx.Done():
		w.queued(r, -1)
		return context.Cause(ctx)
	}
}

// tryEnqueue gives r to the writer unless the queue is full.
func (w *writer) tryEnqueue(r *request) error {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.closed {
		return ErrClosed
	}
	if w.waiting.Load()+r.size > w.s.tune.queueBytes {
		return ErrQueueFull
	}
	w.queued(r, 1)
	select {
	case w.queue <- r:
		return nil
	default:
		w.queued(r, -1)
		return ErrQueueFull
	}
}

// queued counts r in (1) or out again (-1), before it is in the queue: so Mark never misses a write that is.
func (w *writer) queued(r *request, n int64) {
	w.waiting.Add(n * r.size)
	w.s.counts.queued.Add(uint64(n)) //nolint:gosec // G115: adding 2^64-1 takes 1 away.
}

// write queues r and waits until it is written. After ctx is done, whether it was written is not known.
func (w *writer) write(ctx context.Context, r *request) error {
	if err := w.check(r); err != nil {
		return err
	}
	r.done = make(chan error, 1)
	if err := w.enqueue(ctx, r); err != nil {
		return err
	}
	select {
	case err := <-r.done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// do is write for callers that wait however long it takes.
func (w *writer) do(r *request) error {
	r.done = make(chan error, 1)
	w.mu.RLock()
	if w.closed {
		w.mu.RUnlock()
		return ErrClosed
	}
	w.queued(r, 1)
	w.queue <- r
	w.mu.RUnlock()
	return <-r.done
}

func (w *writer) loop() {
	var next *request
	for {
		r := next
		if next = nil; r == nil {
			var open bool
			if r, open = <-w.queue; !open {
				return
			}
		}
		if r.alone != nil {
			w.finish([]*request{r}, r.alone())
			continue
		}
		var group []*request
		group, next = w.gather(r)
		w.commit(group)
	}
}

// gather takes what is queued behind first into its transaction, without waiting. The request that no longer fits,
// or must be alone, is handed back.
func (w *writer) gather(first *request) (group []*request, next *request) {
	group = append(group, first)
	ops, size := len(first.ops), first.size
	for {
		select {
		case r, open := <-w.queue:
			if !open {
				return group, nil
			}
			ops += len(r.ops)
			size += r.size
			if r.alone != nil || ops > w.s.tune.groupOps || size > w.s.tune.groupBytes {
				return group, r
			}
			group = append(group, r)
		default:
			return group, nil
		}
	}
}

// commit writes a group. When there is little room left, what only deletes still goes through.
func (w *writer) commit(group []*request) {
	err := w.room(w.s.tune.reserve)
	w.s.counts.full.Store(errors.Is(err, ErrDiskFull))
	if err == nil {
		w.finish(group, w.transact(group))
		return
	}
	var deletions, rest []*request
	for _, r := range group {
		if r.deletesOnly() {
			deletions = append(deletions, r)
		} else {
			rest = append(rest, r)
		}
	}
	w.finish(rest, err)
	if len(deletions) == 0 {
		return
	}
	if err := w.room(w.s.tune.deleteReserve); err != nil {
		w.finish(deletions, err)
		return
	}
	w.finish(deletions, w.transact(deletions))
}

func (w *writer) room(need uint64) error {
	if need == 0 {
		return nil
	}
	return checkRoom(w.s.tune.dir, need, w.s.free)
}

// transact writes a group in one transaction. For the durable store it is synced when transact returns.
func (w *writer) transact(group []*request) error {
	txn := w.s.db.NewTransaction(true)
	defer txn.Discard()
	for _, r := range group {
		for i := range r.ops {
			if err := apply(txn, &r.ops[i]); err != nil {
				return fmt.Errorf("write to the %s store: %w", w.s.tune.name, err)
			}
		}
	}
	if err := txn.Commit(); err != nil {
		return fmt.Errorf("write to the %s store: %w", w.s.tune.name, err)
	}
	w.s.counts.commits.Add(1)
	return nil
}

func apply(txn *badger.Txn, o *op) error {
	if o.delete {
		return txn.Delete(o.key)
	}
	value := o.value
	if o.pack != nil {
		value = o.pack(value)
	}
	e := badger.NewEntry(o.key, value)
	if o.ttl > 0 {
		e = e.WithTTL(o.ttl)
	}
	return txn.SetEntry(e)
}

// finish tells the callers of a group how it went.
func (w *writer) finish(group []*request, err error) {
	for _, r := range group {
		w.waiting.Add(-r.size)
		if err != nil {
			w.s.counts.failed.Add(uint64(len(r.ops)))
		} else {
			w.s.counts.written.Add(uint64(len(r.ops)))
		}
	}
	w.s.counts.finished.Add(uint64(len(group)))
	for _, r := range group {
		if r.done != nil {
			r.done <- err
		} else if err != nil {
			w.lost += uint64(len(r.ops))
		}
	}
	if err != nil {
		w.warn(err)
	}
}

// warn logs a failed write, at most once a minute.
func (w *writer) warn(err error) {
	if now := time.Now(); now.Sub(w.warned) >= time.Minute {
		w.s.log.Warn("writes to the store fail", zap.Error(err), zap.Uint64("lost", w.lost))
		w.warned, w.lost = now, 0
	}
}
