package bulk

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/verimails/verimaild/daemon/bulk/table"
)

// A job is one job of a Jobs, at its end or not.
type job struct {
	id     string
	spec   *Spec // Never changed, as are the next two.
	layout table.Layout
	some   bool // Only some rows of the list are the job's.
	jobs   *Jobs

	poked  chan struct{} // Has room for one: the runner has something to look at.
	window atomic.Int64  // How many rows may be in flight.

	writing sync.Mutex // Held while the record is changed and written, and never under mu.

	sorted sortedAnswers

	mu      sync.Mutex // Guards all below.
	rec     record
	counts  Counts // As the store has them.
	live    Live
	stuck   error         // Why it does not get on.
	running bool          // It has a goroutine.
	changed chan struct{} // Closed when something of the above has changed.
}

func newJob(js *Jobs, rec record) *job {
	spec := rec.Spec
	j := &job{
		id: rec.ID, spec: &spec, layout: rec.Layout, some: rec.Parent != "", jobs: js, poked: make(chan struct{}, 1), rec: rec, changed: make(chan struct{}),
	}
	j.window.Store(minShare)
	return j
}

func (j *job) dir() string { return filepath.Join(j.jobs.dir, j.id) }

func (j *job) path(name string) string { return filepath.Join(j.dir(), name) }

// patience is how long a row waits out greylisting.
func (j *job) patience() time.Duration {
	if j.spec.Patience >= 0 {
		return j.spec.Patience
	}
	return j.jobs.settings.Load().Patience
}

// share is how many rows may be in flight.
func (j *job) share() int { return int(j.window.Load()) }

// poke has the runner look around.
func (j *job) poke() {
	select {
	case j.poked <- struct{}{}:
	default: // It will.
	}
}

// notifyLocked tells those who watch. The caller holds mu.
func (j *job) notifyLocked() {
	close(j.changed)
	j.changed = make(chan struct{})
}

func (j *job) state() State {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.rec.State
}

// halted reports whether no more rows are to be taken.
func (j *job) halted() bool {
	s := j.state()
	return s != Preparing && s != Running || j.jobs.draining()
}

// isCut reports whether what is in flight is given up.
func (j *job) isCut() bool {
	return j.state().Ended() || isClosed(j.jobs.cut)
}

// isStuck reports whether outcomes cannot be written.
func (j *job) isStuck() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.stuck != nil
}

// setStuck notes why outcomes cannot be written; nil if they can.
func (j *job) setStuck(err error) {
	if err != nil {
		err = fmt.Errorf("outcomes cannot be written: %w", err)
	}
	j.setProblem(err)
	j.poke()
}

// setProblem notes why the job does not get on; nil if it does.
func (j *job) setProblem(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.stuck = err
	j.notifyLocked()
}

// setCounts notes the counts, and how many blocks of outcomes there are.
func (j *job) setCounts(c Counts) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.counts = c
	j.notifyLocked()
}

func (j *job) setLive(l Live) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.live = l
	j.notifyLocked()
}

// update changes the record: on disk first, then for all to see. change gets a copy; its error leaves all as it was.
func (j *job) update(ctx context.Context, change func(*record) error) error {
	j.writing.Lock()
	defer j.writing.Unlock()
	j.mu.Lock()
	rec := j.rec
	j.mu.Unlock()
	if err := change(&rec); err != nil {
		return err
	}
	// Detached: when the caller goes away, whether it was written must still be known here.
	if err := j.jobs.records.jobs.Put(context.WithoutCancel(ctx), []byte(j.id), rec, 0); err != nil {
		return fmt.Errorf("write job %s: %w", j.id, err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.rec = rec
	j.notifyLocked()
	return nil
}

// move takes the job from one of some states to another.
func (j *job) move(ctx context.Context, to State, from ...State) error {
	err := j.update(ctx, func(rec *record) error {
		if rec.State == to {
			return errSame
		}
		if slices.Contains(from, rec.State) {
			rec.State = to
			if to.Ended() {
				rec.Ended, rec.Delivery = j.jobs.now(), j.delivery()
			}
			return nil
		}
		return wrongState(rec.State)
	})
	return unless(err, errSame)
}

// unless is err, or nil if it is the other.
func unless(err, other error) error {
	if errors.Is(err, other) {
		return nil
	}
	return err
}

// errSame ends a move that has nothing to do.
var errSame = errors.New("bulk: the job is in this state already")
