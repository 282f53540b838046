package pool_test

import (
	"context"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/verimails/verimaild/internal/mailworld"
	"github.com/verimails/verimaild/internal/netguard"
	"github.com/verimails/verimaild/pool"
	"github.com/verimails/verimaild/pool/reply"
)

// A socksServer is a SOCKS5 proxy, RFC 1928, that connects or does as it is told.
type socksServer struct {
	listener       net.Listener
	user, password string
	reply          byte   // In place of connecting, if it is not 0.
	says           string // In place of its first reply.
	silent         int    // After how many octets of its own it says nothing more; 0 never.

	accepted atomic.Int64
	names    atomic.Int64 // Requests for a name and not for an address.
	from     sync.Map     // The addresses that it was connected to from.
	wg       sync.WaitGroup
}

func startSOCKS(t *testing.T, s *socksServer) *socksServer {
	t.Helper()
	var err error
	if s.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	s.wg.Go(func() {
		for {
			c, err := s.listener.Accept()
			if err != nil {
				return
			}
			s.accepted.Add(1)
			s.from.Store(c.RemoteAddr().(*net.TCPAddr).AddrPort().Addr(), true)
			s.wg.Go(func() { defer c.Close(); s.serve(c) })
		}
	})
	t.Cleanup(func() { s.listener.Close(); s.wg.Wait() })
	return s
}

func (s *socksServer) addr() string { return s.listener.Addr().String() }

// serve speaks to one client. What goes wrong ends the connection.
func (s *socksServer) serve(c net.Conn) {
	if s.says != "" {
		_, _ = io.WriteString(c, s.says)
		return
	}
	if !s.agree(c) {
		return
	}
	if s.silent == 2 {
		_, _ = io.Copy(io.Discard, c) // Until the client gives up.
		return
	}
	to, ok := s.request(c)
	if !ok {
		return
	}
	if s.reply != 0 {
		_, _ = c.Write([]byte{5, s.reply, 0, 1, 0, 0, 0, 0, 0, 0})
		return
	}
	up, err := net.Dial("tcp", to.String())
	if err != nil {
		_, _ = c.Write([]byte{5, 5, 0, 1, 0, 0, 0, 0, 0, 0})
		return
	}
	defer up.Close()
	_, _ = c.Write([]byte{5, 0, 0, 1, 127, 0, 0, 1, 0, 1})
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = io.Copy(up, c); up.(*net.TCPConn).CloseWrite() })
	_, _ = io.Copy(c, up)
	c.Close()
	wg.Wait()
}

// agree settles how the client shows who it is.
func (s *socksServer) agree(c net.Conn) bool {
	head := make([]byte, 2)
	if _, err := io.ReadFull(c, head); err != nil || head[0] != 5 {
		return false
	}
	methods := make([]byte, head[1])
	if _, err := io.ReadFull(c, methods); err != nil {
		return false
	}
	if s.silent == 1 {
		_, _ = io.Copy(io.Discard, c)
		return false
	}
	if s.user == "" {
		_, err := c.Write([]byte{5, 0})
		return err == nil
	}
	if !strings.Contains(string(methods), "\x02") {
		_, _ = c.Write([]byte{5, 0xff})
		return false
	}
	_, _ = c.Write([]byte{5, 2})
	return s.authenticate(c)
}

func (s *socksServer) authenticate(c net.Conn) bool {
	var fields [2]string
	if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
		return false
	}
	for i := range fields {
		n := make([]byte, 1)
		if _, err := io.ReadFull(c, n); err != nil {
			return false
		}
		b := make([]byte, n[0])
		if _, err := io.ReadFull(c, b); err != nil {
			return false
		}
		fields[i] = string(b)
	}
	ok := fields == [2]string{s.user, s.password}
	status := byte(1)
	if ok {
		status = 0
	}
	_, err := c.Write([]byte{1, status})
	return ok && err == nil
}

