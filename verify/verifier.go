package verify

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/verimails/verimaild/internal/crew"
	"github.com/verimails/verimaild/internal/store"
	"github.com/verimails/verimaild/pool"
	"github.com/verimails/verimaild/pool/provider"
	"github.com/verimails/verimaild/verify/address"
	"github.com/verimails/verimaild/verify/lists"
	"github.com/verimails/verimaild/verify/maildns"
	"github.com/verimails/verimaild/verify/verdict"
)

// Bounds of a request.
const (
	DefaultDeadline = 30 * time.Second
	MaxDeadline     = 10 * time.Minute

	// minRepeat is how soon the same address is asked afresh at the earliest, whatever a caller wants: an
	// address that is asked about again and again looks like harvesting to its server.
	minRepeat = 10 * time.Minute

	// flightBound ends work that outlives its callers.
	flightBound = 10 * time.Minute
)

var (
	// ErrStopping is returned by Verify once Close was called.
	ErrStopping = errors.New("verify: stopping")
	// ErrBadRequest is wrapped by the error for a request that makes no sense.
	ErrBadRequest = errors.New("verify: bad request")
)

// A Prober asks mail hosts about recipients; *pool.Pool is one.
type Prober interface {
	Probe(ctx context.Context, req pool.Request) []pool.Outcome
}

// Policy says which properties turn an address that would be deliverable risky.
type Policy struct{ Role, Disposable, PrivacyRelay bool }

// Settings are what a reload may change.
type Settings struct {
	// Prober asks mail hosts. Nil means that none can be asked; Blocked says why.
	Prober  Prober
	Blocked string

	// Sender is the reverse-path that Prober asks with. Greylists know whoever asks by it.
	Sender string

	// Mode says how far a domain with these mail hosts can be asked, where the operator says so: in the place of what is
	// known of the provider. It is called concurrently; nil says nothing of any domain.
	Mode func(domain string, hosts []string) (provider.Mode, bool)

	Policy Policy

	// DeadNames is how many different names that do not exist an application may ask one domain for within an hour, if
	// two of three that it asks for there do not. Who comes to that is stopped there for an hour. 0 stops nobody.
	DeadNames int

	NeverProbe []string // Addresses, domains and patterns of mail hosts that are not asked.
}

// Options make a Verifier. Lists, Resolver and Secret are required.
type Options struct {
	Lists    *lists.Lists
	Resolver *maildns.Resolver
	Memory   Memory // nil remembers nothing.

	// Secret keeps the names of control probes from being guessed: at least 16 octets, the same after a restart.
	Secret []byte

	// Stores keeps greylist tickets over a restart. nil holds them in memory only.
	Stores *store.Stores

	Settings Settings
	Logger   *zap.Logger
	Now      func() time.Time // For stamps and ages; nil means time.Now.
}

// A Verifier answers requests. Its methods may be called concurrently.
type Verifier struct {
	lists    *lists.Lists
	resolver *maildns.Resolver
	memory   Memory
	secret   []byte
	log      *zap.Logger
	now      func() time.Time
	crew     crew.Crew // Flights, and those who ask again.
	runs     sync.Pool // Of *run: each is as large as its answer and two outcomes.

	suggestions  suggestions
	endings      endings
	remembers    bool // There is a memory: what was answered a moment ago is answered again.
	tickets      *ticketBook
	unknowns     unknowns
	enumerations enumerations
	paths        paths
	tallies      tallies
	unheard      atomic.Uint64 // Numbers made-up recipients that are asked about once.
	revisits     chan struct{} // Holds one for each recipient that was put off and is being asked about again.

	stopOnce    sync.Once
	stopWaiting chan struct{} // Closed when nobody is to wait out a greylist any more.

	mu       sync.Mutex // Guards all below.
	settings *settings
	flights  map[flightKey]*flight
	lately   lately
	scouts   map[string]*scout // By domain, A-labels.
	closing  bool
}

// New makes a Verifier; nothing runs until it is asked. Its error names the setting at fault.
func New(opts Options) (*Verifier, error) {
	v := &Verifier{
		lists: opts.Lists, resolver: opts.Resolver, memory: opts.Memory, secret: opts.Secret,
		log: opts.Logger, now: opts.Now, flights: map[flightKey]*flight{}, scouts: map[string]*scout{},
		stopWaiting: make(chan struct{}), revisits: make(chan struct{}, maxRevisits), remembers: opts.Memory != nil,
	}
	v.suggestions.seed, v.endings.seed = maphash.MakeSeed(), maphash.MakeSeed()
	if v.memory == nil {
		v.memory = forgetful{}
	}
	if v.log == nil {
		v.log = zap.NewNop()
	}
	var file *ticketFile
	if opts.Stores != nil {
		var err error
		if file, err = openTicketFile(opts.Stores); err != nil {
			return nil, err
		}
	}
	v.tickets = newTicketBook(file, v.log)
	if v.now == nil {
		v.now = time.Now
	}
	v.unknowns.now = v.now
	if err := v.Reload(opts.Settings); err != nil {
		return nil, err
	}
	return v, nil
}

// Reload puts s into force for flights that begin from now on. On error nothing has changed.
func (v *Verifier) Reload(s Settings) error {
	compiled, err := compile(s)
	if err != nil {
		return err
	}
	v.unknowns.clear()
	v.mu.Lock()
	defer v.mu.Unlock()
	v.settings = compiled
	return nil
}

// inForce is the settings of now.
func (v *Verifier) inForce() *settings {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.settings
}

