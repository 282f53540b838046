package daemon

import (
	"net"
	"net/netip"
	"strconv"
	"testing"

	"github.com/verimails/verimaild/config"
	"github.com/verimails/verimaild/internal/mailworld"
	"github.com/verimails/verimaild/internal/netguard"
)

// TestTraps has MX hosts lead where no mail server of a stranger is. Nothing there is ever dialled.
func TestTraps(t *testing.T) {
	own := ownAddr(t)
	addrs := func(list ...string) []netip.Addr {
		out := make([]netip.Addr, len(list))
		for i, s := range list {
			out[i] = netip.MustParseAddr(s)
		}
		return out
	}
	traps := map[string][]netip.Addr{
		"loopback":     addrs("127.0.0.1"),
		"loopback6":    addrs("::1"),
		"otherloop":    addrs("127.99.99.99"),
		"private":      addrs("10.0.0.5", "192.168.1.1", "172.16.0.1"),
		"mapped":       addrs("::ffff:127.0.0.1"),
		"mappedten":    addrs("::ffff:10.0.0.5"),
		"nat64":        addrs("64:ff9b::7f00:1"),
		"unspecified":  addrs("0.0.0.0", "::"),
		"linklocal":    addrs("169.254.169.254", "fe80::1"),
		"shared":       addrs("100.64.0.1"),
		"unique":       addrs("fd00::1"),
		"multicast":    addrs("224.0.0.1", "ff02::1"),
		"broadcast":    addrs("255.255.255.255"),
		"ownaddress":   {own},
		"ownmapped":    {netip.AddrFrom16(own.As16())},
		"severalatall": addrs("127.0.0.1", "10.0.0.5", "::1"),
	}
	spec := mailworld.Spec{Hosts: []mailworld.Host{{Name: "mx.example.test"}}}
	for name, list := range traps {
		d := name + ".test"
		spec.Domains = append(spec.Domains,
			mailworld.Domain{Name: d, MX: mailworld.MXs("mx." + d)},
			mailworld.Domain{Name: "mx." + d, Addrs: list},
			mailworld.Domain{Name: "implicit-" + d, Addrs: list})
	}
	spec.Domains = append(spec.Domains,
		mailworld.Domain{Name: "mx.trap.test", Addrs: addrs("127.0.0.1")},
		mailworld.Domain{
			Name: "half.test", MX: []mailworld.MX{{Preference: 1, Host: "mx.trap.test"}, {Preference: 2, Host: "mx.example.test"}},
			Mailboxes: []string{"ada"},
		})
	w := startWorld(t, spec)
	port := strconv.Itoa(w.Port())
	for _, a := range []string{"127.0.0.1", "127.99.99.99", "::1", own.String()} {
		trap(t, net.JoinHostPort(a, port))
	}
	r := start(t, w, func(cfg *config.Config) {
		cfg.Egress.AllowNetworks = []netip.Prefix{netip.PrefixFrom(w.HostAddr("mx.example.test").Addr(), 32)}
	})
	for name := range traps {
		r.wantReason(t, "ada@"+name+".test", "mx_unroutable")
		r.wantReason(t, "ada@implicit-"+name+".test", "mx_unroutable")
	}
	r.wantReason(t, "ada@half.test", "mailbox_accepted")
	if st := r.PoolStats(); st.Dials != 1 {
		t.Errorf("Dials = %d, want the one to mx.example.test", st.Dials)
	}
}

// ownAddr is an address of this host that is not a loopback one.
func ownAddr(t *testing.T) netip.Addr {
	t.Helper()
	list, err := netguard.HostAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range list {
		if a.Is4() && !a.IsLoopback() {
			return a
		}
	}
	t.Log("this host has loopback addresses only; one of these has to do")
	return netip.MustParseAddr("127.0.0.2")
}
