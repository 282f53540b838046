// Package pool decides from which source, when, and on which session recipients are asked about.
//
// Work flows one way: Probe queues recipients in a lane of a path (a source at a site), a session of that lane takes
// the next batches that its limits allow, and what the server said goes to all callers that wait for it.
// Sessions outlive the callers that they were opened for.
package pool

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/verimails/verimaild/internal/crew"
	"github.com/verimails/verimaild/internal/netguard"
	"github.com/verimails/verimaild/internal/store"
	"github.com/verimails/verimaild/pool/budget"
	"github.com/verimails/verimaild/pool/provider"
	"github.com/verimails/verimaild/pool/reply"
	"github.com/verimails/verimaild/pool/smtp"
)

// Options say how a pool works. Sender, Sources, Guard and Replies are required. The pool keeps no reference to what
// a caller may change, but for Guard.
type Options struct {
	Sender      string // The reverse-path of every transaction: a real mailbox, never empty.
	Sources     []Source
	Port        uint16         // Of the mail hosts. 0 means 25.
	TLS         smtp.TLSPolicy // The zero value is opportunistic.
	MaxSessions int            // Over all sources; 0 lifts it.

	DialsPerSecond int // Over all sources; 0 lifts it.
	SourceLimits   SourceLimits

	// Limits overrides DefaultLimits for every site, and is itself overridden by the provider's row, and that by the
	// first of Sites that matches.
	Limits *provider.Limits
	Sites  []SiteRule

	// Forgiving holds nothing against anybody: no breaker opens, and no address is left alone. It is for a world in which
	// refusals are part of the play, and answers are to repeat.
	Forgiving bool

	// State keeps what was spent, learned and blocked over a restart; one pool at a time may have it. Nil keeps nothing.
	State *store.Store

	Guard   *netguard.Guard // Which addresses may be dialled.
	Replies *reply.Table

	// Dial connects laddr (zero: any) to raddr; nil means TCP. The guard has passed raddr.
	Dial func(ctx context.Context, laddr netip.Addr, raddr netip.AddrPort) (net.Conn, error)

	Timeouts       smtp.Timeouts
	ConnectTimeout time.Duration // For one address. 0 means 15 s.
	Observer       Observer      // Is told how long things take; nil observes nothing.
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
	log     *zap.Logger
	started time.Time // What instants are counted from, but for the history before it.
	wg      sync.WaitGroup
	crew    crew.Crew               // Sessions.
	abort   context.CancelCauseFunc // Ends every session; set by Start.

	lastOnce sync.Once // Guards what is written down at the end.

	// mu guards all below, and what sites, paths, lanes, queues, sessions and sources hold. Nothing that blocks is
	// done under it; outcomes are delivered under it, and a delivery never blocks.
	mu        sync.Mutex
	spawn     func(*session) // Runs a session in a goroutine of the pool's; set by Start.
	opts      Options
	base      Limits // For sites without a provider.
	rules     SiteRules
	sources   []*sourceState
	former    []*sourceState // Those that are gone, the last one last.
	sites     map[string]*site
	sessions  int                       // Open or being opened.
	idle      idleList                  // Sessions that linger, the longest first.
	starved   fifo[*path]               // Paths that wait for a session's place.
	across    map[string]*providerState // By provider id.
	apps      apps
	slowdowns map[string]*slowdown // By provider id.
	routes    routes
	outages   outages
	refusals  refusals
	self      self
	sender    senderState
	dials     budget.Bucket
	waker     waker
	scribe    *scribe // nil where nothing is written down.
	keeper    keeper
	hosts     map[string]hostRecord
	sweepAt   int           // How many hosts may be remembered until the old ones are looked for.
	sitesAt   int           // How many sites may be remembered until those without a use are looked for.
	closing   bool          // No new work.
	halted    bool          // No work at all; the sessions are on their way out.
	drained   chan struct{} // Closed when the pool is closing and nothing is left to do.
	calls     int           // Probe calls under way.
	total     counters
}

