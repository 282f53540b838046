package pool

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"sort"
	"time"

	"github.com/cespare/xxhash/v2"
)

// A Source is an address of this host that questions are asked from, and the name it goes by.
type Source struct {
	Name string
	IPv4 netip.Addr // Zero lets the kernel choose, if IPv6 is zero too; else the family is not used.
	IPv6 netip.Addr
	EHLO string // The argument of EHLO, RFC 5321 §4.1.1.1: a full name, or an address literal.
}

// dialable reports whether the source can reach an address of a's family.
func (s *Source) dialable(a netip.Addr) bool {
	if !s.IPv4.IsValid() && !s.IPv6.IsValid() {
		return true
	}
	return s.local(a).IsValid()
}

// local is the address to bind for a connection to a; zero lets the kernel choose.
func (s *Source) local(a netip.Addr) netip.Addr {
	if a.Unmap().Is4() {
		return s.IPv4
	}
	return s.IPv6
}

// ErrNoSource is wrapped by the error of a pool without a source.
var ErrNoSource = errors.New("pool: no source")

// checkSources finds what makes a set of sources unusable.
func checkSources(sources []Source) error {
	if len(sources) == 0 {
		return ErrNoSource
	}
	var errs []error
	names := map[string]bool{}
	addrs := map[netip.Addr]string{}
	for _, s := range sources {
		if names[s.Name] {
			errs = append(errs, fmt.Errorf("source %q: there is another of this name", s.Name))
		}
		names[s.Name] = true
		for _, a := range []netip.Addr{s.IPv4, s.IPv6} {
			if other, taken := addrs[a]; a.IsValid() && taken {
				errs = append(errs, fmt.Errorf("source %q: %v is the address of source %q too", s.Name, a, other))
			}
			addrs[a] = s.Name
		}
	}
	return errors.Join(errs...)
}

// A sourceState is a source and what the pool does with it. Guarded by Pool.mu.
type sourceState struct {
	Source
	sessions       int       // Open or being opened.
	suspendedUntil time.Time // Its address could not be bound.
	suspendedWhy   string
	gone           bool // No longer configured; its sessions end with the work they have.
}

// suspension is how long a source rests after its address could not be bound.
const suspension = 5 * time.Minute

func (s *sourceState) fit(now time.Time) bool { return !s.gone && !now.Before(s.suspendedUntil) }

// rank orders sources for a domain by rendezvous hashing: every domain has its own order, the same after a
// restart, and losing one source moves only that source's domains. The same domain so keeps its source, which
// greylists and coherent evidence need.
func rank(sources []*sourceState, domain string) []*sourceState {
	out := append([]*sourceState(nil), sources...)
	scores := make(map[*sourceState]float64, len(out))
	for _, s := range out {
		h := xxhash.Sum64String(s.Name + "\x00" + domain)
		unit := (float64(h>>11) + 0.5) / (1 << 53) // In (0, 1).
		scores[s] = -1 / math.Log(unit)
	}
	sort.SliceStable(out, func(i, j int) bool { return scores[out[i]] > scores[out[j]] })
	return out
}
