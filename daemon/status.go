package daemon

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/verimails/verimaild/client/apitype"
	"github.com/verimails/verimaild/systemd"
)

// A problem keeps addresses from being verified to the end.
type problem struct{ code, message string }

// ready is the answer of GET /readyz.
func (d *Daemon) ready() (bool, []apitype.Problem) {
	d.mu.Lock()
	defer d.mu.Unlock()
	unfit, left := d.unfit()
	out := make([]apitype.Problem, 0, len(d.problems)+len(unfit)+len(d.faults))
	for _, p := range slices.Concat(d.problems, unfit, d.faults) {
		out = append(out, apitype.Problem{Code: p.code, Message: p.message})
	}
	return len(d.problems) == 0 && left, out
}

// announce logs what is in the way, and which names of the operator's lists are left out.
func (d *Daemon) announce() {
	for _, p := range slices.Concat(d.problems, d.faults) {
		d.log.Warn(p.message, zap.String("problem", p.code))
	}
	for _, v := range d.lists.Versions() {
		if len(v.Ignored) > 0 {
			d.log.Warn("names ignored, because they are public suffixes", zap.String("list", v.List), zap.Strings("names", v.Ignored))
		}
	}
}

// tell logs that the service manager could not be told something; the daemon works without it.
func (d *Daemon) tell(err error) {
	if err != nil {
		d.log.Warn("service manager not told", zap.Error(err))
	}
}

// status is the line that the service manager shows.
func (d *Daemon) status() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var said strings.Builder
	if d.unloaded != "" {
		said.WriteString("Works with the old configuration; the new one has a fault: " + d.unloaded + ". ")
	}
	for _, p := range d.faults {
		said.WriteString(p.message + ". ")
	}
	return said.String() + d.work()
}

// work is what the daemon does, or what keeps it from asking mail servers. The caller holds d.mu.
func (d *Daemon) work() string {
	if len(d.problems) > 0 {
		return "Not asking mail servers: " + d.problems[0].message
	}
	st := d.pool.Stats()
	unfit, _ := d.unfit()
	var out strings.Builder
	for _, p := range unfit {
		out.WriteString(" " + p.message + ".")
	}
	return fmt.Sprintf("Sources: %d.%s Sessions: %d, of which %d idle. Addresses waiting: %d. Recipients asked about: %d.",
		len(st.Sources), out.String(), st.SessionsOpen, st.SessionsIdle, st.Waiting, st.Recipients)
}

// Failing tells the service manager why there is no daemon; "systemctl status" shows it until the next start.
// Without a service manager it does nothing.
func Failing(err error) {
	_ = systemd.New().Status("Not started: " + err.Error()) // There is nobody else to tell, and err itself is returned.
}

// startReports keeps the status line fresh and the watchdog quiet until d.quiet is called: through a stop, too, which
// may take longer than the watchdog waits.
func (d *Daemon) startReports(ctx context.Context) {
	ctx, d.quiet = context.WithCancel(ctx)
	d.wg.Go(func() { d.report(ctx) })
	d.wg.Go(func() { d.sample(ctx) })
	if d.sandbox == nil {
		d.wg.Go(func() { d.watchResolver(ctx) })
	}
	d.wg.Go(func() {
		// The locks that all work goes through can be had; if not, this blocks, and the watchdog strikes.
		healthy := func() bool { d.PoolStats(); return true }
		if err := d.notify.KeepAlive(ctx, healthy); err != nil {
			d.log.Error("the watchdog cannot be kept quiet", zap.Error(err))
		}
	})
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
		d.lookAtHost()
		if line := d.status(); line != last {
			last = line
			d.tell(d.notify.Status(line))
		}
	}
}
