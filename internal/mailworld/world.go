package mailworld

import (
	"bufio"
	"errors"
	"io"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

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

	dialled  atomic.Uint32 // Connections made in memory.
	excusing atomic.Int32  // Calls of Excuse that have not ended.

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

	begun atomic.Int64 // Sessions so far, for Host.Vary.

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

// serve begins a session, or what the host has instead of one, after wait.
func (w *World) serve(h *host, tr transport, source netip.AddrPort, wait time.Duration) bool {
	b := h.behaviour.Load().vary(int(h.begun.Add(1)))
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
