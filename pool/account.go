package pool

import (
	"net/netip"
	"time"

	"github.com/verimails/verimaild/pool/budget"
	"github.com/verimails/verimaild/pool/provider"
)

// An account is what one network prefix has spent at one site, or at one provider. Receivers that defend themselves
// against harvesting count per address or per prefix, so sources that share a prefix share the account.
// Guarded by Pool.mu.
type account struct {
	dead     budget.Window // Dead recipients that were asked about.
	controls budget.Window // Made-up recipients that were refused.
	held     hold          // Questions under way, each of which may be refused.
	controlR float64       // Refused controls an hour that the site has shown to bear; 0 is where a ramp begins.
	raised   time.Duration // When that was raised last.
	disk     promise       // What the disk has of it.
	writing  *promise      // What is being written; nil if nothing is.

	waiting map[*path]bool // Those that wait for questions under way to be given back.
}

// A promise is what a record of an account allows for.
type promise struct {
	leased  hold // Taken for spent beyond the windows.
	unsaved hold // What the windows have that the record has not.
}

// covers reports whether the record allows for all that is under way.
func (p *promise) covers(held hold) bool {
	return held.targets+p.unsaved.targets <= p.leased.targets && held.controls+p.unsaved.controls <= p.leased.controls
}

// covered reports whether the disk allows for all that is under way, whichever of its records a death would leave.
func (a *account) covered() bool {
	return a.disk.covers(a.held) && (a.writing == nil || a.writing.covers(a.held))
}

// refused books a refusal.
func (a *account) refused(now time.Duration, h hold) {
	a.dead.Add(now, h.targets)
	a.controls.Add(now, h.controls)
	a.disk.unsaved.add(h, 1)
	if a.writing != nil {
		a.writing.unsaved.add(h, 1)
	}
}

// forgive takes back refusals that were booked at an instant. On the disk they stay until it is written again.
func (a *account) forgive(now, at time.Duration, h hold) {
	a.dead.Remove(now, at, h.targets)
	a.controls.Remove(now, at, h.controls)
}

// written notes whether the record that was being written is on the disk.
func (a *account) written(ok bool) {
	if ok && a.writing != nil {
		a.disk = *a.writing
	}
	a.writing = nil
}

// await has pa looked at again when a question is given back, if that is what it waits for.
func (l *level) await(pa *path, now time.Duration) {
	r := l.room(now)
	if l.held == (hold{}) || r.targets > 0 && r.controls > 0 {
		return
	}
	if l.waiting == nil {
		l.waiting = map[*path]bool{}
	}
	l.waiting[pa] = true
}

// giveBack ends the hold of questions that have been answered.
func (a *account) giveBack(h hold, now time.Duration) {
	a.held.add(h, -1)
	for pa := range a.waiting {
		pa.pool.wakeAt(pa, now)
	}
	clear(a.waiting)
}

// A hold is questions that are under way.
type hold struct{ targets, controls int }

func (h *hold) add(o hold, sign int) {
	h.targets += sign * o.targets
	h.controls += sign * o.controls
	if h.targets < 0 || h.controls < 0 {
		panic("pool: more questions given back than reserved")
	}
}

// A level is an account and what it is limited to.
type level struct {
	*account
	dead     int // RefusalsPerHour; 0 is lifted.
	controls int // ControlsPerHour; 0 is lifted.
	ramp     bool
}

// controlLimit is how many controls may be refused within an hour just now. They come on top of dead recipients, but
// what a site that shows no limit may count altogether does not grow by the ramp: dead recipients of its hour are
// taken off what the ramp has added.
func (l *level) controlLimit() int {
	if l.controls == 0 {
		return 0
	}
	n := min(l.controls, int(max(l.controlR, float64(start(l.ramp, startControls, l.controls)))))
	if most := l.most(); l.ramp && most > 0 {
		n = min(n, most-l.dead/3) // Some room is left for dead recipients, or no target could be asked about.
	}
	return n
}

// most is how many refusals of both kinds may fall into an hour: 25 by default, where Cisco's defence begins.
func (l *level) most() int {
	if l.dead == 0 || l.controls == 0 {
		return 0
	}
	return l.dead + start(l.ramp, startControls, l.controls)
}

// room is how many targets and controls may be asked about now.
func (l *level) room(now time.Duration) hold {
	dead := l.account.dead.Spent(now) + l.held.targets
	controls := l.account.controls.Spent(now) + l.held.controls
	both := room(dead+controls, l.most())
	return hold{min(room(dead, l.dead), both), min(room(controls, l.controlLimit()), both)}
}

// next is when there is room for one more target, and for one more control, should what is held be refused. With an
// empty held it is when there is if all of that is given back.
func (l *level) next(now time.Duration, held hold) (target, control time.Duration) {
	target, control = now, now
	if l.dead > 0 {
		target = l.account.dead.Room(now, l.dead, held.targets, 1)
	}
	if n := l.controlLimit(); n > 0 {
		control = l.account.controls.Room(now, n, held.controls, 1)
	}
	if n := l.most(); n > 0 {
		both := budget.RoomInAll(now, n, held.targets+held.controls, 1, &l.account.dead, &l.account.controls)
		target, control = max(target, both), max(control, both)
	}
	return target, control
}

// grow raises the allowance of controls of a site that has borne all of it for an hour, and does so again.
func (l *level) grow(now time.Duration) {
	const step = 5
	if !l.ramp || l.controls == 0 {
		return
	}
	if l.raised == 0 { // The hour begins with the first of them.
		l.raised = now
	}
	if now-l.raised < time.Hour || l.account.controls.Spent(now) < l.controlLimit() {
		return
	}
	l.controlR, l.raised = float64(min(l.controls, l.controlLimit()+step)), now
}

// levels are the accounts that a question from this prefix is booked in.
func (pa *path) levels(prefix netip.Prefix) []level {
	s := pa.site
	ramp := s.limits.Ramp && (s.provider == nil || s.provider.Controls != provider.ControlsFree)
	out := append(make([]level, 0, 2), level{s.accounts.of(prefix), s.limits.RefusalsPerHour, s.limits.ControlsPerHour, ramp})
	if v := s.across; v != nil {
		out = append(out, level{v.accounts.of(prefix), v.limits.RefusalsPerHour, v.limits.ControlsPerHour, false})
	}
	return out
}

// accounts are those of one site or provider, by prefix.
type accounts map[netip.Prefix]*account

// of finds or opens one.
func (as accounts) of(prefix netip.Prefix) *account {
	a := as[prefix]
	if a == nil {
		a = &account{}
		as[prefix] = a
	}
	return a
}