// request reads where the client wants to go.
func (s *socksServer) request(c net.Conn) (netip.AddrPort, bool) {
	head := make([]byte, 4)
	if _, err := io.ReadFull(c, head); err != nil {
		return netip.AddrPort{}, false
	}
	size := map[byte]int{1: 4, 4: 16}[head[3]]
	if size == 0 {
		s.names.Add(1)
		return netip.AddrPort{}, false
	}
	b := make([]byte, size+2)
	if _, err := io.ReadFull(c, b); err != nil {
		return netip.AddrPort{}, false
	}
	a, _ := netip.AddrFromSlice(b[:size])
	return netip.AddrPortFrom(a, uint16(b[size])<<8|uint16(b[size+1])), true
}

// proxied is a pool whose source a is behind a proxy, and its source b, if there is one, is not. All are on sockets.
func proxied(t *testing.T, proxy pool.Proxy, more int, guard *netguard.Guard) (*pool.Pool, *mailworld.World) {
	t.Helper()
	spec := oneHost(mailworld.Host{})
	spec.RTT = 0
	w, err := mailworld.Start(spec)
	if err != nil {
		t.Fatal(err)
	}
	opts := pool.Options{
		Sender: "probe@source0.egress.test", Port: uint16(w.Port()), Guard: guard, Replies: reply.Builtin(), Limits: lifted(),
		ConnectTimeout: 500 * time.Millisecond,
		Sources:        []pool.Source{{Name: "a", Proxy: proxy, EHLO: "source0.egress.test"}},
	}
	for i := range more {
		opts.Sources = append(opts.Sources, pool.Source{Name: string(rune('b' + i)), IPv4: w.SourceAddr(i), EHLO: "source0.egress.test"})
	}
	p, err := pool.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	p.Start(context.WithoutCancel(t.Context()))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := p.Close(ctx); err != nil {
			t.Errorf("Close() = %v", err)
		}
		if err := w.Close(); err != nil {
			t.Errorf("world: %v", err)
		}
		if proxy == (pool.Proxy{}) {
			w.Check(t) // Otherwise the proxy's address is not that of the EHLO name.
		}
	})
	return p, w
}

func askThrough(t *testing.T, p *pool.Pool, w *mailworld.World, path string, patience time.Duration) pool.Outcome {
	t.Helper()
	return p.Probe(t.Context(), pool.Request{
		Domain: "a.test", Recipients: []pool.Recipient{{Path: path}}, Deadline: time.Now().Add(patience),
		Hosts: []pool.Host{{Name: "mx.a.test", Addrs: []netip.Addr{w.HostAddr("mx.a.test").Addr()}}},
	})[0]
}

