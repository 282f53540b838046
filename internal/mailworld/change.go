package mailworld

import (
	"errors"
	"fmt"
	"time"
)

// ErrHost says that a world has no host of that name.
var ErrHost = errors.New("mailworld: no such host")

// Change changes how a host behaves, for sessions that begin afterwards. Its name, addresses and DNS stay;
// Network may change.
func (w *World) Change(name string, f func(*Host)) error {
	h := w.hosts[canonical(name)]
	if h == nil {
		return fmt.Errorf("%w: %q", ErrHost, name)
	}
	old := h.behaviour.Load()
	next := old.Host
	f(&next)
	next.Name = old.Name
	h.behaviour.Store(newBehaviour(next))
	if w.memory || kindOf(old.Network) == kindOf(next.Network) {
		return nil
	}
	h.stopListening()
	return w.listenAt(h)
}

// Interrupt says r, unasked, in every session at a host that waits for a command, and closes it if r says so.
// 421 does; Reply{Then: Close} and Reply{Then: Reset} close without a word. It does not wait for that to happen,
// and returns the number of sessions.
//
// A session that has left out a reply closes without a word: said at once, a farewell would stand where the missing reply
// should, and the session would be, to the octet, one of a server that answered each command and then took leave.
func (w *World) Interrupt(name string, r Reply) int {
	h := w.hosts[canonical(name)]
	if h == nil {
		return 0
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.sessions {
		select {
		case s.interrupts <- r:
		default: // The last one is still to be said.
		}
		_ = s.tr.SetReadDeadline(time.Unix(1, 0)) // An error means that the session is over.
	}
	return len(h.sessions)
}

// Open returns the number of sessions open at a host now.
func (w *World) Open(name string) int {
	h := w.hosts[canonical(name)]
	if h == nil {
		return 0
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.sessions)
}
