package bulk

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/verimails/verimaild/internal/crew"
	"github.com/verimails/verimaild/verify"
	"github.com/verimails/verimaild/verify/verdict"
)

// A runner asks about a prepared job's rows until each has its outcome, or it is told to stop. All of it but the questions
// in flight and the committer happens in one goroutine, that of run; so nothing here is locked.
type runner struct {
	job   *job
	jobs  *Jobs
	order *order
	sched *scheduler
	log   *zap.Logger

	taken   bitset // First rows of questions that are final, or wait.
	counts  Counts // With what is on its way to the store.
	waits   waits
	pending []change // Not yet on its way to the store.
	spare   []change // Room for the next ones: that of a batch that is on disk.
	blocks  uint64   // The number of the next block.
	busy    bool     // The committer has a batch.
	commit  *committer

	asking   context.Context //nolint:containedctx // Of the questions in flight; ends when they are cut short.
	cut      context.CancelCauseFunc
	inFlight int
	results  chan *result
	asks     crew.Crew // The questions in flight.

	limit   time.Time // When the job's time is over; zero if never.
	overdue bool      // It is.
	speed   speedometer
	unseen  bool // Something has changed since the job was last told of.
	worst   worst
}

// A result is what came of one item.
type result struct {
	item   item
	answer *verdict.Answer
	err    error
	asked  time.Time
}

// Deadlines of one question. The second is for a domain whose mail server did not keep the first.
const (
	usualDeadline = 2 * time.Minute
	slowDeadline  = verify.MaxDeadline
)

// maxWindow is the most rows that can be in flight.
const maxWindow = 16384

// When to ask again where nobody said, and where the time has passed on the way.
const (
	retryUntold  = time.Minute
	retrySoonest = 100 * time.Millisecond
)

// errCut is why questions in flight end early.
var errCut = errors.New("bulk: the job is stopping")

// run asks until nothing is left, or until stop says so; then what is in flight is waited for, and all outcomes are
// written. It reports whether the job has come to its end.
func (r *runner) run(ctx context.Context) (ended bool, err error) {
	r.asking, r.cut = context.WithCancelCause(ctx)
	defer r.cut(nil)
	r.commit = newCommitter(r.jobs.records.store, r.log, r.job.setStuck)
	r.commit.start(ctx)
	defer r.commit.stop()
	defer r.asks.Wait()
	defer r.cut(errCut)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		now := r.jobs.now()
		err := r.step(now)
		if err != nil && !r.job.halted() {
			return false, err
		}
		switch {
		case r.settled() && r.job.halted():
			return false, nil
		case r.inFlight == 0 && r.job.isCut() && r.job.isStuck():
			return false, nil // What can't be written is asked about again.
		case r.settled() && r.overdue:
			return r.giveUp(now)
		case r.settled() && r.sched.finished() && r.waits.none():
			return true, nil
		}
		timer.Reset(r.sleep(now))
		r.await(timer.C)
	}
}

// step takes rows and hands outcomes on, as far as both go now.
func (r *runner) step(now time.Time) error {
	if !r.limit.IsZero() && !now.Before(r.limit) && !r.overdue {
		r.overdue = true
		r.cut(errCut)
	}
	if !r.job.halted() && !r.overdue {
		if err := r.fill(now); err != nil {
			return err
		}
	}
	if r.job.isCut() {
		r.cut(errCut)
	}
	r.flush()
	r.publish(now)
	return nil
}

// settled reports whether nothing is in flight or unwritten.
func (r *runner) settled() bool { return r.inFlight == 0 && len(r.pending) == 0 && !r.busy }

// await takes what comes: results, a batch that was written, a command, or the time.
func (r *runner) await(tick <-chan time.Time) {
	r.unseen = true
	select {
	case res := <-r.results:
		r.take(res)
		r.drain()
	case b := <-r.commit.out:
		r.written(b)
	case <-r.job.poked:
	case <-tick:
	}
}

