package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// hold stops the store's writer until the returned function is called.
func hold(t *testing.T, s *Store) (release func()) {
	t.Helper()
	held, let := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		err := s.writer.write(context.Background(), &request{alone: func() error { close(held); <-let; return nil }})
		if err != nil {
			t.Errorf("hold the writer: %v", err)
		}
	})
	<-held
	return sync.OnceFunc(func() { close(let); wg.Wait() })
}

func TestManyWritersShareACommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openTest(t, Options{InMemory: true})
		r := textRecords(t, s.State(), "r/")
		release := hold(t, s.State())
		before := s.State().Stats().Commits
		var wg sync.WaitGroup
		for i := range 500 {
			wg.Go(func() {
				if err := r.Put(t.Context(), fmt.Appendf(nil, "%d", i), "v", 0); err != nil {
					t.Errorf("Put(%d) = %v", i, err)
				}
			})
		}
		synctest.Wait() // All of them are queued.
		release()
		wg.Wait()
		if n := s.State().Stats().Commits - before; n != 1 {
			t.Errorf("500 writes that came at once took %d commits, want 1", n)
		}
		for i := range 500 {
			wantGet(t, r, fmt.Sprint(i), "v")
		}
	})
}

// TestLargestGroups fills transactions to their bounds: what the writer takes together Badger must take too.
func TestLargestGroups(t *testing.T) {
	for _, size := range []int{100, 1000, 10_000, 60_000} {
		s := openTest(t, Options{InMemory: true})
		for _, st := range []*Store{s.State(), s.Cache()} {
			r := textRecords(t, st, "r/")
			release := hold(t, st)
			n := 0
			for i := range min(3*st.tune.groupOps, int(3*st.tune.groupBytes)/size, st.tune.queue-1) {
				if err := r.TryPut(fmt.Appendf(nil, "%d", i), strings.Repeat("v", size), 0); err != nil {
					t.Fatalf("TryPut of %d bytes = %v", size, err)
				}
				n++
			}
			release()
			if err := st.Flush(t.Context()); err != nil {
				t.Fatalf("Flush = %v", err)
			}
			if got := st.Stats(); got.Failed != 0 || got.Written < uint64(n) {
				t.Errorf("%s: %d writes of %d bytes: Stats() = %+v, want none failed", st.tune.name, n, size, got)
			}
		}
	}
	s := openTest(t, Options{InMemory: true})
	r := textRecords(t, s.Cache(), "r/")
	for name, err := range map[string]error{
		"value": r.Put(t.Context(), []byte("a"), strings.Repeat("v", s.Cache().tune.maxValue+1), 0),
		"key":   r.Put(t.Context(), make([]byte, maxKey), "v", 0),
	} {
		if !errors.Is(err, ErrTooLarge) {
			t.Errorf("Put of a %s that is too large = %v, want ErrTooLarge", name, err)
		}
	}
	if err := r.Put(t.Context(), []byte("a"), strings.Repeat("v", s.Cache().tune.maxValue), 0); err != nil {
		t.Errorf("Put of the largest value = %v", err)
	}
}

func TestTryPutDropsWhenTheQueueIsFull(t *testing.T) {
	s := openTest(t, Options{InMemory: true})
	r := textRecords(t, s.Cache(), "r/")
	release := hold(t, s.Cache())
	defer release()
	var dropped uint64
	for i := range s.Cache().tune.queue + 10 {
		if err := r.TryPut(fmt.Appendf(nil, "%d", i), "v", 0); errors.Is(err, ErrQueueFull) {
			dropped++
		} else if err != nil {
			t.Fatalf("TryPut(%d) = %v", i, err)
		}
	}
	if dropped != 10 || s.Cache().Stats().Dropped != 10 {
		t.Errorf("TryPut dropped %d and counted %d, want 10", dropped, s.Cache().Stats().Dropped)
	}
	release()
	if err := s.Cache().Flush(t.Context()); err != nil {
		t.Fatalf("Flush = %v", err)
	}
	wantGet(t, r, "0", "v")
	if n := s.Cache().Stats().Waiting; n != 0 {
		t.Errorf("Stats().Waiting after Flush = %d, want 0", n)
	}
	if mark, reached := s.Cache().Mark(), s.Cache().Reached(); mark != reached {
		t.Errorf("Mark() = %d, Reached() = %d after Flush, want the same", mark, reached)
	}
}

