package maildns

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
)

// holdDown is how long a server that stayed silent is asked after the others.
const holdDown = 30 * time.Second

// A server is one recursive server.
type server struct {
	addr  string    // host:port
	start time.Time // What downUntil counts from, on the monotonic clock.

	// downUntil is when the server is trusted to answer again, in nanoseconds since start. 0 means now.
	downUntil atomic.Int64
}

// heard notes what came of asking the server, and returns whether it answered anything at all.
func (s *server) heard(err error) bool {
	if err != nil && noContact(err) {
		s.downUntil.Store(int64(time.Since(s.start) + holdDown))
		return false
	}
	s.downUntil.Store(0)
	return true
}

func (s *server) down() bool { return s.downUntil.Load() > int64(time.Since(s.start)) }

// order returns the servers as configured, with those that stayed silent lately at the end.
func (set *settings) order() []*server {
	up := make([]*server, 0, len(set.servers))
	var down []*server
	for _, s := range set.servers {
		if s.down() {
			down = append(down, s)
		} else {
			up = append(up, s)
		}
	}
	return append(up, down...)
}

// ask puts one question to the servers in turn until one gives an answer that can be used. A server that
// refuses or answers nonsense is asked once, a silent one up to attempts times. The error is a *failedError.
func (r *Resolver) ask(ctx context.Context, set *settings, q dns.Question) (section, error) {
	failed := &failedError{status: Timeout}
	pending := set.order()
	for range set.attempts {
		var again []*server
		for _, srv := range pending {
			sec, err := r.askServer(ctx, set, srv, q)
			if err == nil {
				srv.heard(nil)
				return sec, nil
			}
			if ctx.Err() != nil { // Our time is over, or nobody waits; that says nothing of the server.
				return section{}, failed.gaveUp(srv)
			}
			failed.add(srv, err)
			if !srv.heard(err) {
				again = append(again, srv)
			}
		}
		pending = again
	}
	return section{}, failed
}

// askServer asks one server, over TCP if the answer does not fit a datagram, and without EDNS if
// the server does not know it (RFC 6891 §7).
func (r *Resolver) askServer(ctx context.Context, set *settings, srv *server, q dns.Question) (section, error) {
	edns, tcp := true, set.tcp
	for {
		m, err := r.askOnce(ctx, set, srv, q, edns, tcp)
		switch {
		case !tcp && (errors.Is(err, errBroken) || errors.Is(err, errStrays) || err == nil && m.Truncated):
			tcp = true
		case err != nil:
			return section{}, err
		case edns && rejectsEDNS(m):
			edns = false
		default:
			return readSection(m, q, srv.addr)
		}
	}
}

func (r *Resolver) askOnce(ctx context.Context, set *settings, srv *server, q dns.Question, edns, tcp bool) (*dns.Msg, error) {
	qy, err := newQuery(q, edns)
	if err != nil {
		return nil, err
	}
	network := "udp"
	if tcp {
		network = "tcp"
	}
	select { // Before the server's time starts: waiting for others is no fault of its.
	case r.slots <- struct{}{}:
		defer func() { <-r.slots }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	ctx, cancel := context.WithTimeout(ctx, set.timeout)
	defer cancel()
	m, err := set.roundTrip(ctx, network, srv.addr, qy)
	if err != nil && timedOut(err) {
		return nil, errSilent(set.timeout)
	}
	return m, err
}

func rejectsEDNS(m *dns.Msg) bool {
	return m.Rcode == dns.RcodeFormatError || m.Rcode == dns.RcodeNotImplemented || m.Rcode == dns.RcodeBadVers
}

// errSilent says that no answer came within so much time.
type errSilent time.Duration

func (e errSilent) Error() string { return "no answer within " + time.Duration(e).String() }

// errGaveUp says that the time for the whole question was over before a server's own time was.
var errGaveUp = errors.New("gave up waiting")

func timedOut(err error) bool {
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded)
}

// noContact says that err is silence, or the network's: the server has not answered.
func noContact(err error) bool {
	if _, ok := errors.AsType[errSilent](err); ok {
		return true
	}
	_, ok := errors.AsType[net.Error](err)
	return ok || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.ErrClosedPipe)
}

// maxDetail bounds a Detail, in bytes.
const maxDetail = 300

// failedError says why no server gave a usable answer.
type failedError struct {
	status Status // Failure as soon as one server did anything but stay silent.
	parts  []string
}

func (e *failedError) add(srv *server, err error) {
	if _, silent := errors.AsType[errSilent](err); !silent && !errors.Is(err, errGaveUp) {
		e.status = Failure
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		err = op.Err // Without the local port, which only makes equal failures look different.
	}
	part := fmt.Sprintf("%v (%s)", err, srv.addr)
	if !slices.Contains(e.parts, part) {
		e.parts = append(e.parts, part)
	}
}

// gaveUp returns e for a question whose time was over while srv was asked.
func (e *failedError) gaveUp(srv *server) error {
	if len(e.parts) == 0 {
		e.add(srv, errGaveUp)
	}
	return e
}

func (e *failedError) Error() string { return clip(strings.Join(e.parts, "; ")) }

// clip makes s fit for a Detail: printable ASCII of bounded length.
func clip(s string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' {
			return '?'
		}
		return c
	}, s[:min(len(s), maxDetail)])
}
