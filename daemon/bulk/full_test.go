package bulk

import (
	"strings"
	"sync/atomic"
	"testing"

	"github.com/verimails/verimaild/internal/store"
)

// fillable is a rig whose verifier waits until script.hold is closed, and whose disk has no room while full is true.
func fillable(t *testing.T) (s *script, r *rig, full *atomic.Bool) {
	t.Helper()
	full = new(atomic.Bool)
	stores, err := store.Open(store.Options{Dir: t.TempDir() + "/state", Free: func(string) (store.Space, error) {
		if full.Load() {
			return store.Space{Free: 1 << 20, Total: 1 << 40}, nil
		}
		return store.Space{Free: 1 << 39, Total: 1 << 40}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	s = &script{hold: make(chan struct{})}
	r = newRig(t, s, func(o *Options) { o.Store = stores.State() })
	t.Cleanup(func() {
		r.stop(0)
		if err := stores.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, r, full
}

// TestFullDisk: while outcomes cannot be written the job says so and asks about no more rows than it can hold; once they
// can, it goes on, and nobody has been asked twice.
func TestFullDisk(t *testing.T) {
	s, r, full := fillable(t)
	id := r.create(Spec{}, manyRows(10_000, 50)).ID
	r.await(id, "a full window", func(*Info) bool { return len(s.snapshot()) == 64 })
	full.Store(true)
	close(s.hold)
	i := r.await(id, "its problem", func(i *Info) bool { return i.Problem != "" })
	if !strings.Contains(i.Problem, "cannot be written") || i.State != Running {
		t.Errorf("a job without room = %v, %q", i.State, i.Problem)
	}
	if got := len(s.snapshot()); got > 64+4*maxChanges+64 {
		t.Errorf("%d rows were asked about, want no more than can be held", got)
	}
	full.Store(false)
	i = r.finished(id)
	if got := len(s.snapshot()); got != 10_000 || i.Counts.Done != 10_000 || i.Problem != "" {
		t.Errorf("%d questions, %d outcomes, problem %q; want 10000, 10000 and none", got, i.Counts.Done, i.Problem)
	}
}

// TestFullDiskAtStop: a stop does not wait for ever for room.
func TestFullDiskAtStop(t *testing.T) {
	s, r, full := fillable(t)
	id := r.create(Spec{}, manyRows(1000, 5)).ID
	r.await(id, "a full window", func(*Info) bool { return len(s.snapshot()) == 64 })
	full.Store(true)
	close(s.hold)
	r.await(id, "its problem", func(i *Info) bool { return i.Problem != "" })
	r.stop(0)
	full.Store(false)
	r.open()
	if i := r.finished(id); i.Counts.Done != 1000 {
		t.Errorf("%d outcomes, want 1000", i.Counts.Done)
	}
}
