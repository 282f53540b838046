package mailworld_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"net/textproto"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/verimails/verimaild/internal/mailworld"
)

// settle waits for the sessions to end.
func settle(t *testing.T, w *mailworld.World) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := w.Settle(ctx); err != nil {
		t.Fatal(err)
	}
}

// TestSocketViolations holds what is seen over sockets to what is seen in memory, where it matters most.
func TestSocketViolations(t *testing.T) {
	tests := []dialogue{
		{"good manners", nil, "begin\n> " + rcpt("ada") + "\n> " + rcpt("x") + "\n> RSET\n< 250\n< 550\n< 250\n" + quit, nil},
		{"without QUIT", nil, "begin\nclose", []string{"without QUIT"}},
		{"after QUIT", nil, "hello\n> QUIT\n< 221\n> RSET\nclose", []string{"after QUIT"}},
		{"after 421", func(h *mailworld.Host) { h.Limits.Commands.N = 1 }, "hello\n> RSET\n< 421\n> RSET\nclose", []string{"after 421"}},
		{
			"pipelining", func(h *mailworld.Host) { h.Pipelining = mailworld.PipeliningOff },
			"hello\n> MAIL FROM:<p@a.test>\n> RSET\n< 250\n< 250\n" + quit,
			[]string{"without PIPELINING"},
		},
		{"RCPT in the flight of a refused MAIL", func(h *mailworld.Host) {
			h.Senders = map[string]mailworld.Reply{"*": mailworld.Say(550, "no")}
		}, "hello\n> MAIL FROM:<p@a.test>\n> " + rcpt("ada") + "\n< 550\n< 503\n" + quit, nil},
		{"RCPT after a refused MAIL", func(h *mailworld.Host) {
			h.Senders = map[string]mailworld.Reply{"*": mailworld.Say(550, "no")}
		}, "hello\n> MAIL FROM:<p@a.test>\n< 550\n> " + rcpt("ada") + "\n< 503\n" + quit, []string{"RCPT after a refused MAIL"}},
		{"the middle of a flight", func(h *mailworld.Host) {
			h.Glitches = []mailworld.Glitch{{On: "RCPT", Nth: 1, Do: mailworld.DoSay, Text: "421 4.7.0 enough\r\n"}}
		}, "begin\n> " + rcpt("ada") + "\n> " + rcpt("x") + "\n> RSET\n< 421\n< EOF\nclose", nil},
		{"a close", func(h *mailworld.Host) { h.Network = mailworld.CloseOnAccept }, "< EOF\nclose", nil},
	}
	for _, tt := range tests {
		for _, rtt := range []time.Duration{0, 4 * time.Millisecond} {
			t.Run(fmt.Sprintf("%s, round trip %v", tt.name, rtt), func(t *testing.T) {
				t.Parallel()
				s := spec()
				if tt.host != nil {
					s = spec(tt.host)
				}
				s.RTT = rtt
				w := start(t, s)
				dial(t, w, 0).play(tt.script)
				settle(t, w)
				wantViolations(t, w, tt.violations)
			})
		}
	}
}

func TestSocketRoundTrip(t *testing.T) {
	s := spec()
	s.RTT = 50 * time.Millisecond
	w := start(t, s)
	begin := time.Now()
	p := dial(t, w, 0)
	p.begin()
	p.send(rcpt("ada"), rcpt("x"), "RSET")
	p.want(250, 550, 250)
	if got := time.Since(begin); got < 5*s.RTT || got > 15*s.RTT {
		t.Errorf("a session of 5 round trips took %v, want about %v", got, 5*s.RTT)
	}
	p.bye()
	settle(t, w)
	w.Check(t)
}

func TestNetworks(t *testing.T) {
	connect := func(t *testing.T, w *mailworld.World) error {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		c, err := w.Dial(ctx, netip.AddrPort{}, w.HostAddr(host))
		if err == nil {
			err = c.Close()
		}
		return err
	}
	timedOut := func(err error) bool {
		var t interface{ Timeout() bool }
		return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &t) && t.Timeout()
	}
	refused := func(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }
	fine := func(err error) bool { return err == nil }
	steps := []struct {
		network mailworld.Network
		want    func(error) bool
	}{
		{mailworld.RefuseConnect, refused},
		{mailworld.BlackHole, timedOut},
		{mailworld.Mute, fine},
		{mailworld.BlackHole, timedOut},
		{mailworld.RefuseConnect, refused},
		{mailworld.Listening, fine},
	}
	play := func(t *testing.T, w *mailworld.World) {
		for _, step := range steps {
			if err := w.Change(host, func(h *mailworld.Host) { h.Network = step.network }); err != nil {
				t.Fatal(err)
			}
			if err := connect(t, w); !step.want(err) {
				t.Errorf("network %d: Dial() = %v", step.network, err)
			}
		}
	}
	t.Run("sockets", func(t *testing.T) { play(t, start(t, spec())) })
	t.Run("memory", func(t *testing.T) { inMemory(t, spec(), play) })
}

