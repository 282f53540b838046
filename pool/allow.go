package pool

import (
	"net/netip"
	"time"

	"github.com/verimails/verimaild/pool/budget"
)

const (
	burst     = 5           // Probes at once where only their rate is limited.
	enough    = 20          // Probes from which on a share of refusals says something.
	trickle   = time.Minute // Between probes, above that share.
	dialBurst = 3           // Sessions at once where only their rate is limited.
)

// An allowance is what a path may ask just now.
type allowance struct {
	hold
	probes int // Of both kinds together.
}

var (
	everything = allowance{hold{unbounded, unbounded}, unbounded}
	nothing    = allowance{}
)

// take books n probes of a kind.
func (a *allowance) take(control bool) {
	a.probes--
	if control {
		a.controls--
	} else {
		a.targets--
	}
}

// grants reports whether one more of a kind is allowed.
func (a *allowance) grants(control bool) bool {
	if control {
		return a.probes > 0 && a.controls > 0
	}
	return a.probes > 0 && a.targets > 0
}

// allowance is what may be asked now from this prefix: the least that any level leaves.
func (pa *path) allowance(now time.Duration, prefix netip.Prefix) allowance {
	if pa.unpaced() {
		return everything
	}
	switch pa.state(now) {
	case budget.Open, budget.HalfOpen:
		return nothing
	}
	return allowance{pa.roomFor(now, prefix), pa.rateRoom(now)}
}

// unpaced reports whether nothing limits what the path asks, and when.
func (pa *path) unpaced() bool {
	return pa.site.unpaced && !pa.breaker.Opened && !pa.breaker.Tried && pa.pool.sender.refusal == nil && !pa.source.warms(pa.pool.wall(pa.pool.now()))
}

// rateRoom is how many probes the rates leave: the path's, the provider's, and the source's for today.
func (pa *path) rateRoom(now time.Duration) int {
	n := pa.rate.Room(now, pa.rateAt(now), burst)
	if v := pa.site.across; v != nil {
		n = min(n, v.rate.Room(now, v.rateAt(now), burst))
	}
	if pa.trickles(now) && n > 0 {
		n = 0
		if now >= pa.lastProbe+trickle {
			n = 1
		}
	}
	return min(n, pa.source.mayProbeOf(pa.site.provider, pa.pool.wall(now)))
}

// trickles reports whether the path goes on at one probe a minute: too many of its recipients were dead, or its breaker
// closed only a moment ago.
func (pa *path) trickles(now time.Duration) bool {
	if pa.breaker.State(now) == budget.Probation {
		return true
	}
	limit := pa.site.limits.RefusalRatio
	if limit == 0 {
		return false
	}
	share, of := pa.ratio.Share(now)
	return of >= enough && share > limit
}

// perMinute is the rate of the path just now, 0 if it is lifted.
func (pa *path) perMinute() float64 {
	l := &pa.site.limits
	if l.ProbesPerMinute == 0 || pa.learnedRate == 0 {
		return start(l.Ramp, startRate, l.ProbesPerMinute)
	}
	return min(pa.learnedRate, l.ProbesPerMinute)
}

// nextRoom is when a target and a control can be asked about at the earliest, should all that is under way be refused;
// hopeful, if none of it is.
func (pa *path) nextRoom(now time.Duration, hopeful bool) (target, control time.Duration) {
	at := pa.nextRate(now, 1)
	target, control = at, at
	for _, l := range pa.levels(pa.prefix()) {
		held := l.held
		if hopeful {
			held = hold{}
		}
		t, c := l.next(now, held)
		target, control = max(target, t), max(control, c)
	}
	return target, control
}

// roomFor is how much the accounts of the prefix leave.
func (pa *path) roomFor(now time.Duration, prefix netip.Prefix) hold {
	out := hold{unbounded, unbounded}
	for _, l := range pa.levels(prefix) {
		r := l.room(now)
		out.targets, out.controls = min(out.targets, r.targets), min(out.controls, r.controls)
	}
	return out
}

// await has the path looked at again when some of what its accounts hold is given back.
func (pa *path) await(now time.Duration) {
	for _, l := range pa.levels(pa.prefix()) {
		l.await(pa, now)
	}
}

// prefix is the network that the path most likely asks from: that of its last session, or of the family that is tried
// first.
func (pa *path) prefix() netip.Prefix {
	if pa.met {
		return pa.seen
	}
	v4, v6 := pa.families()
	if v6 && !v4 {
		return pa.source.prefix(netip.IPv6Unspecified())
	}
	return pa.source.usualPrefix()
}

