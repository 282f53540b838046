// Package store opens the two Badger stores of the daemon and hands out small typed record sets.
//
// The state store is durable: what a call reports as written survives kill -9 and power loss. The cache store may be
// lost: it is written without syncing, it is set aside when it is damaged, and it is left unused when the disk is
// full. Both live under one state directory, beside the key file that their contents are hashed and encrypted with:
//
//	lock     held by the running daemon, with its process id
//	key      32 random bytes, made on first start
//	state/   the durable store
//	cache/   the store that may be lost
//
// How Badger is tuned, and why, stands in docs/adr/0008-memory-and-stores.md.
package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"go.uber.org/zap"
)

// Names of the entries of a state directory.
const (
	lockName  = "lock"
	keyName   = "key"
	stateName = "state"
	cacheName = "cache"
)

// Options say where the stores live.
type Options struct {
	// Dir is the state directory. It is made, with mode 0700, if it does not exist; its parent must exist.
	Dir string

	// InMemory keeps everything in memory, under a key of its own: nothing is read from disk and nothing stays.
	// Dir is not used then.
	InMemory bool

	// Still is for tests that live through days in a bubble of testing/synctest, in which Badger would look for tables to
	// merge a hundred million times: they are merged when the store is closed, and no write is synced.
	Still bool

	// Logger gets what happens to the stores, and Badger's own messages. Nil means none.
	Logger *zap.Logger

	// Free says how much room the file system of a directory has. Nil means to ask the kernel.
	Free func(dir string) (Space, error)
}

// Stores are the two stores of one state directory and its key. They are safe for concurrent use.
type Stores struct {
	state, cache *Store
	key          masterKey
	lock         *dirLock

	closeOnce sync.Once
	closeErr  error
}

// Open opens the stores under opts.Dir and starts their writers; [Stores.Close] stops them.
//
// The error is an [*InUseError] if another process holds the directory, a [*DamageError] if the durable store is
// damaged, a [*DiskFullError] if there is no room to open it. A damaged cache store is no error: it is renamed to
// cache.damaged-TIME and an empty one takes its place. A cache store for which there is no room is left unused.
func Open(opts Options) (*Stores, error) {
	if opts.Logger == nil {
		opts.Logger = zap.NewNop()
	}
	if opts.Free == nil {
		opts.Free = freeSpace
	}
	if opts.InMemory {
		return openInMemory(opts)
	}
	dir, err := prepareDir(opts.Dir)
	if err != nil {
		return nil, err
	}
	opts.Dir = dir
	lock, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	s := &Stores{lock: lock}
	if err := s.open(opts); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// open does what needs the lock. What it has opened when it fails is closed by the caller.
func (s *Stores) open(opts Options) error {
	key, made, err := loadKey(filepath.Join(opts.Dir, keyName))
	if err != nil {
		return err
	}
	s.key = key
	if made {
		if err := dropOrphanedCache(opts); err != nil {
			return err
		}
	}
	if s.state, err = openState(opts); err != nil {
		return err
	}
	s.cache, err = openCache(opts, key.id())
	return err
}

// openInMemory opens two stores that leave nothing behind.
func openInMemory(opts Options) (*Stores, error) {
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	s := &Stores{key: key}
	if s.state, err = startStore(inMemory(stateTuning("")), opts); err == nil {
		s.cache, err = startStore(inMemory(cacheTuning("")), opts)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// openState opens the durable store. Nothing is repaired behind the operator's back: it holds jobs that were accepted.
func openState(opts Options) (*Store, error) {
	t := stateTuning(filepath.Join(opts.Dir, stateName))
	if err := ensureSubdir(t.dir); err != nil {
		return nil, err
	}
	if err := roomToOpen(t, opts.Free); err != nil {
		return nil, err
	}
	return startStore(t, opts)
}

// openCache opens the store that may be lost: aside with it if it is damaged, out of use if there is no room for it.
func openCache(opts Options, keyID []byte) (*Store, error) {
	t := cacheTuning(filepath.Join(opts.Dir, cacheName))
	if err := ensureSubdir(t.dir); err != nil {
		return nil, err
	}
	if err := roomToOpen(t, opts.Free); err != nil {
		opts.Logger.Warn("no room for the cache on disk: what is learned now is kept in memory only", zap.Error(err))
		return unusedStore(t, opts, err), nil
	}
	s, err := startStore(t, opts)
	if damage, ok := errors.AsType[*DamageError](err); ok {
		if err := setAside(t.dir, damage, opts.Logger); err != nil {
			return nil, err
		}
		s, err = startStore(t, opts)
	}
	if err != nil {
		return nil, err
	}
	return s, s.claim(keyID, opts.Logger)
}

// dropOrphanedCache removes a cache whose key is lost: nothing in it can be found any more.
func dropOrphanedCache(opts Options) error {
	dir := filepath.Join(opts.Dir, cacheName)
	if _, err := os.Lstat(dir); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	opts.Logger.Warn("the key file was missing and was made anew: the cache of the lost key is dropped, and greylist tickets are void",
		zap.String("key", filepath.Join(opts.Dir, keyName)))
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("drop the cache of a lost key: %w", err)
	}
	return nil
}

// State is the durable store.
func (s *Stores) State() *Store { return s.state }

// Cache is the store that may be lost.
func (s *Stores) Cache() *Store { return s.cache }

// Close writes out what is queued, closes both stores and gives up the directory. It waits for the scans under way.
// Only the first call does anything; every call returns its error.
func (s *Stores) Close() error {
	s.closeOnce.Do(func() {
		var errs []error
		for _, st := range []*Store{s.cache, s.state} {
			if st != nil {
				errs = append(errs, st.close())
			}
		}
		if s.lock != nil {
			errs = append(errs, s.lock.release())
		}
		s.closeErr = errors.Join(errs...)
	})
	return s.closeErr
}
