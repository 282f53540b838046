package api

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/verimails/verimaild/client/apitype"
)

// server is the HTTP server around s. Its requests' contexts end with base.
func (s *Server) server(base context.Context) *http.Server {
	// What net/http itself has to say is about peers that break off, and about running out of descriptors.
	errorLog, _ := zap.NewStdLogAt(s.log, zap.WarnLevel) // Errs only for a level that does not exist.
	return &http.Server{
		Handler:     s,
		BaseContext: func(net.Listener) context.Context { return base },
		ConnContext: s.connContext,
		ErrorLog:    errorLog,

		// No ReadTimeout: net/http would keep that deadline while the handler works, and take its passing for
		// the client's going away. Bodies get a deadline of their own, see call.readBody.
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,

		DisableGeneralOptionsHandler: true, // OPTIONS * gets a JSON error like any other path.
	}
}

// Serve answers requests on l until Shutdown, and closes l. It returns nil after Shutdown, else why l failed.
// It may be called for several listeners at once; l may come from [Listen] or from socket activation. A listener
// that is not a Unix socket is refused: its callers would have no identity.
func (s *Server) Serve(l net.Listener) error {
	if a := l.Addr(); a.Network() != "unix" {
		_ = l.Close() // Never used.
		return fmt.Errorf("api: %s %s is not a Unix stream socket", a.Network(), a)
	}
	if err := s.http.Serve(&crowdListener{l, &s.crowd}); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Numbers is a server for /metrics, /healthz and /readyz alone, on a listener whose clients have no identity. It is the
// caller's to serve and to close.
func (s *Server) Numbers() *http.Server {
	srv := s.server(context.Background())
	srv.ConnContext = func(ctx context.Context, _ net.Conn) context.Context { return withPeer(ctx, s.accounts, unknownPeer()) }
	srv.MaxHeaderBytes, srv.ReadTimeout = 16<<10, headerTimeout
	srv.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/metrics", "/healthz", "/readyz":
			s.ServeHTTP(w, r)
		default:
			rt := nowhere()
			rt.handle = func(_ *Server, c *call) error {
				return fail(apitype.CodeNotFound, "Here are /metrics, /healthz and /readyz; all else is on the socket.")
			}
			s.run(rt, w, r)
		}
	})
	return srv
}

// errShuttingDown is why a request's context ended when Shutdown ran out of patience.
var errShuttingDown = errors.New("api: shutting down")

// errStuck is a fault of ours: a request did not end with its context.
var errStuck = errors.New("api: requests are still inside though their contexts have ended")

// Drain refuses new work from now on, with 503 and the code shutting_down; health checks are still answered.
// What is inside goes on. It returns at once and may be called more than once.
func (s *Server) Drain() { s.gate.close() }

// CloseIdle closes the connections on which nothing is asked, and lets the others end with the answer that they wait for.
func (s *Server) CloseIdle() { s.http.SetKeepAlivesEnabled(false) }

// Shutdown drains, waits until the last request is answered, and then closes all listeners and connections.
// When ctx ends first, the contexts of the requests still inside are cancelled; they get a moment to end, and Shutdown
// returns ctx's error. Serve has returned, or is about to, when Shutdown returns.
func (s *Server) Shutdown(ctx context.Context) error {
	err := s.finishWork(ctx)
	// Shutdown of net/http waits for connections on which nothing was ever asked; we don't wait long for those.
	hangUp, stop := context.WithTimeout(context.WithoutCancel(ctx), hangUpTimeout)
	defer stop()
	if s.http.Shutdown(hangUp) != nil {
		_ = s.http.Close() // The sockets are gone whatever it says.
	}
	s.cancel(errShuttingDown)
	return err
}

// finishWork lets the requests inside end by themselves until ctx ends, then makes them.
func (s *Server) finishWork(ctx context.Context) error {
	empty := s.gate.close()
	select {
	case <-empty:
		return nil
	case <-ctx.Done():
	}
	s.cancel(errShuttingDown)
	moment := time.NewTimer(cancelTimeout)
	defer moment.Stop()
	select {
	case <-empty:
		return ctx.Err()
	case <-moment.C:
		return errors.Join(ctx.Err(), errStuck)
	}
}

// A gate counts the requests inside, and once closed lets no more in.
type gate struct {
	mu     sync.Mutex // Guards inside and closed.
	inside int
	closed bool
	empty  chan struct{} // Closed when the gate is closed and the last one has left.

	shutting chan struct{} // Closed with the gate.
}

// enter reports whether the gate is open; if so, leave must follow.
func (g *gate) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return false
	}
	g.inside++
	return true
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside--
	if g.inside < 0 {
		panic("api: gate: more left than entered")
	}
	if g.closed && g.inside == 0 {
		close(g.empty)
	}
}

// close shuts the gate and returns a channel that is closed once nobody is inside.
func (g *gate) close() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.closed {
		g.closed = true
		close(g.shutting)
		if g.inside == 0 {
			close(g.empty)
		}
	}
	return g.empty
}

// shut reports whether the gate is closed.
func (g *gate) shut() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.closed
}
