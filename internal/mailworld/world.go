package mailworld

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// ErrHost says that a world has no host of that name.
var ErrHost = errors.New("mailworld: no such host")

var errClosed = errors.New("mailworld: closed")

// closeTimeout bounds Close.
const closeTimeout = 10 * time.Second

// A World is a running Spec. Its methods may be called concurrently.
type World struct {
	spec   Spec
	memory bool
	plan   plan
	hosts  map[string]*host
	byAddr map[netip.Addr]*host // In memory.
	rec    *record
	zone   zone
	certs  certificates
	faults faults // In memory.

	dialled atomic.Uint32 // Connections made in memory.

	stop chan struct{}
	wg   sync.WaitGroup

	mu       sync.Mutex // Guards what follows; never held over I/O.
	closed   bool
	open     map[io.Closer]struct{} // Listeners and connections.
	sessions int                    // That are open.
	settled  chan struct{}          // Closed when sessions becomes 0; nil unless somebody waits.
}

// A host is a Host in its world.
type host struct {
	name      string
	behaviour atomic.Pointer[behaviour]
	addrs     []netip.Addr // Where it listens.
	dead      []netip.Addr // What the DNS says beside them.
	clients   clients

	mu       sync.Mutex // Guards what follows.
	sessions map[*session]struct{}
	unlisten []func()
}

// Start runs a world on sockets. All hosts listen on one high port, each at an address of its own in a /16 of
// 127.0.0.0/8 that no other world has while this one runs, in whatever process: the pair of /16 and port is picked
// at random and taken by binding the name server to its first address.
func Start(spec Spec) (*World, error) {
	w, err := newWorld(spec, false)
	if err != nil {
		return nil, err
	}
	serve, err := w.claim()
	if err != nil {
		return nil, err
	}
	placed := w.place()
	w.zone.build(w)
	serve()
	if placed != nil {
		return nil, errors.Join(placed, w.Close())
	}
	if err := w.listen(); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

// StartMemory makes the same world without sockets, to be reached by [World.Dial] and [World.DialDNS] only.
// Its addresses are always the same. In a testing/synctest bubble it must be made, used and closed inside the bubble.
func StartMemory(spec Spec) (*World, error) {
	w, err := newWorld(spec, true)
	if err != nil {
		return nil, err
	}
	w.plan = memoryPlan()
	if err := w.place(); err != nil {
		return nil, err
	}
	w.zone.build(w)
	return w, nil
}

func newWorld(spec Spec, memory bool) (*World, error) {
	if err := spec.check(); err != nil {
		return nil, err
	}
	w := &World{
		spec: spec, memory: memory, rec: newRecord(spec.CountersOnly), stop: make(chan struct{}),
		hosts: make(map[string]*host), byAddr: make(map[netip.Addr]*host), open: make(map[io.Closer]struct{}),
	}
	for i := range spec.Hosts {
		h := &host{name: canonical(spec.Hosts[i].Name), sessions: make(map[*session]struct{})}
		h.behaviour.Store(newBehaviour(spec.Hosts[i]))
		w.hosts[h.name] = h
	}
	return w, nil
}

// Close ends all sessions and listeners and waits for what served them, at most ten seconds.
// A second Close does nothing.
func (w *World) Close() error {
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return nil
	}
	w.closed = true
	close(w.stop)
	list := make([]io.Closer, 0, len(w.open))
	for c := range w.open {
		list = append(list, c)
	}
	w.mu.Unlock()
	for _, c := range list {
		_ = c.Close() // It is being thrown away.
	}
	for _, h := range w.hosts {
		h.stopListening()
	}
	done := make(chan struct{})
	go func() { w.wg.Wait(); close(done) }()
	timer := time.NewTimer(closeTimeout)
	defer timer.Stop()
	select {
	case <-done:
		return nil
	case <-timer.C:
		return fmt.Errorf("mailworld: sessions still open after %v", closeTimeout)
	}
}

// count keeps the number of open sessions.
func (w *World) count(change int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sessions += change
	if w.sessions == 0 && w.settled != nil {
		close(w.settled)
		w.settled = nil
	}
}

// Settle waits until no session is open: what clients have left behind is then in the record. An error is ctx's.
func (w *World) Settle(ctx context.Context) error {
	w.mu.Lock()
	if w.sessions == 0 {
		w.mu.Unlock()
		return nil
	}
	if w.settled == nil {
		w.settled = make(chan struct{})
	}
	settled := w.settled
	w.mu.Unlock()
	select {
	case <-settled:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// running reports whether the world is not being closed.
func (w *World) running() bool {
	select {
	case <-w.stop:
		return false
	default:
		return true
	}
}

// sleep waits; false means that the world is being closed.
func (w *World) sleep(d time.Duration) bool {
	if d <= 0 {
		return w.running()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-w.stop:
		return false
	}
}

// spawn runs f in a goroutine that Close joins. c, unless it is nil, is closed by Close and when f returns.
// When the world is closed already, f does not run and spawn returns false.
func (w *World) spawn(c io.Closer, f func()) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		if c != nil {
			_ = c.Close() // It is not used.
		}
		return false
	}
	if c != nil {
		w.open[c] = struct{}{}
	}
	w.wg.Go(func() {
		f()
		if c != nil {
			w.forget(c)
		}
	})
	return true
}

func (w *World) forget(c io.Closer) {
	w.mu.Lock()
	delete(w.open, c)
	w.mu.Unlock()
	_ = c.Close() // What used it has finished.
}

// serve begins a session, or what the host has instead of one, after wait.
func (w *World) serve(h *host, tr transport, source netip.AddrPort, wait time.Duration) bool {
	b := h.behaviour.Load()
	w.count(1)
	started := w.spawn(tr, func() {
		defer w.count(-1)
		if !w.sleep(wait) {
			return
		}
		switch {
		case b.Network == CloseOnAccept:
		case b.Network == ResetOnAccept:
			tr.reset()
		default:
			w.session(h, b, tr, source)
		}
	})
	if !started {
		w.count(-1)
	}
	return started
}

// session serves one connection.
func (w *World) session(h *host, b *behaviour, tr transport, source netip.AddrPort) {
	now := time.Now()
	s := &session{
		w: w, h: h, b: b, rec: w.rec.open(h.name, source, now), tr: tr, conn: tr,
		r: bufio.NewReaderSize(tr, maxLine), began: now, source: source, interrupts: make(chan Reply, 1),
	}
	s.crowd = h.clients.begin(source.Addr(), &b.Limits, now)
	h.mu.Lock()
	h.sessions[s] = struct{}{}
	h.mu.Unlock()
	defer s.finish()
	switch {
	case b.Network == Mute:
		s.sink()
	case b.Script != nil:
		s.play()
	default:
		s.run()
	}
}

func (h *host) drop(s *session) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.sessions, s)
}

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
