package pool

import (
	"strings"
	"testing"
	"time"

	"github.com/verimails/verimaild/pool/provider"
)

func TestFindSiteRule(t *testing.T) {
	google := provider.ByID("google")
	hosts := []string{"mx1.a.test", "mx2.a.test"}
	for _, test := range []struct {
		name   string
		rule   SiteRule
		prov   *provider.Provider
		hosts  []string
		domain string
		want   bool
	}{
		{"the provider", SiteRule{Provider: "google"}, google, hosts, "a.test", true},
		{"another provider", SiteRule{Provider: "yahoo"}, google, hosts, "a.test", false},
		{"no provider", SiteRule{Provider: "google"}, nil, hosts, "a.test", false},
		{"every host", SiteRule{MX: "*.a.test"}, nil, hosts, "a.test", true},
		{"one host of two", SiteRule{MX: "mx1.a.test"}, nil, hosts, "a.test", false},
		{"the only host", SiteRule{MX: "mx1.a.test"}, nil, hosts[:1], "a.test", true},
		{"the domain", SiteRule{Domain: "a.test"}, nil, hosts, "a.test", true},
		{"another domain", SiteRule{Domain: "b.test"}, nil, hosts, "a.test", false},
		{"no domain", SiteRule{Domain: "b.test"}, nil, hosts, "", false},
		{"all of it", SiteRule{Provider: "google", MX: "*.a.test", Domain: "a.test"}, google, hosts, "a.test", true},
		{"all but the provider", SiteRule{Provider: "google", MX: "*.a.test", Domain: "a.test"}, nil, hosts, "a.test", false},
		{"all but the hosts", SiteRule{Provider: "google", MX: "*.b.test", Domain: "a.test"}, google, hosts, "a.test", false},
		{"all but the domain", SiteRule{Provider: "google", MX: "*.a.test", Domain: "b.test"}, google, hosts, "a.test", false},
	} {
		rules, err := CompileSiteRules([]SiteRule{{Domain: "first.test"}, test.rule})
		if err != nil {
			t.Fatal(err)
		}
		want := -1
		if test.want {
			want = 1
		}
		if got := rules.Find(test.prov, test.hosts, test.domain); got != want {
			t.Errorf("%s: Find() = %d, want %d", test.name, got, want)
		}
		if got := rules.find(test.prov, test.hosts, test.domain); (got != nil) != test.want || got != nil && *got != test.rule {
			t.Errorf("%s: find() = %+v, want a rule = %v", test.name, got, test.want)
		}
		if got := rules.ofDomain(test.rule.Domain); test.rule.Domain != "" && !got || rules.ofDomain("c.test") {
			t.Errorf("%s: ofDomain(%q) = %v", test.name, test.rule.Domain, got)
		}
	}
}

func TestCompileSiteRulesNamesTheFault(t *testing.T) {
	for want, rule := range map[string]SiteRule{
		"sites[1]: matches nothing": {}, `sites[1]: there is no provider "nobody"`: {Provider: "nobody"}, "sites[1]: mx: ": {MX: "*.*"},
	} {
		if _, err := CompileSiteRules([]SiteRule{{Domain: "a.test"}, rule}); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("CompileSiteRules(%+v) = %v, want %s", rule, err, want)
		}
	}
}

// Whoever sets a limit, the operator's rule wins over the provider's row, and that over what holds for all.
func TestLimitsFor(t *testing.T) {
	p := bare()
	prov := &provider.Provider{Limits: provider.Limits{Sessions: new(7), RefusalsPerHour: new(5)}}
	rule := &SiteRule{Limits: provider.Limits{RefusalsPerHour: new(0), Ramp: new(false)}}
	want := DefaultLimits()
	if got := p.limitsFor(nil, nil); got != want {
		t.Errorf("limitsFor(nil, nil) = %+v, want %+v", got, want)
	}
	want.Sessions, want.RefusalsPerHour = 7, 5
	if got := p.limitsFor(prov, nil); got != want {
		t.Errorf("limitsFor(provider, nil) = %+v, want %+v", got, want)
	}
	want.RefusalsPerHour, want.Ramp = 0, false
	if got := p.limitsFor(prov, rule); got != want {
		t.Errorf("limitsFor(provider, rule) = %+v, want %+v", got, want)
	}
	if got := want.With(nil); got != want {
		t.Errorf("With(nil) = %+v, want %+v", got, want)
	}
}

func TestUnpaced(t *testing.T) {
	if l := (Limits{Sessions: 1, SessionsPerHour: 1, DialInterval: 1}); !l.unpaced() {
		t.Error("limits of sessions say when something may be asked")
	}
	for name, l := range map[string]Limits{
		"refusals": {RefusalsPerHour: 1}, "controls": {ControlsPerHour: 1}, "ratio": {RefusalRatio: 0.1}, "rate": {ProbesPerMinute: 1},
	} {
		if l.unpaced() {
			t.Errorf("%s alone: unpaced() = true, want false", name)
		}
	}
}

