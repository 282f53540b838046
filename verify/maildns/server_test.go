package maildns_test

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
	"go.uber.org/goleak"

	"github.com/verimails/verimaild/internal/netguard"
	"github.com/verimails/verimaild/verify/address"
	"github.com/verimails/verimaild/verify/maildns"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// zone answers like a recursive server that knows the records given and nothing else.
type zone struct {
	records []dns.RR

	// special, if it returns a message, answers instead of the records.
	special func(q dns.Question, edns, tcp bool, m *dns.Msg) *dns.Msg

	mu    sync.Mutex
	asked map[string]int // By "name TYPE network".
}

// newZone reads records in the form of a zone file, one a line.
func newZone(t testing.TB, records string) *zone {
	t.Helper()
	z := &zone{asked: make(map[string]int)}
	zp := dns.NewZoneParser(strings.NewReader(records), ".", "")
	for rr, ok := zp.Next(); ok; rr, ok = zp.Next() {
		z.records = append(z.records, rr)
	}
	if err := zp.Err(); err != nil {
		t.Fatal(err)
	}
	return z
}

// count says how often name's records of type kind were asked for, over UDP or TCP.
func (z *zone) count(name, kind string) int {
	z.mu.Lock()
	defer z.mu.Unlock()
	return z.asked[name+" "+kind+" udp"] + z.asked[name+" "+kind+" tcp"]
}

func (z *zone) countOver(name, kind, network string) int {
	z.mu.Lock()
	defer z.mu.Unlock()
	return z.asked[name+" "+kind+" "+network]
}

// answer is the answer to query, nil for silence.
func (z *zone) answer(query *dns.Msg, network string) *dns.Msg {
	q := query.Question[0]
	z.mu.Lock()
	z.asked[strings.ToLower(q.Name)+" "+dns.TypeToString[q.Qtype]+" "+network]++
	z.mu.Unlock()

	m := new(dns.Msg).SetReply(query)
	m.RecursionAvailable = true
	z.fill(m, q)
	if z.special != nil {
		if m = z.special(q, query.IsEdns0() != nil, network == "tcp", m); m == nil {
			return nil
		}
	}
	if network == "udp" {
		size := dns.MinMsgSize
		if opt := query.IsEdns0(); opt != nil {
			size = int(opt.UDPSize())
		}
		m.Truncate(size)
	}
	return m
}

// fill looks q up, following CNAMEs.
func (z *zone) fill(m *dns.Msg, q dns.Question) {
	for range 20 {
		exists, rrs := z.at(q)
		m.Answer = append(m.Answer, rrs...)
		if len(rrs) == 1 && rrs[0].Header().Rrtype == dns.TypeCNAME {
			q.Name = rrs[0].(*dns.CNAME).Target
			continue
		}
		if !exists {
			m.Rcode = dns.RcodeNameError
		}
		if len(rrs) == 0 {
			z.addSOA(m, q.Name)
		}
		return
	}
}

// at returns the records for q, a CNAME if there is one, and whether q's name or one below it exists.
func (z *zone) at(q dns.Question) (exists bool, rrs []dns.RR) {
	for _, rr := range z.records {
		h := rr.Header()
		exists = exists || dns.IsSubDomain(q.Name, h.Name)
		if strings.EqualFold(h.Name, q.Name) && (h.Rrtype == q.Qtype || h.Rrtype == dns.TypeCNAME) {
			rrs = append(rrs, rr)
		}
	}
	return exists, rrs
}

func (z *zone) addSOA(m *dns.Msg, name string) {
	for _, rr := range z.records {
		if rr.Header().Rrtype == dns.TypeSOA && dns.IsSubDomain(rr.Header().Name, name) {
			m.Ns = append(m.Ns, rr)
			return
		}
	}
}

// serve answers from z over UDP and TCP on one port of 127.0.0.1 until the test ends.
func (z *zone) serve(t testing.TB) (addr string) {
	t.Helper()
	return serveHandler(t, dns.HandlerFunc(func(w dns.ResponseWriter, query *dns.Msg) {
		network := w.RemoteAddr().Network()
		if m := z.answer(query, network); m != nil {
			_ = w.WriteMsg(m) // A lost answer shows as a timeout.
		}
	}))
}

