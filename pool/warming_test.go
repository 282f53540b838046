package pool_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/verimails/verimaild/internal/lab"
	"github.com/verimails/verimaild/internal/mailworld"
	"github.com/verimails/verimaild/internal/store"
	"github.com/verimails/verimaild/pool"
	"github.com/verimails/verimaild/pool/reply"
	"github.com/verimails/verimaild/pool/warmup"
)

// warming gives source a a warm-up, and keeps its state.
func warming(t *testing.T, n int, schedule string, state *store.Store) func(*pool.Options) {
	t.Helper()
	s, err := warmup.Parse(schedule)
	if err != nil {
		t.Fatal(err)
	}
	return func(o *pool.Options) {
		fleet(n, func(sources []pool.Source) { sources[0].Warmup = s })(o)
		o.State = state
	}
}

// askMany asks about n addresses, each at a domain of its own, and counts which source asked or why none did.
func askMany(r *rig, n int) map[string]int {
	r.t.Helper()
	count := map[string]int{}
	for i := range n {
		o := r.request("ada@a.test", func(q *pool.Request) { q.Domain = fmt.Sprintf("d%d.test", i) })
		if o.Failure == pool.FailNone {
			r.want(o, reply.Accepted)
			count[o.Source]++
		} else {
			count[string(o.Failure)]++
		}
	}
	return count
}

func wantCount(t *testing.T, when string, got map[string]int, want map[string]int) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: asked by %v, want %v", when, got, want)
	}
}

// TestWarmUp: a new source asks as many as its day allows, and a warm one takes over the rest, each day anew.
func TestWarmUp(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, oneHost(mailworld.Host{}), warming(t, 2, "20, 40", nil))
		wantCount(t, "first day", askMany(r, 100), map[string]int{"a": 20, "b": 80})
		if s := r.source("a"); !s.Warmup || s.WarmupToday != 20 || s.AskedToday != 20 {
			t.Errorf("%+v, want all 20 of today's asked", s)
		}
		time.Sleep(24 * time.Hour)
		wantCount(t, "second day", askMany(r, 150), map[string]int{"a": 40, "b": 110})
		time.Sleep(24 * time.Hour)
		if got := askMany(r, 150); got["a"] < 50 || got["a"]+got["b"] != 150 {
			t.Errorf("third day: asked by %v, want no limit any more", got)
		}
	})
}

// TestWarmUpLeases: with a disk to write to, everything of a day can be asked just the same, and nothing waits long.
func TestWarmUpLeases(t *testing.T) {
	slow(t)
	bubble(t, func(t *testing.T) {
		r := newRig(t, oneHost(mailworld.Host{}), warming(t, 2, "120, 200", openState(t, t.TempDir()+"/state")))
		start := time.Now()
		if got := askMany(r, 400); got["a"] != 120 || got["b"] != 280 {
			t.Errorf("asked by %v, want 120 of 400 from a", got)
		}
		if took := time.Since(start); took > time.Minute {
			t.Errorf("it took %v", took)
		}
	})
}

// TestWarmUpAlone: where there is no other source, the answer says when there is more.
func TestWarmUpAlone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, oneHost(mailworld.Host{}), warming(t, 1, "20", nil))
		wantCount(t, "today", askMany(r, 25), map[string]int{"a": 20, "budget": 5})
		for _, change := range []func(*pool.Request){nil, pinned("a"), within(time.Hour)} {
			o := r.request("bob@a.test", change)
			r.wantFailure(o, pool.FailBudget)
			if midnight := time.Now().UTC().Truncate(24 * time.Hour).Add(24 * time.Hour); !o.RetryAt.Equal(midnight) {
				t.Errorf("retry at %v, want midnight, %v", o.RetryAt, midnight)
			}
		}
	})
}

// TestWarmUpOverflow: what was queued for a source that has no more for today goes to another one.
func TestWarmUpOverflow(t *testing.T) {
	slow(t)
	bubble(t, func(t *testing.T) {
		r := newRig(t, tagged(mailworld.Host{}), warming(t, 2, "20, 40, 80, 160", openState(t, t.TempDir()+"/state")))
		home, domain := "", ""
		for i := 0; home != "a"; i++ { // A domain that is a's.
			domain = fmt.Sprintf("d%d.test", i)
			home = r.request("ada@a.test", func(q *pool.Request) { q.Domain = domain }).Source
		}
		req := pool.Request{Domain: domain, Hosts: r.hosts("mx.a.test"), App: "test"}
		for i := range 60 {
			req.Recipients = append(req.Recipients, pool.Recipient{Path: fmt.Sprintf("ada+%d@a.test", i)})
		}
		asked := r.source("a").AskedToday
		count := map[string]int{}
		for _, o := range r.pool.Probe(t.Context(), req) {
			r.want(o, reply.Accepted)
			count[o.Source]++
		}
		wantCount(t, "of one domain", count, map[string]int{"a": 20 - asked, "b": 40 + asked})
		r.wantAskedAtMost(1 + asked*10)
	})
}

