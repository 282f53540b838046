package store

import (
	"context"
	"errors"
	"fmt"
)

// A Batch gathers writes to several record sets of one store. [Store.Commit] writes them all or none. The zero Batch
// is empty and ready; a Batch is not safe for concurrent use.
type Batch struct {
	ops   []op
	store *Store // Of the record sets, once there is one.
	err   error  // The first one, kept for Commit.
}

var errMixedStores = errors.New("store: a batch with record sets of both stores")

// Len is the number of writes in b.
func (b *Batch) Len() int { return len(b.ops) }

func (b *Batch) add(s *Store, o op) {
	if b.store == nil {
		b.store = s
	}
	if b.store != s && b.err == nil {
		b.err = errMixedStores
	}
	b.ops = append(b.ops, o)
}

// Commit writes a batch and waits until it is written; in the state store that means synced to disk. Batches of
// callers that come at the same time share a sync. The error is [ErrTooLarge], [ErrDiskFull] or [ErrClosed] by name;
// when ctx ends first it is the cause of that, and whether the batch was written is not known.
func (s *Store) Commit(ctx context.Context, b *Batch) error {
	if b.err != nil {
		return b.err
	}
	if len(b.ops) == 0 {
		return nil
	}
	return s.commit(ctx, &request{ops: b.ops})
}

func (s *Store) commit(ctx context.Context, r *request) error {
	if s.db == nil {
		return s.unused()
	}
	return s.writer.write(ctx, r)
}

// tryCommit queues a write, or drops it if the queue is full.
func (s *Store) tryCommit(r *request) error {
	err := s.unused()
	if s.db != nil {
		if err = s.writer.check(r); err == nil {
			err = s.writer.tryEnqueue(r)
		}
	}
	if err != nil {
		s.counts.dropped.Add(uint64(len(r.ops)))
	}
	return err
}

// Mark tells how far the queue of writes reaches now: when [Store.Reached] has come to it, all that was queued
// before has been written, or has failed.
func (s *Store) Mark() uint64 { return s.counts.queued.Load() }

// Reached tells how far the queue has been worked off.
func (s *Store) Reached() uint64 { return s.counts.finished.Load() }

// Flush waits until everything queued before it is written.
func (s *Store) Flush(ctx context.Context) error {
	if s.db == nil {
		return nil
	}
	return s.writer.write(ctx, &request{alone: func() error { return nil }})
}

// drop removes every record under the prefixes, and the space they take, when what was queued before is written.
// Writers wait meanwhile.
func (s *Store) drop(ctx context.Context, prefixes ...[]byte) error {
	if s.db == nil {
		return nil
	}
	return s.writer.write(ctx, &request{alone: func() error {
		if err := s.writer.room(s.tune.deleteReserve); err != nil {
			return err
		}
		if err := s.db.DropPrefix(prefixes...); err != nil {
			return fmt.Errorf("drop from the %s store: %w", s.tune.name, err)
		}
		return nil
	}})
}

func (s *Store) unused() error {
	if s.unusedBecause != nil {
		return s.unusedBecause
	}
	return ErrClosed
}
