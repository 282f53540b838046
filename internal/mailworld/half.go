package mailworld

import (
	"sync"
	"time"
)

// firstBuffer is what a direction of a pipe allocates at its first write; it doubles up to the window.
const firstBuffer = 512

// A half is one direction of a pipe: a bounded ring of bytes that arrive after a delay.
// All fields are guarded by the pipe's one mutex; cond is for both the reader and the writer of this direction.
//
// Offsets count bytes since the pipe was made. sync.Cond is what blocks, since waiting on it is durable
// in a testing/synctest bubble; deadlines and delays are timers that broadcast.
type half struct {
	mu     *sync.Mutex
	cond   sync.Cond
	window int
	delay  time.Duration

	ring    []byte
	read    int64 // Taken by the reader.
	written int64 // Given by the writer.
	ready   int64 // Arrived at the reader; read <= ready <= written.

	flights []flight // What is under way, in order; empty without a delay.
	marks   []mark   // What the writer had seen when it wrote, in order.
	seen    int64    // The mark of what Read returned last.
	arrival *time.Timer

	end       error // What the reader gets after the last byte; nil while the writer may write.
	endAt     time.Time
	endSeen   int64 // What the writer had seen when it ended this direction.
	goneAt    time.Time
	goneErr   error // What the writer gets once goneAt has passed; nil while the reader may read.
	readLimit alarm
	sendLimit alarm
}

// A flight is a piece of data on its way.
type flight struct {
	end int64
	at  time.Time
}

// A mark says that up to end, the writer had read seen bytes of the other direction when it wrote.
type mark struct{ end, seen int64 }

func newHalf(mu *sync.Mutex, window int, delay time.Duration) *half {
	h := &half{mu: mu, window: window, delay: delay}
	h.cond.L = mu
	h.readLimit.cond, h.sendLimit.cond = &h.cond, &h.cond
	return h
}

// wake is what the arrival timer calls: it comes without the lock.
func (h *half) wake() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.cond.Broadcast()
}

// arriveLocked moves what has arrived by now to where the reader sees it,
// and sets the timer for what comes next.
func (h *half) arriveLocked(now time.Time) {
	if h.delay == 0 {
		return
	}
	n := 0
	for n < len(h.flights) && !h.flights[n].at.After(now) {
		h.ready = h.flights[n].end
		n++
	}
	h.flights = h.flights[n:]
	switch {
	case len(h.flights) > 0:
		h.alarmLocked(h.flights[0].at.Sub(now))
	case h.end != nil && h.endAt.After(now):
		h.alarmLocked(h.endAt.Sub(now))
	}
}

func (h *half) alarmLocked(d time.Duration) {
	if h.arrival == nil {
		h.arrival = time.AfterFunc(d, h.wake)
		return
	}
	h.arrival.Reset(d)
}

// takeLocked copies what has arrived into p, at most up to the next mark.
// It returns 0 and no error when the reader has to wait.
func (h *half) takeLocked(p []byte) (int, error) {
	now := time.Time{}
	if h.delay > 0 {
		now = time.Now()
		h.arriveLocked(now)
	}
	if h.ready == h.read {
		if h.end != nil && h.read == h.written && !h.endAt.After(now) {
			h.seen = h.endSeen
			return 0, h.end
		}
		return 0, nil
	}
	m := h.marks[0]
	n := int(min(h.ready, m.end) - h.read)
	n = min(n, len(p))
	at := int(h.read % int64(len(h.ring)))
	c := copy(p[:n], h.ring[at:])
	copy(p[c:n], h.ring)
	h.read += int64(n)
	h.seen = m.seen
	if h.read == m.end {
		h.marks = h.marks[1:]
	}
	h.cond.Broadcast()
	return n, nil
}

// putLocked takes as much of p as the window allows; seen is what the writer has read of the other direction.
func (h *half) putLocked(p []byte, seen int64) int {
	n := min(len(p), h.window-int(h.written-h.read))
	if n <= 0 {
		return 0
	}
	h.growLocked(int(h.written-h.read) + n)
	at := int(h.written % int64(len(h.ring)))
	c := copy(h.ring[at:], p[:n])
	copy(h.ring, p[c:n])
	h.written += int64(n)
	if k := len(h.marks); k > 0 && h.marks[k-1].seen == seen {
		h.marks[k-1].end = h.written
	} else {
		h.marks = append(h.marks, mark{h.written, seen})
	}
	if h.delay == 0 {
		h.ready = h.written
	} else {
		h.flights = append(h.flights, flight{h.written, time.Now().Add(h.delay)})
	}
	h.cond.Broadcast()
	return n
}

// loseLocked takes n bytes that are sent to nobody, since the news of that is still on its way. They fill the window like
// any others: a writer who doesn't stop comes to wait for the news, which the clock of a bubble brings only to who waits.
func (h *half) loseLocked(n int) bool {
	if n > h.window-int(h.written-h.read) {
		return false
	}
	h.written += int64(n)
	return true
}

// growLocked makes the ring hold need bytes.
func (h *half) growLocked(need int) {
	if need <= len(h.ring) {
		return
	}
	size := max(len(h.ring), min(firstBuffer, h.window))
	for size < need {
		size = min(2*size, h.window)
	}
	ring := make([]byte, size)
	for o := h.read; o < h.written; {
		at := int(o % int64(len(h.ring)))
		k := min(len(h.ring)-at, int(h.written-o))
		for i := range k {
			ring[(o+int64(i))%int64(size)] = h.ring[at+i]
		}
		o += int64(k)
	}
	h.ring = ring
}

// finishLocked ends the direction on the writer's side: the reader gets err (io.EOF, a reset) after the last byte.
// The first end stays.
func (h *half) finishLocked(err error, seen int64) {
	if h.end != nil {
		return
	}
	h.end, h.endSeen = err, seen
	if h.delay > 0 {
		h.endAt = time.Now().Add(h.delay)
	}
	h.cond.Broadcast()
}

// abandonLocked ends the direction on the reader's side: the writer gets err once it has heard of it.
func (h *half) abandonLocked(err error) {
	if h.goneErr != nil {
		return
	}
	h.goneErr = err
	h.goneAt = time.Now().Add(h.delay)
	h.ring, h.marks, h.flights = nil, nil, nil
	h.read, h.ready = h.written, h.written
	if h.arrival != nil {
		h.arrival.Stop()
	}
	if h.delay > 0 {
		h.alarmLocked(h.delay) // It wakes a writer who waits for room.
	}
	h.cond.Broadcast()
}

// goneLocked says whether the reader has gone, and how a write fares: it fails with err once the news has travelled.
func (h *half) goneLocked() (gone bool, err error) {
	if h.goneErr == nil {
		return false, nil
	}
	if h.delay > 0 && time.Now().Before(h.goneAt) {
		return true, nil
	}
	return true, h.goneErr
}

// pendingLocked counts what has arrived and was not read; ended says that the end was reached as well.
func (h *half) pendingLocked() (n int, ended bool) {
	now := time.Now()
	h.arriveLocked(now)
	n = int(h.ready - h.read)
	return n, n == 0 && h.end != nil && !h.endAt.After(now)
}
