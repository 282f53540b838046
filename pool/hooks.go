package pool

import (
	"net/netip"
	"time"
)

// mayProbe is how many probes the source may still send today.
func (s *sourceState) mayProbe(time.Time) int { return unbounded }

// nextDay is when its next day begins.
func (s *sourceState) nextDay(now time.Time) time.Time { return now }

// probed counts n probes that were sent, of which so many were about the dead.
func (s *sourceState) probed(_, _ int, _ time.Time) {}

// sourceRefused notes that a receiver refused the source itself.
func (s *sourceState) sourceRefused(time.Time) {}

// prefix is the network that receivers count s under when it asks a host at a: the /24 or /64 of its address.
// It is zero where the kernel chooses that.
func (s *Source) prefix(a netip.Addr) netip.Prefix {
	own, bits := s.IPv6, 64
	if a.Is4() || a.Is4In6() || !own.IsValid() {
		own, bits = s.IPv4, 24
	}
	if !own.IsValid() {
		return netip.Prefix{}
	}
	p, _ := own.Prefix(bits) // Cannot fail: the bits suit the family.
	return p
}
