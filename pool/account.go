package pool

import (
	"net/netip"
	"time"

	"github.com/verimails/verimaild/pool/budget"
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
	leased   hold          // What the disk takes for spent beyond what it has of the windows.
	unsaved  hold          // What the windows have that the disk has not.
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
	return int(max(l.controlR, float64(start(l.ramp, startControls, l.controls))))
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

// next is when there is room for one more target, and for one more control.
func (l *level) next(now time.Duration) (target, control time.Duration) {
	target, control = now, now
	if l.dead > 0 {
		target = l.account.dead.Room(now, l.dead, l.held.targets, 1)
	}
	if n := l.controlLimit(); n > 0 {
		control = l.account.controls.Room(now, n, l.held.controls, 1)
	}
	if n := l.most(); n > 0 {
		both := min(
			l.account.dead.Room(now, max(1, n-l.account.controls.Spent(now)), l.held.targets+l.held.controls, 1),
			l.account.controls.Room(now, max(1, n-l.account.dead.Spent(now)), l.held.targets+l.held.controls, 1),
		)
		target, control = max(target, both), max(control, both)
	}
	return target, control
}

// grow raises the allowance of controls of a site that has borne what it has so far, once an hour.
func (l *level) grow(now time.Duration) {
	const step = 5
	used := l.account.controls.Spent(now)
	if !l.ramp || l.controls == 0 || used < l.controlLimit() || now-l.raised < time.Hour {
		return
	}
	l.controlR, l.raised = min(float64(l.controls), float64(l.controlLimit()+step)), now
}

// levels are the accounts that a question from this prefix is booked in.
func (pa *path) levels(prefix netip.Prefix) []level {
	s := pa.site
	out := append(make([]level, 0, 2), level{s.accounts.of(prefix), s.limits.RefusalsPerHour, s.limits.ControlsPerHour, s.limits.Ramp})
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
