package daemon

import (
	"context"
	"errors"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/verimails/verimaild/config"
)

// ReloadFrom reloads what read returns, and tells the service manager before and after. A configuration that cannot be
// read, or has a fault, is logged, and the old one stays in force.
func (d *Daemon) ReloadFrom(ctx context.Context, read func() (*config.Config, error)) {
	if err := d.notify.Reloading(); err != nil {
		d.log.Warn("service manager not told", zap.Error(err))
	}
	cfg, err := read()
	if err == nil {
		_, err = d.Reload(ctx, cfg)
	}
	if err != nil {
		d.log.Error("configuration not reloaded; the old one stays in force", zap.Error(err))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.notify.Ready(d.statusLine()); err != nil {
		d.log.Warn("service manager not told", zap.Error(err))
	}
}

// Reload puts cfg into force as far as that can be done live, and returns the keys whose change needs a restart.
// Everything that can fail is done before anything that runs is touched: on error, the old configuration stays.
func (d *Daemon) Reload(ctx context.Context, cfg *config.Config) (restart []string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stopped {
		return nil, errors.New("the daemon is stopping")
	}
	live, restart := config.Diff(d.cfg, cfg)
	if err := Check(cfg); err != nil {
		return nil, err
	}
	guard, err := d.guardOptions(cfg)
	if err != nil {
		return nil, err
	}
	if err := d.lists.Reload(listOptions(cfg)); err != nil {
		return nil, err
	}
	if d.cache != nil {
		if err := d.cache.SetAges(ages(&cfg.Cache)); err != nil {
			return nil, err
		}
	}
	hadPool := d.pool != nil
	settings, err := d.egress(cfg)
	if err != nil {
		return nil, err
	}
	if err := d.verifier.Reload(settings); err != nil {
		return nil, err
	}
	d.guard.Replace(guard)
	if !hadPool && d.pool != nil {
		d.pool.Start(context.WithoutCancel(ctx))
	}
	if level, err := zapcore.ParseLevel(cfg.Log.Level); err == nil && d.level != (zap.AtomicLevel{}) {
		d.level.SetLevel(level)
	}
	d.cfg = cfg
	d.log.Info("configuration reloaded", zap.Strings("changed", live), zap.Strings("needs_restart", restart))
	return restart, nil
}
