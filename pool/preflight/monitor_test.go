package preflight

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// A rig is a Monitor in a world, on virtual time.
type rig struct {
	*Monitor
	zone  *zone
	wires *wires
	opts  MonitorOptions

	mu      sync.Mutex
	unfit   map[string]string // As it was told.
	missing map[netip.Addr]bool
}

// start runs a Monitor until the test ends; change may alter its options first.
func startRig(t *testing.T, change func(*rig)) *rig {
	t.Helper()
	r := &rig{zone: newZone(good), wires: new(wires), unfit: map[string]string{}, missing: map[netip.Addr]bool{}}
	r.opts = MonitorOptions{Options: options(r.zone, r.wires), Fitness: r.told}
	r.opts.Bind = r.bind
	if change != nil {
		change(r)
	}
	r.Monitor = NewMonitor(r.opts)
	r.Start(t.Context())
	t.Cleanup(func() {
		if err := r.Close(context.Background()); err != nil {
			t.Errorf("Close() = %v, want nil", err)
		}
		r.wires.wg.Wait()
	})
	return r
}

func (r *rig) told(source, why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unfit[source] = why
}

// why is what the pool believes of a source.
func (r *rig) why(source string) string {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.unfit[source]
}

func (r *rig) bind(a netip.Addr) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.missing[a] {
		return syscall.EADDRNOTAVAIL
	}
	return nil
}

func (r *rig) lose(a string, lost bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.missing[netip.MustParseAddr(a)] = lost
}

// nextRun waits for the next whole run to end, to the second.
func (r *rig) nextRun(t *testing.T) (took time.Duration) {
	t.Helper()
	start, last := time.Now(), r.Report()
	for r.Report() == last {
		if time.Sleep(time.Second); time.Since(start) > 24*time.Hour {
			t.Fatal("no run in a day")
		}
		synctest.Wait()
	}
	return time.Since(start)
}

func TestMonitorMissingAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startRig(t, func(r *rig) { r.lose("192.0.2.10", true) })
		if why := r.why("a"); !strings.Contains(why, "not an address of this host") {
			t.Fatalf("at the start: unfit because %q, want the missing address", why)
		}
		if rep := r.Report(); len(rep.Out) != 1 || rep.Out[0].Source != "a" || rep.Out[0].Why == "" {
			t.Errorf("Report().Out = %+v, want a", rep.Out)
		}
		time.Sleep(3 * time.Hour)
		if r.why("a") == "" {
			t.Error("after three hours without the address the source is fit")
		}
		r.lose("192.0.2.10", false)
		if r.nextRun(t); r.why("a") == "" {
			t.Error("one run brought the source back")
		}
		if r.nextRun(t); r.why("a") != "" {
			t.Errorf("after two runs with the address: unfit because %q", r.why("a"))
		}
		if rep := r.Report(); len(rep.Out) != 0 {
			t.Errorf("Report().Out = %+v, want none", rep.Out)
		}
	})
}

func TestMonitorClosedPort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startRig(t, nil)
		time.Sleep(2 * time.Minute)
		if why := r.why("a"); why != "" {
			t.Fatalf("unfit because %q, want fit", why)
		}
		r.wires.fail("25", syscall.ECONNREFUSED)
		if took := r.nextRun(t); took < 50*time.Minute || took > 70*time.Minute {
			t.Errorf("the next run came after %v, want about an hour", took)
		}
		if why := r.why("a"); why != "" {
			t.Errorf("after one run: unfit because %q, want fit", why)
		}
		if took := r.nextRun(t); took < 8*time.Minute || took > 12*time.Minute {
			t.Errorf("the run to confirm it came after %v, want about ten minutes", took)
		}
		if why := r.why("a"); !strings.Contains(why, "port 25 is closed") {
			t.Errorf("after two runs: unfit because %q, want the port", why)
		}
		r.zone.fail(true)
		time.Sleep(5 * time.Hour)
		if r.why("a") == "" {
			t.Error("a DNS that is down brought the source back")
		}
	})
}

