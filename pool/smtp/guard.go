package smtp

import (
	"net"
	"sync"
	"time"
)

// A guard sets the deadlines of a connection until it is tripped. From then on they stay in the past, so that
// whatever reads or writes returns at once and nobody can grant it more time by mistake.
type guard struct {
	mu      sync.Mutex // Guards the rest, and the order of the calls on conn, none of which blocks.
	conn    net.Conn
	tripped bool
}

// set gives reading and writing until t; the zero time gives them for ever.
func (g *guard) set(t time.Time) { g.apply(t, net.Conn.SetDeadline) }

// setRead is set for reading alone.
func (g *guard) setRead(t time.Time) { g.apply(t, net.Conn.SetReadDeadline) }

func (g *guard) apply(t time.Time, set func(net.Conn, time.Time) error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.tripped {
		_ = set(g.conn, t) // Fails only on a closed connection, which the next read reports.
	}
}

// trip ends all reading and writing.
func (g *guard) trip() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.tripped = true
	_ = g.conn.SetDeadline(time.Unix(1, 0))
}
