package smtp

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Postfix slows down by a second per reply after ten errors. That is waited out: the clock starts anew each time.
func TestRunTarpit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := open(t, config(), func(p *peer) {
			p.hello("PIPELINING")
			p.expect(mailFrom, rcpt(ada), rcpt(bob), rcpt(eve), "RSET")
			p.send("250 m")
			for i, reply := range []string{"250 a", "550 b", "550 e"} {
				time.Sleep(time.Duration(40+i) * time.Second)
				p.send(reply)
			}
			p.send("250 r")
			p.bye()
		})
		start := time.Now()
		var r recorder
		if err := s.Run(t.Context(), []Transaction{tx(ada, bob, eve)}, r.on); err != nil {
			t.Fatalf("Run() = %v", err)
		}
		r.want(t, "0/-1 250", "0/0 250", "0/1 550", "0/2 550")
		for i, want := range []time.Duration{0, 40 * time.Second, 81 * time.Second, 123 * time.Second} {
			e := r.events[i]
			if e.Reply.Took != want || e.Reply.At.Sub(start) != want || !e.SentAt.Equal(start) {
				t.Errorf("event %d: Took = %v, At = +%v, SentAt = +%v, want %v, +%v, +0s",
					i, e.Reply.Took, e.Reply.At.Sub(start), e.SentAt.Sub(start), want, want)
			}
		}
		s.Quit()
	})
}

// A server that does not read before it has written 256 KiB, over windows of 1 KiB, meets a client that writes 100
// recipients: neither waits for the other for ever.
func TestRunNoDeadlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn := serveWindow(t, 1<<10, func(p *peer) {
			p.hello("PIPELINING")
			long := "250-" + strings.Repeat("x", 2990) + "\r\n250 ok\r\n"
			p.expect(mailFrom) // As much as shows that the flight has begun.
			for range 101 {
				p.raw(long)
			}
			for range 100 {
				p.next()
			}
			p.expect("RSET")
			p.send("250 r")
			p.bye()
		})
		s, err := Open(t.Context(), conn, config())
		if err != nil {
			t.Fatal(err)
		}
		recipients := slices.Repeat([]string{strings.Repeat("a", 60) + "@example.net"}, 100)
		var r recorder
		if err := s.Run(t.Context(), []Transaction{tx(recipients...)}, r.on); err != nil {
			t.Errorf("Run() = %v", err)
		}
		if got := len(r.events); got != 101 {
			t.Errorf("%d events, want 101", got)
		}
		s.Quit()
	})
}

// A server that does not read is given up like one that does not answer, also if it answers without reading. There is
// no QUIT: it would be read as the rest of a RCPT.
func TestRunDeafServer(t *testing.T) {
	for _, tt := range []deafServer{
		{"silent", 0, StageMAIL, KindTimeout, false, 30 * time.Second},
		{"answers all but RSET", 101, StageRSET, KindTimeout, true, 20 * time.Second},
		{"answers it all", 102, "", KindProtocol, true, 30 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) { synctest.Test(t, tt.run) })
	}
}

// A deafServer answers a flight of 102 commands without reading it.
type deafServer struct {
	name     string
	replies  int
	stage    Stage
	kind     Kind
	doubtful bool
	took     time.Duration
}

func (d *deafServer) run(t *testing.T) {
	conn := serveWindow(t, 1<<10, func(p *peer) {
		p.hello("PIPELINING")
		time.Sleep(time.Second)
		p.raw(strings.Repeat("250 ok\r\n", d.replies))
		time.Sleep(time.Hour)
	})
	s, err := Open(t.Context(), conn, config())
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Second - 1)
	start := time.Now()
	recipients := slices.Repeat([]string{strings.Repeat("a", 60) + "@example.net"}, 100)
	e := asError(t, s.Run(t.Context(), []Transaction{tx(recipients...)}, nil))
	if e.Stage != d.stage || e.Kind != d.kind || e.Doubtful != d.doubtful || !e.Sent {
		t.Errorf("Run() = %+v, want %v at %q, doubtful %v, sent", e, d.kind, d.stage, d.doubtful)
	}
	if got := time.Since(start).Round(time.Millisecond); got != d.took {
		t.Errorf("Run took %v, want %v", got, d.took)
	}
	s.Quit()
	if got := conn.written(); strings.HasPrefix(got[len(got)-1], "QUIT") {
		t.Error("QUIT was written behind half a command")
	}
}
