package pool_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/verimails/verimaild/internal/mailworld"
	"github.com/verimails/verimaild/pool"
	"github.com/verimails/verimaild/pool/reply"
)

// from asks about a recipient of a.test from one source.
func (r *rig) from(source, path string) pool.Outcome { return r.request(path, pinned(source)) }

// wantNoDial checks that o was answered without connecting, and when it is to be asked again.
func (r *rig) wantNoDial(before int64, o pool.Outcome, f pool.Failure, in time.Duration) {
	r.t.Helper()
	r.wantFailure(o, f)
	if n := r.pool.Stats().Dials - before; n != 0 {
		r.t.Errorf("%d connections were tried, want none", n)
	}
	if wait := time.Until(o.RetryAt); wait > in || wait < in-time.Minute {
		r.t.Errorf("RetryAt in %v, want %v", wait, in)
	}
}

// Two sources cannot connect to a host: then it is the host, for all sources and for longer each time, until one of them can.
func TestHostThatIsOutForAllSources(t *testing.T) {
	for _, network := range []mailworld.Network{mailworld.RefuseConnect, mailworld.BlackHole, mailworld.Mute} {
		bubble(t, func(t *testing.T) {
			r := newRig(t, oneHost(mailworld.Host{Network: network}), fleet(3))
			fails := pool.FailConnectTimeout
			if network == mailworld.RefuseConnect {
				fails = pool.FailConnectRefused
			}
			r.wantFailure(r.from("a", "ada@a.test"), fails)
			r.wantFailure(r.from("a", "bob@a.test"), fails)
			if out := r.outages(); out != 0 {
				t.Errorf("%d addresses are out, though only one source has failed", out)
			}
			second := r.from("b", "ada@a.test")
			r.wantFailure(second, fails)
			for _, wait := range []time.Duration{2, 4, 8, 16, 32, 60, 60} {
				wait *= time.Minute
				if out := r.outages(); out != 1 {
					t.Errorf("%d addresses are out, want one", out)
				}
				before := r.pool.Stats().Dials
				for _, source := range []string{"a", "b", "c"} {
					r.wantNoDial(before, r.from(source, "cleo@a.test"), fails, wait)
				}
				time.Sleep(wait)
				r.wantFailure(r.from("c", "ada@a.test"), fails)
				if n := r.pool.Stats().Dials - before; n != 1 {
					t.Errorf("%d connections to see whether it is over, want 1", n)
				}
			}
			r.change(func(h *mailworld.Host) { h.Network = mailworld.Listening })
			time.Sleep(time.Hour)
			for _, source := range []string{"c", "b", "a"} {
				r.want(r.from(source, "ada@a.test"), reply.Accepted)
			}
			if out := r.outages(); out != 0 {
				t.Errorf("%d addresses are out, want none", out)
			}
		})
	}
}

// outages is how many addresses Egress shows as out.
func (r *rig) outages() int { return len(r.pool.Egress("", 0).Outages) }

// What two sources met at different times, or one source alone, is no outage of the host's.
func TestHostThatIsNotOut(t *testing.T) {
	for name, run := range map[string]func(r *rig){
		"six minutes apart": func(r *rig) {
			r.from("a", "ada@a.test")
			time.Sleep(6 * time.Minute)
			r.from("b", "ada@a.test")
		},
		"one source, twice": func(r *rig) {
			r.from("a", "ada@a.test")
			r.from("a", "bob@a.test")
		},
		"a forgiving pool": func(r *rig) {
			r.opts.Forgiving = true
			if err := r.pool.Reload(r.opts); err != nil {
				r.t.Fatal(err)
			}
			r.from("a", "ada@a.test")
			r.from("b", "ada@a.test")
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := newRig(t, oneHost(mailworld.Host{Network: mailworld.RefuseConnect}), fleet(2))
				run(r)
				if out := r.outages(); out != 0 {
					t.Errorf("%d addresses are out, want none", out)
				}
				before := r.pool.Stats().Dials
				r.wantFailure(r.from("b", "cleo@a.test"), pool.FailConnectRefused)
				if r.pool.Stats().Dials == before {
					t.Error("it was not tried")
				}
			})
		})
	}
}

// While one host of a domain is out, its other hosts are asked, and it costs them nothing.
func TestHostsBesideOneThatIsOut(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, twoHosts(mailworld.Host{Network: mailworld.BlackHole}, mailworld.Host{}), fleet(3))
		ask := func(source, path string) (o pool.Outcome, dials int64, took time.Duration) {
			before, began := r.pool.Stats().Dials, time.Now()
			o = r.request(path, func(q *pool.Request) { q.Source, q.Hosts = source, r.hosts("mx.a.test", "mx2.a.test") })
			return o, r.pool.Stats().Dials - before, time.Since(began)
		}
		for _, source := range []string{"a", "b"} {
			o, dials, took := ask(source, "ada@a.test")
			if r.want(o, reply.Accepted); dials != 2 || took < 15*time.Second {
				t.Errorf("from %s: %d connections in %v, want the first host tried and then the second", source, dials, took)
			}
		}
		o, dials, took := ask("c", "ada@a.test")
		if r.want(o, reply.Accepted); dials != 1 || took > time.Second {
			t.Errorf("from c: %d connections in %v, want the second host alone", dials, took)
		}
	})
}

// While one finds out whether the outage is over, others are told to come back soon.
func TestTrialOfAHostThatWasOut(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, oneHost(mailworld.Host{Network: mailworld.BlackHole}), fleet(2))
		r.from("a", "ada@a.test")
		r.from("b", "ada@a.test")
		time.Sleep(2 * time.Minute)
		r.change(func(h *mailworld.Host) {
			h.Network, h.Greeting.Reply = mailworld.Listening, mailworld.Say(220, "mx.a.test ESMTP").After(30*time.Second)
		})
		first := r.later("ada@a.test", pinned("a"))
		time.Sleep(10 * time.Second)
		before := r.pool.Stats().Dials
		r.wantNoDial(before, r.from("b", "bob@a.test"), pool.FailConnectTimeout, time.Minute)
		r.want(<-first, reply.Accepted)
		r.want(r.from("b", "bob@a.test"), reply.Accepted)
	})
}

// An outage of this host's network is held against no mail host, though every source fails at every one.
func TestOutageOfOursIsNoHosts(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const sites = 30
		hosts := make([]mailworld.Host, sites)
		r := newRig(t, owners(hosts...), fleet(2))
		down := new(atomic.Bool)
		r.opts.Dial = silentWhile(down, r.opts.Dial)
		if err := r.pool.Reload(r.opts); err != nil {
			t.Fatal(err)
		}
		down.Store(true)
		ask := func(i int, source string) pool.Outcome {
			domain := fmt.Sprintf("d%d.test", i)
			return r.pool.Probe(t.Context(), pool.Request{
				Domain: domain, Hosts: r.hosts("mx." + domain), Source: source, Recipients: []pool.Recipient{{Path: "ada@" + domain}},
			})[0]
		}
		var wg sync.WaitGroup
		for i := range sites {
			for _, source := range []string{"a", "b"} {
				wg.Go(func() { ask(i, source) })
			}
		}
		time.Sleep(time.Minute)
		down.Store(false)
		wg.Wait()
		time.Sleep(time.Minute)
		if out := r.outages(); out != 0 {
			t.Errorf("%d addresses are out, want none", out)
		}
		for i := range sites {
			r.want(ask(i, "a"), reply.Accepted)
		}
	})
}
