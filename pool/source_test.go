package pool_test

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/verimails/verimaild/internal/mailworld"
	"github.com/verimails/verimaild/pool"
	"github.com/verimails/verimaild/pool/reply"
)

// fleet gives a pool n sources, each in a network of its own.
func fleet(n int, change ...func([]pool.Source)) func(*pool.Options) {
	return func(o *pool.Options) {
		o.Sources = nil
		for i := range n {
			o.Sources = append(o.Sources, pool.Source{
				Name: string(rune('a' + i)), IPv4: netip.AddrFrom4([4]byte{127, 77, 192, byte(i + 1)}),
				EHLO: fmt.Sprintf("source%d.egress.test", i),
			})
		}
		for _, f := range change {
			f(o.Sources)
		}
		o.Limits = lifted()
	}
}

// request asks about one recipient of a.test.
func (r *rig) request(path string, change func(*pool.Request)) pool.Outcome {
	r.t.Helper()
	req := pool.Request{
		Domain: "a.test", Hosts: r.hosts("mx.a.test"), App: "test", Recipients: []pool.Recipient{{Path: path}},
	}
	if change != nil {
		change(&req)
	}
	return r.pool.Probe(r.t.Context(), req)[0]
}

// later asks in a goroutine.
func (r *rig) later(path string, change func(*pool.Request)) <-chan pool.Outcome {
	out := make(chan pool.Outcome, 1)
	go func() { out <- r.request(path, change) }()
	return out
}

// source is the picture of one source.
func (r *rig) source(name string) pool.SourceStats {
	r.t.Helper()
	for _, s := range r.pool.Stats().Sources {
		if s.Name == name {
			return s
		}
	}
	r.t.Fatalf("no source %s", name)
	return pool.SourceStats{}
}

func within(d time.Duration) func(*pool.Request) {
	return func(q *pool.Request) { q.Deadline = time.Now().Add(d) }
}

func pinned(name string) func(*pool.Request) {
	return func(q *pool.Request) { q.Source = name }
}

func TestScenario43SourceWithoutItsAddress(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, oneHost(mailworld.Host{}), fleet(2))
		first := r.request("ada@a.test", nil)
		r.want(first, reply.Accepted)
		time.Sleep(time.Minute)
		for i, name := range []string{"a", "b"} {
			r.world.Unplug(r.world.SourceAddr(i), first.Source == name)
		}
		// One that may move, one that is pinned to the source, and one that is and has no time.
		waits := r.later("cleo@a.test", pinned(first.Source))
		synctest.Wait()
		moved := r.request("bob@a.test", nil)
		r.want(moved, reply.Accepted)
		if moved.Source == first.Source {
			t.Errorf("source = %s, which has lost its address", moved.Source)
		}
		hasty := r.request("dora@a.test", func(q *pool.Request) { pinned(first.Source)(q); within(time.Second)(q) })
		r.wantFailure(hasty, pool.FailNoSource)
		if hasty.RetryAt.IsZero() {
			t.Error("there is no time to ask again, though the source is tried again")
		}

		// All are gone: nobody is told anything about a mailbox, and work waits as long as it may.
		for i := range 2 {
			r.world.Unplug(r.world.SourceAddr(i), true)
		}
		time.Sleep(time.Minute) // The session of the other source has gone.
		all := r.later("dora@a.test", nil)
		time.Sleep(3 * time.Minute)
		r.wantFailure(r.request("bob@a.test", within(time.Second)), pool.FailNoSource)
		if r.pool.Trouble() == "" {
			t.Error("Trouble() is empty, though no source has its address")
		}
		select {
		case o := <-all:
			t.Errorf("outcome = %s %s (%s), want it to wait", o.Reply, o.Failure, o.Detail)
		default:
		}
		dials := r.pool.Stats().Dials
		for i := range 2 {
			r.world.Unplug(r.world.SourceAddr(i), false)
		}
		r.want(<-waits, reply.Accepted)
		r.want(<-all, reply.NoSuchMailbox)
		if n := r.pool.Stats().Dials - dials; n > 3 {
			t.Errorf("%d dials for two questions", n)
		}
		if why := r.pool.Trouble(); why != "" {
			t.Errorf("Trouble() = %q, want none", why)
		}
		time.Sleep(6 * time.Minute)
		if back := r.request("bob@a.test", nil); back.Source != first.Source {
			t.Errorf("source = %s, want the domain's own, %s, back", back.Source, first.Source)
		}
	})
}

