package bulk

import (
	"context"
	"time"

	"github.com/verimails/verimaild/daemon/bulk/table"
	"github.com/verimails/verimaild/verify/verdict"
)

// Info is a picture of a job.
type Info struct {
	ID, App, Name string
	State         State
	Problem       string // Why it failed, or does not get on; "" if nothing is wrong.

	Layout    table.Layout
	Bytes     int64 // Of the list as it came.
	Rows      int64 // 0 until the list is prepared, as the next two.
	Addresses int64 // Different ones.
	Domains   int64

	Parent string            // The job that this is a rerun of; "" if it is none.
	Of     []verdict.Verdict // The verdicts that a rerun took.

	Created, Started, Ended time.Time
	Expires                 time.Time // When it is deleted; zero before its end, and if it is kept for ever.

	Patience  time.Duration
	TimeLimit time.Duration // 0 is none.
	Webhook   string

	Counts   Counts
	Bounces  []Bounce // None before the first row is done.
	Method   string   // Of Bounces.
	Live     Live     // Zero unless it is running.
	Summary  *Summary
	Delivery *Delivery
}

// Left is the rows without an outcome.
func (i *Info) Left() int64 { return max(0, i.Rows-i.Counts.Done) }

// info takes a picture.
func (j *job) info() Info {
	j.mu.Lock()
	defer j.mu.Unlock()
	rec := &j.rec
	i := Info{
		ID: j.id, App: j.spec.App, Name: j.spec.Name, State: rec.State, Problem: rec.Problem,
		Layout: rec.Layout, Bytes: rec.Bytes, Parent: rec.Parent, Of: rec.Of,
		Created: rec.Created, Started: rec.Started, Ended: rec.Ended,
		Patience: j.patience(), TimeLimit: j.spec.TimeLimit, Webhook: j.spec.Webhook,
		Counts: j.counts.clone(), Summary: rec.Summary, Delivery: rec.Delivery,
	}
	if j.stuck != nil {
		i.Problem = j.stuck.Error()
	}
	if o := rec.Order; o != nil {
		i.Rows, i.Addresses, i.Domains = int64(o.Mine), int64(o.Questions), int64(o.Domains) //nolint:gosec // G115: at most maxRows.
	}
	if rec.State == Running {
		i.Live = j.live
	}
	if i.Counts.Done > 0 {
		i.Bounces, i.Method = estimateBounces(&i.Counts), bounceMethod
	}
	if keep := j.jobs.settings.Load().Retention; rec.State.Ended() && keep > 0 {
		i.Expires = rec.Ended.Add(keep)
	}
	return i
}

// heartbeat is how long Watch is silent at the most.
const heartbeat = 15 * time.Second

// Watch tells of a job at once, and again after each change until its end, but not more often than every interval; without
// a change, every 15 s. It returns when the job has ended and been told of, when tell fails, when ctx is done, or when
// the daemon stops (ErrStopping).
func (js *Jobs) Watch(ctx context.Context, app, id string, every time.Duration, tell func(Info) error) error {
	j, err := js.find(app, id)
	if err != nil {
		return err
	}
	for {
		j.mu.Lock()
		changed := j.changed
		j.mu.Unlock()
		info := j.info()
		if err := tell(info); err != nil || info.State.Ended() {
			return err
		}
		if err := js.sleep(ctx, every, nil); err != nil {
			return err
		}
		if err := js.sleep(ctx, heartbeat, changed); err != nil {
			return err
		}
	}
}

// sleep waits for a time, or for c if that comes first. Its error says that ctx is done, or the daemon stops.
func (js *Jobs) sleep(ctx context.Context, d time.Duration, c <-chan struct{}) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-c:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-js.drained:
		return ErrStopping
	}
}
