// Package daemon builds everything once; starts, reloads, drains and stops it in a known order.
//
// Start: stores, then resolver, pool and verifier, then the socket; only then is it ready. Stop goes the other way:
// new work is refused, what is under way has the drain timeout, sessions say QUIT, stores are closed last.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/verimails/verimaild/cache"
	"github.com/verimails/verimaild/config"
	"github.com/verimails/verimaild/daemon/api"
	"github.com/verimails/verimaild/daemon/bulk"
	"github.com/verimails/verimaild/daemon/ledger"
	"github.com/verimails/verimaild/internal/mailworld"
	"github.com/verimails/verimaild/internal/netguard"
	"github.com/verimails/verimaild/internal/store"
	"github.com/verimails/verimaild/pool"
	"github.com/verimails/verimaild/pool/preflight"
	"github.com/verimails/verimaild/pool/reply"
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

	// Read reads the configuration again, for POST /v1/reload. nil refuses that.
	Read func() (*config.Config, error)

	// Logger replaces the one that Config describes.
	Logger *zap.Logger
}

// A Daemon is the whole program, but for arguments and signals.
type Daemon struct {
	log     *zap.Logger
	level   zap.AtomicLevel
	sandbox *mailworld.World // nil outside the sandbox.
	boot    *config.Config   // With which it was made; what needs a restart is taken from here.

	stores   *store.Stores
	cache    *cache.Cache // nil in a sandbox without memory.
	rules    hostRules
	guard    *netguard.Guard
	lists    *lists.Lists
	resolver *maildns.Resolver
	verifier *verify.Verifier
	monitor  *preflight.Monitor
	ledger   *ledger.Ledger // nil without cache.
	answers  *answerLog
	accounts *api.Accounts
	jobs     *bulk.Jobs
	metrics  *metrics
	rates    rates
	started  time.Time
	read     func() (*config.Config, error) // As in Options.
	api      *api.Server
	replies  atomic.Pointer[reply.Table] // In force.
	invents  atomic.Bool                 // The resolver invents addresses.
	notify   *systemd.Notifier
	look     func() []problem // Finds what is wrong with the host.
	inherit  func() ([]net.Listener, error)
	handed   []net.Listener // Sockets that the service manager holds, of inherit; set by Start.
	serving  chan error     // Gets the end of the server.
	wg       sync.WaitGroup // Of what Start starts.
	quiet    func()         // Ends the reports to the service manager; set by Start.

	// control is held by Start, Reload and Stop, which block, and guards teardown.
	control  sync.Mutex
	teardown []step // In the order of their making; undone last first.

	// mu guards all below. They are written under control too, and nothing that blocks is done under mu: readiness
	// and status are to be had at any time, during a stop above all.
	mu       sync.Mutex
	cfg      *config.Config
	pool     *pool.Pool // nil until there is a sender.
	problems []problem
	faults   []problem // Of the host, as last seen.
	unloaded string    // Why the last reload failed; "" if it did not.
	stopped  bool
}

// A step of the teardown has a name, for the log.
type step struct {
	name string
	stop func(context.Context) error
}

// New wires a daemon from opts. It opens the stores, so that only one daemon has a state directory, and starts
// nothing. On error, nothing is left behind.
func New(opts Options) (*Daemon, error) {
	d := &Daemon{
		cfg: opts.Config, boot: opts.Config, log: opts.Logger, read: opts.Read, metrics: newMetrics(), started: time.Now(),
		serving: make(chan error, 1), notify: systemd.New(), quiet: func() {}, inherit: systemd.Listeners,
	}
	d.look = d.hostFaults
	if err := d.wire(opts.Sandbox); err != nil {
		return nil, errors.Join(err, d.unwind(context.Background()))
	}
	return d, nil
}

// wire makes all parts, in the order in which they need each other.
func (d *Daemon) wire(sandbox bool) (err error) {
	if d.log == nil {
		if d.log, d.level, err = newLogger(d.cfg.Log); err != nil {
			return err
		}
	}
	if err := Check(d.cfg); err != nil {
		return err
	}
	if err := checkClock(time.Now()); err != nil {
		return err
	}
	if sandbox {
		if err := d.startSandbox(); err != nil {
			return err
		}
	}
	if err := makeHomes(d.cfg); err != nil {
		return err
	}
	if err := d.openStores(); err != nil {
		return err
	}
	return d.build()
}