func TestDrain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		slow := mailworld.Host{Slow: map[string]time.Duration{"RCPT": 2 * time.Second}}
		r := newRig(t, oneHost(slow), func(o *pool.Options) {
			fleet(2)(o)
			o.Limits.Sessions, o.Limits.RecipientsPerTransaction, o.Limits.RefusalsPerSession = new(1), new(1), new(3)
		})
		home := r.request("ada@a.test", nil).Source
		var outs []<-chan pool.Outcome
		for i := range 6 {
			outs = append(outs, r.later(fmt.Sprintf("no%d@a.test", i), nil))
		}
		synctest.Wait()
		only := r.later("cleo@a.test", pinned(home))
		time.Sleep(time.Second)
		if err := r.pool.Drain(home); err != nil {
			t.Fatalf("Drain(%q) = %v", home, err)
		}
		from := map[string]int{}
		for _, o := range outs {
			o := <-o
			r.want(o, reply.NoSuchMailbox)
			from[o.Source]++
		}
		if from[home] == 0 || from[home] == len(outs) {
			t.Errorf("asked from %v, want what was under way from %s, and the rest from the other", from, home)
		}
		o := <-only
		r.want(o, reply.Accepted)
		if o.Source != home {
			t.Errorf("source = %s, want %s: it is pinned", o.Source, home)
		}
		time.Sleep(time.Second)
		if s := r.source(home); s.Sessions != 0 || !s.Drained {
			t.Errorf("%+v, want it drained and without sessions", s)
		}
		if o := r.request("bob@a.test", nil); o.Source == home {
			t.Errorf("source = %s, which is drained", o.Source)
		}
		if err := r.pool.Resume(home); err != nil {
			t.Fatalf("Resume(%q) = %v", home, err)
		}
		if o := r.request("bob@a.test", nil); o.Source != home {
			t.Errorf("source = %s, want %s, the domain's own, back", o.Source, home)
		}
		r.wantAskedAtMost(2) // bob, twice.
	})
}

func TestDrainOfTheOnlySource(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, oneHost(mailworld.Host{}), fleet(1))
		if err := r.pool.Drain("a"); err != nil {
			t.Fatal(err)
		}
		r.wantFailure(r.request("ada@a.test", nil), pool.FailNoSource)
		if err := r.pool.Drain("b"); !errors.Is(err, pool.ErrUnknownSource) {
			t.Errorf("Drain(b) = %v, want ErrUnknownSource", err)
		}
		if err := r.pool.Resume("b"); !errors.Is(err, pool.ErrUnknownSource) {
			t.Errorf("Resume(b) = %v, want ErrUnknownSource", err)
		}
		if err := r.pool.Fitness("b", ""); !errors.Is(err, pool.ErrUnknownSource) {
			t.Errorf("Fitness(b) = %v, want ErrUnknownSource", err)
		}
	})
}

func TestFitness(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, oneHost(mailworld.Host{}), fleet(2))
		home := r.request("ada@a.test", nil).Source
		if err := r.pool.Fitness(home, "port 25 is closed"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if s := r.source(home); s.Sessions != 0 || s.Unfit != "port 25 is closed" {
			t.Errorf("%+v, want it unfit and without sessions", s)
		}
		if o := r.request("bob@a.test", nil); o.Source == home {
			t.Errorf("source = %s, which is not fit", o.Source)
		}
		r.wantFailure(r.request("cleo@a.test", pinned(home)), pool.FailNoSource)
		if err := r.pool.Fitness(home, ""); err != nil {
			t.Fatal(err)
		}
		if o := r.request("cleo@a.test", nil); o.Source != home {
			t.Errorf("source = %s, want %s back", o.Source, home)
		}
	})
}

// shares is how many of many domains each source is asked from.
func shares(r *rig, n int) (map[string]int, []string) {
	count, order := map[string]int{}, make([]string, n)
	for i := range n {
		o := r.request("ada@a.test", func(q *pool.Request) { q.Domain = fmt.Sprintf("d%d.test", i) })
		r.want(o, reply.Accepted)
		count[o.Source]++
		order[i] = o.Source
	}
	return count, order
}

