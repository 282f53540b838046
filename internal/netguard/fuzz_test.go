package netguard_test

import (
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/verimails/verimaild/internal/netguard"
)

// FuzzCheck holds that whatever may be dialled is global unicast by net/netip's own judgement, and
// that the forms of an IPv4 address are judged like that address.
func FuzzCheck(f *testing.F) {
	for _, s := range []string{
		"10.0.0.1", "8.8.8.8", "::1", "64:ff9b::10.0.0.1", "2002:7f00:1::", "2001:0:808:808::f5ff:fffe", "fe80::1",
	} {
		f.Add(netip.MustParseAddr(s).AsSlice())
	}
	g := netguard.New(netguard.Options{Own: []netip.Addr{netip.MustParseAddr("8.8.4.4")}})
	f.Fuzz(func(t *testing.T, b []byte) {
		a, ok := netip.AddrFromSlice(b)
		if !ok {
			return
		}
		checkSane(t, g, a)
	})
}

// TestCheckRandom is the fuzz property over addresses spread evenly over the registries' prefixes.
func TestCheckRandom(t *testing.T) {
	g := netguard.New(netguard.Options{})
	rng := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		v := rng.Uint32()
		v4 := netip.AddrFrom4([4]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)})
		checkSane(t, g, v4)
		var b [16]byte
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		if v&1 == 0 {
			copy(b[:], []byte{0x20, 0x01, byte(v >> 8 & 0x0f), byte(v >> 16)})
		}
		checkSane(t, g, netip.AddrFrom16(b))
	}
}

func checkSane(t *testing.T, g *netguard.Guard, a netip.Addr) {
	t.Helper()
	got := kindOf(t, g, a)
	if u := a.Unmap(); got == "" && (!u.IsGlobalUnicast() || u.IsPrivate() || u.IsLoopback() || u.IsLinkLocalUnicast()) {
		t.Errorf("Check(%s) = nil, which net/netip does not call public", a)
	}
	if !a.Is4() {
		return
	}
	v4 := a.As4()
	for name, prefix := range map[string][]byte{
		"mapped": {10: 0xff, 11: 0xff},
		"NAT64":  {0: 0, 1: 0x64, 2: 0xff, 3: 0x9b, 11: 0},
	} {
		form := netip.AddrFrom16([16]byte(append(prefix, v4[:]...)))
		if k := kindOf(t, g, form); k != got {
			t.Errorf("%s form %s refuses as %q, but %s as %q", name, form, k, a, got)
		}
	}
	six := netip.AddrFrom16([16]byte{0: 0x20, 1: 0x02, 2: v4[0], 3: v4[1], 4: v4[2], 5: v4[3], 15: 1})
	if k := kindOf(t, g, six); k != got {
		t.Errorf("6to4 form %s refuses as %q, but %s as %q", six, k, a, got)
	}
}

func BenchmarkCheck(b *testing.B) {
	g := netguard.New(netguard.Options{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	a := netip.MustParseAddr("8.8.8.8")
	b.ReportAllocs()
	for b.Loop() {
		if err := g.Check(a); err != nil {
			b.Fatal(err)
		}
	}
}
