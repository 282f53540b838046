// Package pool decides from which source, when, and on which session recipients are asked about.
//
// Work flows one way: Probe queues recipients at a path (a source at a site), a session of that path takes
// the next batches that its limits allow, and every reply goes to the callers that wait for it at once.
// Sessions outlive the callers that they were opened for.
package pool

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/verimails/verimaild/internal/netguard"
	"github.com/verimails/verimaild/pool/provider"
	"github.com/verimails/verimaild/pool/reply"
	"github.com/verimails/verimaild/pool/smtp"
)

// Options say how a pool works. Sender, Sources, Guard and Replies are required.
type Options struct {
	Sender      string // The reverse-path of every transaction: a real mailbox, never empty.
	Sources     []Source
	Port        uint16         // Of the mail hosts. 0 means 25.
	TLS         smtp.TLSPolicy // The zero value is opportunistic.
	MaxSessions int            // Over all sources; 0 lifts it.

	// SourceSessions bounds the sessions of one source; 0 lifts it.
	SourceSessions int

	// Limits overrides DefaultLimits for every site, and is itself overridden by the provider's row.
	Limits *provider.Limits

	Guard   *netguard.Guard // Which addresses may be dialled.
	Replies *reply.Table

	// Dial connects laddr (zero: any) to raddr; nil means TCP. The guard has passed raddr.
	Dial func(ctx context.Context, laddr netip.Addr, raddr netip.AddrPort) (net.Conn, error)

	Timeouts       smtp.Timeouts
	ConnectTimeout time.Duration // For one address. 0 means 15 s.
	Logger         *zap.Logger   // nil means none.
}

const (
	defaultPort           = 25
	defaultConnectTimeout = 15 * time.Second
)

// ErrNoSender is wrapped by the error of a pool that has no sender: MAIL FROM:<> is never used for probes.
var ErrNoSender = errors.New("pool: no sender")

// A Pool is all egress. Its methods may be called concurrently.
type Pool struct {
	log   *zap.Logger
	wg    sync.WaitGroup
	spawn func(*session)          // Runs a session in a goroutine of the pool's; set by Start.
	abort context.CancelCauseFunc // Ends every session; set by Start.

	// mu guards all below, and what sites, paths, queues, sessions and sources hold. Nothing that blocks is
	// done under it, and outcomes are delivered under it: a waiter's channel never blocks.
	mu       sync.Mutex
	opts     Options
	sources  []*sourceState
	sites    map[string]*site
	sessions int         // Open or being opened.
	idle     idleList    // Sessions that linger, the longest first.
	starved  fifo[*path] // Paths that wait for a session's place.
	hosts    map[string]hostRecord
	closing  bool
	drained  chan struct{} // Closed when the pool is closing and nothing is left to do.
	calls    int           // Probe calls under way.
	total    counters
}

// New makes a pool that does nothing until it is started. Its errors name the option at fault.
func New(opts Options) (*Pool, error) {
	p := &Pool{
		log:     opts.Logger,
		sites:   map[string]*site{},
		hosts:   map[string]hostRecord{},
		drained: make(chan struct{}),
	}
	if p.log == nil {
		p.log = zap.NewNop()
	}
	if err := fill(&opts); err != nil {
		return nil, err
	}
	p.apply(opts)
	return p, nil
}

// fill checks opts and puts defaults where they are needed.
func fill(opts *Options) error {
	if opts.Sender == "" {
		return ErrNoSender
	}
	if err := checkSources(opts.Sources); err != nil {
		return fmt.Errorf("pool: %w", err)
	}
	if opts.Port == 0 {
		opts.Port = defaultPort
	}
	if opts.ConnectTimeout == 0 {
		opts.ConnectTimeout = defaultConnectTimeout
	}
	if opts.Dial == nil {
		opts.Dial = tcpDialer(opts.Guard)
	}
	return nil
}

// apply puts opts into force. Sources that are no longer among them finish what they have begun.
func (p *Pool) apply(opts Options) {
	kept := p.sources[:0:0]
	for _, s := range opts.Sources {
		at := slices.IndexFunc(p.sources, func(o *sourceState) bool { return o.Source == s })
		if at >= 0 {
			kept = append(kept, p.sources[at])
			continue
		}
		kept = append(kept, &sourceState{Source: s})
	}
	for _, old := range p.sources {
		old.gone = !slices.Contains(kept, old)
	}
	p.opts, p.sources = opts, kept
	for _, s := range p.sites {
		s.limits = p.limitsFor(s.provider)
	}
}