// TestSourceWeights: domains fall to the sources by their weights, always the same, and a change moves few of them.
func TestSourceWeights(t *testing.T) {
	slow(t)
	bubble(t, func(t *testing.T) {
		const domains = 600
		weights := func(w ...int) func(*pool.Options) {
			return fleet(len(w), func(s []pool.Source) {
				for i := range s {
					s[i].Weight = &w[i]
				}
			})
		}
		r := newRig(t, oneHost(mailworld.Host{}), weights(3, 1, 1, 0))
		got, before := shares(r, domains)
		for name, want := range map[string]int{"a": domains * 3 / 5, "b": domains / 5, "c": domains / 5, "d": 0} {
			if n := got[name]; n < want*8/10 || n > want*12/10 {
				t.Errorf("source %s has %d of %d domains, want about %d", name, n, domains, want)
			}
		}
		if _, again := shares(r, domains); fmt.Sprint(again) != fmt.Sprint(before) {
			t.Error("the second time, domains went to other sources")
		}
		opts := r.opts
		weights(3, 1, 2, 0)(&opts)
		if err := r.pool.Reload(opts); err != nil {
			t.Fatal(err)
		}
		_, after := shares(r, domains)
		moved := 0
		for i := range before {
			if before[i] != after[i] {
				if moved++; after[i] != "c" {
					t.Errorf("domain %d went from %s to %s, want only c to gain", i, before[i], after[i])
				}
			}
		}
		if moved == 0 || moved > domains/4 {
			t.Errorf("%d of %d domains moved, want some, and less than a quarter", moved, domains)
		}
	})
}

// TestRefusalIsNotShoppedAround: a source that was refused loses domains to others, but not where it was refused.
func TestRefusalIsNotShoppedAround(t *testing.T) {
	bubble(t, func(t *testing.T) {
		spec := oneHost(mailworld.Host{})
		blocked := mailworld.Say(554, "5.7.1 Service unavailable; Client host blocked using zen.spamhaus.org")
		spec.Hosts = append(spec.Hosts, mailworld.Host{Name: "mx.b.test", Replies: map[string]mailworld.Reply{"MAIL": blocked}})
		r := newRig(t, spec, fleet(2))
		const domains = 60
		_, homes := shares(r, domains)
		asked := 0
		for i, home := range homes {
			if home != "a" {
				continue
			}
			asked++
			o := r.request("ada@a.test", func(q *pool.Request) { q.Domain, q.Hosts = fmt.Sprintf("d%d.test", i), r.hosts("mx.b.test") })
			if r.want(o, reply.SourceBlocked); o.Source != "a" {
				t.Errorf("domain %d: the answer is what source %s was told, want a", i, o.Source)
			}
		}
		if n := len(r.world.Sessions("mx.b.test")); n != 1 || asked < 10 {
			t.Errorf("%d sessions for %d domains, want one that was refused", n, asked)
		}
		if h := r.source("a").Health; h >= 1 {
			t.Errorf("health of a = %v, want less than 1", h)
		}
		_, after := shares(r, domains)
		moved := 0
		for i := range homes {
			if homes[i] != after[i] {
				moved++
			}
		}
		if moved == 0 || moved > domains/2 {
			t.Errorf("elsewhere %d of %d domains moved, want some", moved, domains)
		}
	})
}

// TestSuspensionHandsOn: what waits at other sites moves as well, when a source is found to have lost its address.
func TestSuspensionHandsOn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		spec := oneHost(mailworld.Host{Slow: map[string]time.Duration{"RCPT": 10 * time.Second}})
		spec.Hosts = append(spec.Hosts, mailworld.Host{Name: "mx.b.test"})
		r := newRig(t, spec, func(o *pool.Options) {
			fleet(2)(o)
			o.Limits.Sessions, o.Limits.RecipientsPerTransaction, o.Limits.RefusalsPerSession = new(1), new(1), new(1)
		})
		home := r.request("ada@a.test", nil).Source
		var outs []<-chan pool.Outcome
		for i := range 5 {
			outs = append(outs, r.later(fmt.Sprintf("no%d@a.test", i), nil))
		}
		time.Sleep(time.Second)
		r.world.Unplug(r.world.SourceAddr(int(home[0]-'a')), true)
		other := r.request("ada@a.test", func(q *pool.Request) { q.Hosts = r.hosts("mx.b.test") }) // Finds out.
		if other.Source == home {
			t.Fatalf("source = %s, which has lost its address", other.Source)
		}
		start := time.Now()
		for _, o := range outs {
			r.want(<-o, reply.NoSuchMailbox)
		}
		if took := time.Since(start); took > time.Minute {
			t.Errorf("the others took %v, want them asked from the other source", took)
		}
	})
}
