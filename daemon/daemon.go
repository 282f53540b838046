// Package daemon builds everything once; starts, reloads, drains and stops it in a known order.
//
// Start: stores, then resolver, pool and verifier, then the socket; only then is it ready. Stop goes the other way:
// new work is refused, what is under way has the drain timeout, sessions say QUIT, stores are closed last.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"

	"go.uber.org/zap"

	"github.com/verimails/verimaild/cache"
	"github.com/verimails/verimaild/config"
	"github.com/verimails/verimaild/daemon/api"
	"github.com/verimails/verimaild/internal/mailworld"
	"github.com/verimails/verimaild/internal/netguard"
	"github.com/verimails/verimaild/internal/store"
	"github.com/verimails/verimaild/pool"
	"github.com/verimails/verimaild/systemd"
	"github.com/verimails/verimaild/verify"
	"github.com/verimails/verimaild/verify/lists"
	"github.com/verimails/verimaild/verify/maildns"
)

// Options make a Daemon. Config is required.
type Options struct {
	Config *config.Config

	// Sandbox asks an embedded world of mail servers on loopback, and nothing else.
	Sandbox bool

	// Logger replaces the one that Config describes.
	Logger *zap.Logger
}

// A Daemon is the whole program, but for arguments and signals.
type Daemon struct {
	log     *zap.Logger
	level   zap.AtomicLevel
	sandbox *mailworld.World // nil outside the sandbox.

	stores   *store.Stores
	cache    *cache.Cache // nil in a sandbox without memory.
	guard    *netguard.Guard
	lists    *lists.Lists
	resolver *maildns.Resolver
	verifier *verify.Verifier
	api      *api.Server
	notify   *systemd.Notifier
	serving  chan error // Gets the end of the server.
	wg       sync.WaitGroup

	mu       sync.Mutex // Guards all below; held during a reload.
	cfg      *config.Config
	pool     *pool.Pool // nil while there is no sender.
	problems []problem
	teardown []step // In the order of their making; undone last first.
	stopped  bool
}

// A step of the teardown has a name, for the log.
type step struct {
	name string
	stop func(context.Context) error
}

// New wires a daemon from opts. It opens the stores, so that only one daemon has a state directory, and starts
// nothing. On error, nothing is left behind.
func New(opts Options) (d *Daemon, err error) {
	d = &Daemon{cfg: opts.Config, log: opts.Logger, serving: make(chan error, 1), notify: systemd.New()}
	defer func() {
		if err != nil {
			d.unwind(context.Background())
		}
	}()
	if d.log == nil {
		if d.log, d.level, err = newLogger(opts.Config.Log); err != nil {
			return nil, err
		}
	}
	if err := Check(opts.Config); err != nil {
		return nil, err
	}
	if opts.Sandbox {
		if err := d.startSandbox(); err != nil {
			return nil, err
		}
	}
	if err := d.openStores(); err != nil {
		return nil, err
	}
	if err := d.build(); err != nil {
		return nil, err
	}
	return d, nil
}

// later registers how to undo what was just done.
func (d *Daemon) later(name string, stop func(context.Context) error) {
	d.teardown = append(d.teardown, step{name, stop})
}

// unwind undoes everything, last first, and returns what went wrong on the way.
func (d *Daemon) unwind(ctx context.Context) error {
	var errs []error
	for len(d.teardown) > 0 {
		s := d.teardown[len(d.teardown)-1]
		d.teardown = d.teardown[:len(d.teardown)-1]
		if err := s.stop(ctx); err != nil {
			errs = append(errs, fmt.Errorf("stop %s: %w", s.name, err))
		}
	}
	return errors.Join(errs...)
}

// Start opens the socket and serves it until Stop. When it returns without an error, the daemon is ready, and the
// service manager has been told so.
func (d *Daemon) Start(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.pool != nil {
		d.pool.Start(ctx)
	}
	l, err := d.listen()
	if err != nil {
		return errors.Join(err, d.unwind(context.WithoutCancel(ctx)))
	}
	d.later("socket", d.api.Shutdown)
	d.wg.Go(func() { d.serving <- d.api.Serve(l) })
	ctx, cancel := context.WithCancel(ctx)
	d.wg.Go(func() { d.report(ctx) })
	d.later("status", func(context.Context) error { cancel(); return nil })
	d.log.Info("ready", zap.Stringer("socket", l.Addr()), zap.Bool("sandbox", d.sandbox != nil))
	for _, p := range d.problems {
		d.log.Warn(p.message, zap.String("problem", p.code))
	}
	return d.notify.Ready(d.statusLine())
}

// Stop refuses new work, gives what is under way the drain timeout, and closes everything.
// Further calls do nothing.
func (d *Daemon) Stop(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stopped {
		return nil
	}
	d.stopped = true
	d.log.Info("stopping", zap.Duration("drain_timeout", d.cfg.DrainTimeout))
	if err := d.notify.Stopping(); err != nil {
		d.log.Warn("service manager not told", zap.Error(err))
	}
	d.api.Drain()
	defer d.wg.Wait()
	ctx, cancel := context.WithTimeout(ctx, d.cfg.DrainTimeout)
	defer cancel()
	err := d.unwind(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		d.log.Warn("stopped before all work was done", zap.Error(err))
		return nil
	}
	d.log.Info("stopped", zap.Error(err))
	return err
}

// Failed gets the error with which the socket ended, if it did so by itself.
func (d *Daemon) Failed() <-chan error { return d.serving }

// Socket is the path of the socket.
func (d *Daemon) Socket() string { return d.cfg.Socket.Path }

// PoolStats is a picture of the pool; the zero picture if there is none.
func (d *Daemon) PoolStats() pool.Stats {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.pool == nil {
		return pool.Stats{}
	}
	return d.pool.Stats()
}

// ownAddrs is the addresses of this host: mail for them is not asked about over the network.
func ownAddrs(cfg *config.Config) ([]netip.Addr, error) {
	own, err := netguard.HostAddrs()
	if err != nil {
		return nil, fmt.Errorf("addresses of this host: %w", err)
	}
	for _, s := range cfg.Egress.Sources {
		own = append(own, s.IPv4, s.IPv6)
	}
	return own, nil
}
