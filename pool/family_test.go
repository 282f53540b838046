package pool_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/verimails/verimaild/internal/mailworld"
	"github.com/verimails/verimaild/pool"
	"github.com/verimails/verimaild/pool/reply"
)

// asks asks about an address of a domain at hosts, and says how long that took.
func (r *rig) asks(domain string, hosts ...pool.Host) time.Duration {
	r.t.Helper()
	start := time.Now()
	o := r.request("ada@a.test", func(q *pool.Request) { q.Domain, q.Hosts = domain, hosts })
	r.want(o, reply.Accepted)
	return time.Since(start)
}

// bothFamilies gives the source an address of each family, and the world hosts that answer nobody.
func bothFamilies(t *testing.T, spec mailworld.Spec) *rig {
	for i := range 4 {
		spec.Hosts = append(spec.Hosts, mailworld.Host{
			Name: fmt.Sprintf("hole%d.test", i), Network: mailworld.BlackHole, IPv6: true, NoIPv4: i > 0,
		})
	}
	return newRig(t, spec, func(o *pool.Options) {
		o.Limits = lifted()
		o.Limits.Idle = new(time.Second)
		o.Sources[0].IPv6 = netip.MustParseAddr("2001:db8:1::1")
	})
}

// TestScenario30DeadFamilyIsTriedLast: a family that nothing answers over is waited for once, not each time.
func TestScenario30DeadFamilyIsTriedLast(t *testing.T) {
	const connectTimeout = 15 * time.Second
	bubble(t, func(t *testing.T) {
		spec := oneHost(mailworld.Host{IPv6: true})
		r := bothFamilies(t, spec)
		dead4, live6 := r.world.HostAddr("hole0.test").Addr(), netip.MustParseAddr("2001:db8::1")
		host := pool.Host{Name: "mx.a.test", Addrs: []netip.Addr{dead4, live6}}

		if took := r.asks("a.test", host); took < connectTimeout {
			t.Fatalf("it took %v; IPv4 was not tried first", took)
		}
		for range 3 {
			time.Sleep(time.Minute) // The session has ended.
			if took := r.asks("a.test", host); took > 2*time.Second {
				t.Errorf("the next time it took %v, want no wait for IPv4", took)
			}
		}
		time.Sleep(time.Hour)
		if took := r.asks("a.test", host); took < connectTimeout {
			t.Errorf("an hour later it took %v; IPv4 was not tried again", took)
		}
	})
}

// TestScenario30DeadFamilyOfTheSource: where IPv6 fails at one host after another, it is the source's.
func TestScenario30DeadFamilyOfTheSource(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := bothFamilies(t, oneHost(mailworld.Host{}))
		live := r.hosts("mx.a.test")[0]
		live.Preference = 20
		took := make([]time.Duration, 3)
		for i := range took {
			best := pool.Host{Name: fmt.Sprintf("mx%d.test", i), Preference: 10, Addrs: []netip.Addr{r.world.HostAddr(fmt.Sprintf("hole%d.test", i+1)).Addr()}}
			took[i] = r.asks(fmt.Sprintf("d%d.test", i), best, live)
		}
		for i, d := range took {
			if d < 15*time.Second {
				t.Errorf("domain %d took %v; its best host was not tried", i, d)
			}
		}
		best := pool.Host{Name: "mx9.test", Preference: 10, Addrs: []netip.Addr{netip.MustParseAddr("2001:db8::9")}}
		before := r.pool.Stats().Dials
		if d := r.asks("d9.test", best, live); d > time.Second {
			t.Errorf("the fourth domain took %v, want no wait for IPv6", d)
		}
		if n := r.pool.Stats().Dials - before; n != 1 {
			t.Errorf("%d dials, want only that of the host over IPv4", n)
		}
	})
}

// TestScenario30NoFamilyIsBlamedForAnOutage: where nothing answers at all, nothing is held against a family.
func TestScenario30NoFamilyIsBlamedForAnOutage(t *testing.T) {
	bubble(t, func(t *testing.T) {
		spec := oneHost(mailworld.Host{IPv6: true})
		r := bothFamilies(t, spec)
		host := pool.Host{Name: "mx.a.test", Addrs: []netip.Addr{r.world.HostAddr("mx.a.test").Addr(), netip.MustParseAddr("2001:db8::1")}}
		r.world.CutNetwork(true)
		o := r.request("ada@a.test", func(q *pool.Request) { q.Hosts = []pool.Host{host} })
		r.wantFailure(o, pool.FailNoSource)
		r.world.CutNetwork(false)
		o = r.request("ada@a.test", func(q *pool.Request) { q.Hosts = []pool.Host{host} })
		if r.want(o, reply.Accepted); !o.IP.Is4() {
			t.Errorf("asked at %v, want the IPv4 address", o.IP)
		}
	})
}
