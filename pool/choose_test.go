package pool

import (
	"fmt"
	"math"
	"net/netip"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/verimails/verimaild/pool/warmup"
)

// fleetOf is a bare pool with sources of these names.
func fleetOf(names ...string) *Pool {
	p := bare()
	p.sources = nil
	for _, name := range names {
		p.sources = append(p.sources, p.newSourceState(Source{Name: name}))
	}
	return p
}

var anywhere = []Host{{Name: "mx.a.test", Addrs: []netip.Addr{netip.MustParseAddr("192.0.2.1")}}}

// Sources have as many domains as they have of all weights, each domain keeps its source, and one that leaves hands on
// its own domains and moves no other.
func TestDomainsOfSources(t *testing.T) {
	const domains = 6000
	p := fleetOf("a", "b", "c")
	p.sources[2].weight = new(4)
	count, home := map[string]int{}, map[string]string{}
	for i := range domains {
		domain := fmt.Sprintf("d%d.test", i)
		s, h, none := p.choose(want{domain: domain, hosts: anywhere})
		if s == nil || s != h || none != (denial{}) {
			t.Fatalf("choose(%s) = %v, home %v, denial %+v", domain, s, h, none)
		}
		count[s.Name]++
		home[domain] = s.Name
	}
	for name, share := range map[string]float64{"a": 1. / 6, "b": 1. / 6, "c": 4. / 6} {
		if got := float64(count[name]) / domains; math.Abs(got-share) > 0.03 {
			t.Errorf("source %s has %.3f of the domains, want %.3f", name, got, share)
		}
	}
	p.sources[2].drained = true
	count = map[string]int{}
	for domain, was := range home {
		s, h, _ := p.choose(want{domain: domain, hosts: anywhere})
		if was != "c" && s.Name != was {
			t.Errorf("%s moved from %s to %s when c left", domain, was, s.Name)
		}
		if h.Name != was {
			t.Errorf("the home of %s is %s, want %s still", domain, h.Name, was)
		}
		if was == "c" {
			count[s.Name]++
		}
	}
	if a, b := count["a"], count["b"]; a < b*8/10 || b < a*8/10 {
		t.Errorf("the domains of c went to a and b as %d and %d, want about as many", a, b)
	}
}

// The order of a domain is the same after a restart, and in every version.
func TestScoresAreForEver(t *testing.T) {
	p := fleetOf("a")
	for domain, want := range map[string]float64{"a.test": 14.9258801, "b.test": 4.5642836} {
		if got := p.sources[0].score(xxhash.Sum64String(domain), 1); math.Abs(got-want) > 1e-6 {
			t.Errorf("score(%s) = %.7f, want %.7f", domain, got, want)
		}
	}
	if one, two := p.sources[0].score(7, 1), p.sources[0].score(7, 2); two != 2*one || one <= 0 {
		t.Errorf("score with weight 1 and 2 = %v, %v, want twice as much, more than 0", one, two)
	}
}

// Why a source may not ask, what it is to be asked instead, and when it is back.
func TestChoiceOfASource(t *testing.T) {
	soon, late := time.Now().Add(time.Minute), time.Now().Add(time.Hour)
	suspended := func(until time.Time) func(*Pool) {
		return func(p *Pool) { p.sources[0].suspendedUntil, p.sources[0].suspendedWhy = until, "no such address" }
	}
	for _, test := range []struct {
		name   string
		change func(*Pool)
		want   want
		source string
		denial denial
	}{
		{"all is well", func(*Pool) {}, want{}, "a", denial{}},
		{"pinned", func(*Pool) {}, want{pinned: "a"}, "a", denial{}},
		{"pinned to nobody", func(*Pool) {}, want{pinned: "b"}, "", denial{FailNoSource, "source b is not configured, or has no address of a family that the mail hosts have", time.Time{}}},
		{"no family", func(p *Pool) { p.sources[0].IPv6 = netip.MustParseAddr("2001:db8::1") }, want{}, "", denial{FailNoSource, "no source has an address of a family that the mail hosts have", time.Time{}}},
		{"unfit", func(p *Pool) { p.sources[0].unfit = "no PTR" }, want{}, "", denial{FailNoSource, "source a is not fit: no PTR", time.Time{}}},
		{"unfit and pinned", func(p *Pool) { p.sources[0].unfit = "no PTR" }, want{pinned: "a"}, "", denial{FailNoSource, "source a is not fit: no PTR", time.Time{}}},
		{"drained", func(p *Pool) { p.sources[0].drained = true }, want{}, "", denial{FailNoSource, "source a is drained", time.Time{}}},
		{"drained and pinned", func(p *Pool) { p.sources[0].drained = true }, want{pinned: "a"}, "a", denial{}},
		{"without weight", func(p *Pool) { p.sources[0].weight = new(0) }, want{}, "", denial{FailNoSource, "source a has weight 0", time.Time{}}},
		{"without weight and pinned", func(p *Pool) { p.sources[0].weight = new(0) }, want{pinned: "a"}, "a", denial{}},
		{"suspended", suspended(late), want{}, "a", denial{}},
		{"suspended, and back in time", suspended(soon), want{deadline: soon}, "a", denial{}},
		{"suspended for too long", suspended(late), want{deadline: soon}, "", denial{FailNoSource, "source a is suspended: no such address", late}},
		{"warmed up, with nothing left", func(p *Pool) {
			p.sources[0].schedule, _ = warmup.Parse("10, 20")
			p.sources[0].open(time.Now())
			p.sources[0].state.Asked = 10
		}, want{}, "", denial{FailBudget, "the sources that may ask are being warmed up, and have asked enough for today", nextDay(time.Now())}},
	} {
		p := fleetOf("a")
		p.sources[0].nudge = func() {}
		test.change(p)
		test.want.domain, test.want.hosts = "a.test", anywhere
		s, _, none := p.choose(test.want)
		name := ""
		if s != nil {
			name = s.Name
		}
		if name != test.source || none != test.denial {
			t.Errorf("%s: choose() = %q, %+v, want %q, %+v", test.name, name, none, test.source, test.denial)
		}
	}
}

