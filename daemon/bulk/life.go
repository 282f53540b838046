package bulk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/verimails/verimaild/daemon/bulk/table"
	"github.com/verimails/verimaild/internal/store"
)

func wrongState(s State) error { return fmt.Errorf("%w: the job is %s", ErrState, s) }

// startLocked gives the job a goroutine if it needs one and has none. The caller holds Jobs.mu.
func (j *job) startLocked() {
	if j.jobs.ctx == nil || j.jobs.draining() {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.running || !j.dueLocked() {
		return
	}
	j.running = true
	ctx := j.jobs.ctx
	j.jobs.wg.Go(func() { j.run(ctx) })
}

// dueLocked reports whether there is something to do. The caller holds mu.
func (j *job) dueLocked() bool {
	switch j.rec.State {
	case Preparing, Running, Deleting:
		return true
	default:
		return j.rec.Delivery.due()
	}
}

// leave ends the job's goroutine, unless there is something to do again.
func (j *job) leave() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.jobs.draining() && j.dueLocked() {
		return false
	}
	j.running = false
	return true
}

// run does what there is to do, one thing after another.
func (j *job) run(ctx context.Context) {
	log := j.jobs.log.With(zap.String("job", j.id), zap.String("app", j.spec.App))
	defer j.jobs.setHungry(j, false)
	for !j.leave() {
		var err error
		switch s := j.state(); s {
		case Preparing:
			err = j.prepare(ctx, log)
		case Running:
			err = j.ask(ctx, log)
		case Deleting:
			if err = j.erase(ctx); err != nil {
				log.Error("a job is not deleted; the next start tries again", zap.Error(err))
				return // Nobody can see it, and so nobody can start it.
			}
			log.Info("job deleted")
			return
		default:
			j.deliver(ctx, log)
		}
		switch {
		case err == nil, j.halted(), errors.Is(err, errCut):
		case errors.Is(err, ErrNoRoom), errors.Is(err, syscall.ENOSPC):
			j.awaitRoom(log, err)
		default:
			j.fail(ctx, log, err)
		}
	}
}

// roomRetry is how long a job waits for room on the disk before it looks again.
const roomRetry = 30 * time.Second

// awaitRoom says that the disk is full, and waits for a while.
func (j *job) awaitRoom(log *zap.Logger, err error) {
	log.Warn("a list cannot be sorted for want of room; trying again", zap.Error(err))
	j.setProblem(err)
	defer j.setProblem(nil)
	timer := time.NewTimer(roomRetry)
	defer timer.Stop()
	for !j.halted() {
		select {
		case <-timer.C:
			return
		case <-j.poked:
		}
	}
}

// fail ends a job that cannot go on.
func (j *job) fail(ctx context.Context, log *zap.Logger, err error) {
	log.Error("job failed", zap.Error(err))
	werr := j.update(ctx, func(rec *record) error {
		if rec.State.Ended() {
			return errSame
		}
		rec.State, rec.Problem, rec.Ended = Failed, err.Error(), j.jobs.now()
		rec.Delivery = j.delivery()
		return nil
	})
	if werr == nil || errors.Is(werr, errSame) {
		return
	}
	log.Error("a failed job could not be marked; it is paused until the next start", zap.Error(werr))
	j.mu.Lock()
	defer j.mu.Unlock()
	j.rec.State, j.rec.Problem = Paused, err.Error()
	j.notifyLocked()
}

// prepare sorts the list, one job at a time.
func (j *job) prepare(ctx context.Context, log *zap.Logger) error {
	select {
	case j.jobs.sorting <- struct{}{}:
		defer func() { <-j.jobs.sorting }()
	case <-j.jobs.drained:
		return nil
	}
	mine, err := j.mine()
	if err != nil {
		return err
	}
	p := preparer{dir: j.dir(), memory: sortMemory, mayGoOn: func() error {
		if j.halted() {
			return errCut
		}
		return j.jobs.room()
	}}
	sizes, err := p.prepare(j.rows(), mine)
	if err != nil {
		return err
	}
	log.Info("job prepared", zap.Uint64("rows", sizes.Mine), zap.Uint64("addresses", sizes.Questions), zap.Uint64("domains", sizes.Domains))
	return j.update(ctx, func(rec *record) error {
		rec.Order, rec.Started = &sizes, j.jobs.now()
		if rec.State == Preparing {
			rec.State = Running
		}
		return nil
	})
}

