package mailworld

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// acceptPause is how long a listener waits after an error that passes.
const acceptPause = 10 * time.Millisecond

// claim takes a /16 and port that no other world has: whoever holds the name server's address over TCP has them.
// A wildcard listener on the port, of whatever program, makes the bind fail too.
// The returned function begins to answer queries.
func (w *World) claim() (serve func(), err error) {
	var last error
	for range claimTries {
		w.plan = randomPlan()
		at := net.TCPAddrFromAddrPort(netip.AddrPortFrom(w.plan.dns(), w.plan.port))
		tcp, err := net.ListenTCP("tcp4", at)
		if err != nil {
			last = err
			continue
		}
		udp, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(w.plan.dns(), w.plan.port)))
		if err != nil {
			last = err
			_ = tcp.Close() // Nothing was accepted yet.
			continue
		}
		return func() {
			w.spawn(tcp, func() { w.acceptDNS(tcp) })
			w.spawn(udp, func() { w.answerUDP(udp) })
		}, nil
	}
	return nil, fmt.Errorf("mailworld: no free addresses after %d tries: %w", claimTries, last)
}

// listen opens the listeners of all hosts.
func (w *World) listen() error {
	for _, h := range w.hosts {
		if err := w.listenAt(h); err != nil {
			return err
		}
	}
	return nil
}

// socketKind is what a network is on the level of sockets.
type socketKind uint8

const (
	listener socketKind = iota
	hole
	nothing
)

func kindOf(n Network) socketKind {
	switch n {
	case RefuseConnect:
		return nothing
	case BlackHole:
		return hole
	default:
		return listener
	}
}

// listenAt opens what listens at the addresses of h.
func (w *World) listenAt(h *host) error {
	kind := kindOf(h.behaviour.Load().Network)
	if kind == nothing {
		return nil
	}
	for _, a := range h.addrs {
		at := net.TCPAddrFromAddrPort(netip.AddrPortFrom(a, w.plan.port))
		if kind == hole {
			undo, err := blackHole(*at)
			if err != nil {
				return fmt.Errorf("mailworld: black hole at %s: %w", at, err)
			}
			h.onStop(undo)
			continue
		}
		l, err := net.ListenTCP("tcp", at)
		if err != nil {
			return fmt.Errorf("mailworld: %s: %w", h.name, err)
		}
		h.onStop(func() { w.forget(l) })
		w.spawn(l, func() { w.accept(h, l) })
	}
	return nil
}

func (h *host) onStop(f func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.unlisten = append(h.unlisten, f)
}

func (h *host) stopListening() {
	h.mu.Lock()
	list := h.unlisten
	h.unlisten = nil
	h.mu.Unlock()
	for _, f := range list {
		f()
	}
}

// accept begins a session for each connection. On sockets a connection is made by the kernel at once;
// the session begins when with the round trip it would have.
func (w *World) accept(h *host, l *net.TCPListener) {
	for {
		c, err := l.AcceptTCP()
		if err != nil {
			if errors.Is(err, syscall.ECONNABORTED) || errors.Is(err, syscall.EMFILE) {
				if w.sleep(acceptPause) {
					continue
				}
			}
			return
		}
		source := c.RemoteAddr().(*net.TCPAddr).AddrPort()
		source = netip.AddrPortFrom(source.Addr().Unmap(), source.Port())
		if w.spec.RTT > 0 {
			w.serve(h, w.relay(c), source, w.spec.RTT*3/2)
			continue
		}
		w.serve(h, &tcpConn{TCPConn: c}, source, 0)
	}
}