// drain takes the results that are there already.
func (r *runner) drain() {
	for range maxChanges {
		select {
		case res := <-r.results:
			r.take(res)
		default:
			return
		}
	}
}

// fill takes rows until the job's share of the window is in use. While outcomes can't be written, none is taken.
func (r *runner) fill(now time.Time) error {
	window := r.job.share()
	r.sched.window = window
	for r.inFlight < window && len(r.pending) < 2*maxChanges {
		it, ok, err := r.next(now, window)
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		r.ask(it, now)
	}
	return nil
}

// next is a row that has waited for its time, or else one of the list. Those that waited have half the window at most.
func (r *runner) next(now time.Time, window int) (item, bool, error) {
	if r.waits.due(now) && len(r.waits.busy) < max(1, window/2) {
		w, err := r.waits.pop(now, max(1, window/2))
		if err != nil {
			return item{}, false, err
		}
		if w != nil {
			return item{question: w.question, wait: w}, true, nil
		}
	}
	return r.sched.take(now)
}

// ask sends an item on its way.
func (r *runner) ask(it item, now time.Time) {
	if w := it.wait; w != nil && now.After(w.first.Add(r.job.patience())) {
		// It was due while nobody could ask, and its patience is over.
		r.settle(it, w.outcome)
		return
	}
	if it.question.kind == badRow {
		r.settle(it, Outcome{Reason: verdict.InvalidSyntax, Explanation: it.question.text, CheckedAt: now})
		r.sched.done(&it, now)
		return
	}
	spec := r.job.spec
	req := verify.Request{
		Email: it.question.text, Deadline: usualDeadline, MaxAge: spec.MaxAge, Depth: spec.Depth,
		App: spec.App, Weight: spec.Weight, Class: verify.Bulk,
	}
	if it.lane != nil && it.lane.slow || it.wait != nil && it.wait.outcome.Reason == verdict.DeadlineExceeded {
		req.Deadline = slowDeadline
	}
	r.inFlight++
	r.asks.Go(func() {
		ans, err := r.jobs.verifier.Verify(r.asking, req)
		r.results <- &result{it, ans, err, now} // Has room for all.
	})
}

// take decides what becomes of a row.
func (r *runner) take(res *result) {
	r.inFlight--
	it, now := res.item, r.jobs.now()
	r.speed.took(now.Sub(res.asked))
	if res.err != nil {
		r.failed(it, res.err, now)
		return
	}
	o := outcomeOf(res.answer)
	first, failures := now, 0
	if it.wait != nil {
		first, failures = it.wait.first, it.wait.failures
	}
	switch what, due := rule(&o, first, now, failures, r.job.patience()); what {
	case putOff:
		if passes(&o, now) {
			failures++
		}
		r.putOff(it, wait{first: first, failures: failures, outcome: o, due: due})
	case notYet:
		r.notYet(it, siteOf(res.answer), o, now)
		return
	default:
		r.settle(it, o)
	}
	if it.lane != nil {
		r.sched.done(&it, now)
	}
}

// failed takes back an item that got no answer: we are stopping, or something is wrong on this host.
func (r *runner) failed(it item, err error, now time.Time) {
	o := Outcome{Reason: verdict.InternalError, CheckedAt: now}
	if errors.Is(err, verify.ErrBadRequest) {
		r.log.Error("the verifier does not take what a job asks", zap.Error(err))
		r.settle(it, o)
		if it.lane != nil {
			r.sched.done(&it, now)
		}
		return
	}
	if q, ok := errors.AsType[retryable](err); ok {
		o.Reason, o.Explanation, o.RetryAt = verdict.BudgetExhausted, "The application has spent its quota for now.", now.Add(q.RetryAfter())
		r.notYet(it, siteKey{name: "the application's quota"}, o, now)
		return
	}
	if it.wait != nil && r.asking.Err() != nil {
		delete(r.waits.busy, it.question.row) // It waits on, as it did.
		r.waits.added(it.wait.due)
		return
	}
	if r.asking.Err() != nil {
		r.giveBack(it, now)
		return
	}
	if !errors.Is(err, verify.ErrStopping) {
		r.log.Warn("rows cannot be asked about; trying again", zap.Error(err))
	}
	o.Explanation = "This host could not ask."
	r.notYet(it, siteKey{hash: 1, name: "this host"}, o, now)
}

