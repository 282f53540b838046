package pool

import (
	"container/list"
	"context"
	"slices"
	"time"
)

// An idleList holds every session that lingers, the longest first. The zero value is empty. Guarded by Pool.mu.
type idleList struct{ l list.List }

// oldest is the session that has lingered for the longest, nil if there is none.
func (i *idleList) oldest() *session {
	if e := i.l.Front(); e != nil {
		return e.Value.(*session)
	}
	return nil
}

// idlest is the session that has lingered for the longest of those that are wanted, and that nothing is expected of;
// nil if there is none.
func (i *idleList) idlest(now time.Time, wanted func(*session) bool) *session {
	for e := i.l.Front(); e != nil; e = e.Next() {
		s := e.Value.(*session)
		if now.Sub(s.parked) < breath {
			return nil
		}
		if wanted(s) && s.lane.expects(now) == 0 {
			return s
		}
	}
	return nil
}

// breath is how long a session that has just finished keeps its place, whoever waits for one: an answer often leads to the
// next question, and asking that elsewhere would take another session.
const breath = 25 * time.Millisecond

// mostExpected is how long one keeps it for questions that are known to have waited for an answer of its. That they come is
// certain, unless their callers go away; when, is a matter of how busy this host is.
const mostExpected = 500 * time.Millisecond

// lingers reports whether s may wait for more work: nothing waits that s, or whoever gets its place, could do now.
func (s *session) lingers() bool {
	pa := s.lane.path
	return s.lane.askable() == 0 && !s.spent() && s.conn.Usable() == nil && s.remaining() > 0 &&
		!pa.pool.closing && !pa.source.drained && !(pa.full() && pa.hungry())
}

// forever is longer than anything waits.
const forever = time.Duration(1<<63 - 1)

// remaining is how long s may linger from now on.
func (s *session) remaining() time.Duration {
	site := s.lane.path.site
	linger := forever
	if idle := site.idle(); idle > 0 {
		linger = idle
	}
	if age := site.sessionAge(); age > 0 {
		linger = min(linger, time.Until(s.opened.Add(age)))
	}
	return linger
}

// park books s as idle.
func (s *session) park() {
	la := s.lane
	la.busy--
	la.idle = append(la.idle, s)
	s.place = la.path.pool.idle.l.PushBack(s)
	s.linger = s.remaining()
	s.parked = time.Now()
	s.rest = max(breath, la.expects(s.parked))
}

// wait blocks until s has work, or has to end: because its time is over, or its server has closed or spoken.
// A dead session so leaves the pool at once, and not only when somebody would have leased it.
func (s *session) wait(ctx context.Context) {
	p := s.lane.path.pool
	rest := min(s.linger, s.rest)
	timer := time.NewTimer(rest)
	defer timer.Stop()
	breathless := false
	select {
	case <-s.wake:
		return
	case <-timer.C:
		breathless = s.linger > rest
	case <-s.conn.Done():
	case <-ctx.Done():
	}
	if breathless {
		p.mu.Lock()
		p.makeWay()
		p.mu.Unlock()
		timer.Reset(s.linger - rest)
		select {
		case <-s.wake:
			return
		case <-timer.C:
		case <-s.conn.Done():
		case <-ctx.Done():
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if s.conn.Usable() != nil && ctx.Err() == nil {
		s.lane.path.site.closedIdle(time.Since(s.parked))
	}
	if s.place != nil {
		s.retire()
	}
	<-s.wake // Ours, or that of whoever was faster.
}

// wakeUp takes s out of the idle ones and books it as busy.
func (s *session) wakeUp() {
	la := s.lane
	la.path.pool.idle.l.Remove(s.place)
	s.place = nil
	at := slices.Index(la.idle, s)
	la.idle = slices.Delete(la.idle, at, at+1) // Panics if its lane does not know it.
	la.busy++
	s.wake <- struct{}{} // Has room: who is idle has taken the last one.
}

// retire makes an idle session end with QUIT.
func (s *session) retire() {
	s.wakeUp()
	s.retiring, s.parting = true, true
	s.lane.path.parting++
}

// makeWay has sessions that linger end for the paths that wait for a place, the longest first, and one for each path.
// Sites that are asked often so keep theirs.
func (p *Pool) makeWay() {
	now := time.Now()
	for _, pa := range p.starved.all() {
		if s := p.idle.oldest(); s == nil || now.Sub(s.parked) < breath {
			return
		}
		if pa.promised {
			continue
		}
		wanted, anyone := p.inTheWayOf(pa)
		switch s := p.idle.idlest(now, wanted); {
		case s != nil:
			s.retire()
			s.promisedTo, pa.promised = pa, true
		case anyone:
			return // There is none for anybody.
		}
	}
}

// dropIdle retires every idle session.
func (p *Pool) dropIdle() {
	for s := p.idle.oldest(); s != nil; s = p.idle.oldest() {
		s.retire()
	}
}
