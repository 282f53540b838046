package pool_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/verimails/verimaild/internal/lab"
	"github.com/verimails/verimaild/internal/mailworld"
	"github.com/verimails/verimaild/internal/store"
	"github.com/verimails/verimaild/pool"
	"github.com/verimails/verimaild/pool/reply"
)

// crowd asks about n addresses as one application, so many at a time, until ctx ends; dead is how many of ten do not
// exist. It returns how many were answered at RCPT.
func (r *rig) crowd(ctx context.Context, app string, class pool.Class, n, dead, atOnce int) *atomic.Int64 {
	var answered atomic.Int64
	next := make(chan int)
	var wg sync.WaitGroup
	for range atOnce {
		wg.Go(func() {
			for i := range next {
				local := "ada"
				if i%10 < dead {
					local = "nobody"
				}
				out := r.pool.Probe(ctx, pool.Request{
					Domain: "a.test", Hosts: r.hosts("mx.a.test"), App: app, Class: class,
					Recipients: []pool.Recipient{{Path: fmt.Sprintf("%s+%s%d@a.test", local, app, i)}},
				})
				if out[0].Failure == pool.FailNone {
					answered.Add(1)
				}
			}
		})
	}
	for i := range n {
		select {
		case next <- i:
			continue
		case <-ctx.Done():
		}
		break
	}
	close(next)
	wg.Wait()
	return &answered
}

// tagged is a site at which ada and whatever has her name before a plus exist.
func tagged(host mailworld.Host) mailworld.Spec {
	spec := oneHost(host)
	spec.Domains[0].Rcpt = func(path string) mailworld.Reply {
		if len(path) > 3 && path[:3] == "ada" {
			return mailworld.Say(250, "2.1.5 Ok")
		}
		return mailworld.Reply{}
	}
	return spec
}

func threeSources(r *mailworld.World) []pool.Source {
	out := make([]pool.Source, 3)
	for i := range out {
		name := fmt.Sprintf("source%d.egress.test", i)
		out[i] = pool.Source{Name: string(rune('a' + i)), IPv4: r.SourceAddr(i), EHLO: name}
	}
	return out
}

// A gateway that counts unknown recipients per /24, and says nothing until it has had enough.
func TestScenario45HarvestDefenceIsNeverMet(t *testing.T) {
	for name, then := range map[string]mailworld.HarvestThen{"refuses": mailworld.HarvestRefuses, "accepts": mailworld.HarvestAccepts} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := newRig(t, tagged(mailworld.Cisco("mx.a.test", then)), nil)
				r.opts.Sources = threeSources(r.world)
				if err := r.pool.Reload(r.opts); err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Hour)
				defer cancel()
				var wg sync.WaitGroup
				for _, app := range []string{"crm", "shop", "signup"} {
					wg.Go(func() {
						if n := r.crowd(ctx, app, pool.Bulk, 3400, 4, 50).Load(); n < 20 {
							t.Errorf("%s got %d answers in five hours, want progress", app, n)
						}
					})
				}
				wg.Wait()
				for _, h := range r.world.Harvested("mx.a.test") {
					if h.Peak > 25 || h.Beyond > 0 {
						t.Errorf("%v: %d unknown recipients within an hour, %d beyond the limit, want at most 25", h.Network, h.Peak, h.Beyond)
					}
				}
			})
		})
	}
}

// A dirty application with a long list does not hold up a clean one with a short list.
func TestScenario48DirtyNextToClean(t *testing.T) {
	for name, class := range map[string]pool.Class{"interactive": pool.Interactive, "bulk": pool.Bulk} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := newRig(t, tagged(mailworld.Host{}), func(o *pool.Options) {
					o.Limits = unpaced()
					o.Limits.RefusalsPerHour, o.Limits.RecipientsPerTransaction, o.Limits.Sessions = new(15), new(1), new(1)
				})
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Hour)
				defer cancel()
				dirty := make(chan struct{})
				go func() {
					defer close(dirty)
					r.crowd(ctx, "dirty", pool.Bulk, 100_000, 9, 500)
				}()
				time.Sleep(2 * time.Hour)
				before := r.world.Counts().Commands["RCPT"]
				if n := r.crowd(ctx, "clean", class, 10, 0, 10).Load(); n != 10 {
					t.Errorf("the clean application got %d answers, want all 10", n)
				}
				if asked := r.world.Counts().Commands["RCPT"] - before; asked > 12 {
					t.Errorf("%d recipients were asked about until the last of 10, want at most 12", asked)
				}
				cancel()
				<-dirty
				for _, h := range r.world.Harvested("mx.a.test") {
					if h.Peak > 15 {
						t.Errorf("%d unknown recipients within an hour, want at most 15", h.Peak)
					}
				}
			})
		})
	}
}

