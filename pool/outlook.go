package pool

import (
	"math"
	"slices"
	"time"

	"github.com/verimails/verimaild/pool/budget"
)

// A Prospect is a number of recipients of one site that somebody means to ask about.
type Prospect struct {
	Source     string   // The source that they are for; "" means any.
	Hosts      []string // The mail hosts of the site, in any order.
	Domain     string   // One of the domains, A-labels.
	Recipients int      // At this site.
	Provider   int      // At all sites of its provider, these included.
	Dead       float64  // The share of them that is likely dead, 0 to 1.
}

// An Outlook is how long a Prospect takes by what limits leave. Round trips come on top of it.
type Outlook struct {
	Source string        // As in the Prospect, or the only one there is.
	Limit  Limit         // What holds them back the longest; "" if nothing does.
	Takes  time.Duration // From now until the last of them may be asked about.
}

// A Limit is the name of what holds recipients back.
type Limit string

// The limits that an Outlook knows.
const (
	LimitRefusals Limit = "refusals_per_hour"
	LimitRate     Limit = "probes_per_minute"
	LimitRatio    Limit = "refusal_ratio"
	LimitSessions Limit = "sessions_per_hour"
	LimitDials    Limit = "dial_interval"
	LimitDay      Limit = "probes_per_day" // Of a source that is being warmed up.
	LimitBreaker  Limit = "breaker"        // We were refused there.
)

// Outlook says how long recipients take. It looks at one site's accounts and changes nothing; what other callers ask
// meanwhile is not in it. It is false if there is no such source.
func (p *Pool) Outlook(q Prospect) (Outlook, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	src := p.sourceNamed(q.Source)
	if src == nil || len(q.Hosts) == 0 {
		return Outlook{}, false
	}
	now := p.now()
	v := view{pa: p.glance(q, src), now: now, dead: min(max(q.Dead, 0), 1), until: now}
	v.path(q.Recipients)
	v.across(max(q.Provider, q.Recipients))
	v.day(max(q.Provider, q.Recipients))
	return Outlook{Source: src.Name, Limit: v.limit, Takes: min(v.until-now, farthest)}, true
}

// farthest bounds what an Outlook says.
const farthest = 10 * 365 * 24 * time.Hour

// sourceNamed is a source by its name, or the only one; nil if there is none.
func (p *Pool) sourceNamed(name string) *sourceState {
	for _, s := range p.sources {
		if s.Name == name || name == "" && len(p.sources) == 1 {
			return s
		}
	}
	return nil
}

// glance is the path of a prospect: the one that there is, or else one that is kept nowhere.
func (p *Pool) glance(q Prospect, src *sourceState) *path {
	hosts := key(slices.Clone(q.Hosts))
	at, domain := p.siteKey(hosts, q.Domain), q.Domain
	if at == hosts {
		domain = ""
	}
	s := p.sites[at]
	if s == nil {
		s = p.newSite(at, q.Hosts, domain)
	}
	if pa := s.paths[src]; pa != nil {
		return pa
	}
	return &path{pool: p, site: s, source: src}
}

// A view is an outlook under way: the latest of what each limit says.
type view struct {
	pa    *path
	now   time.Duration
	dead  float64
	until time.Duration
	limit Limit
}

// holds says that a limit lets the last recipient through at an instant.
func (v *view) holds(l Limit, at time.Duration) {
	if at > v.until {
		v.until, v.limit = at, l
	}
}

// after is an instant some seconds from now, as far as instants go.
func (v *view) after(seconds float64) time.Duration {
	return v.now + time.Duration(min(seconds, farthest.Seconds())*float64(time.Second))
}

// dying is how many of n recipients are likely dead.
func (v *view) dying(n int) int { return int(math.Ceil(float64(n) * v.dead)) }

