package pool

import (
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/verimails/verimaild/pool/reply"
	"github.com/verimails/verimaild/pool/smtp"
)

// tenants are paths from sources a and b at sites of one provider.
func tenants() (p *Pool, at func(source, host string) *path) {
	p = bare()
	p.log = zap.NewNop()
	p.sources = []*sourceState{p.newSourceState(Source{Name: "a"}), p.newSourceState(Source{Name: "b"})}
	return p, func(source, host string) *path { return p.siteOf(host, "").path(p.sourceNamed(source)) }
}

const (
	firstTenant  = "a-test.mail.protection.outlook.com"
	secondTenant = "b-test.mail.protection.outlook.com"
	thirdTenant  = "c-test.mail.protection.outlook.com"
)

// A provider that tells two sources that they are too fast means all of them, everywhere; for half an hour.
func TestProviderSlowsDown(t *testing.T) {
	slower := func() *Outcome {
		o := refusedAt(smtp.StageMAIL, reply.RateLimited, reply.ScopeSourceSite)
		o.Meaning.Retry = time.Hour
		return o
	}
	blocked := func() *Outcome { return refusedAt(smtp.StageMAIL, reply.SourceBlocked, reply.ScopeSourceSite) }
	for name, test := range map[string]struct {
		tell func(at func(source, host string) *path)
		want bool
	}{
		"two sources at two sites": {func(at func(string, string) *path) {
			at("a", firstTenant).blame(slower())
			at("b", secondTenant).blame(slower())
		}, true},
		"two sources at one site": {func(at func(string, string) *path) {
			at("a", firstTenant).blame(slower())
			at("b", firstTenant).blame(slower())
		}, true},
		"one source at two sites": {func(at func(string, string) *path) {
			at("a", firstTenant).blame(slower())
			at("a", secondTenant).blame(slower())
		}, false},
		"blocks": {func(at func(string, string) *path) {
			at("a", firstTenant).blame(blocked())
			at("b", secondTenant).blame(blocked())
		}, false},
		"one time each, which opens nothing": {func(at func(string, string) *path) {
			for _, o := range []*Outcome{slower(), slower()} {
				o.Meaning.Retry = 0
				at("a", firstTenant).blame(o)
				at("b", secondTenant).blame(o)
			}
		}, false},
		"sites of different owners": {func(at func(string, string) *path) {
			at("a", "mx.a.test").blame(slower())
			at("b", "mx.b.test").blame(slower())
		}, false},
	} {
		p, at := tenants()
		other := at("a", thirdTenant)
		other.site.across.limits.ProbesPerMinute = 40
		own, all := other.rateAt(p.now()), other.site.across.rateAt(p.now())
		test.tell(at)
		now := p.now()
		if slow := other.rateAt(now) == own/2 && other.site.across.rateAt(now) == all/2; slow != test.want {
			t.Errorf("%s: %v a minute, and %v of the provider, after %v and %v: slow %v, want %v",
				name, other.rateAt(now), other.site.across.rateAt(now), own, all, slow, test.want)
		}
		if got := !p.slowUntil(other.site.provider.ID, now).IsZero(); got != test.want {
			t.Errorf("%s: it is shown as slow: %v, want %v", name, got, test.want)
		}
		if now += slowedFor; other.rateAt(now) != own || other.site.across.rateAt(now) != all {
			t.Errorf("%s: %v a minute half an hour later, want %v", name, other.rateAt(now), own)
		}
		other.site.limits.ProbesPerMinute = 0
		if got := other.rateAt(p.now()); got != 0 {
			t.Errorf("%s: a rate that is lifted is %v", name, got)
		}
	}
}

// At half the rate half as much may be asked, and what was not sent is given back as it was taken.
func TestSlowPathTakesTurnsHalfAsOften(t *testing.T) {
	p, at := tenants()
	pa := at("a", thirdTenant)
	now := p.now()
	pa.site.slowdown.until = now + slowedFor
	rate := pa.perMinute()
	f := &flight{batches: []batch{{probes: make([]*probe, burst)}}}
	for i := range f.batches[0].probes {
		f.batches[0].probes[i] = &probe{}
	}
	pa.reserve(now, f)
	if got, want := pa.nextRate(now, 1)-now, time.Duration(2*float64(time.Minute)/rate); got != want {
		t.Errorf("after a burst the next goes in %v, want %v", got, want)
	}
	if pa.unask(burst); pa.rateRoom(now) != burst {
		t.Errorf("after all was given back %d may go, want %d", pa.rateRoom(now), burst)
	}
	if pa.release(now, f); pa.egress(now).PerMinute != rate/2 {
		t.Errorf("Egress shows %v a minute, want %v", pa.egress(now).PerMinute, rate/2)
	}
}
