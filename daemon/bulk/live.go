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
	Sites     int          // At how many sites.
	NextRetry time.Time    // When the first greylisted row is asked about again; zero if there is none.
}

// A Duration is a time that may not be known.
type Duration struct {
	Known bool
	time.Duration
}

// A Standstill is rows that wait for one site.
type Standstill struct {
	Site   string // The provider, or a mail host.
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
	for _, st := range r.sched.standing(len(r.sched.sites)) {
		l.Waiting += st.open
		l.Sites++
		if len(l.Standing) < standingShown {
			l.Standing = append(l.Standing, Standstill{
				Site: st.key.name, Rows: st.open, Until: st.until, Reason: st.why.Reason, Why: st.why.Explain(),
			})
		}
	}
	l.Left = r.left(now, &l)
	r.job.setLive(l)
	r.jobs.setHungry(r.job, !r.job.halted() && (!r.sched.idle() || r.inFlight > 0 || r.waits.due(now)))
}

// left estimates how long the job still takes: the longest of what its rows wait for. Rows that nothing holds back take
// what the round trips of those in flight say (Little's law); rows of a site take what its budget lets through; rows that
// were put off, until they are asked about again.
func (r *runner) left(now time.Time, l *Live) Duration {
	free := int64(r.order.sizes.Mine) - r.counts.Done - r.counts.Waiting - l.Waiting
	out := Duration{Known: true}
	if free > 0 {
		pace := r.speed.rate
		if r.speed.latency > 0 {
			pace = max(pace, float64(r.inFlight)/r.speed.latency)
		}
		if pace <= 0 {
			return Duration{}
		}
		out.Duration = seconds(float64(free) / pace)
	}
	dead := r.deadShare()
	for _, st := range r.sched.sites {
		if st.open > 0 {
			out.Duration = max(out.Duration, max(0, st.until.Sub(now))+seconds(float64(st.open)/sitePace(st, now, dead)))
		}
	}
	if r.counts.Waiting > 0 && !r.waits.next.IsZero() {
		out.Duration = max(out.Duration, r.waits.next.Sub(now))
	}
	if !r.limit.IsZero() {
		out.Duration = max(0, min(out.Duration, r.limit.Sub(now)))
	}
	return out
}

// deadShare is the share of dead recipients so far.
func (r *runner) deadShare() float64 {
	if r.counts.Done == 0 {
		return 0.1
	}
	v := r.counts.Verdicts()
	return float64(v.Of(verdict.Undeliverable)) / float64(r.counts.Done)
}

// sitePace is how many rows a second a site lets through: what it has let through since it was first told to wait, once
// that says something; before, what the limits for a site that nothing is known about allow.
func sitePace(st *site, now time.Time, dead float64) float64 {
	const enough = 20
	if since := now.Sub(st.since); st.passed >= enough && since > time.Minute {
		return float64(st.passed) / since.Seconds()
	}
	limits := pool.DefaultLimits()
	pace := limits.ProbesPerMinute / 60
	if dead > 0 && limits.RefusalsPerHour > 0 {
		byRefusals := float64(limits.RefusalsPerHour) / 3600 / dead
		if pace <= 0 || byRefusals < pace {
			pace = byRefusals
		}
	}
	return max(pace, 1.0/3600)
}

// seconds is s as a duration, at most some years.
func seconds(s float64) time.Duration {
	const most = 10 * 365 * 24 * 3600
	return time.Duration(min(s, most) * float64(time.Second))
}