// path looks at what one source may do at one site.
func (v *view) path(n int) {
	pa, l := v.pa, &v.pa.site.limits
	if pa.breaker.Opened {
		v.holds(LimitBreaker, pa.breaker.Until+trust*trickle)
	}
	if s := &pa.pool.sender; s.refusal != nil {
		v.holds(LimitBreaker, s.until)
	}
	v.holds(LimitRate, v.after(60*rampMinutes(float64(n-pa.rate.Room(v.now, pa.perMinute(), burst)), pa.perMinute(), l)))
	slow := v.trickling(n)
	v.holds(LimitRatio, v.after(float64(slow)*trickle.Seconds()))
	v.refusals(pa.site.accounts, l.RefusalsPerHour, n)
	opens := v.sessions(n, slow)
	v.holds(LimitSessions, pa.openings.Through(v.now, l.SessionsPerHour, opens))
	v.holds(LimitDials, v.after(float64(opens-1)*l.DialInterval.Seconds()))
}

// trust is how many clean probes a breaker wants after its test, one a minute.
const trust = 3

// trickling is how many of n recipients go at one a minute.
func (v *view) trickling(n int) int {
	limit := v.pa.site.limits.RefusalRatio
	_, of := v.pa.ratio.Share(v.now)
	switch {
	case limit > 0 && v.dead > limit:
		return max(0, n-max(0, enough-of))
	case v.pa.trickles(v.now):
		return min(n, enough)
	default:
		return 0
	}
}

// sessions is how many have to be opened for n recipients, of whom some go at one a minute.
func (v *view) sessions(n, slow int) int {
	pa := v.pa
	l, each := &pa.site.limits, math.Inf(1)
	if tx := pa.site.transactionsPerSession(); tx > 0 {
		each = float64(tx * pa.site.batch())
	}
	if r := pa.site.refusalsPerSession(); r > 0 && v.dead > 0 {
		each = min(each, max(1, float64(r)/v.dead))
	}
	if l.Idle > 0 && l.Idle < trickle {
		n += int(float64(slow) * (each - 1) / max(1, each)) // A session does not linger from one minute to the next.
		each = min(each, float64(max(1, n)))
	}
	return int(math.Ceil(float64(n) / each))
}

// across looks at what all sites of the provider may be asked together.
func (v *view) across(n int) {
	all := v.pa.site.across
	if all == nil {
		return
	}
	l := &all.limits
	if l.ProbesPerMinute > 0 {
		v.holds(LimitRate, all.rate.Next(v.now, l.ProbesPerMinute, burst, n))
	}
	v.refusals(all.accounts, l.RefusalsPerHour, n)
}

// refusals looks at what those of n recipients that are likely dead leave of an hour's refusals.
func (v *view) refusals(in accounts, limit, n int) {
	dead := new(budget.Window)
	if a := in[v.pa.prefix()]; a != nil {
		dead = &a.dead
	}
	v.holds(LimitRefusals, dead.Through(v.now, limit, v.dying(n)))
}

// day looks at what a source that is being warmed up may ask in a day.
func (v *view) day(n int) {
	src, prov, wall := v.pa.source, v.pa.site.provider, v.pa.pool.wall(v.now)
	left := src.mayAsk(prov, wall)
	if left >= n {
		return
	}
	today := src.today(wall)
	most := today.Level
	if prov != nil {
		most = min(most, today.Share(src.schedule))
	}
	days := (n - max(0, left) - 1) / max(1, most)
	v.holds(LimitDay, v.pa.pool.instant(nextDay(wall))+time.Duration(days)*24*time.Hour)
}

// rampMinutes is how many minutes n recipients take at a rate that rises to its ceiling by a twentieth of that every ten
// minutes, as it does where all goes well.
func rampMinutes(n, rate float64, l *Limits) float64 {
	ceiling := l.ProbesPerMinute
	if ceiling <= 0 || n <= 0 || rate <= 0 {
		return 0
	}
	slope := ceiling / 20 / 10
	rising := (ceiling - rate) / slope
	if n >= rising*(rate+ceiling)/2 {
		return rising + (n-rising*(rate+ceiling)/2)/ceiling
	}
	return (math.Sqrt(rate*rate+2*slope*n) - rate) / slope
}
