package daemon

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/verimails/verimaild/config"
	"github.com/verimails/verimaild/daemon/bulk"
	"github.com/verimails/verimaild/pool"
)

// buildJobs reads the jobs that there are. What they ask is charged to their applications. A sandbox keeps its jobs in a
// directory that goes with it, as its stores do.
func (d *Daemon) buildJobs() error {
	dir := filepath.Join(d.cfg.StateDir, "jobs")
	if d.sandbox != nil {
		var err error
		if dir, err = os.MkdirTemp("", "verimaild-jobs-"); err != nil {
			return fmt.Errorf("sandbox: %w", err)
		}
		d.later("files of jobs", func(context.Context) error { return os.RemoveAll(dir) })
	}
	jobs, err := bulk.New(bulk.Options{
		Dir: dir, Store: d.stores.State(), Verifier: d.accounts.Meter(d.answers), Settings: bulkSettings(d.cfg),
		Budgets: budgets{d}, Guard: d.guard, Logger: d.log.Named("bulk"),
	})
	if err != nil {
		return err
	}
	d.jobs = jobs
	d.later("jobs", jobs.Close)
	return nil
}

func bulkSettings(cfg *config.Config) bulk.Settings {
	return bulk.Settings{Window: cfg.Bulk.Window, Patience: cfg.Bulk.Patience, Retention: cfg.Bulk.Retention}
}

// budgets are those of the pool that there is at the moment.
type budgets struct{ d *Daemon }

// Outlook is that of the pool; false without one.
func (b budgets) Outlook(q pool.Prospect) (pool.Outlook, bool) {
	b.d.mu.Lock()
	p := b.d.pool
	b.d.mu.Unlock()
	if p == nil {
		return pool.Outlook{}, false
	}
	return p.Outlook(q)
}
