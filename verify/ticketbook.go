package verify

import (
	"container/heap"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/verimails/verimaild/verify/address"
)

// maxTickets bounds the tickets that are held. Beyond it a recipient that is put off is asked about again whenever
// somebody asks after its time, which is what happened before there were tickets.
const maxTickets = 20_000

// A ticketBook holds the tickets, in memory and on disk. It is safe for concurrent use.
type ticketBook struct {
	file *ticketFile // nil if tickets last as long as the process.
	log  *zap.Logger

	mu       sync.Mutex // Guards all below.
	tickets  map[string]*ticket
	controls map[pinned]int // How many tickets of a domain have the control along.
	queue    ticketQueue    // By due; what is no longer in tickets is passed over.
	wake     chan struct{}  // Holds a token when the queue has a new head.
}

// A pinned domain is asked from one source.
type pinned struct{ domain, source string }

func newTicketBook(file *ticketFile, log *zap.Logger) *ticketBook {
	return &ticketBook{
		file: file, log: log, tickets: map[string]*ticket{}, controls: map[pinned]int{}, wake: make(chan struct{}, 1),
	}
}

// load reads the tickets from disk.
func (b *ticketBook) load(now time.Time) {
	if b.file == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for t, err := range b.file.all() {
		switch {
		case err != nil:
			b.log.Warn("a greylist ticket can't be read and is left out", zap.Error(err))
		case now.Before(t.first.Add(spentLife)) && len(b.tickets) < maxTickets:
			b.put(t)
		}
	}
}

// of returns a's ticket, nil if it has none. One of another sender is none: no server would know us by it.
func (b *ticketBook) of(a address.Address, sender string) *ticket {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.tickets) == 0 {
		return nil
	}
	if t := b.tickets[a.Key()]; t != nil && t.sender == sender {
		return t
	}
	return nil
}

// keep puts t in the place of its address's ticket.
func (b *ticketBook) keep(t *ticket, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.tickets[t.addr.Key()] == nil && len(b.tickets) >= maxTickets {
		b.log.Warn("too many greylist tickets; one is not kept")
		return
	}
	b.put(t)
	if b.file == nil {
		return
	}
	if err := b.file.write(t, t.first.Add(spentLife).Sub(now)); err != nil {
		b.log.Warn("a greylist ticket is not on disk", zap.Error(err))
	}
}

// put is keep for memory. The caller holds b.mu.
func (b *ticketBook) put(t *ticket) {
	b.remove(t.addr)
	b.tickets[t.addr.Key()] = t
	if t.control {
		b.controls[pinned{t.addr.Domain().ASCII(), t.source}]++
	}
	heap.Push(&b.queue, t)
	if b.queue[0] == t {
		select {
		case b.wake <- struct{}{}:
		default:
		}
	}
}

// drop forgets a's ticket.
func (b *ticketBook) drop(a address.Address) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.tickets) == 0 || !b.remove(a) || b.file == nil {
		return
	}
	if err := b.file.erase(a); err != nil {
		b.log.Warn("a greylist ticket stays on disk until it is out of date", zap.Error(err))
	}
}

// remove is drop for memory. The caller holds b.mu.
func (b *ticketBook) remove(a address.Address) bool {
	t := b.tickets[a.Key()]
	if t == nil {
		return false
	}
	delete(b.tickets, a.Key())
	if t.control {
		p := pinned{a.Domain().ASCII(), t.source}
		if b.controls[p]--; b.controls[p] == 0 {
			delete(b.controls, p)
		}
	}
	return true
}

// expected reports whether the made-up recipient of a domain waits out the greylist already.
func (b *ticketBook) expected(domain, source string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.controls[pinned{domain, source}] > 0
}

// next takes the ticket whose visit is due out of the queue; nil if none is, with the time until one may be. A spent
// ticket whose time has come is forgotten on the way.
func (b *ticketBook) next(now time.Time) (*ticket, time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.queue) > 0 {
		t := b.queue[0]
		current := b.tickets[t.addr.Key()] == t
		if wait := t.due.Sub(now); current && wait > 0 {
			return nil, wait
		}
		heap.Pop(&b.queue)
		switch {
		case !current:
		case t.spent:
			b.remove(t.addr) // Its record on disk ends by itself.
		default:
			return t, 0
		}
	}
	return nil, time.Hour
}

// A ticketQueue is a heap of tickets by due.
type ticketQueue []*ticket

func (q ticketQueue) Len() int           { return len(q) }
func (q ticketQueue) Less(i, j int) bool { return q[i].due.Before(q[j].due) }
func (q ticketQueue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }

// Push is part of heap.Interface.
func (q *ticketQueue) Push(t any) { *q = append(*q, t.(*ticket)) }

// Pop is part of heap.Interface.
func (q *ticketQueue) Pop() any {
	last := len(*q) - 1
	t := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	return t
}
