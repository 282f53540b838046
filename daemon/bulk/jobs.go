package bulk

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/verimails/verimaild/internal/netguard"
	"github.com/verimails/verimaild/internal/store"
	"github.com/verimails/verimaild/verify"
	"github.com/verimails/verimaild/verify/verdict"
)

var (
	// ErrNotFound says that there is no such job, or none that the application may see.
	ErrNotFound = errors.New("bulk: no such job")
	// ErrState says that a job is in a state in which this can't be done; it is wrapped with which.
	ErrState = errors.New("bulk: not in this state")
	// ErrStopping is returned once Drain was called.
	ErrStopping = errors.New("bulk: stopping")
	// ErrNoRoom says that the disk has too little room for a list.
	ErrNoRoom = errors.New("bulk: too little room on the disk")
	// ErrTooMany says that there are as many jobs as can be kept.
	ErrTooMany = errors.New("bulk: too many jobs")
	// ErrNothing says that a rerun would have no rows.
	ErrNothing = errors.New("bulk: no rows to ask about again")
)

// maxJobs bounds how many jobs are kept, those that have ended included.
const maxJobs = 10_000

// minRoom is what has to be free on the disk for a list to be taken or sorted, in bytes.
const minRoom = 512 << 20

// A Verifier answers for one address. See verify.Verifier.
type Verifier interface {
	Verify(ctx context.Context, req verify.Request) (*verdict.Answer, error)
}

// Options say how jobs run. Dir, Store and Verifier are required.
type Options struct {
	Dir      string       // Of the jobs' files. It is made, with mode 0700, if it does not exist.
	Store    *store.Store // The durable one.
	Verifier Verifier
	Budgets  Budgets // nil knows of none: estimates then go by the limits of a site that nothing is known about.

	Settings Settings
	Guard    *netguard.Guard // Which addresses webhooks may be sent to. nil means public ones.
	Logger   *zap.Logger     // nil logs nothing.

	Now  func() time.Time                 // nil means time.Now.
	Free func(dir string) (uint64, error) // Free room of a directory's file system, in bytes. nil asks the kernel.
}

// Settings are what a reload may change.
type Settings struct {
	Window    int           // Rows in flight, over all jobs.
	Patience  time.Duration // How long a row waits out greylisting, unless its job says otherwise.
	Retention time.Duration // How long a job is kept after its end.
}

// Jobs are all jobs of a daemon. Its methods may be called concurrently. It is used in this order: New, Start, Drain,
// Close.
type Jobs struct {
	dir      string
	records  *records
	verifier Verifier
	budgets  Budgets // May be nil.
	guard    *netguard.Guard
	log      *zap.Logger
	now      func() time.Time
	free     func(string) (uint64, error)
	settings atomic.Pointer[Settings]

	sorting  chan struct{} // Held while a list is sorted: one at a time.
	drained  chan struct{} // Closed by Drain.
	cut      chan struct{} // Closed when what is in flight is given up.
	stopOnce sync.Once
	cutOnce  sync.Once
	ctx      context.Context //nolint:containedctx // Of all that Start starts; ends with Close.
	cancel   context.CancelFunc
	sending  context.Context //nolint:containedctx // Of notices; ends with Drain.
	hurry    context.CancelFunc
	wg       sync.WaitGroup

	mu      sync.Mutex // Guards all below.
	jobs    map[string]*job
	started bool
	shares  shares
}

// New reads the jobs that there are, and removes the rests of uploads that were not finished. It starts nothing. A store
// takes one Jobs in its life.
func New(opts Options) (*Jobs, error) {
	records, err := newRecords(opts.Store)
	if err != nil {
		return nil, err
	}
	return reopen(opts, records)
}

// reopen is New over record sets that are there.
func reopen(opts Options, records *records) (*Jobs, error) {
	js := &Jobs{
		records: records,
		dir:     opts.Dir, verifier: opts.Verifier, budgets: opts.Budgets, guard: opts.Guard, log: opts.Logger, now: opts.Now, free: opts.Free,
		sorting: make(chan struct{}, 1), drained: make(chan struct{}), cut: make(chan struct{}), jobs: map[string]*job{},
	}
	if js.log == nil {
		js.log = zap.NewNop()
	}
	if js.now == nil {
		js.now = time.Now
	}
	if js.free == nil {
		js.free = freeBytes
	}
	if js.guard == nil {
		js.guard = netguard.New(netguard.Options{})
	}
	js.Reload(opts.Settings)
	if err := os.MkdirAll(js.dir, 0o700); err != nil {
		return nil, fmt.Errorf("directory of jobs: %w", err)
	}
	if err := js.load(); err != nil {
		return nil, err
	}
	return js, js.removeOrphans()
}

// Reload puts s into force.
func (js *Jobs) Reload(s Settings) {
	if s.Window <= 0 {
		s.Window = 1024
	}
	js.settings.Store(&s)
}