func TestBoundsOfLimits(t *testing.T) {
	for _, test := range []struct {
		n, limit int
		reached  bool
		room     int
	}{
		{0, 0, false, unbounded}, {5, 0, false, unbounded}, {0, 2, false, 2}, {1, 2, false, 1}, {2, 2, true, 0}, {3, 2, true, 0},
	} {
		if got := reached(test.n, test.limit); got != test.reached {
			t.Errorf("reached(%d, %d) = %v, want %v", test.n, test.limit, got, test.reached)
		}
		if got := room(test.n, test.limit); got != test.room {
			t.Errorf("room(%d, %d) = %d, want %d", test.n, test.limit, got, test.room)
		}
	}
	for _, test := range []struct {
		limit, to *int
		want      int
	}{
		{new(5), nil, 5}, {new(5), new(6), 6}, {new(5), new(4), 5}, {new(5), new(0), 0}, {new(0), new(6), 0}, {new(0), new(0), 0},
	} {
		was := *test.limit
		if raise(test.limit, test.to); *test.limit != test.want {
			t.Errorf("raise(%d, %v) = %d, want %d", was, test.to, *test.limit, test.want)
		}
	}
	for _, test := range []struct{ limit, learned, want int }{{0, 0, 0}, {5, 0, 5}, {0, 3, 3}, {5, 3, 3}, {5, 5, 5}, {5, 7, 5}} {
		if got := narrower(test.limit, test.learned); got != test.want {
			t.Errorf("narrower(%d, %d) = %d, want %d", test.limit, test.learned, got, test.want)
		}
	}
}

// What one site of a provider bears in an hour is all that the provider bears, unless its row says more, or an operator
// has agreed on more.
func TestLimitsAcrossSites(t *testing.T) {
	prov := &provider.Provider{
		ID:             "google",
		Limits:         provider.Limits{RefusalsPerHour: new(10), ControlsPerHour: new(12), Sessions: new(2)},
		ProviderLimits: provider.Limits{Sessions: new(5), ControlsPerHour: new(40), DialInterval: new(time.Minute)},
	}
	row := Limits{RefusalsPerHour: 10, ControlsPerHour: 40, Sessions: 5, DialInterval: time.Minute}
	agreed := row
	agreed.RefusalsPerHour, agreed.Sessions, agreed.DialInterval = 100, 0, time.Second
	for _, test := range []struct {
		name string
		rule *SiteRule
		want Limits
	}{
		{"its row", nil, row},
		{"a rule for it", &SiteRule{Provider: "google", Limits: provider.Limits{
			RefusalsPerHour: new(100), ControlsPerHour: new(3), Sessions: new(0), DialInterval: new(time.Second),
		}}, agreed},
		{"a rule that asks for a longer pause", &SiteRule{Provider: "google", Limits: provider.Limits{DialInterval: new(time.Hour)}}, row},
		{"a rule for some hosts", &SiteRule{MX: "*.google.com", Limits: provider.Limits{RefusalsPerHour: new(100)}}, row},
		{"a rule for another", &SiteRule{Provider: "yahoo", Limits: provider.Limits{RefusalsPerHour: new(100)}}, row},
	} {
		p := bare()
		if test.rule != nil {
			var err error
			if p.rules, err = CompileSiteRules([]SiteRule{*test.rule}); err != nil {
				t.Fatal(err)
			}
		}
		v := p.acrossOf(prov)
		if v.limits != test.want {
			t.Errorf("%s: limits %+v, want %+v", test.name, v.limits, test.want)
		}
		if p.acrossOf(prov) != v {
			t.Errorf("%s: the provider has two states", test.name)
		}
	}
}

func TestWhatIsNotLimitedAcrossSites(t *testing.T) {
	p := bare()
	for name, test := range map[string]struct {
		prov *provider.Provider
		want bool
	}{
		"nobody":              {nil, false},
		"no limits":           {&provider.Provider{ID: "x"}, false},
		"limits of a site":    {&provider.Provider{ID: "x", Limits: provider.Limits{Sessions: new(1)}}, false},
		"refusals of a site":  {&provider.Provider{ID: "y", Limits: provider.Limits{RefusalsPerHour: new(1)}}, true},
		"limits across sites": {&provider.Provider{ID: "z", ProviderLimits: provider.Limits{Sessions: new(1)}}, true},
	} {
		if got := p.acrossOf(test.prov) != nil; got != test.want {
			t.Errorf("%s: limited across sites = %v, want %v", name, got, test.want)
		}
	}
	if p.acrossID("nobody") != nil || p.acrossID("google") == nil {
		t.Error("acrossID() knows nobody, or not google")
	}
}
