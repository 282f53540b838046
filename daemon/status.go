package daemon

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/verimails/verimaild/client/apitype"
)

// A problem keeps addresses from being verified to the end.
type problem struct{ code, message string }

// ready is the answer of GET /readyz.
func (d *Daemon) ready() (bool, []apitype.Problem) {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := make([]apitype.Problem, len(d.problems))
	for i, p := range d.problems {
		out[i] = apitype.Problem{Code: p.code, Message: p.message}
	}
	return len(d.problems) == 0, out
}

// statusLine is what the service manager shows. The caller holds d.mu.
func (d *Daemon) statusLine() string {
	if len(d.problems) > 0 {
		return "Not asking mail servers: " + d.problems[0].message
	}
	st := d.pool.Stats()
	return fmt.Sprintf("Sources: %d. Sessions: %d, of which %d idle. Addresses waiting: %d. Recipients asked about: %d.",
		len(st.Sources), st.SessionsOpen, st.SessionsIdle, st.Waiting, st.Recipients)
}

// statusEvery is how often the service manager hears of a status that has changed.
const statusEvery = 10 * time.Second

// report keeps the status line fresh until ctx ends.
func (d *Daemon) report(ctx context.Context) {
	tick := time.NewTicker(statusEvery)
	defer tick.Stop()
	var last string
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		d.mu.Lock()
		line := d.statusLine()
		d.mu.Unlock()
		if line == last {
			continue
		}
		last = line
		if err := d.notify.Status(line); err != nil {
			d.log.Warn("service manager not told", zap.Error(err))
		}
	}
}
