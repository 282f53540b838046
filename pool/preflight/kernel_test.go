package preflight

import (
	"errors"
	"net"
	"net/netip"
	"syscall"
	"testing"

	"github.com/verimails/verimaild/internal/netguard"
)

// TestKernel asks the kernel of this host itself, on loopback.
func TestKernel(t *testing.T) {
	loopback := netip.MustParseAddr("127.0.0.1")
	if err := bind(loopback); err != nil {
		t.Errorf("bind(%v) = %v, want nil", loopback, err)
	}
	foreign := netip.MustParseAddr("192.0.2.1")
	if err := bind(foreign); !errors.Is(err, syscall.EADDRNOTAVAIL) {
		t.Errorf("bind(%v) = %v, want EADDRNOTAVAIL", foreign, err)
	}
	to := netip.AddrPortFrom(loopback, 25)
	open := netguard.New(netguard.Options{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	if a, err := route(open)(t.Context(), to); err != nil || a != loopback {
		t.Errorf("route(%v) = %v, %v, want %v", to, a, err, loopback)
	}
	refused, _ := errors.AsType[*netguard.RefusedError](routeError(t, to))
	if refused == nil || refused.Kind != netguard.KindLoopback {
		t.Errorf("route(%v) with a guard against it = %v, want the guard's word", to, refused)
	}
}

func routeError(t *testing.T, to netip.AddrPort) error {
	t.Helper()
	_, err := route(netguard.New(netguard.Options{}))(t.Context(), to)
	return err
}

// TestDefaultDial connects over TCP, from the address that is named, unless the guard is against it.
func TestDefaultDial(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	to := netip.MustParseAddrPort(l.Addr().String())
	from := netip.MustParseAddr("127.0.0.9")
	if c, err := (Options{}).filled().Dial(t.Context(), nil, from, to); err == nil {
		_ = c.Close()
		t.Errorf("a guard for public addresses let %v be dialled", to)
	}
	open := netguard.New(netguard.Options{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	c, err := Options{Guard: open}.filled().Dial(t.Context(), nil, from, to)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got := netip.MustParseAddrPort(c.LocalAddr().String()).Addr(); got != from {
		t.Errorf("connected from %v, want %v", got, from)
	}
}