// StopWaiting ends the waiting of those who wait out greylisting: they are answered with what is known. The daemon calls
// it when it begins to stop, so that such a caller does not hold it up. Further calls do nothing.
func (v *Verifier) StopWaiting() { v.stopOnce.Do(func() { close(v.stopWaiting) }) }

// Close lets flights end until ctx is done, then cancels them, and returns when none is left. Verify returns
// ErrStopping from now on.
func (v *Verifier) Close(ctx context.Context) error {
	v.StopWaiting()
	v.mu.Lock()
	v.closing = true
	v.mu.Unlock()
	ended := make(chan struct{})
	go func() { // Ends with the last flight, which the cancellation below brings about.
		v.crew.Wait()
		close(ended)
	}()
	var err error
	select {
	case <-ended:
	case <-ctx.Done():
		err = fmt.Errorf("verify: close: %w", context.Cause(ctx))
		v.mu.Lock()
		for _, f := range v.flights {
			f.cancel(ErrStopping)
		}
		v.mu.Unlock()
		<-ended
	}
	v.unknowns.close()
	return err
}

// Verify answers one request. It blocks until the answer is there, but not past the request's deadline: then the
// answer is unknown, deadline_exceeded, and the work goes on for whoever asks next.
//
// What a mail server says or fails to say is an answer. An error means that ctx ended, that the request makes no
// sense (ErrBadRequest), or that the verifier is stopping (ErrStopping).
func (v *Verifier) Verify(ctx context.Context, req Request) (*verdict.Answer, error) {
	start := v.now()
	if err := req.fill(); err != nil {
		return nil, err
	}
	a, err := address.Parse(req.Email)
	if err != nil {
		return v.invalid(&req, err, start), nil
	}
	var before look
	if req.Trace {
		before = v.look(a)
	}
	ans, err := v.known(ctx, &req, a)
	if ans == nil && err == nil {
		ans, err = v.admitted(ctx, &req, a)
	}
	if err != nil {
		return nil, err
	}
	if req.Trace {
		ans.Trace = v.trace(a, &before, ans)
	}
	ans.Email = req.Email
	ans.Took = v.now().Sub(start)
	return ans, nil
}

// admitted asks on behalf of a caller, if it may.
func (v *Verifier) admitted(ctx context.Context, req *Request, a address.Address) (*verdict.Answer, error) {
	if ans := v.stopped(req, a); ans != nil {
		return ans, nil
	}
	if req.Admit != nil {
		if err := req.Admit(ctx); err != nil {
			return nil, err
		}
	}
	ans, err := v.answer(ctx, req, a, v.now().Add(req.Deadline))
	if err != nil {
		return nil, err
	}
	v.tallyDead(req, a, ans)
	return new(*ans), nil // The flight's answer is shared; this caller's copy is not.
}

// known answers from memory, and has what is stale asked about again behind the answer. nil means that memory does
// not do for req.
func (v *Verifier) known(ctx context.Context, req *Request, a address.Address) (*verdict.Answer, error) {
	v.mu.Lock()
	s, closing := v.settings, v.closing
	v.mu.Unlock()
	if closing {
		return nil, ErrStopping
	}
	req.seen = sight{looked: true, ends: v.endings.of(a).Load()}
	ans, refresh := v.recall(v.memory, req, a, s)
	if ans == nil {
		ans = v.pending(req, a, s)
	}
	if ans == nil {
		return nil, nil
	}
	if s.suppresses(a, ans.MX) || req.Wait && ans.Reason == verdict.Greylisted {
		req.seen = sight{}
		return nil, nil // A run says what is to be said, or waits.
	}
	if refresh {
		v.refresh(ctx, req, a)
	}
	return ans, nil
}

// fill puts defaults into r and checks it.
func (r *Request) fill() error {
	if r.Deadline == 0 {
		r.Deadline = DefaultDeadline
	}
	if r.Deadline < 0 || r.Deadline > MaxDeadline {
		return fmt.Errorf("%w: deadline %v: must be above 0 and at most %v", ErrBadRequest, r.Deadline, MaxDeadline)
	}
	switch r.Depth {
	case "":
		r.Depth = DepthSMTP
	case DepthSyntax, DepthDNS, DepthSMTP:
	default:
		return fmt.Errorf("%w: depth %q: must be syntax, dns or smtp", ErrBadRequest, r.Depth)
	}
	if r.App == "" {
		r.App = defaultApp
	}
	return nil
}

// answer gets a's answer, and where the caller wants to wait, waits out greylisting up to the deadline.
func (v *Verifier) answer(ctx context.Context, req *Request, a address.Address, deadline time.Time) (*verdict.Answer, error) {
	ans, err := v.ask(ctx, req, a, deadline)
	for err == nil && req.Wait && ans.Reason == verdict.Greylisted && ans.RetryAt.Before(deadline) {
		switch waited, err := v.sleepUntil(ctx, ans.RetryAt); {
		case err != nil:
			return nil, err
		case !waited:
			return ans, nil
		}
		ans, err = v.ask(ctx, req, a, deadline)
	}
	return ans, err
}

// sleepUntil reports whether t has come; not if waiting was stopped.
func (v *Verifier) sleepUntil(ctx context.Context, t time.Time) (waited bool, err error) {
	timer := time.NewTimer(t.Sub(v.now()))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true, nil
	case <-v.stopWaiting:
		return false, nil
	case <-ctx.Done():
		return false, context.Cause(ctx)
	}
}