// TestWorldsBesideEachOther runs many worlds at once.
func TestWorldsBesideEachOther(t *testing.T) {
	worlds := make(map[string]bool)
	for range 20 {
		w := start(t, spec())
		if worlds[w.DNSAddr()] {
			t.Errorf("%s was given twice", w.DNSAddr())
		}
		worlds[w.DNSAddr()] = true
		dial(t, w, 3).play("begin\n> " + rcpt("ada") + "\n< 250\n" + quit)
		if got := w.Sessions("")[0].Source.Addr(); got != w.SourceAddr(3) {
			t.Errorf("source = %v, want %v", got, w.SourceAddr(3))
		}
	}
}

// TestMany runs many sessions at once.
func TestMany(t *testing.T) {
	const clients, rounds = 20, 5
	for _, rtt := range []time.Duration{0, 2 * time.Millisecond} {
		s := spec()
		s.RTT = rtt
		w := start(t, s)
		var all sync.WaitGroup
		for n := range clients {
			all.Go(func() {
				for range rounds {
					if err := probe(t.Context(), w, n); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		settle(t, w)
		w.Check(t)
		got := w.Counts()
		if want := clients * rounds; got.Sessions != want || got.Open != 0 || got.Commands["RCPT"] != 2*want || w.Count(domain) != 2*want {
			t.Errorf("Counts() = %+v, Count() = %d, want %d sessions, none open, twice as many RCPT", got, w.Count(domain), want)
		}
	}
}

// probe is one session of source n with a known and an unknown recipient.
func probe(ctx context.Context, w *mailworld.World, n int) error {
	c, err := w.Dial(ctx, netip.AddrPortFrom(w.SourceAddr(n), 0), w.HostAddr(host))
	if err != nil {
		return err
	}
	conn := textproto.NewConn(c)
	for _, step := range []struct {
		line  string
		codes []int
	}{
		{"", []int{220}},
		{"EHLO client.egress.test", []int{250}},
		{"MAIL FROM:<" + sender + ">\r\n" + rcpt("ada") + "\r\n" + rcpt("x") + "\r\nRSET", []int{250, 250, 550, 250}},
		{"QUIT", []int{221}},
	} {
		if step.line != "" {
			if err := conn.PrintfLine("%s", step.line); err != nil {
				return errors.Join(err, conn.Close())
			}
		}
		for _, code := range step.codes {
			if _, _, err := conn.ReadResponse(code); err != nil {
				return errors.Join(err, conn.Close())
			}
		}
	}
	return conn.Close()
}

// TestCloseUnderSessions closes a world whose sessions are open.
func TestCloseUnderSessions(t *testing.T) {
	for _, rtt := range []time.Duration{0, 2 * time.Millisecond} {
		s := spec()
		s.RTT = rtt
		w := start(t, s)
		left := dial(t, w, 0)
		left.begin()
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		if _, err := left.conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("Read() after the end of the world = %v, want the end", err)
		}
		left.shut()
		w.Check(t)
	}
}

func TestCountersOnly(t *testing.T) {
	s := spec()
	s.CountersOnly = true
	w := start(t, s)
	dial(t, w, 0).play("begin\n> " + rcpt("ada") + "\n< 250\n> DATA\n< 502\n" + quit)
	ask(t, w, domain, dns.TypeMX)
	settle(t, w)
	if len(w.Sessions("")) != 0 || len(w.Commands("")) != 0 || len(w.Queries("")) != 0 {
		t.Error("something was kept besides counters")
	}
	if got := w.Counts(); got.Sessions != 1 || got.Queries != 1 || got.Commands["MAIL"] != 1 || w.Count(domain) != 1 {
		t.Errorf("Counts() = %+v, Count() = %d, want one of each", got, w.Count(domain))
	}
	wantViolations(t, w, []string{"DATA"})
}
