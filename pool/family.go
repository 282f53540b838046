package pool

import (
	"net/netip"
	"time"
)

// families is what a source has found out about the address families of hosts, so that nothing waits for a broken one
// each time. It changes the order in which addresses are tried, never whether they are. Guarded by Pool.mu.
type families struct {
	broken map[hostFamily]time.Time // Until when a family of a host is tried last.
	bad    [2]familyRecord          // IPv4 and IPv6, whatever the host.
}

// A hostFamily is all addresses of one family that a host has.
type hostFamily struct {
	host string
	v6   bool
}

// A familyRecord is how a family of the source fares.
type familyRecord struct {
	failures int       // Hosts in a row at which it failed and something else did not.
	until    time.Time // It is tried last until then.
}

const (
	familyRest    = 30 * time.Minute // How long a family is tried last.
	badFamily     = 3                // Hosts at which a family fails in a row, so that it is the source's.
	mostBroken    = 10_000           // Above this many broken families of hosts those that are over are forgotten,
	mostBrokenAll = 20_000           // and above this many, all.
)

func familyOf(a netip.Addr) int {
	if a.Unmap().Is4() {
		return 0
	}
	return 1
}

// last reports whether t is to be tried after the others.
func (f *families) last(t target, now time.Time) bool {
	v6 := familyOf(t.addr)
	return now.Before(f.bad[v6].until) || now.Before(f.broken[hostFamily{t.host, v6 == 1}])
}

// order puts those of ts last whose family is known to be broken, otherwise in their order.
func (f *families) order(ts []target, now time.Time) []target {
	out := make([]target, 0, len(ts))
	for _, last := range []bool{false, true} {
		for _, t := range ts {
			if f.last(t, now) == last {
				out = append(out, t)
			}
		}
	}
	return out
}

// reached notes that a connection to one target came about after others had not. Where nothing comes about nothing is
// noted: that says more about the network, or the site, than about a family.
func (f *families) reached(to target, failed []target, now time.Time) {
	family := familyOf(to.addr)
	f.bad[family] = familyRecord{}
	delete(f.broken, hostFamily{to.host, family == 1})
	hosts := map[hostFamily]bool{}
	for _, t := range failed {
		if v6 := familyOf(t.addr); v6 != family {
			hosts[hostFamily{t.host, v6 == 1}] = true
		}
	}
	for h := range hosts {
		f.fail(h, now)
	}
}

// fail notes that a family of a host failed where the other did not.
func (f *families) fail(h hostFamily, now time.Time) {
	if f.broken == nil {
		f.broken = map[hostFamily]time.Time{}
	}
	f.sweep(now)
	if !now.Before(f.broken[h]) {
		rec := &f.bad[0]
		if h.v6 {
			rec = &f.bad[1]
		}
		if rec.failures++; rec.failures >= badFamily {
			rec.until = now.Add(familyRest)
		}
	}
	f.broken[h] = now.Add(familyRest)
}

// sweep forgets what is over when there is much.
func (f *families) sweep(now time.Time) {
	if len(f.broken) < mostBroken {
		return
	}
	if len(f.broken) >= mostBrokenAll {
		clear(f.broken)
		return
	}
	for h, until := range f.broken {
		if !now.Before(until) {
			delete(f.broken, h)
		}
	}
}
