package pool

import "time"

// counters count since the pool was made.
type counters struct {
	Dials        int64 // Attempts to connect to an address.
	DialsFailed  int64 // Attempts to open a session that came to nothing at all hosts.
	Sessions     int64 // Sessions opened.
	Transactions int64
	Recipients   int64 // RCPT commands that were answered.
	Refusals     int64 // Of those, not with 2yz.
	Flights      int64 // Writes that waited for replies, openings aside.
	Dropped      int64 // Probes that nobody waited for any more.
}

// Stats is a picture of a pool.
type Stats struct {
	Dials, DialsFailed, SessionsOpened, Transactions, Recipients, Refusals, Flights, Dropped int64

	SessionsOpen int // Now, those that linger or are being opened included.
	SessionsIdle int
	Waiting      int // Probes in queues.
	Sites        int // Where there are sessions, or probes wait.
	Sources      []SourceStats
}

// Stats takes a picture.
func (p *Pool) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := &p.total
	st := Stats{
		Dials: c.Dials, DialsFailed: c.DialsFailed, SessionsOpened: c.Sessions, Transactions: c.Transactions,
		Recipients: c.Recipients, Refusals: c.Refusals, Flights: c.Flights, Dropped: c.Dropped,
		SessionsOpen: p.sessions, SessionsIdle: p.idle.l.Len(),
	}
	for _, s := range p.sites {
		active := 0
		for _, pa := range s.paths {
			active += len(pa.lanes)
			for _, la := range pa.lanes {
				st.Waiting += la.queue.waiting
			}
		}
		if active > 0 {
			st.Sites++
		}
	}
	now := time.Now()
	for _, s := range p.sources {
		st.Sources = append(st.Sources, s.stats(now))
	}
	return st
}

func (p *Pool) count(f func(*counters)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(&p.total)
}
