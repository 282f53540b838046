package pool_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/verimails/verimaild/internal/mailworld"
	"github.com/verimails/verimaild/pool"
	"github.com/verimails/verimaild/pool/reply"
)

// A host that greets us with a refusal, beside one that does not, is left alone for an hour.
func TestScenario37RefusedGreetingIsRemembered(t *testing.T) {
	bubble(t, func(t *testing.T) {
		refuses := mailworld.Host{Greeting: mailworld.Greeting{Reply: mailworld.Say(554, "5.7.1 go away")}}
		r := newRig(t, twoHosts(refuses, mailworld.Host{}), func(o *pool.Options) { o.Limits = unpaced() })
		hosts := r.hosts("mx.a.test", "mx2.a.test")
		for i := range 3 {
			r.want(r.ask(hosts, fmt.Sprintf("nobody%d@a.test", i))[0], reply.NoSuchMailbox)
			time.Sleep(20 * time.Minute)
		}
		r.wantSessions("mx.a.test", 1)
		r.wantSessions("mx2.a.test", 3)
		time.Sleep(5 * time.Minute)
		r.change(func(h *mailworld.Host) { h.Greeting = mailworld.Greeting{} })
		if o := r.ask(hosts, "ada@a.test")[0]; o.Host != "mx.a.test" {
			t.Errorf("host = %s, want the better one again", o.Host)
		}
	})
}

// The better of two hosts swallows packets: that costs a timeout a few times, not each time.
func TestDeadFirstHostIsLeftAlone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, twoHosts(mailworld.Host{Network: mailworld.BlackHole}, mailworld.Host{}), func(o *pool.Options) {
			o.Limits = unpaced()
		})
		hosts := r.hosts("mx.a.test", "mx2.a.test")
		slow := 0
		for i := range 10 {
			began := time.Now()
			r.want(r.ask(hosts, fmt.Sprintf("nobody%d@a.test", i))[0], reply.NoSuchMailbox)
			if time.Since(began) > 10*time.Second {
				slow++
			}
			time.Sleep(time.Minute)
		}
		if slow != 4 {
			t.Errorf("the timeout was waited for %d times of 10, want 4", slow)
		}
	})
}

// A host that takes connections and says nothing is left alone after some of them.
func TestScenario10MuteHostIsLeftAlone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, oneHost(mailworld.Host{Network: mailworld.Mute}), func(o *pool.Options) { o.Limits = unpaced() })
		for i := range 10 {
			r.wantFailure(r.ask(r.hosts("mx.a.test"), fmt.Sprintf("u%d@a.test", i))[0], pool.FailConnectTimeout)
		}
		if n := r.pool.Stats().Dials; n > 5 {
			t.Errorf("%d dials, want the route left alone after 4", n)
		}
	})
}

// What is dialled again, in clear or at another host, is a session of this hour too.
func TestSessionsOfAnHourAreAllCounted(t *testing.T) {
	for name, spec := range map[string]mailworld.Spec{
		"broken TLS":       twoHosts(mailworld.Host{TLS: mailworld.TLS{Mode: mailworld.TLSGarbage}}, mailworld.Host{}),
		"refused greeting": twoHosts(mailworld.Host{Greeting: mailworld.Greeting{Reply: mailworld.Say(421, "4.3.2 busy")}}, mailworld.Host{}),
	} {
		t.Run(name, func(t *testing.T) {
			for limit := 1; limit <= 3; limit++ {
				bubble(t, func(t *testing.T) {
					r := newRig(t, spec, func(o *pool.Options) {
						o.Limits = unpaced()
						o.Limits.SessionsPerHour, o.Limits.RefusalsPerSession = new(limit), new(1)
					})
					ctx, cancel := context.WithTimeout(t.Context(), 55*time.Minute)
					defer cancel()
					var wg sync.WaitGroup
					for i := range 10 {
						wg.Go(func() {
							r.pool.Probe(ctx, pool.Request{
								Domain: "a.test", Hosts: r.hosts("mx.a.test", "mx2.a.test"),
								Recipients: []pool.Recipient{{Path: fmt.Sprintf("nobody%d@a.test", i)}},
							})
						})
					}
					wg.Wait()
					if n := len(r.world.Sessions("")); n > limit {
						t.Errorf("%d sessions within an hour, want at most %d", n, limit)
					}
				})
			}
		})
	}
}