// load reads all jobs from the store.
func (js *Jobs) load() error {
	for it, err := range js.records.jobs.Scan(store.Range{}) {
		if store.IsBad(err) {
			js.log.Error("a job cannot be read and is left as it is", zap.ByteString("job", it.Key), zap.Error(err))
			continue
		}
		if err != nil {
			return fmt.Errorf("read the jobs: %w", err)
		}
		j := newJob(js, it.Value)
		if j.counts, _, err = js.records.counts.Get([]byte(j.id)); err != nil {
			return fmt.Errorf("read the counts of job %s: %w", j.id, err)
		}
		js.jobs[j.id] = j
	}
	return nil
}

// removeOrphans removes directories that no job owns: uploads that broke off, and jobs whose deletion was cut short
// after their record was gone.
func (js *Jobs) removeOrphans() error {
	entries, err := os.ReadDir(js.dir)
	if err != nil {
		return fmt.Errorf("directory of jobs: %w", err)
	}
	for _, e := range entries {
		known, found, err := js.records.jobs.Get([]byte(e.Name()))
		if err != nil || found && known.ID != "" || !isID(e.Name()) {
			continue // A record that can't be read may still own it; and what has no name of ours is not ours.
		}
		if err := os.RemoveAll(js.dir + "/" + e.Name()); err != nil {
			return fmt.Errorf("remove the rest of an upload: %w", err)
		}
	}
	return nil
}

// Start runs the jobs that have not ended, until Close. ctx gives its values only.
func (js *Jobs) Start(ctx context.Context) {
	js.mu.Lock()
	defer js.mu.Unlock()
	js.ctx, js.cancel = context.WithCancel(context.WithoutCancel(ctx))
	js.sending, js.hurry = context.WithCancel(js.ctx)
	js.started = true
	for _, j := range js.jobs {
		j.startLocked()
	}
	js.wg.Go(js.janitor)
}

// Drain takes no more rows and no more jobs from now on. What is in flight goes on; event streams end. It returns at
// once and may be called more than once.
func (js *Jobs) Drain() {
	js.stopOnce.Do(func() { close(js.drained) })
	js.mu.Lock()
	defer js.mu.Unlock()
	if js.hurry != nil {
		js.hurry()
	}
	js.pokeAllLocked()
}

// Draining is closed by Drain.
func (js *Jobs) Draining() <-chan struct{} { return js.drained }

// Close drains, waits for the rows in flight until ctx is done, gives up those that are left, and returns once every
// outcome that came is written and every goroutine has ended. It returns ctx's error if rows were given up.
func (js *Jobs) Close(ctx context.Context) error {
	js.Drain()
	ended := make(chan struct{})
	go func() { // Ends with the jobs, which the cut below brings about.
		js.wg.Wait()
		close(ended)
	}()
	var err error
	select {
	case <-ended:
	case <-ctx.Done():
		err = fmt.Errorf("bulk: close: %w", context.Cause(ctx))
		js.cutOnce.Do(func() { close(js.cut) })
		js.mu.Lock()
		js.pokeAllLocked()
		js.mu.Unlock()
		<-ended
	}
	js.mu.Lock()
	defer js.mu.Unlock()
	if js.cancel != nil {
		js.cancel()
	}
	return err
}

// pokeAllLocked has all runners look around. The caller holds mu.
func (js *Jobs) pokeAllLocked() {
	for _, j := range js.jobs {
		j.poke()
	}
}

func (js *Jobs) draining() bool { return isClosed(js.drained) }

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// find is a job that app may see; app "" sees all.
func (js *Jobs) find(app, id string) (*job, error) {
	js.mu.Lock()
	defer js.mu.Unlock()
	j := js.jobs[id]
	if j == nil || app != "" && j.spec.App != app {
		return nil, ErrNotFound
	}
	return j, nil
}

// Get tells of one job. app is whose jobs may be seen; "" means all, here and in the other methods.
func (js *Jobs) Get(app, id string) (Info, error) {
	j, err := js.find(app, id)
	if err != nil {
		return Info{}, err
	}
	return j.info(), nil
}

// List tells of jobs, the newest first: of up to most that are older than the job before, which "" leaves open.
func (js *Jobs) List(app, before string, most int) []Info {
	js.mu.Lock()
	ids := make([]string, 0, len(js.jobs))
	for id, j := range js.jobs {
		if (app == "" || j.spec.App == app) && (before == "" || id < before) {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b string) int { return strings.Compare(b, a) })
	some := make([]*job, 0, min(most, len(ids)))
	for _, id := range ids[:min(most, len(ids))] {
		some = append(some, js.jobs[id])
	}
	js.mu.Unlock()
	out := make([]Info, len(some))
	for i, j := range some {
		out[i] = j.info()
	}
	return out
}

// room says why no list can be taken or sorted now; nil if one can.
func (js *Jobs) room() error {
	free, err := js.free(js.dir)
	if err != nil {
		return fmt.Errorf("room for lists: %w", err)
	}
	if free < minRoom {
		return fmt.Errorf("%w: %d MB are free, and %d MB have to be", ErrNoRoom, free>>20, minRoom>>20)
	}
	return nil
}

// freeBytes asks the kernel.
func freeBytes(dir string) (uint64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return st.Bavail * uint64(st.Bsize), nil //nolint:gosec // G115: a block size is positive.
}