// later registers how to undo what was just done.
func (d *Daemon) later(name string, stop func(context.Context) error) {
	d.teardown = append(d.teardown, step{name, stop})
}

// unwind undoes everything, last first, and returns what went wrong on the way. A step that ctx did not leave enough
// time for is logged; that is no error.
func (d *Daemon) unwind(ctx context.Context) error {
	var errs []error
	for len(d.teardown) > 0 {
		s := d.teardown[len(d.teardown)-1]
		d.teardown = d.teardown[:len(d.teardown)-1]
		err := s.stop(ctx)
		switch {
		case errors.Is(err, context.DeadlineExceeded):
			d.log.Warn("stopped before all work was done", zap.String("part", s.name), zap.Error(err))
		case err != nil:
			errs = append(errs, fmt.Errorf("stop %s: %w", s.name, err))
		}
	}
	return errors.Join(errs...)
}

// Start opens the socket and serves it until Stop; ctx bounds the start only. When it returns without an error, the
// daemon is ready, and the service manager has been told so. On error, nothing is left behind.
func (d *Daemon) Start(ctx context.Context) error {
	d.control.Lock()
	defer d.control.Unlock()
	if d.stopped {
		return errStopped
	}
	life := context.WithoutCancel(ctx)
	if d.pool != nil {
		d.pool.Start(life)
	}
	d.verifier.Start(life)
	d.monitor.Start(life)
	d.jobs.Start(life)
	d.accounts.Start(life)
	ls, err := d.listen()
	if err != nil {
		return errors.Join(err, d.unwind(life))
	}
	d.later("socket", d.api.Shutdown)
	d.serve(ls)
	if err := errors.Join(d.startNumbers(), d.startSocketmap()); err != nil {
		return errors.Join(err, d.unwind(life))
	}
	d.startReports(life)
	d.log.Info("ready", zap.Stringer("socket", ls[0].Addr()), zap.Bool("sandbox", d.sandbox != nil))
	d.lookAtHost()
	d.announce()
	d.tell(d.notify.Ready(d.status()))
	return nil
}

// errStopped is returned by what a stopped daemon can no longer do.
var errStopped = errors.New("daemon: stopped")

// closing is how long a stop may take beside the drain: sessions say QUIT, the stores are written out.
const closing = 20 * time.Second

// Stop refuses new work, gives what is under way the drain timeout, and closes everything.
// Further calls do nothing.
func (d *Daemon) Stop(ctx context.Context) error {
	d.control.Lock()
	defer d.control.Unlock()
	if d.stopped {
		return nil
	}
	d.mu.Lock()
	d.stopped = true
	drain := d.cfg.DrainTimeout
	d.mu.Unlock()
	d.log.Info("stopping", zap.Duration("drain_timeout", drain))
	d.tell(d.notify.Stopping(drain + closing))
	d.stepAside(ctx)
	d.api.Drain()
	d.jobs.Drain()
	d.verifier.StopWaiting()
	ctx, cancel := context.WithTimeout(ctx, drain)
	defer cancel()
	err := d.unwind(ctx)
	d.quiet()
	d.wg.Wait()
	d.log.Info("stopped", zap.Error(err))
	return err
}

// Failed gets the error with which the socket ended, if it did so by itself.
func (d *Daemon) Failed() <-chan error { return d.serving }

// Socket is the path of the socket.
func (d *Daemon) Socket() string { return d.boot.Socket.Path }

// PoolStats is a picture of the pool.
type PoolStats = pool.Stats

// PoolStats takes a picture of the pool; it is the zero picture if there is none.
func (d *Daemon) PoolStats() PoolStats {
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
		own = append(own, s.IPv4, s.IPv6, s.PublicIPv4, s.PublicIPv6)
	}
	return own, nil
}
