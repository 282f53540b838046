package pool

import (
	"net/netip"
	"time"
)

// SourceStats is a picture of one source.
type SourceStats struct {
	Name       string
	EHLO       string
	IPv4, IPv6 netip.Addr // Zero for the kernel's choice, and where there is none.
	PublicIPv4 netip.Addr // What mail servers see, if that is another one.
	PublicIPv6 netip.Addr
	Proxied    bool
	Weight     int
	Sessions   int // Now, those that linger or are being opened included.

	SuspendedUntil time.Time // Zero if it is not.
	SuspendedWhy   string
	Unfit          string // Why, by the word of a preflight; "" if it is fit.
	Drained        bool   // By the operator.

	Health        float64 // How it was received today and yesterday, 0 to 1.
	AskedToday    int     // Recipients, since midnight UTC; what may have been asked before a kill -9 included.
	DeadToday     int
	RefusalsToday int // Replies that refused the source itself.

	// Warmup says whether a schedule is in force and not over; then WarmupToday is how many recipients it allows today.
	Warmup      bool
	WarmupToday int
}

// stats takes a picture of s.
func (s *sourceState) stats(now time.Time) SourceStats {
	today := s.today(now)
	st := SourceStats{
		Name: s.Name, EHLO: s.EHLO, IPv4: s.IPv4, IPv6: s.IPv6, PublicIPv4: s.PublicIPv4, PublicIPv6: s.PublicIPv6,
		Proxied: s.Proxy != (Proxy{}), Weight: int(s.share()), Sessions: s.sessions,
		Unfit: s.unfit, Drained: s.drained,
		Health: today.Health(), AskedToday: today.Asked, DeadToday: today.Dead, RefusalsToday: today.Refusals,
		Warmup: today.Limited(s.schedule),
	}
	if st.Warmup {
		st.WarmupToday = today.Level
	}
	if s.restsAt(now) {
		st.SuspendedUntil, st.SuspendedWhy = s.suspendedUntil, s.suspendedWhy
	}
	return st
}
