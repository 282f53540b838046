package bulk

import (
	"time"

	"go.uber.org/zap"
)

// janitorEvery is how often jobs are looked for that have been kept long enough.
const janitorEvery = time.Minute

// janitor deletes jobs once their retention has passed, until Drain.
func (js *Jobs) janitor() {
	tick := time.NewTicker(janitorEvery)
	defer tick.Stop()
	for {
		js.sweep()
		select {
		case <-tick.C:
		case <-js.drained:
			return
		}
	}
}

// sweep deletes what has been kept long enough.
func (js *Jobs) sweep() {
	now, retention := js.now(), js.settings.Load().Retention
	if retention <= 0 {
		return
	}
	js.mu.Lock()
	var old []*job
	for _, j := range js.jobs {
		if j.expired(now, retention) {
			old = append(old, j)
		}
	}
	js.mu.Unlock()
	for _, j := range old {
		js.log.Info("job deleted, because its retention has passed", zap.String("job", j.id), zap.String("app", j.spec.App))
		if err := js.remove(js.ctx, j); err != nil {
			js.log.Error("a job that has expired is not deleted; trying again", zap.String("job", j.id), zap.Error(err))
		}
	}
}

// expired reports whether the job ended so long ago.
func (j *job) expired(now time.Time, retention time.Duration) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.rec.State.Ended() && !j.rec.Ended.IsZero() && now.Sub(j.rec.Ended) > retention
}