// Of two that come too late, the one that is back first says when to ask again; one that may ask goes before one that
// rests, whatever their order.
func TestChoiceAmongSeveral(t *testing.T) {
	now := time.Now()
	p := fleetOf("a", "b", "c")
	for i, s := range p.sources {
		s.suspendedUntil = now.Add(time.Duration(3-i) * time.Hour)
	}
	for i := range 20 {
		w := want{domain: fmt.Sprintf("d%d.test", i), hosts: anywhere, deadline: now.Add(time.Minute)}
		if s, _, none := p.choose(w); s != nil || !none.retryAt.Equal(now.Add(time.Hour)) {
			t.Errorf("%s: choose() = %v, back at %v, want nobody until %v", w.domain, s, none.retryAt, now.Add(time.Hour))
		}
	}
	p.sources[1].suspendedUntil = time.Time{}
	for i := range 20 {
		w := want{domain: fmt.Sprintf("d%d.test", i), hosts: anywhere}
		if s, _, _ := p.choose(w); s != p.sources[1] {
			t.Errorf("%s: choose() = %s, which rests", w.domain, s.Name)
		}
	}
	p.sources[0].weight, p.sources[1].weight, p.sources[2].weight = new(0), new(0), new(0)
	if _, home, _ := p.choose(want{domain: "a.test", hosts: anywhere}); home != nil {
		t.Errorf("a domain has its home at %s, which has no weight", home.Name)
	}
}

func TestStanding(t *testing.T) {
	now := time.Now()
	for _, test := range []struct {
		state  string
		until  time.Time
		works  bool
		change func(*sourceState)
	}{
		{"fit", time.Time{}, true, func(*sourceState) {}},
		{"gone", time.Time{}, false, func(s *sourceState) { s.gone = true }},
		{"unfit", time.Time{}, false, func(s *sourceState) { s.unfit = "why" }},
		{"suspended", now.Add(time.Second), false, func(s *sourceState) { s.suspendedUntil = now.Add(time.Second) }},
		{"fit", time.Time{}, true, func(s *sourceState) { s.suspendedUntil = now }},
		{"drained", time.Time{}, true, func(s *sourceState) { s.drained = true }},
		{"standby", time.Time{}, true, func(s *sourceState) { s.weight = new(0) }},
		{"spent", nextDay(now), true, func(s *sourceState) {
			s.schedule, _ = warmup.Parse("10, 20")
			s.daybook.open(now)
			s.state.Asked = 10
		}},
	} {
		s := bare().newSourceState(Source{Name: "a"})
		s.nudge = func() {}
		test.change(s)
		state, _, until := s.standing(now)
		if state != test.state || !until.Equal(test.until) || s.works(now) != test.works {
			t.Errorf("standing() = %s until %v, works %v, want %s until %v, %v", state, until, s.works(now), test.state, test.until, test.works)
		}
		if got, want := s.out(now), !test.works || s.drained; got != want {
			t.Errorf("%s: out() = %v, want %v", test.state, got, want)
		}
	}
}
