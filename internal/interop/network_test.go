//go:build interop

package interop

import (
	"bufio"
	"context"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/verimails/verimaild/internal/mailworld"
)

// A network is the part of loopback that one test has for itself: a /16 and a port, claimed by a name server there.
// All mail servers listen at that port, as those of the Internet do at 25.
type network struct {
	world    *mailworld.World
	resolver string // Whom the daemon asks; that name server, unless a test has a better one.

	mu    sync.Mutex // Guards what follows.
	zone  map[string]mailworld.Domain
	hosts byte // How many addresses of hosts are taken.
}

// newNetwork starts a name server that knows what is added to the network later.
func newNetwork(t testing.TB) *network {
	t.Helper()
	n := &network{zone: make(map[string]mailworld.Domain)}
	world, err := mailworld.Start(mailworld.Spec{Find: n.find})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := world.Close(); err != nil {
			t.Error(err)
		}
	})
	n.world, n.resolver = world, world.DNSAddr()
	return n
}

// find is the name server's way to look up a name.
func (n *network) find(name string) (mailworld.Domain, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	d, ok := n.zone[name]
	return d, ok
}

// addHost gives a mail host an address, publishes it, and makes the host the MX of the domains.
func (n *network) addHost(name string, domains ...string) netip.AddrPort {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.hosts++
	a := n.world.SourceAddr(0).As4()
	addr := netip.AddrFrom4([4]byte{127, a[1], hostNet, n.hosts})
	n.zone[name] = mailworld.Domain{Name: name, Addrs: []netip.Addr{addr}}
	for _, d := range domains {
		n.zone[d] = mailworld.Domain{Name: d, MX: mailworld.MXs(name)}
	}
	return netip.AddrPortFrom(addr, uint16(n.world.Port()))
}

// hostNet is the third byte of the addresses of hosts; the name server is below it, sources are above.
const hostNet = 100

// port is where mail servers listen.
func (n *network) port() string { return strconv.Itoa(n.world.Port()) }

// source is the address from which the daemon asks.
func (n *network) source() netip.Addr { return n.world.SourceAddr(0) }

// bystander is the address from which the tests themselves look whether a server is up.
func (n *network) bystander() netip.Addr { return n.world.SourceAddr(1) }

// sourceName is the name of the source, as servers find it in their hosts file.
const sourceName = "probe.egress.test"

// hostsFile names the addresses of the network for a server, so that we have a PTR, and it agrees with the EHLO.
func (n *network) hostsFile() string {
	return "127.0.0.1 localhost\n" +
		n.source().String() + " " + sourceName + "\n" +
		n.bystander().String() + " bystander.egress.test\n"
}

// waitForGreeting returns once a server greets at addr.
func (n *network) waitForGreeting(t testing.TB, r *root, addr netip.AddrPort) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	timeout := time.After(patience)
	for {
		if n.greets(addr) {
			return
		}
		select {
		case <-tick.C:
		case <-r.exited:
			t.Fatalf("the server has ended. It printed:\n%s\nand logged:\n%s", r.output(), r.log)
		case <-timeout:
			t.Fatalf("no server greets at %s. It printed:\n%s\nand logged:\n%s", addr, r.output(), r.log)
		}
	}
}

// occupy opens as many sessions with a server, from a bystander's address, until the test ends. It tries again when one is
// refused: the server may not have noticed yet that one before is over.
func (n *network) occupy(t testing.TB, addr netip.AddrPort, sessions int) []net.Conn {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	timeout := time.After(patience)
	var conns []net.Conn
	for len(conns) < sessions {
		conn, greeted, err := n.open(addr)
		if err == nil {
			t.Cleanup(func() { conn.Close() })
		}
		if greeted {
			conns = append(conns, conn)
			continue
		}
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatalf("%s takes %d sessions, want %d: %v", addr, len(conns), sessions, err)
		}
	}
	return conns
}

// greets reports whether a server at addr says 220.
func (n *network) greets(addr netip.AddrPort) bool {
	conn, greeted, err := n.open(addr)
	if err != nil {
		return false
	}
	defer conn.Close()
	_, _ = conn.Write([]byte("QUIT\r\n")) // Out of politeness.
	return greeted
}

// open connects to a server from a bystander's address, and reports whether it says 220.
func (n *network) open(addr netip.AddrPort) (conn net.Conn, greeted bool, err error) {
	d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(n.bystander(), 0)), Timeout: 5 * time.Second}
	conn, err = d.Dial("tcp", addr.String())
	if err != nil {
		return nil, false, err
	}
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second)) // An error shows at the read.
	line, err := bufio.NewReader(conn).ReadString('\n')
	_ = conn.SetDeadline(time.Time{})
	return conn, err == nil && strings.HasPrefix(line, "220"), nil
}

// waitForName returns once the resolver finds a name.
func (n *network) waitForName(t testing.TB, r *root, name string) {
	t.Helper()
	resolver := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, n.resolver)
	}}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	timeout := time.After(patience)
	for {
		_, err := resolver.LookupHost(t.Context(), name)
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-r.exited:
			t.Fatalf("the server has ended. It printed:\n%s\nand logged:\n%s", r.output(), r.log)
		case <-timeout:
			t.Fatalf("%s does not find %s: %v. It printed:\n%s\nand logged:\n%s", n.resolver, name, err, r.output(), r.log)
		}
	}
}
