package mailworld

import (
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
)

// relay puts the world's round trip between a socket and the session that it returns the transport of:
// two goroutines carry the bytes through a pipe with a delay.
func (w *World) relay(c *net.TCPConn) transport {
	near, far := NewPipe(PipeOptions{
		Delay: w.spec.RTT / 2, Window: w.spec.Window, Client: c.RemoteAddr(), Server: c.LocalAddr(),
	})
	w.spawn(both{near, c}, func() {
		var up sync.WaitGroup
		up.Go(func() { carryUp(near, c) })
		carryDown(c, near)
		up.Wait()
	})
	return far
}

// carryUp carries what the client says.
func carryUp(near *Conn, c *net.TCPConn) {
	if _, err := io.Copy(onlyWriter{near}, onlyReader{c}); err != nil {
		near.Reset()
		return
	}
	_ = near.CloseWrite() // An error means that it is closed altogether.
}

// carryDown carries what the session says. A session that has half-closed its end still listens;
// only when it is gone altogether is the socket closed, which ends carryUp too.
func carryDown(c *net.TCPConn, near *Conn) {
	_, err := io.Copy(onlyWriter{c}, onlyReader{near})
	if err == nil && c.CloseWrite() == nil {
		near.awaitDesertion()
	}
	if errors.Is(err, syscall.ECONNRESET) {
		_ = c.SetLinger(0) // The close is a reset then.
	}
	_ = c.Close() // There is nobody to tell.
}

// onlyWriter and onlyReader hide shortcuts that io.Copy would take.
type (
	onlyWriter struct{ io.Writer }
	onlyReader struct{ io.Reader }
)

// both closes two things.
type both struct{ a, b io.Closer }

func (b both) Close() error { return errors.Join(b.a.Close(), b.b.Close()) }