func serveHandler(t testing.TB, h dns.Handler) (addr string) {
	t.Helper()
	l, pc := listenBoth(t)
	var wg sync.WaitGroup
	t.Cleanup(wg.Wait) // After the shutdowns below: clean-ups run last in, first out.
	for _, srv := range []*dns.Server{{Listener: l, Handler: h}, {PacketConn: pc, Handler: h}} {
		started := make(chan struct{})
		srv.NotifyStartedFunc = func() { close(started) }
		wg.Go(func() {
			if err := srv.ActivateAndServe(); err != nil {
				t.Errorf("DNS server: %v", err)
			}
		})
		<-started
		t.Cleanup(func() {
			if err := srv.Shutdown(); err != nil {
				t.Errorf("stop DNS server: %v", err)
			}
		})
	}
	return l.Addr().String()
}

// listenBoth listens on one free port with TCP and UDP.
func listenBoth(t testing.TB) (net.Listener, net.PacketConn) {
	t.Helper()
	for range 20 {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		pc, err := net.ListenPacket("udp4", l.Addr().String())
		if err == nil {
			return l, pc
		}
		l.Close()
	}
	t.Fatal("no port of 127.0.0.1 is free for both TCP and UDP")
	return nil, nil
}

// allowDocs lets the documentation networks stand for the public Internet.
func allowDocs() *netguard.Guard {
	return netguard.New(netguard.Options{Allow: []netip.Prefix{
		netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/32"),
	}})
}

func newResolver(t testing.TB, opts maildns.Options) *maildns.Resolver {
	t.Helper()
	if opts.Guard == nil {
		opts.Guard = allowDocs()
	}
	r, err := maildns.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

func domain(t testing.TB, s string) address.Domain {
	t.Helper()
	d, err := address.ParseDomain(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func lookup(t testing.TB, r *maildns.Resolver, name string) maildns.MailHosts {
	t.Helper()
	m, err := r.Lookup(t.Context(), domain(t, name))
	if err != nil {
		t.Fatalf("Lookup(%s): %v", name, err)
	}
	return m
}

// hostsText writes hosts in short: "10 mx.example 192.0.2.1 !10.0.0.1; ...", refused addresses with a
// bang, and the status of a host without addresses in parentheses.
func hostsText(hosts []maildns.Host) string {
	var out []string
	for _, h := range hosts {
		s := []string{h.Name}
		for _, a := range h.Addrs {
			s = append(s, a.String())
		}
		for _, a := range h.Refused {
			s = append(s, "!"+a.String())
		}
		if h.Status != maildns.Found {
			s = append(s, "("+string(h.Status)+")")
		}
		out = append(out, strings.Join(s, " "))
	}
	return strings.Join(out, "; ")
}

// pipeNet connects resolvers to zones by in-memory connections, for tests on virtual time.
type pipeNet struct {
	servers map[string]*pipeServer // By host:port.
}

type pipeServer struct {
	zone  *zone
	delay func(q dns.Question) time.Duration // nil means none; negative means silence.
}

// dial is an Options.Dial. What it starts ends when the client closes.
func (n pipeNet) dial(_ context.Context, network, addr string) (net.Conn, error) {
	client, server := net.Pipe()
	go n.servers[addr].serve(server, network)
	return client, nil
}

func (s *pipeServer) serve(conn net.Conn, network string) {
	defer conn.Close()
	dc := &dns.Conn{Conn: packetless{conn}}
	buf := make([]byte, dns.MaxMsgSize)
	query := new(dns.Msg)
	if network == "tcp" {
		m, err := dc.ReadMsg()
		if err != nil {
			return
		}
		query = m
	} else if n, err := conn.Read(buf); err != nil || query.Unpack(buf[:n]) != nil {
		return
	}
	if s.delay != nil {
		d := s.delay(query.Question[0])
		if d < 0 {
			_, _ = conn.Read(buf) // Until the client closes.
			return
		}
		time.Sleep(d)
	}
	m := s.zone.answer(query, network)
	if m == nil {
		_, _ = conn.Read(buf)
		return
	}
	wire, err := m.Pack()
	if err != nil {
		return
	}
	if network == "tcp" {
		_, _ = dc.Write(wire) // The client may be gone, here and below.
		return
	}
	_, _ = conn.Write(wire)
}

// packetless hides all but net.Conn, so that dns.Conn frames messages as on a stream.
type packetless struct{ net.Conn }
