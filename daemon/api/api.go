// Package api serves verimaild's HTTP API on its Unix socket: who calls, how much they may, which method.
//
// A request goes: listener → peer credentials, once a connection → route, by one table → scope → handler. Handlers
// return their error; it becomes the one error shape in one place, errors.go. Bodies and query strings are hostile
// input: bounded, parsed strictly, and refused with the name of what is wrong.
package api

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/verimails/verimaild/cache"
	"github.com/verimails/verimaild/client/apitype"
	"github.com/verimails/verimaild/daemon/bulk"
	"github.com/verimails/verimaild/daemon/ledger"
	"github.com/verimails/verimaild/pool/reply"
	"github.com/verimails/verimaild/verify"
	"github.com/verimails/verimaild/verify/verdict"
)

// A Verifier answers for one address. It is safe for concurrent use, and blocks until the answer is there,
// the request's deadline has passed (which is an answer too) or ctx ends. It errs only on ctx or on a fault of
// this host; what mail servers and the DNS say is in the answer.
type Verifier interface {
	Verify(ctx context.Context, req verify.Request) (*verdict.Answer, error)
}

// Options are what a [Server] is made from.
type Options struct {
	Verifier Verifier // Needed.

	// Ready says whether addresses can be verified to the end, and what stands in the way. It is called for each
	// GET /readyz, concurrently, and must not block. nil means always ready.
	Ready func() (bool, []apitype.Problem)

	// Cache is what is remembered. nil, as in a sandbox without memory, refuses whatever is about it.
	Cache *cache.Cache

	// Ledger takes reports of what became of mail. It is needed where Cache is there.
	Ledger *ledger.Ledger

	// Jobs are the bulk jobs. nil refuses whatever is about them.
	Jobs *bulk.Jobs

	// Replies are the rules in force, for POST /v1/explain. It is called concurrently; nil means the built-in ones.
	Replies func() *reply.Table

	// Egress is what asks mail servers; it returns nil while nothing does. nil means never.
	Egress func() Egress

	// Status is what GET /v1/status shows, but for what the server knows itself. It is called for each, concurrently.
	Status func() apitype.Status

	// Reload reads the configuration again and puts it into force, and returns the keys that need a restart. Its error
	// is [ErrBusy], or what is wrong with the configuration. nil refuses.
	Reload func(context.Context) (restart []string, err error)

	// Metrics serves GET /metrics. nil refuses.
	Metrics http.Handler

	// Accounts know the applications. nil means that there is only the default one.
	Accounts *Accounts

	Version apitype.Version
	Logger  *zap.Logger // nil logs nothing.
}

// A Server serves the API on any number of listeners. Use it once: New, Serve, Shutdown.
type Server struct {
	opts     Options
	log      *zap.Logger
	mux      *http.ServeMux
	http     *http.Server
	accounts *Accounts
	ids      *requestIDs
	gate     gate // Requests inside; closed once the daemon stops.

	cancel      context.CancelCauseFunc // Ends every request that is still inside.
	bodyTimeout time.Duration
	sendTimeout time.Duration

	tallies map[string]*tally // By the pattern of a route.
	crowd   crowd
	streams atomic.Int64 // Under way.
	spooled atomic.Int64 // Bytes in their spools.

	buffers bufferPool
	frames  *frames
}

// The limits on one connection. A request's own wait is not among them: it may take ten minutes.
const (
	headerTimeout = 10 * time.Second // From a request's first byte to the end of its header.
	bodyTimeout   = 10 * time.Second // For the whole body.
	sendTimeout   = 10 * time.Second // For the client to take the reply.
	idleTimeout   = 2 * time.Minute  // Between requests.
	hangUpTimeout = time.Second      // For connections to close once the last request is done.
	cancelTimeout = 5 * time.Second  // For requests to end once their contexts have.

	// maxHeader is well above maxURI, so that an address that is too long for a GET gets our error and not
	// net/http's terse one.
	maxHeader = 256 << 10
	maxURI    = 16 << 10
	maxBody   = 64 << 10
)

// New makes a Server. It starts nothing.
func New(opts Options) *Server {
	if opts.Replies == nil {
		opts.Replies = reply.Builtin
	}
	if opts.Accounts == nil {
		opts.Accounts, _ = NewAccounts(AccountsOptions{}) // Errs only for what is stored.
	}
	log := opts.Logger
	if log == nil {
		log = zap.NewNop()
	}
	if opts.Verifier != nil {
		opts.Verifier = opts.Accounts.Meter(opts.Verifier)
	}
	base, cancel := context.WithCancelCause(context.Background())
	s := &Server{
		opts:        opts,
		log:         log,
		accounts:    opts.Accounts,
		ids:         newRequestIDs(),
		cancel:      cancel,
		bodyTimeout: bodyTimeout,
		sendTimeout: sendTimeout,
		frames:      newFrames(),
	}
	s.gate.empty, s.gate.shutting = make(chan struct{}), make(chan struct{})
	s.crowd.most, s.crowd.byUser = connectionLimit(), map[int]int{}
	s.mux = s.routes()
	s.http = s.server(base)
	return s
}
