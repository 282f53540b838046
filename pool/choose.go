package pool

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/verimails/verimaild/pool/provider"
	"github.com/verimails/verimaild/pool/smtp"
)

// A want is what a source is chosen for.
type want struct {
	domain   string
	hosts    []Host
	pinned   string    // The only source that will do; "" if any does.
	deadline time.Time // Until when a source that cannot be used just now has to be back; zero if that does not matter.
}

// A denial is why no source may ask. The zero denial is none.
type denial struct {
	failure Failure
	why     string
	retryAt time.Time // Zero if it is not known.
}

// outcome is the denial for whoever waits.
func (d denial) outcome(now time.Time) Outcome {
	return Outcome{Stage: smtp.StageConnect, Failure: d.failure, Detail: d.why, RetryAt: d.retryAt, At: now}
}

// choose picks the source for a domain by weighted rendezvous hashing among those that may ask: every domain has its
// own order of sources, the same after a restart, and a source that comes or goes moves only its share of the domains.
// The same domain so keeps its source, which greylists and coherent evidence need. A source's weight is what the operator
// gave it, times how well it is received, times how much of its warm-up allowance is left, the latter two in few steps,
// so that they seldom move anything.
//
// Where no source may ask just now, one that is back in time is chosen all the same: what it is to ask waits for it.
//
// The second result is the domain's home: the source that asks for it when all is well; nil if it has none.
func (p *Pool) choose(w want) (source, home *sourceState, none denial) {
	c := choice{want: w, now: time.Now(), hash: xxhash.Sum64String(w.domain)}
	if slices.ContainsFunc(p.sources, func(s *sourceState) bool { return s.warms(c.now) }) {
		c.provider, _ = provider.Match(hostNames(w.hosts))
	}
	for _, s := range p.sources {
		if w.pinned == "" || w.pinned == s.Name {
			c.consider(s)
		}
	}
	switch {
	case c.ready.source != nil:
		return c.ready.source, c.home.source, denial{}
	case c.resting.source != nil:
		return c.resting.source, c.home.source, denial{}
	}
	return nil, c.home.source, c.denial()
}

// A choice is one under way.
type choice struct {
	want
	now      time.Time
	hash     uint64
	provider *provider.Provider // Only looked up where it matters.

	home    candidate // The best, by what the operator says alone.
	ready   candidate // The best that may ask now.
	resting candidate // The best that may ask before the deadline.
	spent   bool      // Some could but for their warm-up.
	out     string    // Why some other cannot ask.
	back    time.Time // When the first that comes too late is back.
}

// A candidate is a source and its score.
type candidate struct {
	source *sourceState
	score  float64
}

func (c *candidate) offer(s *sourceState, score float64) {
	if c.source == nil || score > c.score {
		*c = candidate{s, score}
	}
}

// consider finds out what s can do for the domain. Who is pinned to a source that takes nothing new is no news to it.
func (c *choice) consider(s *sourceState) {
	pinned := c.pinned != ""
	weight := s.share()
	if !s.reaches(c.hosts) {
		return
	}
	if pinned || weight > 0 {
		c.home.offer(s, s.score(c.hash, max(weight, least)))
	}
	switch {
	case s.unfit != "":
		c.out = "source " + s.Name + " is not fit: " + s.unfit
	case !pinned && s.drained:
		c.out = "source " + s.Name + " is drained"
	case !pinned && weight == 0:
		c.out = "source " + s.Name + " has weight 0"
	case s.restsAt(c.now):
		c.out = "source " + s.Name + " is suspended: " + s.suspendedWhy
		if c.deadline.IsZero() || !s.suspendedUntil.After(c.deadline) {
			c.resting.offer(s, s.score(c.hash, max(weight, least)))
		} else if c.back.IsZero() || s.suspendedUntil.Before(c.back) {
			c.back = s.suspendedUntil
		}
	case s.mayAsk(c.provider, c.now) <= 0:
		c.spent = true
	default:
		c.ready.offer(s, s.score(c.hash, max(weight*s.appeal(c.now), least)))
	}
}

// least is a weight that is hardly any.
const least = 1e-6

// denial is why there is no source.
func (c *choice) denial() denial {
	switch {
	case c.spent:
		return denial{FailBudget, "the sources that may ask are being warmed up, and have asked enough for today", nextDay(c.now)}
	case c.out != "":
		return denial{FailNoSource, c.out, c.back}
	case c.pinned != "":
		return denial{failure: FailNoSource, why: fmt.Sprintf(
			"source %s is not configured, or has no address of a family that the mail hosts have", c.pinned)}
	default:
		return denial{failure: FailNoSource, why: "no source has an address of a family that the mail hosts have"}
	}
}

// score is the place of the source in the order of the domain with this hash; the highest is first. With
// -weight/ln(u), where u is a number between 0 and 1 that the two hashes make, a source is the first of as many domains
// as its weight has of all weights.
func (s *sourceState) score(domain uint64, weight float64) float64 {
	// The finalizer of MurmurHash3: every bit of both hashes decides.
	x := domain ^ s.hash
	x = (x ^ x>>33) * 0xff51afd7ed558ccd
	x = (x ^ x>>33) * 0xc4ceb9fe1a85ec53
	x ^= x >> 33
	u := (float64(x>>11) + 0.5) / (1 << 53)
	return -weight / math.Log(u)
}

// reaches reports whether any address of hosts can be dialled from s.
func (s *Source) reaches(hosts []Host) bool {
	for i := range hosts {
		if slices.ContainsFunc(hosts[i].Addrs, s.dialable) {
			return true
		}
	}
	return false
}

func hostNames(hosts []Host) []string {
	names := make([]string, len(hosts))
	for i := range hosts {
		names[i] = hosts[i].Name
	}
	return names
}
