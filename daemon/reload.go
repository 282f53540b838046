package daemon

import (
	"context"
	"fmt"
	"slices"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/verimails/verimaild/config"
)

// ReloadFrom reloads what read returns, and tells the service manager before and after. A configuration that cannot be
// read, or has a fault, is logged, and the old one stays in force.
func (d *Daemon) ReloadFrom(ctx context.Context, read func() (*config.Config, error)) {
	d.control.Lock()
	defer d.control.Unlock()
	if d.stopped {
		return
	}
	d.tell(d.notify.Reloading())
	cfg, err := read()
	if err == nil {
		_, err = d.reload(ctx, cfg)
	}
	if err != nil {
		d.log.Error("configuration not reloaded; the old one stays in force", zap.Error(err))
	}
	d.noteReload(err)
	d.tell(d.notify.Ready(d.status()))
}

// noteReload keeps why a reload failed for the status line, until one succeeds.
func (d *Daemon) noteReload(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.unloaded = ""
	if err != nil {
		d.unloaded = err.Error()
	}
}

// Reload puts cfg into force as far as that can be done live, and returns the keys whose values can't: those that
// differ from what the daemon was started with, whether they were changed now or before. On error, the old
// configuration stays.
func (d *Daemon) Reload(ctx context.Context, cfg *config.Config) (restart []string, err error) {
	d.control.Lock()
	defer d.control.Unlock()
	if d.stopped {
		return nil, errStopped
	}
	return d.reload(ctx, cfg)
}

// reload does what Reload says. All that can fail is tried before anything that runs is touched.
func (d *Daemon) reload(ctx context.Context, cfg *config.Config) (restart []string, err error) {
	if err := Check(cfg); err != nil {
		return nil, err
	}
	guard, err := d.guardOptions(cfg)
	if err != nil {
		return nil, err
	}
	egress, err := d.planEgress(cfg)
	if err != nil {
		return nil, err
	}
	if err := d.resolver.Replace(d.resolverOptions(cfg)); err != nil { // All or nothing.
		return nil, fmt.Errorf("resolver.servers: %w", err)
	}
	// From here on only what was good a moment ago, in Check and in the plan, can fail.
	if err := d.lists.Reload(listOptions(cfg)); err != nil {
		return nil, err
	}
	if d.cache != nil {
		if err := d.cache.SetAges(ages(&cfg.Cache)); err != nil {
			return nil, err
		}
	}
	d.guard.Replace(guard)
	had := d.pool != nil
	settings, err := d.applyEgress(egress)
	if err != nil {
		return nil, err
	}
	if !had && d.pool != nil {
		d.pool.Start(context.WithoutCancel(ctx))
	}
	d.monitor.Reload(d.preflightOptions(cfg, &egress))
	if err := d.verifier.Reload(settings); err != nil {
		return nil, err
	}
	d.accounts.Replace(apps(cfg))
	d.jobs.Reload(bulkSettings(cfg))
	d.reloadLog(cfg.Log)
	live, _ := config.Diff(d.cfg, cfg)
	if slices.Contains(live, "egress.allow_networks") || slices.Contains(live, "egress.sources") {
		d.rules.change()
	}
	_, restart = config.Diff(d.boot, cfg)
	d.mu.Lock()
	d.cfg = cfg
	d.mu.Unlock()
	d.log.Info("configuration reloaded", zap.Strings("changed", live), zap.Strings("needs_restart", restart))
	d.announce()
	return restart, nil
}

// reloadLog puts into force what can be changed of the log.
func (d *Daemon) reloadLog(cfg config.Log) {
	d.answers.addresses.Store(cfg.Addresses)
	if d.level == (zap.AtomicLevel{}) {
		return // The logger is not ours.
	}
	if level, err := zapcore.ParseLevel(cfg.Level); err == nil {
		d.level.SetLevel(level)
	}
}