// TestWarmUpProvider: one provider gets a fifth of the day's allowance at most.
func TestWarmUpProvider(t *testing.T) {
	bubble(t, func(t *testing.T) {
		spec := oneHost(mailworld.Host{})
		spec.Hosts = append(spec.Hosts, mailworld.Host{Name: "mx1.yandex.ru", Rcpt: func(string) mailworld.Reply { return mailworld.Say(250, "2.1.5 Ok") }})
		r := newRig(t, spec, warming(t, 1, "50", nil))
		count := map[string]int{}
		for i := range 20 {
			o := r.request("ada@a.test", func(q *pool.Request) {
				q.Domain, q.Hosts = fmt.Sprintf("d%d.test", i), []pool.Host{{Name: "mx.yandex.ru", Addrs: r.hosts("mx1.yandex.ru")[0].Addrs}}
			})
			count[o.Source+string(o.Failure)]++
		}
		wantCount(t, "of one provider", count, map[string]int{"a": 10, "budget": 10})
		wantCount(t, "elsewhere", askMany(r, 50), map[string]int{"a": 40, "budget": 10})
	})
}

// TestWarmUpRestart: what was asked before a restart counts after it; after an unclean end a little more.
func TestWarmUpRestart(t *testing.T) {
	slow(t)
	for _, clean := range []bool{true, false} {
		t.Run(fmt.Sprint("clean ", clean), func(t *testing.T) {
			dir, crashed := t.TempDir()+"/state", t.TempDir()+"/state"
			at := dir
			bubble(t, func(t *testing.T) {
				r := newRig(t, oneHost(mailworld.Host{}), warming(t, 1, "100, 200", openState(t, dir)))
				wantCount(t, "before", askMany(r, 63), map[string]int{"a": 63})
				if !clean {
					at = crashed
					lab.CopyDir(t, crashed, dir)
				}
			})
			bubble(t, func(t *testing.T) {
				r := newRig(t, oneHost(mailworld.Host{}), warming(t, 1, "100, 200", openState(t, at)))
				got := askMany(r, 100)
				switch n := got["a"]; {
				case clean && n != 37:
					t.Errorf("%d more were asked, want exactly 37", n)
				case !clean && (n > 37 || n < 17):
					t.Errorf("%d more were asked, want at most 37, and at least 17", n)
				}
			})
		})
	}
}

// TestAnotherSourceOfTheName begins anew.
func TestAnotherSourceOfTheName(t *testing.T) {
	slow(t)
	dir := t.TempDir() + "/state"
	for i := range 2 {
		bubble(t, func(t *testing.T) {
			r := newRig(t, oneHost(mailworld.Host{}), func(o *pool.Options) {
				warming(t, 1, "20", openState(t, dir))(o)
				o.Sources[0].EHLO = fmt.Sprintf("source%d.egress.test", i)
				if i == 1 {
					o.Sources[0].IPv4 = o.Sources[0].IPv4.Next()
				}
			})
			wantCount(t, fmt.Sprint("address ", i), askMany(r, 21), map[string]int{"a": 20, "budget": 1})
		})
	}
}

// TestDrainSurvives a restart, and so does Resume.
func TestDrainSurvives(t *testing.T) {
	slow(t)
	dir := t.TempDir() + "/state"
	for i, want := range []bool{false, true, true, false} {
		bubble(t, func(t *testing.T) {
			r := newRig(t, oneHost(mailworld.Host{}), func(o *pool.Options) { fleet(2)(o); o.State = openState(t, dir) })
			if got := r.source("a").Drained; got != want {
				t.Errorf("start %d: drained = %v, want %v", i, got, want)
			}
			if i == 0 {
				if err := r.pool.Drain("a"); err != nil {
					t.Error(err)
				}
			}
			if i == 2 {
				if err := r.pool.Resume("a"); err != nil {
					t.Error(err)
				}
			}
			synctest.Wait()
		})
	}
}
