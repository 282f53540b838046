package mailworld

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// DialDNS connects to the name server at address, in memory: over "udp" one Write is one query and one Read one answer,
// over "tcp" messages have the usual two bytes of length before them. On sockets it is a real dial.
func (w *World) DialDNS(ctx context.Context, network, address string) (net.Conn, error) {
	if !w.memory {
		var d net.Dialer
		return d.DialContext(ctx, network, address)
	}
	if err := w.faults.of(netip.Addr{}); err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	client := netip.AddrPortFrom(w.SourceAddr(0), firstPort)
	server := netip.AddrPortFrom(w.plan.dns(), w.plan.port)
	if strings.HasPrefix(network, "udp") {
		d := &datagrams{w: w, client: client, server: server, there: address == w.DNSAddr()}
		d.cond.L = &d.mu
		d.limit.cond, d.arrival.cond = &d.cond, &d.cond
		return d, nil
	}
	if err := w.travel(ctx, w.spec.RTT); err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	if address != w.DNSAddr() {
		return nil, &net.OpError{Op: "dial", Net: network, Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	}
	near, far := NewPipe(PipeOptions{
		Delay: w.spec.RTT / 2, Client: net.TCPAddrFromAddrPort(client), Server: net.TCPAddrFromAddrPort(server),
	})
	if !w.spawn(far, func() { w.answerTCP(far, client, 0) }) {
		return nil, fmt.Errorf("%w: world", net.ErrClosed)
	}
	return near, nil
}

// datagrams is a connected UDP socket whose peer is the name server. Queries to another address are lost.
type datagrams struct {
	w              *World
	client, server netip.AddrPort
	there          bool

	mu      sync.Mutex
	cond    sync.Cond
	queue   []datagram // Answers, in the order of arrival.
	arrival alarm      // When the first of them arrives.
	limit   alarm      // The read deadline.
	closed  bool
}

// A datagram arrives at a moment.
type datagram struct {
	at  time.Time
	msg []byte
}

var (
	_ net.Conn       = (*datagrams)(nil)
	_ net.PacketConn = (*datagrams)(nil) // By this a DNS client knows that messages need no length.
)

// Write sends a query. The answer is made at once and read when it has arrived.
func (d *datagrams) Write(p []byte) (int, error) {
	d.mu.Lock()
	closed := d.closed
	d.mu.Unlock()
	if closed || !d.w.running() {
		return 0, d.fail("write", net.ErrClosed)
	}
	if !d.there {
		return len(p), nil
	}
	a := d.w.answer(p, "udp", d.client)
	if a.msg == nil {
		return len(p), nil
	}
	in := datagram{time.Now().Add(d.w.spec.RTT + a.wait), a.msg}
	d.mu.Lock()
	defer d.mu.Unlock()
	at, _ := slices.BinarySearchFunc(d.queue, in.at.Add(1), func(q datagram, t time.Time) int { return q.at.Compare(t) })
	d.queue = slices.Insert(d.queue, at, in)
	d.cond.Broadcast()
	return len(p), nil
}

// Read returns one answer; what p cannot hold of it is lost.
func (d *datagrams) Read(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for {
		switch {
		case d.closed:
			return 0, d.fail("read", net.ErrClosed)
		case d.limit.passedLocked():
			return 0, d.fail("read", os.ErrDeadlineExceeded)
		case len(d.queue) > 0 && !time.Now().Before(d.queue[0].at):
			n := copy(p, d.queue[0].msg)
			d.queue = d.queue[1:]
			return n, nil
		case len(d.queue) > 0:
			d.arrival.setLocked(d.queue[0].at)
		}
		d.cond.Wait()
	}
}

// ReadFrom implements net.PacketConn.
func (d *datagrams) ReadFrom(p []byte) (int, net.Addr, error) {
	n, err := d.Read(p)
	return n, d.RemoteAddr(), err
}

// WriteTo implements net.PacketConn. The address must be that of the name server.
func (d *datagrams) WriteTo(p []byte, _ net.Addr) (int, error) { return d.Write(p) }

// Close implements net.Conn.
func (d *datagrams) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	d.arrival.stopLocked()
	d.limit.stopLocked()
	d.cond.Broadcast()
	return nil
}

// LocalAddr implements net.Conn.
func (d *datagrams) LocalAddr() net.Addr { return net.UDPAddrFromAddrPort(d.client) }

// RemoteAddr implements net.Conn.
func (d *datagrams) RemoteAddr() net.Addr { return net.UDPAddrFromAddrPort(d.server) }

// SetDeadline implements net.Conn. Writes never block.
func (d *datagrams) SetDeadline(t time.Time) error { return d.SetReadDeadline(t) }

// SetWriteDeadline implements net.Conn. Writes never block.
func (d *datagrams) SetWriteDeadline(time.Time) error { return nil }

// SetReadDeadline implements net.Conn.
func (d *datagrams) SetReadDeadline(t time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return d.fail("set", net.ErrClosed)
	}
	d.limit.setLocked(t)
	d.cond.Broadcast()
	return nil
}

func (d *datagrams) fail(op string, err error) error {
	return &net.OpError{Op: op, Net: "udp", Source: d.LocalAddr(), Addr: d.RemoteAddr(), Err: err}
}