// TestMonitorOutage takes the DNS and the network away: nobody is taken out.
func TestMonitorOutage(t *testing.T) {
	for _, mode := range []Mode{Warn, Strict} {
		synctest.Test(t, func(t *testing.T) {
			r := startRig(t, func(r *rig) { r.opts.Mode = mode })
			time.Sleep(time.Minute)
			r.zone.fail(true)
			time.Sleep(6 * time.Hour)
			if why := r.why("a"); why != "" {
				t.Errorf("%s, no DNS: unfit because %q", mode, why)
			}
			r.zone.fail(false)
			r.wires.fail("25", syscall.ENETUNREACH)
			r.wires.fail("443", syscall.ENETUNREACH)
			time.Sleep(6 * time.Hour)
			if why := r.why("a"); why != "" {
				t.Errorf("%s, no network: unfit because %q", mode, why)
			}
			if f := of(t, r.Report(), CheckPort, "a", IPv4); f.State != Unknown {
				t.Errorf("port: %s, %q, want unknown", f.State, f.What)
			}
		})
	}
}

// TestMonitorModes loses the PTR, and goes from warn to strict to off.
func TestMonitorModes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startRig(t, func(r *rig) { r.zone.set(strings.Replace(good, "192.0.2.10 PTR a.egress.test\n", "", 1)) })
		time.Sleep(5 * time.Hour)
		if why := r.why("a"); why != "" {
			t.Errorf("warn: unfit because %q, want fit", why)
		}
		r.opts.Mode = Strict
		r.Reload(r.opts)
		time.Sleep(30 * time.Minute)
		if why := r.why("a"); !strings.Contains(why, "no PTR record") {
			t.Errorf("strict: unfit because %q, want the PTR", why)
		}
		r.opts.Mode = Off
		r.Reload(r.opts)
		if why := r.why("a"); why != "" {
			t.Errorf("off: unfit because %q, want fit", why)
		}
		if rep := r.Report(); rep != nil {
			t.Errorf("off: Report() = %+v, want nil", rep)
		}
		before := r.wires.count("25")
		time.Sleep(50 * time.Hour)
		if got := r.wires.count("25"); got != before {
			t.Errorf("off: %d connections, want none", got-before)
		}
	})
}

// TestMonitorPace counts connections through a day of an open port, a day of a closed one, and a thousand reloads.
func TestMonitorPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startRig(t, nil)
		time.Sleep(24 * time.Hour)
		if got := r.wires.count("25"); got < 21 || got > 28 {
			t.Errorf("%d connections in a day of an open port, want about 24", got)
		}
		if hosts := distinct(r.wires); hosts != 3 {
			t.Errorf("%d servers were asked in a day, want 3 by turns", hosts)
		}
		r.wires.fail("25", syscall.ECONNREFUSED)
		before := r.wires.count("25")
		time.Sleep(24 * time.Hour)
		if got := r.wires.count("25") - before; got > 3*30 {
			t.Errorf("%d connections in a day of a closed port, want at most 90", got)
		}
		before = r.wires.count("25")
		for i := range 1000 {
			r.opts.Sender = []string{"probe@egress.test", "other@egress.test"}[i%2]
			r.Reload(r.opts)
			time.Sleep(11 * time.Second)
		}
		if got := r.wires.count("25") - before; got > 3*30 {
			t.Errorf("%d connections in three hours with 1000 reloads, want at most 90", got)
		}
	})
}

func distinct(n *wires) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	list := slices.Clone(n.dialled)
	slices.Sort(list)
	return len(slices.Compact(list))
}

// TestMonitorReload changes the sources: who is gone is forgotten, who is new is looked at, and the pool is told again.
func TestMonitorReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startRig(t, func(r *rig) { r.lose("192.0.2.10", true) })
		if r.why("a") == "" {
			t.Fatal("the source is fit without its address")
		}
		r.told("a", "") // The pool was made anew.
		r.Reload(r.opts)
		if r.why("a") == "" {
			t.Error("after a reload that changed nothing, the pool was not told")
		}
		r.lose("192.0.2.11", true)
		r.opts.Sources = []Source{
			{Name: "a", IPv4: netip.MustParseAddr("192.0.2.12"), EHLO: "a.egress.test"},
			{Name: "b", IPv4: netip.MustParseAddr("192.0.2.11"), EHLO: "a.egress.test"},
		}
		r.Reload(r.opts)
		if a, b := r.why("a"), r.why("b"); a != "" || b == "" {
			t.Errorf("after the reload: a is unfit because %q, b because %q, want b alone", a, b)
		}
	})
}

// TestMonitorClose ends a run that hangs.
func TestMonitorClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startRig(t, func(r *rig) { r.wires.greets = "-" }) // A server that never greets.
		time.Sleep(settle * 2)
		start := time.Now()
		if err := r.Close(t.Context()); err != nil {
			t.Errorf("Close() = %v, want nil", err)
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("Close() took %v during a run", took)
		}
	})
}
