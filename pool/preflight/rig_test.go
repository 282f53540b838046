package preflight

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/verimails/verimaild/internal/netguard"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A zone is a DNS made of lines "name TYPE value"; "name TYPE !" fails, and "down TRUE" lets everything fail.
type zone struct {
	mu    sync.Mutex
	lines []string
	down  bool
	asked map[string]int
}

func newZone(text string) *zone {
	z := &zone{asked: map[string]int{}}
	z.set(text)
	return z
}

// set replaces what the zone knows.
func (z *zone) set(text string) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.lines = nil
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			z.lines = append(z.lines, line)
		}
	}
}

func (z *zone) fail(down bool) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.down = down
}

// count is how often a name was asked for.
func (z *zone) count(name string) int {
	z.mu.Lock()
	defer z.mu.Unlock()
	return z.asked[name]
}

func query[T any](z *zone, name, kind string, read func(string) T) Answer[T] {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.asked[name]++
	a := Answer[T]{Status: Absent}
	if z.down {
		return Answer[T]{Status: Failed, Detail: "no answer within 3s (192.0.2.53:53)"}
	}
	for _, line := range z.lines {
		parts := strings.SplitN(line, " ", 3)
		switch {
		case parts[0] != name || parts[1] != kind:
		case parts[2] == "!":
			return Answer[T]{Status: Failed, Detail: "SERVFAIL (192.0.2.53:53)"}
		default:
			a.Status, a.Values = Found, append(a.Values, read(parts[2]))
		}
	}
	return a
}

func (z *zone) Addrs(_ context.Context, name string) Answer[netip.Addr] {
	return query(z, name, "A", netip.MustParseAddr)
}

func (z *zone) IPv4(ctx context.Context, name string) Answer[netip.Addr] { return z.Addrs(ctx, name) }

func (z *zone) MX(_ context.Context, name string) Answer[MX] {
	return query(z, name, "MX", func(s string) MX { return MX{Host: strings.TrimSuffix(s, "."), Preference: uint16(len(s))} })
}

func (z *zone) PTR(_ context.Context, a netip.Addr) Answer[string] {
	return query(z, a.String(), "PTR", strings.Clone)
}

func (z *zone) TXT(_ context.Context, name string) Answer[string] {
	return query(z, name, "TXT", strings.Clone)
}

// good is a world in which the source a (192.0.2.10, 2001:db8::10) is in order.
const good = `
one.test MX mx.one.test
mx.one.test A 198.51.100.1
mx.one.test A 2001:db8:1::1
two.test MX mx.two.test
mx.two.test A 203.0.113.2
mx.two.test A 2001:db8:2::1
three.test A 198.18.3.3
three.test A 2001:db8:3::1
web.test A 198.18.9.9
web.test A 2001:db8:9::1
192.0.2.10 PTR a.egress.test
2001:db8::10 PTR a.egress.test
a.egress.test A 192.0.2.10
a.egress.test A 2001:db8::10
egress.test MX mail.egress.test
mail.egress.test A 192.0.2.99
egress.test TXT v=spf1 ip4:192.0.2.10 ip6:2001:db8::/64 -all
2.0.0.127.bl.test A 127.0.0.2
2.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.bl.test A 127.0.0.2
`

// world is the public Internet of these tests.
func world() *netguard.Guard {
	return netguard.New(netguard.Options{Allow: []netip.Prefix{
		netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("203.0.113.0/24"),
		netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("2001:db8::/32"),
	}})
}

// Wires say what becomes of connections, by host and port or by port alone; what they do not know is connected.
type wires struct {
	mu      sync.Mutex
	fails   map[string]error
	greets  string
	dialled []string
	said    []string // By the clients, after the greeting.
	wg      sync.WaitGroup
}

func (n *wires) fail(where string, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.fails == nil {
		n.fails = map[string]error{}
	}
	n.fails[where] = err
}

func (n *wires) dial(_ context.Context, _ *Source, _ netip.Addr, to netip.AddrPort) (net.Conn, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.dialled = append(n.dialled, to.String())
	_, port, _ := net.SplitHostPort(to.String())
	for _, where := range []string{to.String(), port} {
		if err := n.fails[where]; err != nil {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: err}
		}
	}
	client, server := net.Pipe()
	greeting := n.greets
	if greeting == "" {
		greeting = "220 mx.test ESMTP"
	}
	n.wg.Go(func() { n.serve(server, greeting) })
	return client, nil
}

func (n *wires) serve(c net.Conn, greeting string) {
	defer c.Close()
	if greeting != "-" {
		if _, err := c.Write([]byte(greeting + "\r\n")); err != nil {
			return
		}
	}
	buf := make([]byte, 100)
	k, err := c.Read(buf)
	if err != nil {
		return
	}
	n.mu.Lock()
	n.said = append(n.said, string(buf[:k]))
	n.mu.Unlock()
	_, _ = c.Write([]byte("221 bye\r\n")) // The client may be gone.
}

// count is how often somebody was dialled on a port.
func (n *wires) count(port string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	found := 0
	for _, d := range n.dialled {
		if strings.HasSuffix(d, ":"+port) {
			found++
		}
	}
	return found
}

// options are those for the good world.
func options(z *zone, n *wires) Options {
	return Options{
		Sources: []Source{{
			Name: "a", IPv4: netip.MustParseAddr("192.0.2.10"), EHLO: "a.egress.test",
		}},
		Sender: "probe@egress.test", DNS: z, Guard: world(), Dial: n.dial,
		PortTargets: []string{"one.test", "two.test", "three.test"}, NetworkTargets: []string{"web.test:443"},
		Lists: []string{"bl.test"}, Bind: func(netip.Addr) error { return nil },
	}
}

// of is the finding of a check about a source in a family; it fails the test if there is not exactly one.
func of(t *testing.T, r *Report, c Check, source string, family Family) Finding {
	t.Helper()
	var out []Finding
	for _, f := range r.Findings {
		if f.Check == c && f.Source == source && f.Family == family {
			out = append(out, f)
		}
	}
	if len(out) != 1 {
		t.Fatalf("%d findings of %s about %q %s, want 1: %+v", len(out), c, source, family, r.Findings)
	}
	return out[0]
}

// routeFrom is a kernel that sends from these addresses, by whether they are IPv4.
func routeFrom(from map[bool]netip.Addr) func(context.Context, netip.AddrPort) (netip.Addr, error) {
	return func(_ context.Context, to netip.AddrPort) (netip.Addr, error) {
		if a, ok := from[to.Addr().Is4()]; ok {
			return a, nil
		}
		return netip.Addr{}, syscall.ENETUNREACH
	}
}
