package store

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dgraph-io/badger/v4"
	"go.uber.org/zap"
)

// ErrClosed is returned by whatever is asked of a closed store.
var ErrClosed = errors.New("store: closed")

// A Store is one of the two stores. It is safe for concurrent use.
type Store struct {
	tune tuning
	log  *zap.Logger
	free func(string) (Space, error)

	db   *badger.DB // Nil if the store is not in use.
	gate gate       // Held by readers, so that closing waits for them.

	writer *writer // Nil if the store is not in use.
	counts counts

	prefixes prefixes

	unusedBecause error // Why the store is not in use.
}

// startStore opens Badger and starts the writer.
func startStore(t tuning, opts Options) (*Store, error) {
	t.still = opts.Still
	s := &Store{tune: t, log: opts.Logger.Named("store." + t.name), free: opts.Free}
	if t.dir != "" {
		if err := inspect(t.dir, t.verify); err != nil {
			return nil, err
		}
	}
	db, err := openBadger(t.badgerOptions(s.log), t.dir)
	if err != nil {
		return nil, err
	}
	s.db = db
	s.writer = newWriter(s)
	s.writer.start()
	return s, nil
}

// unusedStore is a store that remembers nothing: it is always empty, and writes fail with why.
func unusedStore(t tuning, opts Options, why error) *Store {
	return &Store{tune: t, log: opts.Logger.Named("store." + t.name), free: opts.Free, unusedBecause: why}
}

// openBadger opens Badger. Files that it can't read are damage; so is a panic over them.
func openBadger(o badger.Options, dir string) (db *badger.DB, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &DamageError{Dir: dir, Problem: fmt.Sprint(r)}
		}
	}()
	db, err = badger.Open(o)
	if err != nil {
		return nil, &DamageError{Dir: dir, Problem: err.Error()}
	}
	return db, nil
}

// InUse reports whether the store can remember anything: a cache store for which there was no room at start can't.
func (s *Store) InUse() bool { return s.db != nil }

// close writes out what is queued and closes Badger.
func (s *Store) close() error {
	if s.db == nil {
		s.gate.close()
		return nil
	}
	s.writer.stop()
	s.gate.close()
	if s.tune.dir != "" {
		if err := checkRoom(s.tune.dir, s.tune.deleteReserve, s.free); err != nil {
			// Closing Badger writes its memtable out, and there is no room for that. Its log is complete, and the
			// next start reads it.
			s.log.Warn("the store was not closed, only synced", zap.Error(err))
			return s.db.Sync()
		}
	}
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("close the %s store: %w", s.tune.name, err)
	}
	return nil
}

// claimKey is where a store notes which key it was written with.
var claimKey = []byte("\x00key")

// claim drops everything if the store was written with another key, and notes this one.
func (s *Store) claim(keyID []byte, log *zap.Logger) error {
	have, found, err := s.read(claimKey)
	if err != nil || bytes.Equal(have.value, keyID) {
		return err
	}
	if found {
		log.Warn("the key file is another one: the cache that was written with the old key is dropped", zap.String("dir", s.tune.dir))
		if err := s.db.DropAll(); err != nil {
			return fmt.Errorf("drop the cache of another key: %w", err)
		}
	}
	return s.writer.do(&request{ops: []op{{key: claimKey, value: keyID}}})
}

// entry is one stored value, a copy of its own.
type entry struct {
	value   []byte
	expires time.Time // Zero if never.
}

// read returns the value at key. A block that Badger can't read is a *DamageError.
func (s *Store) read(key []byte) (e entry, found bool, err error) {
	if !s.gate.enter() {
		return e, false, ErrClosed
	}
	defer s.gate.leave()
	if s.db == nil {
		return e, false, nil
	}
	defer s.damaged(&err)
	txn := s.db.NewTransaction(false)
	defer txn.Discard()
	item, err := txn.Get(key)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return e, false, nil
	}
	if err == nil {
		e.expires = expiry(item)
		e.value, err = item.ValueCopy(nil)
	}
	if err != nil {
		return entry{}, false, &DamageError{Dir: s.tune.dir, Problem: err.Error()}
	}
	return e, true, nil
}

// damaged turns a panic of Badger over a damaged block into an error: one bad block must not stop the daemon.
func (s *Store) damaged(err *error) {
	if r := recover(); r != nil {
		*err = &DamageError{Dir: s.tune.dir, Problem: fmt.Sprint(r)}
	}
	if _, ok := errors.AsType[*DamageError](*err); ok {
		s.counts.damaged.Add(1)
	}
}

func expiry(item *badger.Item) time.Time {
	at := item.ExpiresAt()
	if at == 0 {
		return time.Time{}
	}
	return time.Unix(int64(at), 0) //nolint:gosec // G115: Badger's own seconds.
}

// counts are what [Store.Stats] reports.
type counts struct {
	written, commits, dropped, failed, damaged atomic.Uint64

	queued, finished atomic.Uint64 // Requests.

	full atomic.Bool // The last write was refused for want of room.
}

// gate lets readers in until it is closed, and closing waits until they have left. Unlike a sync.RWMutex it may be
// entered again from inside while somebody waits to close it.
type gate struct {
	mu     sync.Mutex
	n      int // Inside.
	closed bool
	empty  chan struct{} // Made by close, closed when the last one leaves.
}

func (g *gate) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return false
	}
	g.n++
	return true
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.n--; g.n < 0 {
		panic("store: gate left more often than entered")
	}
	if g.n == 0 && g.closed {
		close(g.empty)
	}
}

// close is called once.
func (g *gate) close() {
	g.mu.Lock()
	g.closed = true
	g.empty = make(chan struct{})
	inside := g.n
	g.mu.Unlock()
	if inside > 0 {
		<-g.empty
	}
}
