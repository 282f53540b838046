package smtp

import (
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"
)

// pipe is a buffered in-memory connection; each direction holds window octets. Unlike a socket it works in a synctest
// bubble, unlike net.Pipe it buffers.
func pipe(t testing.TB, window int) (client, server *memConn) {
	t.Helper()
	up, down := newHalf(window), newHalf(window)
	client, server = &memConn{in: down, out: up}, &memConn{in: up, out: down}
	t.Cleanup(func() {
		_ = client.Close()
		_ = server.Close()
	})
	return client, server
}

// A memConn is one end of a pipe.
type memConn struct {
	in, out *half

	mu     sync.Mutex
	closed bool
	writes []string // What each Write was given.
	record bool
}

// A half is one direction of a pipe.
type half struct {
	mu     sync.Mutex
	cond   *sync.Cond
	buf    []byte
	window int
	eof    bool  // The writer is done.
	broken error // The reader is gone, or the connection was reset.
	read   deadline
	write  deadline
}

func newHalf(window int) *half {
	h := &half{window: window}
	h.cond = sync.NewCond(&h.mu)
	return h
}

// A deadline wakes the waiters of a half.
type deadline struct {
	at    time.Time
	timer *time.Timer
}

func (d *deadline) passed() bool { return !d.at.IsZero() && !time.Now().Before(d.at) }

func (h *half) setDeadline(d *deadline, at time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	d.at = at
	switch {
	case at.IsZero():
		if d.timer != nil {
			d.timer.Stop()
		}
	case d.timer == nil:
		d.timer = time.AfterFunc(time.Until(at), h.wake)
	default:
		d.timer.Reset(time.Until(at))
	}
	h.cond.Broadcast()
}

func (h *half) wake() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.cond.Broadcast()
}

func (c *memConn) Read(p []byte) (int, error) {
	h := c.in
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		switch {
		case c.isClosed():
			return 0, net.ErrClosed
		case h.read.passed():
			return 0, os.ErrDeadlineExceeded
		case len(h.buf) > 0:
			n := copy(p, h.buf)
			h.buf = h.buf[:copy(h.buf, h.buf[n:])]
			h.cond.Broadcast()
			return n, nil
		case h.broken != nil:
			return 0, h.broken
		case h.eof:
			return 0, io.EOF
		}
		h.cond.Wait()
	}
}

func (c *memConn) Write(p []byte) (int, error) {
	if c.record {
		c.mu.Lock()
		c.writes = append(c.writes, string(p))
		c.mu.Unlock()
	}
	h := c.out
	h.mu.Lock()
	defer h.mu.Unlock()
	n := 0
	for n < len(p) {
		switch room := h.window - len(h.buf); {
		case c.isClosed():
			return n, net.ErrClosed
		case h.write.passed():
			return n, os.ErrDeadlineExceeded
		case h.broken != nil:
			return n, h.broken
		case room > 0:
			k := min(room, len(p)-n)
			h.buf = append(h.buf, p[n:n+k]...)
			n += k
			h.cond.Broadcast()
		default:
			h.cond.Wait()
		}
	}
	return n, nil
}

// Close is a FIN: the peer reads what is buffered, then EOF, and can write no more.
func (c *memConn) Close() error { return c.end(nil) }

// reset is an RST: the peer reads what is buffered, then ECONNRESET.
func (c *memConn) reset() { _ = c.end(syscall.ECONNRESET) }

func (c *memConn) end(in error) error {
	c.mu.Lock()
	again := c.closed
	c.closed = true
	c.mu.Unlock()
	if again {
		return net.ErrClosed
	}
	c.out.mu.Lock()
	c.out.eof = true
	if in != nil {
		c.out.broken = in
	}
	c.out.cond.Broadcast()
	c.out.mu.Unlock()
	c.in.mu.Lock()
	c.in.broken = syscall.EPIPE
	c.in.cond.Broadcast()
	c.in.mu.Unlock()
	for _, h := range []*half{c.in, c.out} {
		h.setDeadline(&h.read, time.Time{})
		h.setDeadline(&h.write, time.Time{})
	}
	return nil
}

func (c *memConn) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

// written is what each Write since recording began was given.
func (c *memConn) written() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.writes)
}

type memAddr struct{}

func (memAddr) Network() string { return "mem" }
func (memAddr) String() string  { return "mem" }

func (c *memConn) LocalAddr() net.Addr  { return memAddr{} }
func (c *memConn) RemoteAddr() net.Addr { return memAddr{} }

func (c *memConn) SetDeadline(t time.Time) error {
	_ = c.SetReadDeadline(t)
	return c.SetWriteDeadline(t)
}

func (c *memConn) SetReadDeadline(t time.Time) error {
	c.in.setDeadline(&c.in.read, t)
	return nil
}

func (c *memConn) SetWriteDeadline(t time.Time) error {
	c.out.setDeadline(&c.out.write, t)
	return nil
}