// The network of this host is down for a minute: nobody else is blamed, and the questions are answered in the end.
func TestScenario44OutageBlamesNobody(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const sites = 30
		spec := mailworld.Spec{}
		for i := range sites {
			spec.Hosts = append(spec.Hosts, mailworld.Host{Name: fmt.Sprintf("mx%d.test", i)})
			spec.Domains = append(spec.Domains, mailworld.Domain{
				Name: fmt.Sprintf("d%d.test", i), MX: mailworld.MXs(fmt.Sprintf("mx%d.test", i)), CatchAll: true,
			})
		}
		r := newRig(t, spec, nil)
		dial, down := r.opts.Dial, new(atomic.Bool)
		r.opts.Dial = silentWhile(down, dial)
		if err := r.pool.Reload(r.opts); err != nil {
			t.Fatal(err)
		}
		down.Store(true)
		var wg sync.WaitGroup
		for i := range sites {
			wg.Go(func() {
				domain := fmt.Sprintf("d%d.test", i)
				for r.ask(r.hosts(fmt.Sprintf("mx%d.test", i)), "ada@"+domain)[0].Failure != pool.FailNone {
					time.Sleep(20 * time.Second)
				}
			})
		}
		time.Sleep(time.Minute)
		down.Store(false)
		began := time.Now()
		wg.Wait()
		if took := time.Since(began); took > 90*time.Second {
			t.Errorf("it took %v until all were answered, want no breaker in the way", took)
		}
	})
}

type dialFunc = func(context.Context, netip.Addr, netip.AddrPort) (net.Conn, error)

// silentWhile is dial, but while down nothing comes back.
func silentWhile(down *atomic.Bool, dial dialFunc) dialFunc {
	return func(ctx context.Context, laddr netip.Addr, raddr netip.AddrPort) (net.Conn, error) {
		if down.Load() {
			<-ctx.Done()
			return nil, context.Cause(ctx)
		}
		return dial(ctx, laddr, raddr)
	}
}

// What was spent is spent after a restart, in good order or not.
func TestScenario46RestartKeepsBudgets(t *testing.T) {
	slow(t)
	for name, killed := range map[string]bool{"closed": false, "killed": true} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir() + "/state"
			after, copied := dir, t.TempDir()+"/state"
			var spent int
			bubble(t, func(t *testing.T) {
				r := newRig(t, tagged(mailworld.Host{}), func(o *pool.Options) {
					o.State = openState(t, dir)
				})
				ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
				defer cancel()
				r.crowd(ctx, "app", pool.Bulk, 1000, 10, 20)
				spent = r.world.Counts().Commands["RCPT"]
				if killed { // What the disk has now is what a kill would leave.
					after = copied
					lab.CopyDir(t, after, dir)
				}
			})
			if spent < 10 {
				t.Fatalf("only %d recipients were asked about", spent)
			}
			bubble(t, func(t *testing.T) {
				r := newRig(t, tagged(mailworld.Host{}), func(o *pool.Options) { o.State = openState(t, after) })
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
				defer cancel()
				r.crowd(ctx, "app", pool.Bulk, 1000, 10, 20)
				if more := r.world.Counts().Commands["RCPT"]; spent+more > 15 {
					t.Errorf("%d dead recipients before the restart and %d after it within an hour, want at most 15", spent, more)
				}
			})
		})
	}
}

// openState opens the durable store under dir for the length of a test.
func openState(t *testing.T, dir string) *store.Store {
	t.Helper()
	s, err := store.Open(store.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("stores: %v", err)
		}
	})
	return s.State()
}

// A source that a receiver blocks is not used there again for a while, and no other source is tried in its place.
func TestBlockedPathIsLeftAlone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		blocks := mailworld.Host{Replies: map[string]mailworld.Reply{"MAIL": mailworld.Say(554, "5.7.1 Service unavailable; Client host blocked using zen.spamhaus.org")}}
		r := newRig(t, oneHost(blocks), nil)
		r.opts.Sources = threeSources(r.world)
		if err := r.pool.Reload(r.opts); err != nil {
			t.Fatal(err)
		}
		first := r.ask(r.hosts("mx.a.test"), "ada@a.test")[0]
		r.want(first, reply.SourceBlocked)
		if first.RetryAt.IsZero() {
			t.Error("RetryAt is not set")
		}
		for i := range 20 {
			o := r.ask(r.hosts("mx.a.test"), fmt.Sprintf("u%d@a.test", i))[0]
			r.want(o, reply.SourceBlocked)
			if !o.Remembered || !o.RetryAt.Equal(first.RetryAt) {
				t.Fatalf("Remembered %v, RetryAt %v, want the refusal of before", o.Remembered, o.RetryAt)
			}
		}
		r.wantSessions("mx.a.test", 1)
		if err := r.world.Change("mx.a.test", func(h *mailworld.Host) { h.Replies = nil }); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Until(first.RetryAt) + time.Second)
		r.want(r.ask(r.hosts("mx.a.test"), "bob@a.test")[0], reply.Accepted)
		commands := r.world.Commands("mx.a.test")
		var test strings.Builder
		for _, c := range commands[len(commands)-6:] {
			test.WriteString(c.Verb + " ")
		}
		if test.String() != "EHLO MAIL RSET MAIL RCPT RSET " {
			t.Errorf("the way back was %s, want a test that asks about nobody first", test.String())
		}
	})
}

