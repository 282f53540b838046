package bulk

import (
	"time"

	"github.com/verimails/verimaild/pool"
	"github.com/verimails/verimaild/verify/verdict"
)

// Live is what a job does at the moment.
type Live struct {
	InFlight  int          // Questions that are being asked.
	Rate      float64      // Rows a second that got their outcome, lately.
	Left      Duration     // Until the job's end, as far as can be told.
	Standing  []Standstill // What rows wait for, the most rows first.
	Waiting   int64        // Rows that wait for a budget or a pace, of all sites.
	Sites     int          // At how many providers or sites, each source counted apart.
	NextRetry time.Time    // When the first greylisted row is asked about again; zero if there is none.
}

// A Duration is a time that may not be known.
type Duration struct {
	Known bool
	time.Duration
}

// A Standstill is rows that wait for one site, or for all sites of one provider.
type Standstill struct {
	Site   string     // The provider, or a mail host.
	Source string     // The source that is to ask; "" if that is not known.
	Limit  pool.Limit // What holds the rest of them back the longest; "" if that is not known.
	Rows   int64
	Until  time.Time // When it is tried again.
	Reason verdict.Reason
	Why    string // In words.
}

// standingShown bounds how many sites are told of.
const standingShown = 10

// A speedometer measures how fast outcomes come.
type speedometer struct {
	at      time.Time // Of the last reading.
	done    int64     // At that time.
	rate    float64   // Rows a second, smoothed.
	latency float64   // Seconds that an answer takes, smoothed.
}

// took notes how long an answer took.
func (s *speedometer) took(d time.Duration) {
	const weight = 0.02
	if s.latency == 0 {
		s.latency = d.Seconds()
		return
	}
	s.latency += weight * (d.Seconds() - s.latency)
}

// read takes a reading, at most once a second; false if it is not time yet.
func (s *speedometer) read(now time.Time, done int64) bool {
	if s.at.IsZero() {
		s.at, s.done = now, done
		return true
	}
	d := now.Sub(s.at)
	if d < time.Second {
		return false
	}
	const weight = 0.3
	rate := float64(done-s.done) / d.Seconds()
	if s.rate == 0 {
		s.rate = rate
	} else {
		s.rate += weight * (rate - s.rate)
	}
	s.at, s.done = now, done
	return true
}

// publish tells what the job does, about once a second, and whether it has rows to ask about.
func (r *runner) publish(now time.Time) {
	if !r.speed.read(now, r.counts.Done) {
		return
	}
	if r.settled() {
		r.unseen, r.speed.rate = false, 0
	}
	l := Live{InFlight: r.inFlight, Rate: r.speed.rate, NextRetry: r.waits.next}
	holds := r.holds(now)
	for i := range holds {
		h := &holds[i]
		if h.waiting == 0 {
			continue // Its rows were all let in.
		}
		l.Waiting += h.waiting
		l.Sites++
		if len(l.Standing) < standingShown {
			l.Standing = append(l.Standing, Standstill{
				Site: h.name, Source: h.source, Limit: h.limit, Rows: h.waiting, Until: h.until,
				Reason: h.largest.why.Reason, Why: h.largest.why.Explain(),
			})
		}
	}
	l.Left = r.left(now, holds)
	r.job.setLive(l)
	r.jobs.setHungry(r.job, !r.job.halted() && (!r.sched.idle() || r.inFlight > 0 || r.waits.due(now)))
}
