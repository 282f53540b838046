package pool

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/verimails/verimaild/pool/budget"
)

// An Egress is a picture of all egress, as an operator wants it: who asks, where, what is left to ask, and who has
// refused us.
type Egress struct {
	Sessions  Sessions
	Max       int // Sessions at once; 0 is without limit.
	Sender    SenderEgress
	PauseEnds time.Time // Nothing is dialled until then, because this host's network seems to be down; zero if it is not.
	Sources   []SourceEgress
	Sites     []SiteEgress // What was asked for; those with trouble first, then the busiest.
	SitesLeft int          // Sites left out.
	Providers []ProviderEgress
	Outages   []HostOutage
	Refusals  []Refusal // The last ones, the newest first.
}

// Sessions are sessions by what they do.
type Sessions struct{ Open, Busy, Idle int }

// A SourceEgress is one source.
type SourceEgress struct {
	Source
	State    string    // fit, spent (for today), standby (weight 0), suspended, drained, unfit or gone.
	Why      string    // If it is not fit.
	Until    time.Time // When it is tried again, if that is known.
	Sessions int
	Today    int // Probes that it may still send today; negative if nothing limits that.
	DayEnds  time.Time
	Paths    int // Sites that it asks, or has asked lately.
}

// A SiteEgress is one site.
type SiteEgress struct {
	Hosts    []string
	Domain   string // The only one, where a rule names it.
	Provider string
	Limits   Limits
	Batch    int // Recipients in a transaction, just now.
	Learned  Learned
	Accounts []AccountEgress
	Paths    []PathEgress
}

// Learned is what a site has shown that it takes. Zero is not known.
type Learned struct {
	Recipients, Transactions, Refusals int
	Idle, Age                          time.Duration
	BrokenPipelining, BrokenTLS        []string // Hosts.
	At                                 time.Time
}

// An AccountEgress is what one network prefix has spent at a site or provider within the last hour.
type AccountEgress struct {
	Prefix   netip.Prefix // Zero if the kernel chooses the address.
	Dead     Allowance
	Controls Allowance
}

// An Allowance is one budget of refusals.
type Allowance struct {
	Limit   int // 0 if it is lifted.
	Spent   int
	Held    int       // Reserved by questions under way.
	RoomAt  time.Time // When there is room for one more; now, or before, if there is.
	Refills time.Time // When all of it is there again; zero if it is.
}

// A PathEgress is a source at a site.
type PathEgress struct {
	Source          string
	State           string    // closed, slow (one probe a minute), open, testing.
	Until           time.Time // If it is open.
	Refusal         *Refusal  // Why.
	Sessions        Sessions
	SessionsAllowed int // 0 is without limit.
	SessionsHour    int // Opened within the last hour.
	Waiting         int
	PerMinute       float64 // 0 is without limit.
	DeadShare       float64 // Of the last Sample probes.
	Sample          int
	NextProbe       time.Time // When a target may be asked about; now, or before, if one may.
	NextDial        time.Time
}

// A ProviderEgress is a provider across its sites.
type ProviderEgress struct {
	ID        string
	Limits    Limits
	Sessions  int
	Accounts  []AccountEgress
	NextProbe time.Time
	SlowUntil time.Time // It has told several sources that they are too fast: until then all go at half the rate. Zero if not.
}

// Egress takes a picture. Of the sites it shows at most so many, and only those with a host, a provider or a domain
// that contains match.
func (p *Pool) Egress(match string, most int) Egress {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	out := Egress{
		Sessions: Sessions{p.sessions, p.sessions - p.idle.l.Len(), p.idle.l.Len()}, Max: p.opts.MaxSessions,
		Refusals: slices.Clone(p.refusals), Sender: p.senderEgress(now),
	}
	if p.self.until > now {
		out.PauseEnds = p.wall(p.self.until)
	}
	for _, s := range p.sources {
		out.Sources = append(out.Sources, p.sourceEgress(s))
	}
	sites := p.sitesByTrouble(now, strings.ToLower(match))
	for _, s := range sites[:min(len(sites), most)] {
		out.Sites = append(out.Sites, s.egress(now))
	}
	out.Outages = p.outages.egress(p, strings.ToLower(match))
	out.SitesLeft = len(sites) - len(out.Sites)
	for _, id := range slices.Sorted(maps.Keys(p.across)) {
		v := p.across[id]
		out.Providers = append(out.Providers, ProviderEgress{
			ID: id, Limits: v.limits, Sessions: v.sessions, NextProbe: p.wall(v.rate.Next(now, v.rateAt(now), burst, 1)),
			SlowUntil: p.slowUntil(id, now),
			Accounts:  p.accountsEgress(now, v.accounts, &v.limits),
		})
	}
	return out
}