func TestControlsHaveTheirOwnAllowance(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, tagged(mailworld.Host{}), func(o *pool.Options) {
			o.Limits = unpaced()
			o.Limits.ControlsPerHour, o.Limits.RefusalsPerHour = new(10), new(15)
		})
		ask := func(path string, control bool) pool.Outcome {
			return r.pool.Probe(t.Context(), pool.Request{
				Domain: "a.test", Hosts: r.hosts("mx.a.test"), Recipients: []pool.Recipient{{Path: path, Control: control}},
			})[0]
		}
		for i := range 10 {
			r.want(ask(fmt.Sprintf("made%d@a.test", i), true), reply.NoSuchMailbox)
		}
		began := time.Now()
		o := ask("made10@a.test", true)
		r.wantFailure(o, pool.FailBudget)
		if wait := o.RetryAt.Sub(began); wait < 55*time.Minute || wait > 65*time.Minute {
			t.Errorf("RetryAt is %v ahead, want about an hour", wait)
		}
		if time.Since(began) > 0 {
			t.Error("it waited for an answer that was known")
		}
		r.want(ask("ada1@a.test", false), reply.Accepted)
		r.want(ask("nobody1@a.test", false), reply.NoSuchMailbox)
		time.Sleep(time.Until(o.RetryAt))
		r.want(ask("made10@a.test", true), reply.NoSuchMailbox)
	})
}

// A caller whose deadline can't be met is told at once, and when to come back.
func TestDeadlineThatCannotBeMet(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, tagged(mailworld.Host{}), func(o *pool.Options) {
			o.Limits = unpaced()
			o.Limits.RefusalsPerHour = new(5)
		})
		for i := range 5 {
			r.want(r.ask(r.hosts("mx.a.test"), fmt.Sprintf("nobody%d@a.test", i))[0], reply.NoSuchMailbox)
		}
		began := time.Now()
		o := r.pool.Probe(t.Context(), pool.Request{
			Domain: "a.test", Hosts: r.hosts("mx.a.test"), Recipients: []pool.Recipient{{Path: "ada@a.test"}},
			Deadline: began.Add(30 * time.Second),
		})[0]
		r.wantFailure(o, pool.FailBudget)
		if time.Since(began) > 0 {
			t.Error("it waited for what it knew it would not get")
		}
		if wait := o.RetryAt.Sub(began); wait < 55*time.Minute || wait > 65*time.Minute {
			t.Errorf("RetryAt is %v ahead, want about an hour", wait)
		}
		r.want(r.ask(r.hosts("mx.a.test"), "ada@a.test")[0], reply.Accepted) // Without a deadline it waits.
	})
}

// Mostly dead lists go on at one probe a minute, never at none.
func TestRefusalRatio(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, tagged(mailworld.Host{}), func(o *pool.Options) {
			o.Limits = unpaced()
			o.Limits.RefusalRatio = new(0.25)
		})
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Hour)
		defer cancel()
		n := r.crowd(ctx, "app", pool.Bulk, 100_000, 5, 10).Load()
		if n < 80 || n > 160 {
			t.Errorf("%d answers in two hours, want about one a minute", n)
		}
	})
}

// The limits that a site shows are learned, and kept over a restart.
func TestLearning(t *testing.T) {
	dir := t.TempDir() + "/state"
	host := mailworld.Host{Limits: mailworld.Limits{Recipients: mailworld.Limit{N: 2}}}
	for _, restarted := range []bool{false, true} {
		bubble(t, func(t *testing.T) {
			r := newRig(t, tagged(host), func(o *pool.Options) {
				o.Limits = unpaced()
				o.State = openState(t, dir)
			})
			for i := range 5 {
				var paths []string
				for j := range 5 {
					paths = append(paths, fmt.Sprintf("ada+%d.%d@a.test", i, j))
				}
				for _, o := range r.ask(r.hosts("mx.a.test"), paths...) {
					r.want(o, reply.Accepted)
				}
			}
			refused := 0
			for _, c := range r.world.Commands("mx.a.test") {
				if c.Code == 452 {
					refused++
				}
			}
			if want := map[bool]int{false: 6, true: 0}[restarted]; refused > want {
				t.Errorf("restarted %v: %d recipients too many, want at most %d", restarted, refused, want)
			}
		})
	}
}
