package pool

import (
	"container/list"
	"time"
)

// An idleList holds every session that lingers, the longest first. The zero value is empty. Guarded by Pool.mu.
type idleList struct{ l list.List }

// oldest is the session that has lingered for the longest, of src if that is not nil; nil if there is none.
func (i *idleList) oldest(src *sourceState) *session {
	for e := i.l.Front(); e != nil; e = e.Next() {
		if s := e.Value.(*session); src == nil || s.path.source == src {
			return s
		}
	}
	return nil
}

// park lets s linger.
func (s *session) park() {
	pa := s.path
	pa.busy--
	pa.idle = append(pa.idle, s)
	s.place = pa.pool.idle.l.PushBack(s)
	linger := pa.site.limits.Idle
	if age := pa.site.limits.SessionAge; age > 0 {
		linger = min(orLong(linger), time.Until(s.opened.Add(age)))
	}
	if linger <= 0 {
		return
	}
	s.timer = time.AfterFunc(linger, func() {
		pa.pool.mu.Lock()
		defer pa.pool.mu.Unlock()
		if s.place != nil {
			s.retire()
		}
	})
}

func orLong(d time.Duration) time.Duration {
	if d == 0 {
		return 1<<63 - 1
	}
	return d
}

// unpark takes s out of the idle ones; the caller books it as busy.
func (s *session) unpark() {
	pa := s.path
	if s.timer != nil {
		s.timer.Stop()
	}
	pa.pool.idle.l.Remove(s.place)
	s.place = nil
	for i, o := range pa.idle {
		if o == s {
			pa.idle = append(pa.idle[:i], pa.idle[i+1:]...)
			return
		}
	}
	panic("pool: an idle session that its path does not know")
}

// retire ends an idle session with QUIT.
func (s *session) retire() {
	s.unpark()
	s.path.busy++
	s.retiring = true
	s.path.pool.spawn(s)
}

// dropIdle retires every idle session.
func (p *Pool) dropIdle() {
	for s := p.idle.oldest(nil); s != nil; s = p.idle.oldest(nil) {
		s.retire()
	}
}