// sitesByTrouble lists the sites that match, those with an open breaker first, then by how lately they were asked.
func (p *Pool) sitesByTrouble(now time.Duration, match string) []*site {
	var out []*site
	for _, s := range p.sites {
		if match == "" || strings.Contains(s.key, match) || strings.Contains(s.providerID(), match) {
			out = append(out, s)
		}
	}
	trouble := func(s *site) (open bool, last time.Duration) {
		for _, pa := range s.paths {
			open = open || pa.breaker.State(now) != budget.Closed
			last = max(last, pa.lastProbe)
		}
		return open, last
	}
	slices.SortFunc(out, func(a, b *site) int {
		aOpen, aLast := trouble(a)
		bOpen, bLast := trouble(b)
		switch {
		case aOpen && !bOpen:
			return -1
		case bOpen && !aOpen:
			return 1
		}
		return cmp.Or(cmp.Compare(bLast, aLast), strings.Compare(a.key, b.key))
	})
	return out
}

func (s *site) egress(now time.Duration) SiteEgress {
	p, l := s.pool, &s.learned
	out := SiteEgress{
		Hosts: s.hosts, Domain: s.domain, Provider: s.providerID(), Limits: s.limits, Batch: s.batch(),
		Learned: Learned{
			Recipients: l.Recipients, Transactions: l.Transactions, Refusals: l.Refusals, Idle: l.Idle, Age: l.Age, At: l.At,
			BrokenPipelining: s.broken(brokenPipelining), BrokenTLS: s.broken(brokenTLS),
		},
		Accounts: p.accountsEgress(now, s.accounts, &s.limits),
	}
	for _, pa := range s.paths {
		out.Paths = append(out.Paths, pa.egress(now))
	}
	slices.SortFunc(out.Paths, func(a, b PathEgress) int { return strings.Compare(a.Source, b.Source) })
	return out
}

// broken lists the hosts of s that are known to have a defect.
func (s *site) broken(d defect) []string {
	var out []string
	now := time.Now()
	for _, h := range s.hosts {
		if now.Before(s.pool.hosts[h][d]) {
			out = append(out, h)
		}
	}
	return out
}

func (pa *path) egress(now time.Duration) PathEgress {
	target, _ := pa.nextRoom(now, true)
	out := PathEgress{
		Source: pa.source.Name, State: pa.stateName(now), SessionsAllowed: pa.sessions(), SessionsHour: pa.openings.Spent(now),
		PerMinute: pa.rateAt(now), NextProbe: pa.pool.wall(target), NextDial: pa.pool.wall(pa.dialAt(now)),
	}
	out.DeadShare, out.Sample = pa.ratio.Share(now)
	if pa.breaker.Opened {
		out.Until = pa.pool.wall(pa.breaker.Until)
	}
	if pa.refusal != nil {
		out.Refusal = new(pa.shown(pa.refusal))
	}
	for _, la := range pa.lanes {
		out.Waiting += la.queue.waiting
		out.Sessions.Open += la.open
		out.Sessions.Idle += len(la.idle)
	}
	out.Sessions.Busy = out.Sessions.Open - out.Sessions.Idle
	return out
}

// stateName says what the path's breaker lets through.
func (pa *path) stateName(now time.Duration) string {
	switch pa.breaker.State(now) {
	case budget.Open:
		return "open"
	case budget.HalfOpen:
		return "testing"
	}
	if pa.trickles(now) {
		return "slow"
	}
	return "closed"
}

func (p *Pool) accountsEgress(now time.Duration, as accounts, l *Limits) []AccountEgress {
	var out []AccountEgress
	for prefix, a := range as {
		lv := level{a, l.RefusalsPerHour, l.ControlsPerHour, l.Ramp}
		target, control := lv.next(now, hold{})
		out = append(out, AccountEgress{
			Prefix:   prefix,
			Dead:     p.allowanceEgress(now, &a.dead, l.RefusalsPerHour, a.held.targets, target),
			Controls: p.allowanceEgress(now, &a.controls, lv.controlLimit(), a.held.controls, control),
		})
	}
	slices.SortFunc(out, func(a, b AccountEgress) int { return strings.Compare(a.Prefix.String(), b.Prefix.String()) })
	return out
}

func (p *Pool) allowanceEgress(now time.Duration, w *budget.Window, limit, held int, room time.Duration) Allowance {
	out := Allowance{Limit: limit, Spent: w.Spent(now), Held: held}
	if limit > 0 && room < budget.Never {
		out.RoomAt = p.wall(room)
	}
	if limit > 0 && out.Spent > 0 {
		out.Refills = p.wall(w.Room(now, limit, 0, limit))
	}
	return out
}

// sourceEgress is one source.
func (p *Pool) sourceEgress(s *sourceState) SourceEgress {
	now := time.Now()
	out := SourceEgress{Source: s.Source, Sessions: s.sessions, Today: -1}
	out.State, out.Why, out.Until = s.standing(now)
	if n := s.mayAsk(nil, now); n < unbounded {
		out.Today, out.DayEnds = n, nextDay(now)
	}
	for _, st := range p.sites {
		if st.paths[s] != nil {
			out.Paths++
		}
	}
	return out
}
