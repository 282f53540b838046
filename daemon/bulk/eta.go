package bulk

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/verimails/verimaild/pool"
	"github.com/verimails/verimaild/verify/verdict"
)

// Budgets tell how long rows of a site take by what its limits leave. See pool.Pool. It is asked for some dozen sites a
// second, and must not block for long.
type Budgets interface {
	Outlook(q pool.Prospect) (pool.Outlook, bool)
}

// A hold is all rows that one source is to ask one provider about, or a site that has none, and that were told to wait.
type hold struct {
	name, source string
	limit        pool.Limit // Of its outlook.
	waiting      int64      // Rows that wait.
	all          int64      // With those that were let in again.
	until        time.Time  // When some of them are let in.
	largest      *site      // The one with the most rows.
	takes        time.Duration
}

// foretold bounds how many holds are foretold by their budgets; smaller ones go by the limits of a site that nothing is
// known about.
const foretold = 64

// holds are what rows wait for, those with the most first.
func (r *runner) holds(now time.Time) []hold {
	type key struct{ name, source string }
	all := map[key]*hold{}
	for _, st := range r.sched.sites {
		k := key{st.key.name, st.key.source}
		h := all[k]
		if h == nil {
			h = &hold{name: k.name, source: k.source, largest: st, until: st.until}
			all[k] = h
		}
		h.add(st)
	}
	out := make([]hold, 0, len(all))
	for _, h := range all {
		if h.all > 0 {
			out = append(out, *h)
		}
	}
	slices.SortFunc(out, func(a, b hold) int {
		return cmp.Or(cmp.Compare(b.all, a.all), strings.Compare(a.name, b.name), strings.Compare(a.source, b.source))
	})
	dead := r.deadShare()
	for i := range out {
		r.foretell(&out[i], i < foretold, now, dead)
	}
	return out
}

// add counts a site's rows.
func (h *hold) add(st *site) {
	h.waiting += st.waiting()
	h.all += st.rows()
	if st.until.Before(h.until) {
		h.until = st.until
	}
	if st.rows() > h.largest.rows() {
		h.largest = st
	}
}

// foretell finds out how long a hold takes: by its budgets, if it may ask and they are known.
func (r *runner) foretell(h *hold, ask bool, now time.Time, dead float64) {
	st := h.largest
	if b := r.jobs.budgets; ask && b != nil && st.key.hosts != "" && st.why.Reason == verdict.BudgetExhausted {
		look, ok := b.Outlook(pool.Prospect{
			Source: h.source, Hosts: strings.Fields(st.key.hosts), Domain: st.key.domain,
			Recipients: int(st.rows()), Provider: int(h.all), Dead: dead,
		})
		if ok {
			h.limit, h.takes = look.Limit, max(look.Takes, h.until.Sub(now))
			return
		}
	}
	h.takes = max(0, h.until.Sub(now)) + seconds(float64(h.all)/sitePace(st, now, dead))
}

// left estimates how long the job still takes: the longest of what its rows wait for. Rows that nothing holds back take
// what the round trips of those in flight say (Little's law); rows of a site take what its budgets let through; rows that
// were put off, until the last of them is asked about again.
func (r *runner) left(now time.Time, holds []hold) Duration {
	moving := int64(r.order.sizes.Mine) - r.counts.Done - r.counts.Waiting //nolint:gosec // G115: at most maxRows.
	free := moving
	out := Duration{Known: true}
	for i := range holds {
		h := &holds[i]
		out.Duration = max(out.Duration, h.takes)
		moving -= h.waiting
		free -= h.all
	}
	if moving > 0 {
		pace := r.speed.rate
		if r.speed.latency > 0 {
			pace = max(pace, float64(r.inFlight)/r.speed.latency)
		}
		switch {
		case pace > 0:
			out.Duration = max(out.Duration, seconds(float64(moving)/pace))
		case free > 0:
			return Duration{}
		}
	}
	if r.counts.Waiting > 0 {
		out.Duration = max(out.Duration, r.waits.last.Sub(now))
	}
	if !r.limit.IsZero() {
		out.Duration = max(0, min(out.Duration, r.limit.Sub(now)))
	}
	return out
}

// deadShare is the share of dead recipients among those that were asked about so far; one in ten before there are any.
func (r *runner) deadShare() float64 {
	refused, asked := 1.0, 10.0
	for reason, n := range r.counts.Reasons {
		if reason.IsRefusal() {
			refused += float64(n)
		}
		if reason.IsRefusal() || reason.IsAcceptance() {
			asked += float64(n)
		}
	}
	return refused / asked
}

// sitePace is how many rows a second a site lets through whose budgets are not known: what it has let through since it
// was first told to wait, once that says something; before, what the limits for a site that nothing is known about allow.
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
