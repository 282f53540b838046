package bulk

import (
	"container/heap"
	"slices"
	"time"
)

// A scheduler says which row is next: a row of each domain by turns, so that none is hammered and none waits for another.
// A domain that cannot be asked now is parked with its site, and does not keep others waiting. It belongs to one
// goroutine; time is given to it.
type scheduler struct {
	order  *order
	taken  func(row uint64) bool // Rows that have an outcome, or wait for a time of their own.
	window int                   // How many items may be out; set before each take.
	most   int                   // How many lanes are open at a time, at most.

	next   uint32 // The next domain to open.
	open   int    // Lanes that are open.
	queue  fifo
	sites  map[uint64]*site
	timers siteHeap
	asked  int // Items of lanes that are out.
}

// mostLanes bounds what a job's open lanes take; parked ones are not among them.
const mostLanes = 8192

func newScheduler(o *order, taken func(uint64) bool, window int) *scheduler {
	most := min(mostLanes, max(64, 2*window), max(1, int(o.sizes.Domains))) //nolint:gosec // G115: at most maxRows.
	return &scheduler{order: o, taken: taken, window: window, most: most, sites: map[uint64]*site{}}
}

// take is the next item to ask about; false if there is none for now. The caller gives it back by done or by park.
func (s *scheduler) take(now time.Time) (item, bool, error) {
	s.wake(now)
	if err := s.openLanes(); err != nil {
		return item{}, false, err
	}
	for {
		l := s.queue.pop()
		if l == nil {
			return item{}, false, nil
		}
		l.queued = false
		if l.parked || l.asked >= s.bound(l) {
			continue // done puts it back.
		}
		it, ok, err := s.nextOf(l)
		if err != nil {
			return item{}, false, err
		}
		if !ok {
			if err := s.refill(l, now); err != nil {
				return item{}, false, err
			}
			continue
		}
		l.asked++
		s.asked++
		s.again(l)
		return it, true, nil
	}
}

// nextOf is the lane's next item; false at its end.
func (s *scheduler) nextOf(l *lane) (item, bool, error) {
	before := l.open
	it, ok, err := l.next(s.order, s.taken)
	if l.site != nil {
		l.site.inside += l.open - before
	}
	return it, ok, err
}

// refill closes a lane that has come to its end, and opens others in its place.
func (s *scheduler) refill(l *lane, now time.Time) error {
	if l.asked > 0 {
		return nil // Closed by done.
	}
	s.close(l, now)
	s.wake(now)
	return s.openLanes()
}

// bound is how many items of a lane may be out: its share of the window, and more where there are few others.
func (s *scheduler) bound(l *lane) int {
	return max(2, s.burst(), 2*l.share*s.window/s.most, s.window/max(1, s.open))
}

// burst is how many rows of a domain go out together: with a large window some, so that they can share a transaction.
func (s *scheduler) burst() int { return min(16, max(1, s.window/128)) }

// again queues a lane for its next turn. With turns left it stays at the head.
func (s *scheduler) again(l *lane) {
	if l.queued || l.parked {
		return
	}
	l.queued = true
	if l.turns > 1 {
		l.turns--
		s.queue.pushFront(l)
		return
	}
	l.turns = max(l.share, s.burst())
	s.queue.push(l)
}

// openLanes opens domains until there are enough.
func (s *scheduler) openLanes() error {
	for s.open < s.most && uint64(s.next) < s.order.sizes.Domains {
		d, err := s.order.domain(s.next)
		if err != nil {
			return err
		}
		s.admit(&lane{index: s.next, at: place{d.offset, d.questions}, open: int64(d.rows)}, d.questions)
		s.next++
	}
	return nil
}

// admit queues a lane that is opened.
func (s *scheduler) admit(l *lane, questions uint32) {
	l.share = max(1, int(uint64(questions)*uint64(s.most)/max(1, s.order.sizes.Questions))) //nolint:gosec // G115: a share of most.
	l.turns = max(l.share, s.burst())
	l.queued = true
	s.open++
	s.queue.push(l)
}

// close ends a lane.
func (s *scheduler) close(l *lane, now time.Time) {
	s.open--
	s.leave(l, now)
}

