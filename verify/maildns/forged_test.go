package maildns_test

import (
	"net"
	"sync"
	"testing"

	"github.com/miekg/dns"

	"github.com/verimails/verimaild/verify/maildns"
)

// TestForgedAnswers sends, before each true answer, false ones that miss the ID, the question, or
// the server's address.
func TestForgedAnswers(t *testing.T) {
	pc, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	z := newZone(t, world)
	var mu sync.Mutex
	ids, ports := make(map[uint16]bool), make(map[int]bool)
	serveRaw(t, pc, func(query *dns.Msg, from net.Addr) [][]byte {
		mu.Lock()
		ids[query.Id], ports[from.(*net.UDPAddr).Port] = true, true
		mu.Unlock()
		forge := func(change func(m *dns.Msg)) []byte {
			m := new(dns.Msg).SetRcode(query, dns.RcodeNameError)
			change(m)
			return pack(t, m)
		}
		if _, err := stranger.WriteTo(forge(func(*dns.Msg) {}), from); err != nil {
			t.Error(err)
		}
		return [][]byte{
			forge(func(m *dns.Msg) { m.Id++ }),
			forge(func(m *dns.Msg) { m.Response = false }),
			forge(func(m *dns.Msg) { m.Opcode = dns.OpcodeNotify }),
			forge(func(m *dns.Msg) { m.Question[0].Name = "other.example." }),
			forge(func(m *dns.Msg) { m.Question[0].Qtype = dns.TypeNS }),
			forge(func(m *dns.Msg) { m.Question[0].Qclass = dns.ClassCHAOS }),
			forge(func(m *dns.Msg) { m.Question = append(m.Question, m.Question[0]) }),
			forge(func(m *dns.Msg) { m.Question = nil }),
			{},
			{1, 2, 3},
			pack(t, z.answer(query, "udp")),
		}
	})
	r := newResolver(t, maildns.Options{Servers: []string{pc.LocalAddr().String()}})
	for range 4 {
		if m := lookup(t, r, "plain.example"); m.Status != maildns.Found {
			t.Errorf("Lookup = %s (%s), want found", m.Status, m.Detail)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if len(ids) < 6 || len(ports) < 6 { // Of 12; chance alone repeats one now and then.
		t.Errorf("12 queries used %d IDs and %d ports, want them all but unrelated", len(ids), len(ports))
	}
}

// TestFlood has so many false answers arrive that the question is asked over TCP.
func TestFlood(t *testing.T) {
	l, pc := listenBoth(t)
	z := newZone(t, world)
	serveRaw(t, pc, func(query *dns.Msg, _ net.Addr) [][]byte {
		m := new(dns.Msg).SetRcode(query, dns.RcodeNameError)
		var out [][]byte
		for range 20 {
			m.Id++
			out = append(out, pack(t, m))
		}
		return append(out, pack(t, new(dns.Msg).SetRcode(query, dns.RcodeNameError)))
	})
	serveStream(t, l, z)
	r := newResolver(t, maildns.Options{Servers: []string{pc.LocalAddr().String()}})
	if m := lookup(t, r, "plain.example"); m.Status != maildns.Found {
		t.Errorf("Lookup = %s (%s), want found, over TCP", m.Status, m.Detail)
	}
}

// TestCutMessages sends answers that end before their last record, without the truncation bit.
func TestCutMessages(t *testing.T) {
	for name, keep := range map[string]func(whole, question int) int{
		"between records": func(_, question int) int { return question },
		"within a record": func(whole, _ int) int { return whole - 3 },
	} {
		t.Run(name, func(t *testing.T) {
			l, pc := listenBoth(t)
			z := newZone(t, world)
			serveRaw(t, pc, func(query *dns.Msg, _ net.Addr) [][]byte {
				m := z.answer(query, "udp")
				whole := pack(t, m)
				bare := m.Copy()
				bare.Answer, bare.Ns, bare.Extra = nil, nil, nil
				return [][]byte{whole[:keep(len(whole), len(pack(t, bare)))]}
			})
			r := newResolver(t, maildns.Options{Servers: []string{pc.LocalAddr().String()}})
			l.Close()
			if m := lookup(t, r, "plain.example"); m.Status != maildns.Failure {
				t.Errorf("without TCP: Lookup = %s, want failure: missing records prove nothing", m.Status)
			}
			l, err := net.Listen("tcp4", pc.LocalAddr().String())
			if err != nil {
				t.Fatal(err)
			}
			serveStream(t, l, z)
			if m := lookup(t, r, "plain.example"); m.Status != maildns.Found {
				t.Errorf("Lookup = %s (%s), want found, over TCP", m.Status, m.Detail)
			}
		})
	}
}

func pack(t testing.TB, m *dns.Msg) []byte {
	t.Helper()
	b, err := m.Pack()
	if err != nil {
		t.Error(err)
	}
	return b
}

// serveRaw answers each query that arrives at pc with the datagrams of answer, until the test ends.
func serveRaw(t testing.TB, pc net.PacketConn, answer func(query *dns.Msg, from net.Addr) [][]byte) {
	t.Helper()
	done := make(chan struct{})
	t.Cleanup(func() {
		pc.Close()
		<-done
	})
	go func() {
		defer close(done)
		buf := make([]byte, 4096)
		for {
			n, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			query := new(dns.Msg)
			if err := query.Unpack(buf[:n]); err != nil {
				t.Errorf("query: %v", err)
				return
			}
			for _, b := range answer(query, from) {
				if _, err := pc.WriteTo(b, from); err != nil {
					return
				}
			}
		}
	}()
}

// serveStream answers from z over TCP alone.
func serveStream(t testing.TB, l net.Listener, z *zone) {
	t.Helper()
	started, done := make(chan struct{}), make(chan struct{})
	srv := &dns.Server{Listener: l, NotifyStartedFunc: func() { close(started) }, Handler: dns.HandlerFunc(
		func(w dns.ResponseWriter, query *dns.Msg) { _ = w.WriteMsg(z.answer(query, "tcp")) },
	)}
	go func() {
		defer close(done)
		if err := srv.ActivateAndServe(); err != nil {
			t.Errorf("DNS server: %v", err)
		}
	}()
	<-started
	t.Cleanup(func() {
		if err := srv.Shutdown(); err != nil {
			t.Errorf("stop DNS server: %v", err)
		}
		<-done
	})
}