func TestProxy(t *testing.T) {
	for _, test := range []struct {
		name      string
		server    *socksServer
		user      string
		password  string
		want      pool.Failure
		suspended bool
	}{
		{name: "without a password", server: &socksServer{}},
		{name: "with one", server: &socksServer{user: "u", password: "geheim"}, user: "u", password: "geheim"},
		{name: "with one that nobody asks for", server: &socksServer{}, user: "u", password: "geheim"},
		{name: "a wrong one", server: &socksServer{user: "u", password: "geheim"}, user: "u", password: "falsch", want: pool.FailNoSource, suspended: true},
		{name: "none, and one is wanted", server: &socksServer{user: "u", password: "geheim"}, want: pool.FailNoSource, suspended: true},
		{name: "no proxy", server: &socksServer{says: "HTTP/1.1 400 Bad Request\r\n\r\n"}, want: pool.FailNoSource, suspended: true},
		{name: "silent from the start", server: &socksServer{silent: 1}, want: pool.FailNoSource, suspended: true},
		{name: "general failure", server: &socksServer{reply: 1}, want: pool.FailNoSource, suspended: true},
		{name: "not allowed", server: &socksServer{reply: 2}, want: pool.FailNoSource, suspended: true},
		{name: "no such command", server: &socksServer{reply: 7}, want: pool.FailNoSource, suspended: true},
		{name: "network unreachable", server: &socksServer{reply: 3}, want: pool.FailNoSource},
		{name: "host unreachable", server: &socksServer{reply: 4}, want: pool.FailConnectRefused},
		{name: "refused", server: &socksServer{reply: 5}, want: pool.FailConnectRefused},
		{name: "TTL expired", server: &socksServer{reply: 6}, want: pool.FailConnectTimeout},
		{name: "no such family", server: &socksServer{reply: 8}, want: pool.FailNoSource},
		{name: "the host does not answer", server: &socksServer{silent: 2}, want: pool.FailConnectTimeout},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := startSOCKS(t, test.server)
			p, w := proxied(t, pool.Proxy{Addr: server.addr(), User: test.user, Password: test.password}, 0, everything())
			o := askThrough(t, p, w, "ada@a.test", 3*time.Second)
			if o.Failure != test.want {
				t.Errorf("failure = %q (%s), want %q", o.Failure, o.Detail, test.want)
			}
			if test.want == pool.FailNone && o.Meaning.Class != reply.Accepted {
				t.Errorf("reply = %s, want it accepted", o.Reply)
			}
			if test.password != "" && strings.Contains(o.Detail, test.password) {
				t.Errorf("detail = %q, in which the password stands", o.Detail)
			}
			st := p.Stats().Sources[0]
			if got := !st.SuspendedUntil.IsZero(); got != test.suspended {
				t.Errorf("suspended = %v (%s), want %v", got, st.SuspendedWhy, test.suspended)
			}
			if n := server.names.Load(); n != 0 {
				t.Errorf("the proxy was given %d names, want addresses only", n)
			}
		})
	}
}

// TestProxyAway: who waits goes to another source, and where there is none, until the proxy is back.
func TestProxyAway(t *testing.T) {
	server := startSOCKS(t, &socksServer{})
	proxy := pool.Proxy{Addr: server.addr()}
	server.listener.Close()
	p, w := proxied(t, proxy, 1, everything())
	for range 3 { // Whichever source the domain's is.
		if o := askThrough(t, p, w, "ada@a.test", time.Second); o.Meaning.Class != reply.Accepted || o.Source != "b" {
			t.Errorf("outcome = %s from %s, %s (%s), want it accepted from b", o.Reply, o.Source, o.Failure, o.Detail)
		}
	}
}

// TestProxyIsGuarded: a proxy is not asked to go where this host may not, though the proxy itself is where it may not.
func TestProxyIsGuarded(t *testing.T) {
	server := startSOCKS(t, &socksServer{})
	p, w := proxied(t, pool.Proxy{Addr: server.addr()}, 0, netguard.New(netguard.Options{}))
	if o := askThrough(t, p, w, "ada@a.test", time.Second); o.Failure != pool.FailUnroutable {
		t.Errorf("failure = %q (%s), want %q", o.Failure, o.Detail, pool.FailUnroutable)
	}
	if n := server.accepted.Load(); n != 0 {
		t.Errorf("the proxy was connected to %d times, want not at all", n)
	}
}

// TestProxyFromAnAddress: the source's own address is what the proxy sees.
func TestProxyFromAnAddress(t *testing.T) {
	server := startSOCKS(t, &socksServer{})
	p, w := proxied(t, pool.Proxy{Addr: server.addr()}, 0, everything())
	from := w.SourceAddr(3)
	err := p.Reload(pool.Options{
		Sender: "probe@source0.egress.test", Port: uint16(w.Port()), Guard: everything(), Replies: reply.Builtin(), Limits: lifted(),
		Sources: []pool.Source{{Name: "a", IPv4: from, Proxy: pool.Proxy{Addr: server.addr()}, EHLO: "source0.egress.test"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if o := askThrough(t, p, w, "ada@a.test", time.Second); o.Meaning.Class != reply.Accepted {
		t.Fatalf("outcome = %s, %s (%s), want it accepted", o.Reply, o.Failure, o.Detail)
	}
	if _, ok := server.from.Load(from); !ok {
		t.Errorf("the proxy was not connected to from %v", from)
	}
}