// limitsFor is what holds for a site of prov, which may be nil.
func (p *Pool) limitsFor(prov *provider.Provider) Limits {
	l := DefaultLimits().With(p.opts.Limits)
	if prov != nil {
		l = l.With(&prov.Limits)
	}
	return l
}

// Reload puts new options into force for what begins from now on; sessions that are open stay open.
// On error nothing has changed. Logger and Dial are not changed.
func (p *Pool) Reload(opts Options) error {
	if err := fill(&opts); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	opts.Dial = p.opts.Dial
	p.apply(opts)
	return nil
}

// Start lets the pool open sessions until ctx is done or the pool is closed.
func (p *Pool) Start(ctx context.Context) {
	ctx, p.abort = context.WithCancelCause(ctx)
	p.spawn = func(s *session) { p.wg.Go(func() { s.drive(ctx) }) }
}

// errClosed is why sessions end when the time to drain is over.
var errClosed = errors.New("pool: closed")

// Close lets queued probes finish until ctx is done, then drops them; it ends every session with QUIT and
// returns when all goroutines have ended. New probes get FailClosed at once.
// It returns ctx's error if work was dropped.
func (p *Pool) Close(ctx context.Context) error {
	p.mu.Lock()
	if !p.closing {
		p.closing = true
		p.dropIdle()
		p.settleClose()
	}
	p.mu.Unlock()
	var err error
	select {
	case <-p.drained:
	case <-ctx.Done():
		err = fmt.Errorf("pool: close: %w", context.Cause(ctx))
	}
	if p.abort != nil {
		p.abort(errClosed)
	}
	p.mu.Lock()
	for _, s := range p.sites {
		for _, pa := range s.paths {
			pa.failAll(Outcome{Failure: FailClosed, Detail: "the daemon is stopping"})
		}
	}
	p.mu.Unlock()
	p.wg.Wait()
	return err
}

// settleClose tells Close when the last call has been answered.
func (p *Pool) settleClose() {
	if p.closing && p.calls == 0 {
		select {
		case <-p.drained:
		default:
			close(p.drained)
		}
	}
}

// Probe asks about the recipients of req in their order and blocks until each has an outcome.
//
// When ctx is done, recipients that are still queued, and that no other call waits for, are dropped with
// FailCanceled; those that were sent are waited for, which the timeouts of the wire bound.
func (p *Pool) Probe(ctx context.Context, req Request) []Outcome {
	c := &call{outcomes: make([]Outcome, len(req.Recipients)), left: len(req.Recipients), done: make(chan struct{})}
	if c.left == 0 {
		return nil
	}
	p.mu.Lock()
	p.calls++
	p.enqueue(&req, c)
	p.mu.Unlock()
	select {
	case <-c.done:
	case <-ctx.Done():
		p.mu.Lock()
		c.cancel(p)
		p.mu.Unlock()
		<-c.done
	}
	p.mu.Lock()
	p.calls--
	p.settleClose()
	p.mu.Unlock()
	return c.outcomes
}

// enqueue finds the path for req and queues it there, or answers at once where that is impossible.
func (p *Pool) enqueue(req *Request, c *call) {
	fail := func(f Failure, stage smtp.Stage, detail string) {
		for i := range req.Recipients {
			c.deliver(i, Outcome{Recipient: req.Recipients[i], Failure: f, Stage: stage, Detail: detail, At: time.Now()})
		}
	}
	if p.closing {
		fail(FailClosed, smtp.StageConnect, "the daemon is stopping")
		return
	}
	src, why := p.choose(req)
	if src == nil {
		fail(FailNoSource, smtp.StageConnect, why)
		return
	}
	pa := p.siteOf(req).path(src)
	for i, r := range req.Recipients {
		pr := pa.queue.add(req, r, waiter{c, i})
		c.probes = append(c.probes, pr)
		c.paths = append(c.paths, pa)
	}
	pa.advance()
}

// choose picks the source for req: the domain's own, if it is fit and has a family that a host has.
func (p *Pool) choose(req *Request) (*sourceState, string) {
	now := time.Now()
	why := "no source has an address of a family that the mail hosts have"
	for _, s := range rank(p.sources, req.Domain) {
		switch {
		case req.Source != "" && req.Source != s.Name:
		case !s.fit(now):
			why = fmt.Sprintf("source %s is suspended: %s", s.Name, s.suspendedWhy)
		case !s.reaches(req.Hosts):
		default:
			return s, ""
		}
	}
	return nil, why
}

// reaches reports whether any address of hosts can be dialled from s.
func (s *sourceState) reaches(hosts []Host) bool {
	for _, h := range hosts {
		if slices.ContainsFunc(h.Addrs, s.dialable) {
			return true
		}
	}
	return false
}
