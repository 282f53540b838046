package mailworld

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// DefaultWindow is how many bytes one direction of a [Pipe] holds before writes block.
const DefaultWindow = 256 << 10

// PipeOptions are the properties of a pipe. The zero value is that of [Pipe].
type PipeOptions struct {
	// Window is how many bytes one direction holds, under way and unread, before writes block. 0 means DefaultWindow.
	Window int
	// Delay is how long bytes travel, each way; so a round trip takes twice as long. It delays, it does not serialise:
	// what is written in the meantime travels too.
	Delay time.Duration
	// Client and Server are the addresses of the two ends. Nil means 127.0.0.1:0.
	Client, Server net.Addr
}

// Pipe returns the two ends of an in-memory connection with [DefaultWindow] bytes of buffer each way. Unlike those of
// net.Pipe, its ends behave like TCP's: writes return before they are read, one end may be half-closed or reset.
// In a testing/synctest bubble it must be made inside the bubble; then waiting on it is durable.
func Pipe() (client, server net.Conn) {
	c, s := NewPipe(PipeOptions{})
	return c, s
}

// NewPipe is [Pipe] with options. Errors are those of a TCP connection: io.EOF after the peer's close,
// syscall.ECONNRESET after its reset, syscall.EPIPE for a write to a peer that is gone, os.ErrDeadlineExceeded
// and net.ErrClosed, all but io.EOF in a *net.OpError.
func NewPipe(o PipeOptions) (client, server *Conn) {
	if o.Window <= 0 {
		o.Window = DefaultWindow
	}
	mu := new(sync.Mutex)
	up, down := newHalf(mu, o.Window, o.Delay), newHalf(mu, o.Window, o.Delay)
	ca, sa := addrOr(o.Client), addrOr(o.Server)
	client = &Conn{mu: mu, in: down, out: up, local: ca, remote: sa}
	server = &Conn{mu: mu, in: up, out: down, local: sa, remote: ca}
	return client, server
}

func addrOr(a net.Addr) net.Addr {
	if a != nil {
		return a
	}
	return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}
}

// A Conn is one end of a pipe. All methods may be called concurrently.
type Conn struct {
	mu            *sync.Mutex
	in, out       *half
	closed        bool
	local, remote net.Addr
}

var _ net.Conn = (*Conn)(nil)

// Read implements net.Conn. One call never returns bytes that the peer wrote before and after it read something.
func (c *Conn) Read(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		if c.closed {
			return 0, c.fail("read", net.ErrClosed)
		}
		if c.in.readLimit.passedLocked() {
			return 0, c.fail("read", os.ErrDeadlineExceeded)
		}
		n, err := c.in.takeLocked(p)
		if n > 0 || len(p) == 0 {
			return n, nil
		}
		if err == io.EOF {
			return 0, err
		}
		if err != nil {
			return 0, c.fail("read", err)
		}
		c.in.cond.Wait()
	}
}

// Write implements net.Conn. It blocks while the window is full.
func (c *Conn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	total, waited := 0, false
	for {
		if c.closed || c.out.end != nil {
			return total, c.fail("write", net.ErrClosed)
		}
		if c.out.sendLimit.passedLocked() {
			return total, c.fail("write", os.ErrDeadlineExceeded)
		}
		gone, err := c.out.goneLocked()
		switch {
		case err != nil:
			return total, c.fail("write", err)
		case gone && !waited && c.out.loseLocked(len(p)):
			return total + len(p), nil
		case !gone:
			n := c.out.putLocked(p, c.in.read)
			total, p = total+n, p[n:]
			if len(p) == 0 {
				return total, nil
			}
		}
		c.out.cond.Wait()
		waited = true
	}
}

// CloseWrite ends the own direction; the peer reads what was written and then io.EOF. Reading goes on.
func (c *Conn) CloseWrite() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return c.fail("close", net.ErrClosed)
	}
	c.out.finishLocked(io.EOF, c.in.read)
	return nil
}

// Close ends both directions. What the peer has not read yet stays readable for it. A second Close does nothing.
func (c *Conn) Close() error {
	c.shut(io.EOF, syscall.EPIPE)
	return nil
}

// Reset ends both directions as a TCP reset does: the peer reads what has been written,
// then syscall.ECONNRESET; its writes fail with the same.
func (c *Conn) Reset() { c.shut(syscall.ECONNRESET, syscall.ECONNRESET) }

func (c *Conn) shut(end, gone error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	c.closed = true
	c.out.finishLocked(end, c.in.read)
	c.in.abandonLocked(gone)
	c.in.readLimit.stopLocked()
	c.out.sendLimit.stopLocked()
	c.out.cond.Broadcast()
}

// LocalAddr implements net.Conn.
func (c *Conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr implements net.Conn.
func (c *Conn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline implements net.Conn.
func (c *Conn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

// SetReadDeadline implements net.Conn.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.setDeadline(c.in, &c.in.readLimit, t) }

// SetWriteDeadline implements net.Conn.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.setDeadline(c.out, &c.out.sendLimit, t) }

func (c *Conn) setDeadline(h *half, a *alarm, t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return c.fail("set", net.ErrClosed)
	}
	a.setLocked(t)
	h.cond.Broadcast()
	return nil
}

func (c *Conn) fail(op string, err error) error {
	return &net.OpError{Op: op, Net: "tcp", Source: c.local, Addr: c.remote, Err: err}
}

// seen is how many bytes of ours the peer had read when it wrote what Read returned last (io.EOF included).
func (c *Conn) seen() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.in.seen
}

// sent is how many bytes were written.
func (c *Conn) sent() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out.written
}

// pending is how many bytes wait to be read.
func (c *Conn) pending() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, _ := c.in.pendingLocked()
	return n
}

// reset is Reset for the transport interface.
func (c *Conn) reset() { c.Reset() }

// awaitDesertion waits until the peer has closed both directions, or this end is closed.
func (c *Conn) awaitDesertion() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.out.goneErr == nil && !c.closed {
		c.out.cond.Wait()
	}
}
