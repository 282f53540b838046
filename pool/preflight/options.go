package preflight

import (
	"cmp"
	"context"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/verimails/verimaild/internal/netguard"
)

// A Mode says what follows from findings.
type Mode string

// The modes.
const (
	Off    Mode = "off"    // Nothing is looked at.
	Warn   Mode = "warn"   // A missing address or a closed port takes a source out; the rest is reported.
	Strict Mode = "strict" // Every bad finding takes the source out.
)

// Options say what is looked at. DNS is required. What a caller hands over it must not change afterwards, but for the
// guard.
type Options struct {
	Mode    Mode // "" means Warn. Examine looks in every mode.
	Sources []Source

	// Sender is the reverse-path, such as probe@egress.example.net, its domain in A-labels. "" means that there is
	// none, and that nothing is looked at that takes one.
	Sender string

	Port uint16 // Of mail servers; 0 means 25.

	// PortTargets are domains with mail servers of different owners, one of which is connected to in a run to see
	// whether the port is open, and three when it is not. With less than three, a port is never found closed; with none, it is not looked at.
	PortTargets []string

	// NetworkTargets are host:port of services that are always there. They are connected to only when no mail server
	// could be, to tell a closed port from a network that is down.
	NetworkTargets []string

	Lists []string // Zones of block lists after RFC 5782.

	DNS   DNS
	Guard *netguard.Guard // Which addresses may be dialled; nil means the public ones.

	// Dial connects from a source, bound to laddr unless that is zero, to raddr. nil means TCP, with the guard. An error
	// that it makes up, instead of passing on the network's, tells nothing about the network.
	Dial func(ctx context.Context, s *Source, laddr netip.Addr, raddr netip.AddrPort) (net.Conn, error)

	// Bind tries whether this host has an address; nil means by a socket. Route is the address from which the kernel
	// would send to an address; nil means the kernel is asked.
	Bind  func(netip.Addr) error
	Route func(ctx context.Context, to netip.AddrPort) (netip.Addr, error)
}

// How long a run may take, and its parts.
const (
	runTimeout     = 3 * time.Minute
	connectTimeout = 10 * time.Second
)

// filled is opts with defaults where they are needed.
func (opts Options) filled() Options {
	opts.Mode = cmp.Or(opts.Mode, Warn)
	opts.Port = cmp.Or(opts.Port, 25)
	if opts.Guard == nil {
		opts.Guard = netguard.New(netguard.Options{})
	}
	if opts.Dial == nil {
		d := net.Dialer{Control: opts.Guard.Control}
		opts.Dial = func(ctx context.Context, _ *Source, laddr netip.Addr, raddr netip.AddrPort) (net.Conn, error) {
			return d.DialTCP(ctx, "tcp", netip.AddrPortFrom(laddr, 0), raddr)
		}
	}
	if opts.Bind == nil {
		opts.Bind = bind
	}
	if opts.Route == nil {
		opts.Route = route(opts.Guard)
	}
	return opts
}

// sameSubject reports whether a run with b would look at what one with a did.
func sameSubject(a, b *Options) bool {
	return a.Mode == b.Mode && a.Sender == b.Sender && a.Port == b.Port && slices.Equal(a.Sources, b.Sources) &&
		slices.Equal(a.PortTargets, b.PortTargets) && slices.Equal(a.NetworkTargets, b.NetworkTargets) &&
		slices.Equal(a.Lists, b.Lists)
}