// leave takes a lane off those that try at its site, and lets the next one try.
func (s *scheduler) leave(l *lane, now time.Time) {
	st := l.site
	if st == nil {
		return
	}
	l.site = nil
	st.trying--
	st.inside -= l.open
	st.coming = slices.DeleteFunc(st.coming, func(c *lane) bool { return c == l })
	s.tend(st, now)
}

// tend sees to it that a site with lanes waiting is tried again, and that one without is forgotten.
func (s *scheduler) tend(st *site, now time.Time) {
	switch {
	case len(st.queue) > 0 && st.trying == 0:
		if st.until.Before(now) {
			st.until = now
		}
		s.timers.schedule(st)
	case len(st.queue) == 0 && st.trying == 0:
		if st.at >= 0 {
			heap.Remove(&s.timers, st.at)
		}
		delete(s.sites, st.key.hash)
	}
}

// done takes back an item that was answered, for good or for later.
func (s *scheduler) done(it *item, now time.Time) {
	l := it.lane
	l.open -= int64(it.question.rows)
	if st := l.site; st != nil {
		st.passed += int64(it.question.rows)
		st.inside -= int64(it.question.rows)
		if !now.Before(st.until) {
			s.release(st, 1)
		}
	}
	s.back(l, now)
}

// park takes back an item that could not be asked about: its domain waits until a time.
func (s *scheduler) park(it *item, key siteKey, why Outcome, until, now time.Time) {
	l, first := it.lane, !it.lane.parked
	l.goBack(it.at)
	st := s.sites[key.hash]
	if st == nil {
		st = &site{key: key, at: -1, since: now}
		s.sites[key.hash] = st
	}
	if l.site != st {
		s.leave(l, now)
		l.site = st
		st.trying++
		st.inside += l.open
		first = true
	}
	if first {
		st.coming = append(st.coming, l)
	}
	st.why = why
	if until.After(st.until) {
		st.until = until
	}
	s.back(l, now)
}

// back is called when an item of a lane has come back.
func (s *scheduler) back(l *lane, now time.Time) {
	l.asked--
	s.asked--
	switch {
	case l.parked && l.asked == 0:
		st := l.site
		st.queue = append(st.queue, parkedLane{l.index, l.slow, l.back, l.far, l.open})
		st.open += l.open
		s.timers.schedule(st)
		s.close(l, now)
	case l.parked:
	case l.at.left > 0:
		s.again(l)
	case l.asked == 0 && !l.queued:
		s.close(l, now)
	}
}

// wake lets lanes in at sites whose time has come.
func (s *scheduler) wake(now time.Time) {
	for len(s.timers) > 0 && !now.Before(s.timers[0].until) {
		st := heap.Pop(&s.timers).(*site)
		s.release(st, letIn)
		s.tend(st, now)
	}
}

// release lets n lanes of a site in.
func (s *scheduler) release(st *site, n int) {
	for range min(n, len(st.queue)) {
		p := st.queue[0]
		st.queue = st.queue[1:]
		st.open -= p.open
		st.inside += p.open
		st.trying++
		s.admit(&lane{index: p.index, slow: p.slow, at: p.at, far: p.far, open: p.open, site: st}, p.at.left)
	}
}

// wakeAt is when a parked domain can be tried again; zero if none is parked.
func (s *scheduler) wakeAt() time.Time {
	if len(s.timers) == 0 {
		return time.Time{}
	}
	return s.timers[0].until
}

// finished reports whether every question has been given back for good.
func (s *scheduler) finished() bool {
	return s.open == 0 && len(s.sites) == 0 && uint64(s.next) >= s.order.sizes.Domains
}

// idle reports whether nothing can be taken before a site's time has come.
func (s *scheduler) idle() bool {
	return s.queue.len() == 0 && (s.open >= s.most || uint64(s.next) >= s.order.sizes.Domains)
}

// told is what the parked domains were told, by domain.
func (s *scheduler) told() map[uint32]Outcome {
	out := map[uint32]Outcome{}
	for _, st := range s.sites {
		for _, p := range st.queue {
			out[p.index] = st.why
		}
	}
	return out
}
