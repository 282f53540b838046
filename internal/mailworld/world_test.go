package mailworld_test

import (
	"context"
	"net"
	"net/netip"
	"net/textproto"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/verimails/verimaild/internal/mailworld"
)

const (
	host   = "mx.example.test"
	domain = "example.test"
	sender = "probe@egress.test"
)

// spec is a world of one host and one domain.
func spec(change ...func(*mailworld.Host)) mailworld.Spec {
	h := mailworld.Host{Name: host}
	for _, f := range change {
		f(&h)
	}
	return mailworld.Spec{
		Hosts: []mailworld.Host{h},
		Domains: []mailworld.Domain{{
			Name: domain, MX: mailworld.MXs(host), Mailboxes: []string{"ada", "grace"},
		}},
	}
}

// start runs a world on sockets that is closed with the test.
func start(t *testing.T, s mailworld.Spec) *mailworld.World {
	t.Helper()
	w, err := mailworld.Start(s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// inMemory runs f in a bubble with a world in memory.
func inMemory(t *testing.T, s mailworld.Spec, f func(t *testing.T, w *mailworld.World)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w, err := mailworld.StartMemory(s)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { // Not in a Cleanup, which runs outside the bubble.
			if err := w.Close(); err != nil {
				t.Error(err)
			}
		}()
		f(t, w)
	})
}

// A peer is a client that says what it is told.
type peer struct {
	t    *testing.T
	conn net.Conn
	*textproto.Conn
}

// dial connects to the host from source n.
func dial(t *testing.T, w *mailworld.World, n int) *peer {
	t.Helper()
	c, err := w.Dial(t.Context(), netip.AddrPortFrom(w.SourceAddr(n), 0), w.HostAddr(host))
	if err != nil {
		t.Fatal(err)
	}
	return newPeer(t, c)
}

// patience bounds everything that a peer does.
const patience = time.Hour

func newPeer(t *testing.T, c net.Conn) *peer {
	t.Helper()
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return &peer{t, c, textproto.NewConn(c)}
}

// raw sends bytes.
func (p *peer) raw(s string) {
	p.t.Helper()
	if _, err := p.conn.Write([]byte(s)); err != nil {
		p.t.Fatalf("write %q: %v", s, err)
	}
}

// send sends lines in one write.
func (p *peer) send(lines ...string) {
	p.t.Helper()
	p.raw(strings.Join(lines, "\r\n") + "\r\n")
}

// want reads one reply, which must begin with each of the codes; it returns the text.
func (p *peer) want(codes ...int) string {
	p.t.Helper()
	text := ""
	for _, code := range codes {
		_, got, err := p.ReadResponse(code)
		if err != nil {
			p.t.Fatalf("reply: %v, want %d", err, code)
		}
		text = got
	}
	return text
}

// ask sends a line and reads the reply.
func (p *peer) ask(line string, code int) string {
	p.t.Helper()
	p.send(line)
	return p.want(code)
}

// hello reads the greeting and says EHLO.
func (p *peer) hello() string {
	p.t.Helper()
	p.want(220)
	return p.ask("EHLO client.egress.test", 250)
}

// begin is hello, and MAIL.
func (p *peer) begin() {
	p.t.Helper()
	p.hello()
	p.ask("MAIL FROM:<"+sender+">", 250)
}

// bye says QUIT and closes.
func (p *peer) bye() {
	p.t.Helper()
	p.ask("QUIT", 221)
	p.shut()
}

func (p *peer) shut() {
	p.t.Helper()
	if err := p.conn.Close(); err != nil {
		p.t.Fatal(err)
	}
}

func rcpt(local string) string { return "RCPT TO:<" + local + "@" + domain + ">" }

func TestDialogue(t *testing.T) {
	worlds := map[string]func(*testing.T, func(*testing.T, *mailworld.World)){
		"sockets": func(t *testing.T, f func(*testing.T, *mailworld.World)) { f(t, start(t, spec())) },
		"memory":  func(t *testing.T, f func(*testing.T, *mailworld.World)) { inMemory(t, spec(), f) },
		"memory with a round trip": func(t *testing.T, f func(*testing.T, *mailworld.World)) {
			s := spec()
			s.RTT = 80 * time.Millisecond
			inMemory(t, s, f)
		},
	}
	for name, run := range worlds {
		t.Run(name, func(t *testing.T) {
			run(t, func(t *testing.T, w *mailworld.World) {
				p := dial(t, w, 0)
				p.begin()
				p.send(rcpt("ada"), rcpt("nobody"), rcpt("GRACE"), "RSET")
				p.want(250, 550, 250, 250)
				p.bye()
				w.Check(t)
				if got, want := w.Recipients(host), []string{"ada@example.test", "nobody@example.test", "GRACE@example.test"}; !slices.Equal(got, want) {
					t.Errorf("Recipients(%q) = %q, want %q", host, got, want)
				}
				if got := w.Count(domain); got != 3 {
					t.Errorf("Count(%q) = %d, want 3", domain, got)
				}
			})
		})
	}
}

func TestRoundTrip(t *testing.T) {
	s := spec()
	s.RTT = 100 * time.Millisecond
	inMemory(t, s, func(t *testing.T, w *mailworld.World) {
		begin := time.Now()
		took := func(what string, trips int) {
			t.Helper()
			if got, want := time.Since(begin), time.Duration(trips)*s.RTT; got != want {
				t.Errorf("%s after %v, want %v", what, got, want)
			}
		}
		p := dial(t, w, 0)
		took("connected", 1)
		p.want(220)
		took("greeting", 2)
		p.ask("EHLO client.egress.test", 250)
		took("EHLO", 3)
		p.send("MAIL FROM:<"+sender+">", rcpt("ada"), rcpt("grace"), "RSET")
		p.want(250, 250, 250, 250)
		took("a flight", 4)
		p.bye()
		w.Check(t)
	})
}

func TestBlackHole(t *testing.T) {
	w := start(t, spec(func(h *mailworld.Host) { h.Network = mailworld.BlackHole }))
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if c, err := w.Dial(ctx, netip.AddrPort{}, w.HostAddr(host)); err == nil {
		_ = c.Close()
		t.Error("Dial of a black hole succeeded, want a timeout")
	}
}
