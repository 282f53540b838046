package smtp

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if os.Getenv(sinkVariable) != "" {
		if err := sink(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// A peer is a scripted server at the other end of a pipe. Its script runs in a goroutine of its own.
type peer struct {
	t    testing.TB
	conn net.Conn
	in   *bufio.Reader

	mu  sync.Mutex
	got []string // The commands read.
}

// send writes lines, each with CRLF, in one segment.
func (p *peer) send(lines ...string) {
	p.raw(strings.Join(lines, "\r\n") + "\r\n")
}

// raw writes octets as they are. A client that has gone is not the script's business.
func (p *peer) raw(octets string) { _, _ = p.conn.Write([]byte(octets)) }

// next is the next command; "" if the client has gone.
func (p *peer) next() string {
	line, err := p.in.ReadString('\n')
	if err != nil {
		return ""
	}
	line, ok := strings.CutSuffix(line, "\r\n")
	if !ok {
		p.t.Errorf("client sent %q without CRLF", line)
	}
	p.mu.Lock()
	p.got = append(p.got, line)
	p.mu.Unlock()
	return line
}

// expect reads commands and compares them.
func (p *peer) expect(want ...string) {
	p.t.Helper()
	for _, w := range want {
		if got := p.next(); got != w {
			p.t.Errorf("server read %q, want %q", got, w)
		}
	}
}

// quiet fails if the client says anything for d.
func (p *peer) quiet(d time.Duration) {
	p.t.Helper()
	_ = p.conn.SetReadDeadline(time.Now().Add(d))
	if b, err := p.in.Peek(1); err == nil {
		p.t.Errorf("client sent %q, want silence", b)
	}
	_ = p.conn.SetReadDeadline(time.Time{})
}

// hello greets and answers EHLO with the extensions.
func (p *peer) hello(extensions ...string) {
	p.t.Helper()
	p.send("220 mx.example.net ESMTP")
	p.ehlo(extensions...)
}

// ehlo answers EHLO with the extensions.
func (p *peer) ehlo(extensions ...string) {
	p.t.Helper()
	p.expect("EHLO probe.example.org")
	lines := append([]string{"mx.example.net"}, extensions...)
	for i, l := range lines {
		sep := "-"
		if i == len(lines)-1 {
			sep = " "
		}
		lines[i] = "250" + sep + l
	}
	p.send(lines...)
}

// bye answers QUIT and closes.
func (p *peer) bye() {
	p.t.Helper()
	p.expect("QUIT")
	p.send("221 2.0.0 Bye")
	_ = p.conn.Close()
}

// gone waits until the client has closed without another word.
func (p *peer) gone() {
	p.t.Helper()
	if got := p.next(); got != "" {
		p.t.Errorf("server read %q, want the end of the connection", got)
	}
}

// checkManners holds every scenario to what must never be sent: a verb that we do not use, or anything after QUIT. That
// nothing follows a 421 is for the scripts to check, by gone: only they know what was under way.
func (p *peer) checkManners() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, line := range p.got {
		verb, _, _ := strings.Cut(line, " ")
		if !slices.Contains([]string{"EHLO", "HELO", "STARTTLS", "MAIL", "RCPT", "RSET", "QUIT"}, verb) {
			p.t.Errorf("client sent %q, which it must never do", line)
		}
		if i > 0 && p.got[i-1] == "QUIT" {
			p.t.Errorf("client sent %q after QUIT", line)
		}
	}
}

// serve starts script at the far end of a pipe and returns the near end.
func serve(t testing.TB, script func(p *peer)) *memConn {
	t.Helper()
	return serveWindow(t, 64<<10, script)
}

func serveWindow(t testing.TB, window int, script func(p *peer)) *memConn {
	t.Helper()
	client, server := pipe(t, window)
	client.record = true
	p := &peer{t: t, conn: server, in: bufio.NewReader(server)}
	var wg sync.WaitGroup
	wg.Go(func() { script(p) })
	t.Cleanup(func() {
		_ = client.Close()
		wg.Wait()
		p.checkManners()
	})
	return client
}

// config is the Config that the scripts expect.
func config() Config {
	return Config{LocalName: "probe.example.org", ServerName: "mx.example.net"}
}

// open opens a session with a script, and ends it with the test.
func open(t testing.TB, cfg Config, script func(p *peer)) (*Session, *memConn) {
	t.Helper()
	conn := serve(t, script)
	s, err := Open(context.Background(), conn, cfg)
	if err != nil {
		t.Fatalf("Open() = %v", err)
	}
	t.Cleanup(s.Close)
	return s, conn
}

// failOpen opens a session that must fail.
func failOpen(t testing.TB, cfg Config, script func(p *peer)) *Error {
	t.Helper()
	s, err := Open(context.Background(), serve(t, script), cfg)
	if err == nil {
		s.Close()
		t.Fatalf("Open() = nil error")
	}
	return asError(t, err)
}

func asError(t testing.TB, err error) *Error {
	t.Helper()
	e, ok := errors.AsType[*Error](err)
	if !ok {
		t.Fatalf("error = %v, want an *Error", err)
	}
	return e
}

// tx is a transaction from the usual sender.
func tx(recipients ...string) Transaction {
	return Transaction{ReversePath: "ask@example.org", Recipients: recipients}
}

// A recorder collects events as text: "0/-1 250", "0/0 550 5.1.1".
type recorder struct {
	events []Event
}

func (r *recorder) on(e Event) { r.events = append(r.events, e) }

func (r *recorder) text() []string {
	var out []string
	for _, e := range r.events {
		s := fmt.Sprintf("%d/%d %d", e.Tx, e.Rcpt, e.Reply.Code)
		if c := e.Reply.Enhanced.String(); c != "" {
			s += " " + c
		}
		out = append(out, s)
	}
	return out
}

func (r *recorder) want(t testing.TB, want ...string) {
	t.Helper()
	if got := r.text(); !slices.Equal(got, want) {
		t.Errorf("events = %q, want %q", got, want)
	}
}

const (
	mailFrom = "MAIL FROM:<ask@example.org>"
	ada      = "ada@example.net"
	bob      = "bob@example.net"
	eve      = "eve@example.net"
)

func rcpt(path string) string { return "RCPT TO:<" + path + ">" }