func TestWritersWaitWhenTheQueueIsFull(t *testing.T) {
	s := openTest(t, Options{InMemory: true})
	r := textRecords(t, s.State(), "r/")
	release := hold(t, s.State())
	defer release()
	for i := range s.State().tune.queue {
		if err := r.TryPut(fmt.Appendf(nil, "%d", i), "v", 0); err != nil {
			t.Fatalf("TryPut(%d) = %v", i, err)
		}
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("caller is gone")
	cancel(gone)
	if err := r.Put(ctx, []byte("x"), "v", 0); !errors.Is(err, gone) {
		t.Errorf("Put on a full queue = %v, want %v", err, gone)
	}
}

// disk is a file system whose free space a test sets.
type disk struct{ free atomic.Uint64 }

func (d *disk) space(string) (Space, error) { return Space{Free: d.free.Load(), Total: 1 << 40}, nil }

func TestFullDisk(t *testing.T) {
	var d disk
	d.free.Store(1 << 30)
	s := openTest(t, Options{Dir: t.TempDir() + "/state", Free: d.space})
	cache, state := textRecords(t, s.Cache(), "c/"), textRecords(t, s.State(), "s/")
	mustPut(t, cache, "old", "1")
	mustPut(t, state, "old", "1")

	d.free.Store(200 << 20) // Enough for the durable store only.
	if err := cache.Put(t.Context(), []byte("new"), "2", 0); !errors.Is(err, ErrDiskFull) {
		t.Errorf("cache Put with 200 MB free = %v, want ErrDiskFull", err)
	}
	mustPut(t, state, "new", "2")
	if err := cache.Delete(t.Context(), []byte("old")); err != nil {
		t.Errorf("cache Delete with 200 MB free = %v", err)
	}
	wantGet(t, cache, "old", "")

	d.free.Store(10 << 20)
	full := &DiskFullError{}
	if err := state.Put(t.Context(), []byte("newer"), "3", 0); !errors.As(err, &full) || full.Free != 10<<20 {
		t.Errorf("state Put with 10 MB free = %v, want a DiskFullError", err)
	}
	wantGet(t, state, "old", "1")
	if err := cache.TryPut([]byte("async"), "4", 0); err != nil {
		t.Errorf("cache TryPut with 10 MB free = %v", err)
	}
	if err := s.Cache().Flush(t.Context()); err != nil {
		t.Errorf("Flush = %v", err)
	}
	if st := s.Cache().Stats(); st.Failed != 2 || !st.Full {
		t.Errorf("Stats() = %d failed, full %t, want 2, true", st.Failed, st.Full)
	}

	d.free.Store(1 << 30)
	mustPut(t, cache, "again", "5")
	mustPut(t, state, "again", "5")
	if s.Cache().Stats().Full {
		t.Error("Stats().Full = true after a write went through")
	}
}

func TestOpenOnFullDisk(t *testing.T) {
	var d disk
	d.free.Store(200 << 20)
	opts := Options{Dir: t.TempDir() + "/state", Free: d.space}
	s := openTest(t, opts)
	cache := textRecords(t, s.Cache(), "c/")
	if s.Cache().InUse() || !s.State().InUse() {
		t.Errorf("InUse with 200 MB free: cache %v, state %v, want false and true", s.Cache().InUse(), s.State().InUse())
	}
	if err := cache.Put(t.Context(), []byte("a"), "1", 0); !errors.Is(err, ErrDiskFull) {
		t.Errorf("Put to an unused store = %v, want ErrDiskFull", err)
	}
	if err := cache.TryPut([]byte("a"), "1", 0); !errors.Is(err, ErrDiskFull) || s.Cache().Stats().Dropped != 1 {
		t.Errorf("TryPut to an unused store = %v, want ErrDiskFull, and counted", err)
	}
	wantGet(t, cache, "a", "")
	for item := range cache.Scan(Range{}) {
		t.Errorf("Scan of an unused store visits %q", item.Key)
	}
	if n, err := cache.DeletePrefix(t.Context(), nil); n != 0 || err != nil {
		t.Errorf("DeletePrefix of an unused store = %d, %v", n, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	d.free.Store(10 << 20)
	if s, err := Open(opts); !errors.Is(err, ErrDiskFull) {
		t.Errorf("Open with 10 MB free = %v, %v, want ErrDiskFull", s, err)
	}
}