// mine says which rows of the list are the job's.
func (j *job) mine() (func(row uint64) bool, error) {
	if !j.some {
		return func(uint64) bool { return true }, nil
	}
	rows, err := loadBitset(j.path(subsetName))
	return rows.has, err
}

// rows reads the list for its order.
func (j *job) rows() iter.Seq2[listRow, error] {
	return func(yield func(listRow, error) bool) {
		f, err := os.Open(j.path(inputName))
		if err != nil {
			yield(listRow{}, err)
			return
		}
		defer func() { _ = f.Close() }() // Only read.
		in := table.NewReader(f, j.layout)
		for {
			r, err := nextRow(in)
			if err == io.EOF || !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// nextRow reads the next row; io.EOF means that there is none.
func nextRow(in *table.Reader) (listRow, error) {
	row, err := in.Next()
	r := listRow{address: row.Email}
	if row.Problem != "" {
		r.problem = fmt.Sprintf("Line %d: %s.", row.Line, row.Problem)
	}
	return r, err
}

// ask runs a runner until it ends.
func (j *job) ask(ctx context.Context, log *zap.Logger) error {
	j.mu.Lock()
	rec, counts := j.rec, j.counts.clone()
	j.mu.Unlock()
	o, err := openOrder(j.dir(), *rec.Order)
	if err != nil {
		return err
	}
	defer func() { _ = o.close() }() // Only read.
	r := &runner{
		job: j, jobs: j.jobs, order: o, log: log, counts: counts,
		results: make(chan *result, maxWindow),
		waits:   waits{records: j.jobs.records, id: j.id, count: counts.Waiting, busy: map[uint64]struct{}{}},
	}
	if j.spec.TimeLimit > 0 {
		r.limit = rec.Created.Add(j.spec.TimeLimit)
	}
	if err := r.recover(); err != nil {
		return err
	}
	r.sched = newScheduler(o, func(row uint64) bool { return r.taken.has(row) }, j.share())
	j.jobs.setHungry(j, true)
	ended, err := r.run(ctx)
	if err != nil || !ended {
		return err
	}
	summary, err := r.worst.summary(o)
	if err != nil {
		return err
	}
	return j.finish(ctx, log, summary)
}

// recover finds out which questions have an outcome, or wait.
func (r *runner) recover() error {
	r.taken = newBitset(r.order.sizes.Rows)
	for it, err := range r.jobs.records.outcomes.Scan(store.Range{Prefix: []byte(r.job.id)}) {
		if err != nil {
			return err
		}
		r.blocks = numberOfKey(it.Key) + 1
		for _, p := range it.Value.rows {
			o, err := decodeOutcome(p.outcome)
			if err != nil {
				return err
			}
			r.mark(p.row)
			r.worst.add(&o)
		}
	}
	for it, err := range r.jobs.records.waits.Scan(store.Range{Prefix: []byte(r.job.id), KeysOnly: true}) {
		if err != nil {
			return err
		}
		r.mark(rowOfWait(it.Key))
		r.waits.added(dueOfKey(it.Key))
	}
	return nil
}

// mark notes that a question is not to be taken.
func (r *runner) mark(row uint64) {
	if row <= r.order.sizes.Rows {
		r.taken = r.taken.add(row)
	}
}

// finish marks the job as done, with its summary.
func (j *job) finish(ctx context.Context, log *zap.Logger, summary *Summary) error {
	log.Info("job finished")
	return j.update(ctx, func(rec *record) error {
		if rec.State.Ended() {
			return nil
		}
		rec.State, rec.Ended, rec.Summary = Finished, j.jobs.now(), summary
		rec.Delivery = j.delivery()
		return nil
	})
}
