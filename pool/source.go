package pool

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/cespare/xxhash/v2"
	"go.uber.org/zap"

	"github.com/verimails/verimaild/pool/budget"
	"github.com/verimails/verimaild/pool/warmup"
)

// A Source is an address of this host that questions are asked from, and the name it goes by.
type Source struct {
	Name string
	IPv4 netip.Addr // Zero lets the kernel choose, if IPv6 is zero too; else the family is not used.
	IPv6 netip.Addr
	EHLO string // The argument of EHLO, RFC 5321 §4.1.1.1: a full name, or an address literal.

	PublicIPv4 netip.Addr // What mail servers see, if that is not IPv4; zero if it is.
	PublicIPv6 netip.Addr

	Proxy  Proxy           // Zero connects without one. Behind one, IPv4 and IPv6 are only what it is reached from.
	Weight *int            // Its share of the domains beside the others'. Nil means 1; at 0 it gets no new ones.
	Warmup warmup.Schedule // The zero Schedule is none.
}

// same reports whether s and o are one source to the world.
func (s *Source) same(o *Source) bool {
	return s.Name == o.Name && s.EHLO == o.EHLO && s.Proxy == o.Proxy &&
		s.IPv4 == o.IPv4 && s.IPv6 == o.IPv6 && s.PublicIPv4 == o.PublicIPv4 && s.PublicIPv6 == o.PublicIPv6
}

// prefix is the network by which servers count what comes to an address of a's family from s: the /24 or /64 of what
// they see. The zero Prefix stands for the kernel's choice, and for a proxy that nothing is known of.
func (s *Source) prefix(a netip.Addr) netip.Prefix {
	seen, bits := s.PublicIPv6, 64
	if a.Unmap().Is4() {
		seen, bits = s.PublicIPv4, 24
	}
	if !seen.IsValid() && s.Proxy == (Proxy{}) {
		seen = s.local(a)
	}
	if !seen.IsValid() {
		return netip.Prefix{}
	}
	p, _ := seen.Unmap().WithZone("").Prefix(bits) // An address of the family has that many bits.
	return p
}

// usualPrefix is the prefix that s most likely asks from.
func (s *Source) usualPrefix() netip.Prefix {
	if p := s.prefix(netip.IPv4Unspecified()); p.IsValid() {
		return p
	}
	return s.prefix(netip.IPv6Unspecified())
}

// dialable reports whether the source can reach an address of a's family. What a proxy can is seen by trying, where its
// public addresses do not say.
func (s *Source) dialable(a netip.Addr) bool {
	if s.Proxy != (Proxy{}) {
		if !s.PublicIPv4.IsValid() && !s.PublicIPv6.IsValid() {
			return true
		}
		return a.Unmap().Is4() && s.PublicIPv4.IsValid() || !a.Unmap().Is4() && s.PublicIPv6.IsValid()
	}
	if !s.IPv4.IsValid() && !s.IPv6.IsValid() {
		return true
	}
	return s.local(a).IsValid()
}

// local is the address to bind for a connection to a; zero lets the kernel choose.
func (s *Source) local(a netip.Addr) netip.Addr {
	if a.Is4() || a.Is4In6() {
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
		for _, a := range []netip.Addr{s.IPv4, s.IPv6, s.PublicIPv4, s.PublicIPv6} {
			if other, taken := addrs[a]; a.IsValid() && taken && other != s.Name {
				errs = append(errs, fmt.Errorf("source %q: %v is the address of source %q too", s.Name, a, other))
			}
			addrs[a] = s.Name
		}
	}
	return errors.Join(errs...)
}

// A sourceState is a source and what the pool does with it. Guarded by Pool.mu, but for the Source, which does not
// change.
type sourceState struct {
	Source
	duty
	daybook
	families
	hash      uint64 // Of its name.
	weight    *int   // The one in force.
	sessions  int    // Open or being opened.
	gone      bool   // No longer configured; its sessions end with the work they have.
	dials     budget.Bucket
	refusedBy map[string]time.Duration // Providers that refused it, and when.
}

func (p *Pool) newSourceState(s Source) *sourceState {
	return &sourceState{
		Source: s, hash: xxhash.Sum64String(s.Name), daybook: daybook{identity: s.fingerprint(), nudge: p.nudge},
	}
}

// fingerprint tells sources apart that have one name at different times.
func (s *Source) fingerprint() uint64 {
	return xxhash.Sum64String(fmt.Sprint(s.IPv4, s.IPv6, s.PublicIPv4, s.PublicIPv6, s.Proxy.Addr, s.Proxy.User))
}

const (
	unwelcome    = 3         // Providers that refuse a source within an hour, so that it is the source.
	quarantine   = time.Hour // How long it rests then.
	refusalCount = time.Hour
)

// sourceRefused notes that a site refused a source itself. When several that have nothing to do with each other do, it
// is out for a while.
func (p *Pool) sourceRefused(pa *path, now time.Duration) {
	src := pa.source
	src.sourceRefused(p.wall(now))
	if pa.site.provider == nil { // Sites that nobody knows may all be customers of one.
		return
	}
	who := pa.site.provider.ID
	for id, at := range src.refusedBy {
		if now-at > refusalCount {
			delete(src.refusedBy, id)
		}
	}
	if src.refusedBy == nil {
		src.refusedBy = map[string]time.Duration{}
	}
	src.refusedBy[who] = now
	if len(src.refusedBy) < unwelcome {
		return
	}
	clear(src.refusedBy)
	p.rest(src, p.wall(now).Add(quarantine), "several providers refuse it")
	p.log.Warn("source suspended: several providers refuse it",
		zap.String("source", src.Name), zap.Duration("for", quarantine))
}
