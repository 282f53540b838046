package bulk

import (
	"context"
	"os"
)

// Pause takes no more rows of a job until it is resumed. Rows in flight get their outcomes.
func (js *Jobs) Pause(ctx context.Context, app, id string) (Info, error) {
	return js.control(app, id, func(j *job) error { return j.move(ctx, Paused, Preparing, Running) })
}

// Resume goes on with a paused job.
func (js *Jobs) Resume(ctx context.Context, app, id string) (Info, error) {
	return js.control(app, id, func(j *job) error {
		err := j.update(ctx, func(rec *record) error {
			switch {
			case rec.State == Preparing || rec.State == Running:
				return errSame
			case rec.State != Paused:
				return wrongState(rec.State)
			case rec.Order == nil:
				rec.State = Preparing
			default:
				rec.State = Running
			}
			return nil
		})
		return unless(err, errSame)
	})
}

// Cancel ends a job: rows without an outcome stay so. Those in flight are given up.
func (js *Jobs) Cancel(ctx context.Context, app, id string) (Info, error) {
	return js.control(app, id, func(j *job) error { return j.move(ctx, Cancelled, Preparing, Running, Paused) })
}

// control does something to a job, and has its runner look.
func (js *Jobs) control(app, id string, do func(*job) error) (Info, error) {
	j, err := js.find(app, id)
	if err != nil {
		return Info{}, err
	}
	if js.draining() {
		return Info{}, ErrStopping
	}
	if err := do(j); err != nil {
		return Info{}, err
	}
	js.mu.Lock()
	if js.started {
		j.startLocked()
	}
	js.mu.Unlock()
	j.poke()
	return j.info(), nil
}

// Delete ends a job and removes all of it. When it returns, nobody can see the job any more; its rows are gone from disk
// soon after, also when the daemon is killed meanwhile.
func (js *Jobs) Delete(ctx context.Context, app, id string) (Info, error) {
	j, err := js.find(app, id)
	if err != nil {
		return Info{}, err
	}
	if js.draining() {
		return Info{}, ErrStopping
	}
	if err := js.remove(ctx, j); err != nil {
		return Info{}, err
	}
	return j.info(), nil
}

// remove deletes j.
func (js *Jobs) remove(ctx context.Context, j *job) error {
	err := j.update(ctx, func(rec *record) error { rec.State = Deleting; return nil })
	if err != nil {
		return err
	}
	js.mu.Lock()
	delete(js.jobs, j.id)
	j.startLocked()
	js.mu.Unlock()
	j.poke()
	return nil
}

// erase removes all that there is of a job. It can be cut short at any point and done again.
func (j *job) erase(ctx context.Context) error {
	r, id := j.jobs.records, []byte(j.id)
	if err := os.RemoveAll(j.dir()); err != nil {
		return err
	}
	if _, err := r.outcomes.DeletePrefix(ctx, id); err != nil {
		return err
	}
	if _, err := r.waits.DeletePrefix(ctx, id); err != nil {
		return err
	}
	if err := r.counts.Delete(ctx, id); err != nil {
		return err
	}
	return r.jobs.Delete(ctx, id)
}