// New makes a pool that asks nothing until it is started. Its errors name the option at fault.
func New(opts Options) (*Pool, error) {
	p := &Pool{
		log:     opts.Logger,
		started: time.Now(),
		sites:   map[string]*site{},
		across:  map[string]*providerState{},
		apps:    apps{},
		routes:  routes{},
		outages: outages{},
		waker:   waker{reset: make(chan struct{}, 1)},
		keeper:  keeper{wake: make(chan struct{}, 1), ended: make(chan struct{})},
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
	if opts.State != nil {
		var err error
		if p.scribe, err = newScribe(p, opts.State); err != nil {
			return nil, err
		}
	}
	p.restoreSources(p.readSources(opts.Sources))
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
	if _, err := CompileSiteRules(opts.Sites); err != nil {
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

// Start lets the pool open sessions until ctx is done or the pool is closed. It must be called once; what was queued
// before has waited for it.
func (p *Pool) Start(ctx context.Context) {
	p.mu.Lock()
	defer p.mu.Unlock()
	ctx, p.abort = context.WithCancelCause(ctx)
	p.spawn = func(s *session) { p.crew.Go(func() { s.drive(ctx) }) }
	p.wg.Go(func() { p.wakeUp(ctx) })
	p.wg.Go(func() { p.keep(ctx) })
	if p.scribe != nil {
		p.wg.Go(func() { p.scribe.write(ctx) })
	}
	for _, pa := range p.paths() {
		pa.advance()
	}
}

// paths lists all paths.
func (p *Pool) paths() []*path {
	var out []*path
	for _, s := range p.sites {
		for _, pa := range s.paths {
			out = append(out, pa)
		}
	}
	return out
}

// Probe asks about the recipients of req in their order and blocks until each has an outcome; outcomes are in the
// order of the recipients.
//
// When ctx is done, recipients that are still queued, and that no other call waits for, are dropped with
// FailCanceled; those that were sent are waited for, which the timeouts of the wire bound.
func (p *Pool) Probe(ctx context.Context, req Request) []Outcome {
	if len(req.Recipients) == 0 {
		return nil
	}
	c := newCall(req.Recipients)
	to := destinationOf(req.Hosts)
	p.mu.Lock()
	p.recall(to.site, req.Domain)
	p.calls++
	p.enqueue(&req, to, c)
	p.mu.Unlock()
	select {
	case <-c.done:
	case <-ctx.Done():
		p.mu.Lock()
		c.cancel()
		p.mu.Unlock()
		<-c.done
	}
	p.mu.Lock()
	p.calls--
	p.settleClose()
	p.mu.Unlock()
	return c.outcomes
}

// enqueue finds the lane for req and queues it there, or answers at once where that is impossible.
func (p *Pool) enqueue(req *Request, to destination, c *call) {
	if p.closing || p.halted {
		c.fail(FailClosed, stopping)
		return
	}
	src, home, none := p.choose(want{domain: req.Domain, hosts: req.Hosts, pinned: req.Source, deadline: req.Deadline})
	if src == nil {
		c.deny(none)
		return
	}
	c.deadline, c.along, c.awaited = req.Deadline, req.Along, req.Awaited
	at := p.siteOf(to.site, req.Domain)
	pa := at.path(at.staysHome(src, home))
	la := pa.lane(to.lane)
	la.hosts = req.Hosts
	c.probes = make([]*probe, len(req.Recipients))
	now := p.now()
	for i := range req.Recipients {
		rcpt := &req.Recipients[i]
		if o := pa.refusedAt(home, now, rcpt.Path); o != nil {
			c.turnAway(i, o, pa.site.paths[home])
			continue
		}
		if o := pa.turnedAway(now, la, req, rcpt); o != nil {
			c.turnAway(i, o, pa)
			continue
		}
		la.met()
		c.probes[i] = la.queue.add(la, req, rcpt, waiter{c, i, req.Source})
		if i > 0 && req.Along && len(c.probes[i].waiters) == 1 {
			c.probes[i].target = c.probes[0]
		}
	}
	pa.advance()
	pa.forget()
}
