package mailworld_test

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/verimails/verimaild/internal/mailworld"
)

func TestDialErrors(t *testing.T) {
	s := spec()
	s.RTT = time.Second
	inMemory(t, s, func(t *testing.T, w *mailworld.World) {
		local, there := netip.AddrPortFrom(w.SourceAddr(0), 0), w.HostAddr(host)
		dialed := func(want error, laddr, raddr netip.AddrPort) {
			t.Helper()
			c, err := w.Dial(t.Context(), laddr, raddr)
			if !errors.Is(err, want) {
				t.Errorf("Dial(%v) = %v, want %v", raddr, err, want)
			}
			if err == nil {
				if err := c.Close(); err != nil {
					t.Error(err)
				}
			}
		}
		dialed(nil, local, there)
		dialed(syscall.ECONNREFUSED, local, netip.AddrPortFrom(there.Addr(), 1))
		dialed(syscall.ECONNREFUSED, local, netip.AddrPortFrom(w.SourceAddr(9), there.Port()))
		w.Unplug(local.Addr(), true)
		dialed(syscall.EADDRNOTAVAIL, local, there)
		dialed(nil, netip.AddrPortFrom(w.SourceAddr(1), 0), there)
		w.Unplug(local.Addr(), false)
		dialed(nil, local, there)
		w.CutNetwork(true)
		dialed(syscall.ENETUNREACH, local, there)
		if _, err := w.DialDNS(t.Context(), "udp", w.DNSAddr()); !errors.Is(err, syscall.ENETUNREACH) {
			t.Errorf("DialDNS() = %v, want %v", err, syscall.ENETUNREACH)
		}
		w.CutNetwork(false)
		dialed(nil, local, there)
		ctx, cancel := context.WithTimeout(t.Context(), s.RTT/2)
		defer cancel()
		if _, err := w.Dial(ctx, local, there); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Dial() for less than a round trip = %v, want %v", err, context.DeadlineExceeded)
		}
	})
}

func TestAddresses(t *testing.T) {
	s := mailworld.Spec{
		Hosts: []mailworld.Host{
			{Name: "three.test", Addresses: 2, DeadAddresses: 1, DeadIPv6: true},
			{Name: "six.test", IPv6: true, NoIPv4: true},
		},
	}
	play := func(t *testing.T, w *mailworld.World) {
		var reached []bool
		addrs := ask(t, w, "three.test", dns.TypeA).Answer
		for _, rr := range addrs {
			a, _ := netip.AddrFromSlice(rr.(*dns.A).A.To4())
			c, err := w.Dial(t.Context(), netip.AddrPort{}, netip.AddrPortFrom(a, uint16(w.Port())))
			reached = append(reached, err == nil)
			if err == nil {
				newPeer(t, c).play("< 220\n" + quit)
			}
		}
		if len(reached) != 3 || reached[0] || !reached[1] || !reached[2] {
			t.Errorf("three.test: reached %v, want one dead address, then two", reached)
		}
		if got := len(ask(t, w, "three.test", dns.TypeAAAA).Answer); got != 1 {
			t.Errorf("three.test has %d AAAA, want 1", got)
		}
		if got := len(ask(t, w, "six.test", dns.TypeA).Answer); got != 0 {
			t.Errorf("six.test has %d A, want none", got)
		}
		c, err := w.Dial(t.Context(), netip.AddrPortFrom(netip.IPv6Loopback(), 0), w.HostAddr("six.test"))
		if err != nil {
			t.Fatal(err)
		}
		newPeer(t, c).play("< 220\n" + quit)
	}
	t.Run("memory", func(t *testing.T) { inMemory(t, s, play) })
	t.Run("sockets", func(t *testing.T) { play(t, start(t, s)) })
}

// TestServedDomains checks whom a host takes recipients for: its own domains, through aliases and as an implicit MX.
func TestServedDomains(t *testing.T) {
	s := mailworld.Spec{
		Hosts: []mailworld.Host{{Name: host}, {Name: "other.test"}},
		Domains: []mailworld.Domain{
			{Name: domain, MX: mailworld.MXs(host), CatchAll: true},
			{Name: "alias.test", MX: mailworld.MXs("mx.alias.test"), CatchAll: true},
			{Name: "mx.alias.test", CNAME: host},
			{Name: "implicit.test", Host: host, CatchAll: true},
			{Name: "foreign.test", MX: mailworld.MXs("other.test"), CatchAll: true},
		},
		Find: func(name string) (mailworld.Domain, bool) {
			return mailworld.Domain{MX: mailworld.MXs(host), CatchAll: true}, name == "found.test"
		},
	}
	inMemory(t, s, func(t *testing.T, w *mailworld.World) {
		for name, code := range map[string]string{
			domain: "250", "ALIAS.test": "250", "implicit.test": "250", "found.test": "250", "foreign.test": "554", "nowhere.test": "554",
		} {
			dial(t, w, 0).play("begin\n> RCPT TO:<ada@" + name + ">\n< " + code + "\n" + quit)
			if got := w.Count(name); got != 1 {
				t.Errorf("Count(%s) = %d, want 1", name, got)
			}
		}
		w.Check(t)
	})
}