// giveBack takes back an item of a lane whose question was cut short. If the job does not come back to it, it has what its
// site was told before, or else it is for want of time.
func (r *runner) giveBack(it item, now time.Time) {
	if st := it.lane.site; st != nil {
		r.sched.park(&it, st.key, st.why, st.until, now)
		return
	}
	r.sched.park(&it, siteKey{hash: 2, name: "the end of the job's time"}, unasked(now), now, now)
}

// retryable is an error of a verifier that says when to ask again: the application's quota is spent.
type retryable interface {
	error
	RetryAfter() time.Duration
}

// notYet has an item asked about later, however late that is.
func (r *runner) notYet(it item, key siteKey, o Outcome, now time.Time) {
	until := o.RetryAt
	switch soon := now.Add(retrySoonest); {
	case until.IsZero():
		until = now.Add(retryUntold)
	case until.Before(soon):
		until = soon
	}
	if it.wait != nil {
		again := *it.wait
		again.due = until
		if o.Reason == verdict.DeadlineExceeded {
			again.outcome.Reason = o.Reason
		}
		r.putOff(it, again)
		return
	}
	if o.Reason == verdict.DeadlineExceeded {
		it.lane.slow = true
	}
	r.sched.park(&it, key, o, until, now)
}

// putOff has an item wait for a time of its own.
func (r *runner) putOff(it item, w wait) {
	w.question, w.domain = it.question, it.domain()
	w.outcome.domain, w.outcome.rows = w.domain, it.question.rows
	r.mark(it.question.row)
	r.pending = append(r.pending, change{question: it.question, wait: &w, drop: it.wait})
}

// settle gives an item its outcome.
func (r *runner) settle(it item, o Outcome) {
	o.domain, o.rows = it.domain(), it.question.rows
	r.mark(it.question.row)
	r.pending = append(r.pending, change{question: it.question, outcome: o, drop: it.wait})
}

// flush hands what is pending to the committer, unless that is still busy.
func (r *runner) flush() {
	if r.busy || len(r.pending) == 0 {
		return
	}
	b, rest := r.jobs.records.newBatch(r.job.id, r.blocks, r.pending, &r.counts)
	if b.block {
		r.blocks++
	}
	r.pending, r.spare = append(r.spare[:0], rest...), nil // The batch keeps the slice.
	r.busy = true
	r.commit.in <- b // It waits for nothing else.
}

// written is told of a batch that is on disk.
func (r *runner) written(b *batch) {
	r.busy = false
	for i := range b.changes {
		c := &b.changes[i]
		if c.drop != nil {
			delete(r.waits.busy, c.question.row)
		}
		if c.wait != nil {
			r.waits.added(c.wait.due)
		} else {
			r.worst.add(&c.outcome)
		}
	}
	r.waits.count = b.counts.Waiting
	r.job.setCounts(b.counts)
	clear(b.changes)
	r.spare = b.changes
}

// sleep is how long nothing happens by itself.
func (r *runner) sleep(now time.Time) time.Duration {
	if r.job.halted() {
		return time.Hour
	}
	next := now.Add(time.Second) // For the published numbers.
	if r.settled() && !r.unseen {
		next = now.Add(time.Hour)
	}
	for _, t := range []time.Time{r.sched.wakeAt(), r.waits.next, r.limit} {
		if !t.IsZero() && t.Before(next) {
			next = t
		}
	}
	return max(next.Sub(now), time.Millisecond)
}