// families tells of which families the hosts of the path have addresses that its source can dial.
func (pa *path) families() (v4, v6 bool) {
	for _, la := range pa.lanes {
		for i := range la.hosts {
			for _, a := range la.hosts[i].Addrs {
				can := pa.source.dialable(a)
				v4 = v4 || can && a.Unmap().Is4()
				v6 = v6 || can && !a.Unmap().Is4()
			}
		}
	}
	return v4, v6
}

// nextRate is when the rates let the nth probe from now on go.
func (pa *path) nextRate(now time.Duration, n int) time.Duration {
	at := pa.rate.Next(now, pa.rateAt(now), burst, n)
	if v := pa.site.across; v != nil {
		at = max(at, v.rate.Next(now, v.rateAt(now), burst, n))
	}
	if pa.trickles(now) {
		at = max(at, pa.lastProbe+time.Duration(n)*trickle)
	}
	if pa.breaker.Opened {
		at = max(at, pa.breaker.Until)
	}
	switch wall := pa.pool.wall(now); {
	case pa.source.mayAsk(pa.site.provider, wall) <= 0:
		at = max(at, pa.pool.instant(nextDay(wall)))
	case pa.source.mayProbeOf(pa.site.provider, wall) <= 0: // The keeper is about to lease more.
		at = max(at, now+time.Second)
	}
	return at
}

// reserve books what f asks about at every level, all at once. In the worst case all of it is refused.
func (pa *path) reserve(now time.Duration, f *flight) {
	for i := range f.batches {
		for _, pr := range f.batches[i].probes {
			if pr.rcpt.Control {
				f.hold.controls++
			} else {
				f.hold.targets++
			}
		}
	}
	n := f.hold.targets + f.hold.controls
	pa.rate.Take(now, pa.rateAt(now), n)
	if v := pa.site.across; v != nil {
		v.rate.Take(now, v.rateAt(now), n)
	}
	pa.lastProbe = now
	pa.source.probed(pa.site.provider, n, 0, pa.pool.wall(now))
	f.levels = pa.levels(f.prefix)
	for _, l := range f.levels {
		l.held.add(f.hold, 1)
	}
}

// release ends a reservation; what was refused is going to be booked by spend. What the disk took for spent on its behalf
// is written anew.
func (pa *path) release(now time.Duration, f *flight) {
	for _, l := range f.levels {
		l.giveBack(f.hold, now)
		if l.disk.leased != (hold{}) || l.writing != nil {
			pa.touch()
		}
	}
	f.hold, f.levels = hold{}, nil
}

// touch notes that there is something to write down of the site, and of its provider.
func (pa *path) touch() {
	pa.site.changed()
	if v := pa.site.across; v != nil {
		v.dirty = true
	}
}

// unask gives back what the rates were charged for n probes that were not sent.
func (pa *path) unask(n int) {
	now := pa.pool.now()
	pa.rate.Give(pa.rateAt(now), n)
	pa.source.probed(pa.site.provider, -n, 0, pa.pool.wall(now))
	if v := pa.site.across; v != nil {
		v.rate.Give(v.rateAt(now), n)
	}
}

// spend books what came of one probe that was sent: whether it was a refusal that a receiver counts. Without an answer
// it is taken for one.
func (pa *path) spend(now time.Duration, prefix netip.Prefix, control, dead bool) {
	if !control {
		pa.ratio.Add(now, dead)
	}
	if !dead {
		return
	}
	if !control {
		pa.source.probed(pa.site.provider, 0, 1, pa.pool.wall(now))
	}
	pa.book(now, prefix, control)
}

// book books one refusal at every level.
func (pa *path) book(now time.Duration, prefix netip.Prefix, control bool) {
	for _, l := range pa.levels(prefix) {
		l.account.refused(now, one(control))
		if control {
			l.grow(now)
		}
	}
	pa.touch()
}

// A debt is a refusal that was booked for a probe though nobody knows of it. The zero debt is none.
type debt struct {
	at     time.Duration
	prefix netip.Prefix
}

// forgive takes back what was booked for a probe that turns out not to have been refused.
func (pa *path) forgive(now time.Duration, pr *probe) {
	if pr.owed == (debt{}) {
		return
	}
	for _, l := range pa.levels(pr.owed.prefix) {
		l.account.forgive(now, pr.owed.at, one(pr.rcpt.Control))
	}
	pr.owed = debt{}
	pa.touch()
}

// one is a hold of one question.
func one(control bool) hold {
	if control {
		return hold{controls: 1}
	}
	return hold{targets: 1}
}

// pathRefusals is how many dead recipients the site told this prefix of within the last hour, controls included.
func (pa *path) pathRefusals(now time.Duration, prefix netip.Prefix) int {
	a := pa.site.accounts[prefix]
	if a == nil {
		return 0
	}
	return a.dead.Spent(now) + a.controls.Spent(now)
}