func TestSpecErrors(t *testing.T) {
	tests := map[string]mailworld.Spec{
		"no name":        {Hosts: []mailworld.Host{{}}},
		"a host twice":   {Hosts: []mailworld.Host{{Name: "a.test"}, {Name: "A.test."}}},
		"a domain twice": {Domains: []mailworld.Domain{{Name: "a.test"}, {Name: "a.test"}}},
		"no such host":   {Domains: []mailworld.Domain{{Name: "a.test", Host: "b.test"}}},
	}
	for name, s := range tests {
		if w, err := mailworld.StartMemory(s); err == nil {
			t.Errorf("%s: no error", name)
			if err := w.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestUnknownHosts(t *testing.T) {
	inMemory(t, spec(), func(t *testing.T, w *mailworld.World) {
		if err := w.Change("gone.test", func(*mailworld.Host) {}); !errors.Is(err, mailworld.ErrHost) {
			t.Errorf("Change() = %v, want %v", err, mailworld.ErrHost)
		}
		if w.HostAddr("gone.test").IsValid() || w.Open("gone.test") != 0 || w.Harvested("gone.test") != nil ||
			w.Interrupt("gone.test", mailworld.Say(421, "x")) != 0 {
			t.Error("a host that does not exist has an address, sessions or counts")
		}
	})
}

func TestInTurn(t *testing.T) {
	s := spec(func(h *mailworld.Host) {
		h.Rcpt = mailworld.InTurn(mailworld.Say(421, "4.1.1 verifying"), mailworld.Say(450, "4.1.1 still"), mailworld.Say(250, "2.1.5 Ok"))
	})
	inMemory(t, s, func(t *testing.T, w *mailworld.World) {
		for _, want := range []string{"421\n< EOF\nclose", "450\n" + quit, "250\n" + quit, "250\n" + quit} {
			dial(t, w, 0).play("begin\n> " + rcpt("ada") + "\n< " + want)
		}
		dial(t, w, 0).play("begin\n> " + rcpt("grace") + "\n< 421\n< EOF\nclose")
		w.Check(t)
	})
}

func TestChangeDomain(t *testing.T) {
	inMemory(t, spec(), func(t *testing.T, w *mailworld.World) {
		dial(t, w, 0).play("begin\n> " + rcpt("new") + "\n< 550\n> RSET\n< 250\n" + quit)
		w.ChangeDomain(domain, func(d *mailworld.Domain) { d.Mailboxes = append(d.Mailboxes, "new") })
		dial(t, w, 0).play("begin\n> " + rcpt("new") + "\n< 250\n" + quit)
		w.ChangeDomain("later.test", func(d *mailworld.Domain) { d.MX = mailworld.MXs(host) })
		if got := answers(ask(t, w, "later.test", dns.TypeMX)); !slices.Equal(got, []string{"10 " + host + "."}) {
			t.Errorf("MX of a new domain = %q", got)
		}
		w.ChangeDomain(domain, func(d *mailworld.Domain) { d.MX = nil })
		dial(t, w, 0).play("begin\n> " + rcpt("ada") + "\n< 554\n" + quit)
		w.Check(t)
	})
}

func TestPipelinedRecord(t *testing.T) {
	inMemory(t, spec(), func(t *testing.T, w *mailworld.World) {
		dial(t, w, 2).play("begin\n> " + rcpt("ada") + "\n> " + rcpt("x") + "\n> RSET\n< 250\n< 550\n< 250\n" + quit)
		var got []bool
		for _, c := range w.Commands("") {
			got = append(got, c.Pipelined)
			if c.Source.Addr() != w.SourceAddr(2) || c.Session != 1 || c.Host != host {
				t.Errorf("command %+v: want session 1 at %s from %v", c, host, w.SourceAddr(2))
			}
		}
		if want := []bool{false, false, false, true, true, false}; !slices.Equal(got, want) {
			t.Errorf("pipelined: %v, want %v", got, want)
		}
		if c := w.Commands(host)[3]; c.Code != 550 || c.Verb != "RCPT" || c.Line != rcpt("x") {
			t.Errorf("command = %+v, want RCPT, 550", c)
		}
	})
}
