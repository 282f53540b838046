package preflight

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

const (
	// DefaultInterval is the time between runs.
	DefaultInterval = time.Hour

	// settle is how long the first run waits: a daemon that fails at once, and is started again and again, shall not
	// connect to mail servers each time.
	settle = 5 * time.Second

	// confirm is the part of the interval after which a run is repeated that speaks for a change.
	confirm = 6
)

// A MonitorOptions is how a Monitor works. Each takes effect with the next run.
type MonitorOptions struct {
	Options

	// Interval is the time between runs, give or take a tenth; 0 means DefaultInterval. A run that speaks for a change is
	// repeated after a sixth of it. No port is tried twice within an eighth, whatever is reloaded.
	Interval time.Duration

	// Fitness is told of each source, after each run, why it is unfit, or "" if it is fit. It must not call the Monitor,
	// but for Report.
	Fitness func(source, why string)

	Logger *zap.Logger // nil means none.
}

// A Monitor looks again and again, and tells who is fit. Its methods may be called concurrently.
type Monitor struct {
	wg     sync.WaitGroup
	stop   context.CancelFunc
	wake   chan struct{}
	report atomic.Pointer[Report]

	mu   sync.Mutex // Guards opts.
	opts MonitorOptions

	// What follows belongs to the loop.
	known   map[string]*known // By the name of the source.
	before  map[key]State     // Of the last run, so that each finding is logged once.
	turn    int
	applied MonitorOptions // In force for what has begun.
}

// A known is a source that was looked at.
type known struct {
	source Source
	record
	ports map[Family]finding // Of the last time that they were tried.
}

// NewMonitor makes a Monitor that does nothing until it is started.
func NewMonitor(opts MonitorOptions) *Monitor {
	return &Monitor{
		opts: opts.filled(), wake: make(chan struct{}, 1),
		known: map[string]*known{}, before: map[key]State{},
	}
}

func (opts MonitorOptions) filled() MonitorOptions {
	opts.Options = opts.Options.filled()
	if opts.Interval == 0 {
		opts.Interval = DefaultInterval
	}
	if opts.Fitness == nil {
		opts.Fitness = func(string, string) {}
	}
	if opts.Logger == nil {
		opts.Logger = zap.NewNop()
	}
	return opts
}

// Start looks at the addresses at once, and at the rest after some seconds, again and again until ctx is done or the
// Monitor is closed. It must be called once.
func (m *Monitor) Start(ctx context.Context) {
	ctx, m.stop = context.WithCancel(ctx)
	m.wg.Go(func() { m.loop(ctx) })
}

// Close ends a run that is under way, and waits for it as long as ctx lasts; its error is ctx's. Who is out stays out.
func (m *Monitor) Close(ctx context.Context) error {
	if m.stop == nil {
		return nil
	}
	m.stop()
	done := make(chan struct{})
	go func() { m.wg.Wait(); close(done) }() // Ends when the loop does.
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Reload puts opts into force. If there is something else to look at, a run begins.
func (m *Monitor) Reload(opts MonitorOptions) {
	m.mu.Lock()
	m.opts = opts.filled()
	m.mu.Unlock()
	select {
	case m.wake <- struct{}{}:
	default: // It has not slept since the last one.
	}
}

// Report is what the last run found. It is nil before the first has ended, and must not be changed.
func (m *Monitor) Report() *Report { return m.report.Load() }

func (m *Monitor) current() MonitorOptions {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.opts
}

// loop runs until ctx is done.
func (m *Monitor) loop(ctx context.Context) {
	wait := m.begin(m.current())
	for {
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-m.wake:
			opts := m.current()
			if timer.Stop(); sameSubject(&m.applied.Options, &opts.Options) && m.applied.Interval == opts.Interval {
				m.applied = opts
				m.tell(&opts) // The pool may have forgotten.
				continue
			}
			wait = m.begin(opts)
		case <-timer.C:
			wait = m.run(ctx, m.applied)
		}
	}
}
