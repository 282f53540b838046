package mailworld

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"
)

// faults are what is wrong with the client's own host, in memory.
type faults struct {
	mu        sync.Mutex
	unplugged []netip.Addr
	down      bool
}

// Unplug takes an address away from the client's host, in memory, or gives it back: dialling from it then fails
// with syscall.EADDRNOTAVAIL.
func (w *World) Unplug(source netip.Addr, gone bool) {
	w.faults.mu.Lock()
	defer w.faults.mu.Unlock()
	w.faults.unplugged = slices.DeleteFunc(w.faults.unplugged, func(a netip.Addr) bool { return a == source })
	if gone {
		w.faults.unplugged = append(w.faults.unplugged, source)
	}
}

// CutNetwork takes the client's host off the network, in memory, or puts it back: all dialling then fails with
// syscall.ENETUNREACH. Connections that are open stay so.
func (w *World) CutNetwork(down bool) {
	w.faults.mu.Lock()
	defer w.faults.mu.Unlock()
	w.faults.down = down
}

// of returns the error that dialling from source meets.
func (f *faults) of(source netip.Addr) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case slices.Contains(f.unplugged, source):
		return os.NewSyscallError("bind", syscall.EADDRNOTAVAIL)
	case f.down:
		return os.NewSyscallError("connect", syscall.ENETUNREACH)
	}
	return nil
}

// Clients in memory have ports from firstPort on, in turn.
const (
	firstPort = 40000
	ports     = 20000
)

// Dial connects to raddr from laddr, an invalid laddr meaning SourceAddr(0). Its signature is that of
// net.Dialer.DialTCP, less the network. On sockets it is a real dial. In memory a connection costs one RTT;
// an address without a listener refuses it (syscall.ECONNREFUSED), and a black hole waits for ctx.
func (w *World) Dial(ctx context.Context, laddr, raddr netip.AddrPort) (net.Conn, error) {
	if !laddr.Addr().IsValid() {
		laddr = netip.AddrPortFrom(w.SourceAddr(0), 0)
	}
	if !w.memory {
		var d net.Dialer
		c, err := d.DialTCP(ctx, "tcp", laddr, raddr)
		if err != nil {
			return nil, err
		}
		return c, nil
	}
	if laddr.Port() == 0 {
		laddr = netip.AddrPortFrom(laddr.Addr(), uint16(firstPort+w.dialled.Add(1)%ports))
	}
	c, err := w.dialMemory(ctx, laddr, raddr)
	if err != nil {
		return nil, &net.OpError{
			Op: "dial", Net: "tcp", Err: err,
			Source: net.TCPAddrFromAddrPort(laddr), Addr: net.TCPAddrFromAddrPort(raddr),
		}
	}
	return c, nil
}

func (w *World) dialMemory(ctx context.Context, laddr, raddr netip.AddrPort) (net.Conn, error) {
	if err := w.faults.of(laddr.Addr()); err != nil {
		return nil, err
	}
	h := w.byAddr[raddr.Addr()]
	if h != nil && h.behaviour.Load().Network == BlackHole {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if err := w.travel(ctx, w.spec.RTT); err != nil {
		return nil, err
	}
	if h == nil || raddr.Port() != w.plan.port || h.behaviour.Load().Network == RefuseConnect {
		return nil, os.NewSyscallError("connect", syscall.ECONNREFUSED)
	}
	window := h.behaviour.Load().Window
	if window == 0 {
		window = w.spec.Window
	}
	near, far := NewPipe(PipeOptions{
		Delay: w.spec.RTT / 2, Window: window,
		Client: net.TCPAddrFromAddrPort(laddr), Server: net.TCPAddrFromAddrPort(raddr),
	})
	if !w.serve(h, far, laddr, w.spec.RTT/2) {
		return nil, fmt.Errorf("%w: world", net.ErrClosed)
	}
	return near, nil
}

// travel waits for d, for the caller's context or for the end of the world.
func (w *World) travel(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-w.stop:
		return errClosed
	}
}
