package smtp

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestIdleSessionNotices(t *testing.T) {
	for _, tt := range []farewellCase{
		{name: "421 and FIN", tell: func(p *peer) { p.send("421 4.4.2 idle"); _ = p.conn.Close() }, kind: KindReply, reply: "421 4.4.2 idle"},
		{name: "421", tell: func(p *peer) { p.send("421-4.4.2 idle", "421 4.4.2 bye") }, kind: KindReply, reply: "421 4.4.2 idle bye"},
		{name: "421 in two pieces", tell: func(p *peer) { p.raw("42"); time.Sleep(500 * time.Millisecond); p.raw("1 bye\r\n") }, kind: KindReply, reply: "421 bye", after: 500 * time.Millisecond},
		{name: "half a reply", tell: func(p *peer) { p.raw("42") }, kind: KindProtocol, doubtful: true, quits: true, after: time.Second},
		{name: "FIN", tell: func(p *peer) { _ = p.conn.Close() }, kind: KindDisconnected},
		{name: "RST", tell: func(p *peer) { p.conn.(*memConn).reset() }, kind: KindDisconnected},
		{name: "451 4.4.2", tell: func(p *peer) { p.send("451 4.4.2 Timeout - closing connection") }, kind: KindReply, reply: "451 4.4.2 Timeout - closing connection"},
		{name: "221", tell: func(p *peer) { p.send("221 bye") }, kind: KindReply, reply: "221 bye"},
		{name: "another reply", tell: func(p *peer) { p.send("250 ok") }, kind: KindProtocol, reply: "250 ok", doubtful: true, quits: true},
		{name: "no reply", tell: func(p *peer) { p.send("hello?") }, kind: KindProtocol, doubtful: true, quits: true},
	} {
		t.Run(tt.name, func(t *testing.T) { synctest.Test(t, tt.run) })
	}
}

// A farewellCase is something that a server does to an idle session.
type farewellCase struct {
	name     string
	tell     func(p *peer)
	kind     Kind
	reply    string
	doubtful bool
	quits    bool
	after    time.Duration // From the telling to the end.
}

func (c *farewellCase) run(t *testing.T) {
	s, conn := open(t, config(), func(p *peer) {
		p.hello("PIPELINING")
		p.expect(mailFrom, rcpt(ada), "RSET")
		p.send("250 ok", "250 ok", "250 ok")
		time.Sleep(10 * time.Second)
		c.tell(p)
		if c.quits {
			p.expect("QUIT")
		}
		p.gone()
	})
	if err := s.Run(t.Context(), []Transaction{tx(ada)}, nil); err != nil {
		t.Fatal(err)
	}
	told := time.Now().Add(10 * time.Second)
	<-s.Done()
	if got := time.Since(told); got != c.after {
		t.Errorf("Done after %v, want %v", got, c.after)
	}
	e := asError(t, s.Err())
	if e.Stage != "" || e.Kind != c.kind || e.Reply.String() != c.reply || e.Doubtful != c.doubtful || e.Sent {
		t.Errorf("Err() = %+v, want %v, %q, doubtful %v", e, c.kind, c.reply, c.doubtful)
	}
	wantDead(t, s, conn)
	s.Quit()
}

// What the reader has not finished reading makes the session unusable all the same.
func TestUnreadOctetsMakeUnusable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := open(t, config(), func(p *peer) {
			p.hello("PIPELINING")
			time.Sleep(time.Second)
			p.raw("4")
			p.expect("QUIT")
		})
		time.Sleep(1500 * time.Millisecond)
		if s.Err() != nil {
			t.Fatalf("Err() = %v before the reply was whole", s.Err())
		}
		if e := asError(t, s.Usable()); e.Kind != KindProtocol {
			t.Errorf("Usable() = %v, want %v", e, KindProtocol)
		}
		if err := s.Run(t.Context(), []Transaction{tx(ada)}, nil); asError(t, err).Sent {
			t.Errorf("Run() = %v, want nothing sent", err)
		}
		s.Quit()
	})
}

func TestQuit(t *testing.T) {
	for _, tt := range []struct {
		name   string
		script func(p *peer)
		took   time.Duration
	}{
		{"answered", func(p *peer) { p.bye() }, 0},
		{"answered late", func(p *peer) { p.expect("QUIT"); time.Sleep(300 * time.Millisecond); p.send("221 bye") }, 300 * time.Millisecond},
		{"not answered", func(p *peer) { p.expect("QUIT"); p.gone() }, time.Second},
		{"closed unanswered", func(p *peer) { p.expect("QUIT"); _ = p.conn.Close() }, 0},
		{"refused", func(p *peer) { p.expect("QUIT"); p.send("502 5.5.1 no") }, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, _ := open(t, config(), func(p *peer) { p.hello(); tt.script(p) })
				start := time.Now()
				s.Quit()
				if got := time.Since(start); got != tt.took {
					t.Errorf("Quit took %v, want %v", got, tt.took)
				}
				if e := asError(t, s.Err()); e.Kind != KindClosed {
					t.Errorf("Err() = %v, want %v", e, KindClosed)
				}
				s.Quit()
				s.Close()
			})
		})
	}
}

// A server that reads nothing cannot hold Quit up.
func TestQuitToADeafServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn := serveWindow(t, 64, func(p *peer) {
			p.hello()
			time.Sleep(time.Minute)
		})
		s, err := Open(t.Context(), conn, config())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write(make([]byte, 64)); err != nil { // Fills the window.
			t.Fatal(err)
		}
		start := time.Now()
		s.Quit()
		if got := time.Since(start); got != time.Second {
			t.Errorf("Quit took %v, want 1s", got)
		}
	})
}

func TestCloseSendsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := open(t, config(), func(p *peer) { p.hello(); p.gone() })
		s.Close()
		if e := asError(t, s.Err()); e.Kind != KindClosed {
			t.Errorf("Err() = %v, want %v", e, KindClosed)
		}
		if e := asError(t, s.Run(context.Background(), []Transaction{tx(ada)}, nil)); e.Kind != KindClosed || e.Sent {
			t.Errorf("Run() after Close = %v, want %v and nothing sent", e, KindClosed)
		}
		s.Close()
		s.Quit()
	})
}

func TestCloseDuringRun(t *testing.T) {
	for name, end := range map[string]func(*Session){"Close": (*Session).Close, "Quit": (*Session).Quit} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, _ := open(t, config(), func(p *peer) {
					p.hello("PIPELINING")
					p.expect(mailFrom, rcpt(ada), "RSET")
					p.gone()
				})
				time.AfterFunc(time.Second, func() { end(s) })
				err := s.Run(t.Context(), []Transaction{tx(ada)}, nil)
				if e := asError(t, err); e.Kind != KindClosed || e.Stage != StageMAIL || !e.Sent {
					t.Errorf("Run() = %v, sent %v, want %v at %v, sent", e, e.Sent, KindClosed, StageMAIL)
				}
			})
		})
	}
}

func TestIdleSessionHasNoDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := open(t, config(), func(p *peer) {
			p.hello("PIPELINING")
			for range 2 {
				p.expect(mailFrom, rcpt(ada), "RSET")
				p.send("250 ok", "250 ok", "250 ok")
			}
			p.bye()
		})
		for range 2 {
			time.Sleep(time.Hour)
			if err := s.Usable(); err != nil {
				t.Fatalf("Usable() after an hour = %v", err)
			}
			if err := s.Run(t.Context(), []Transaction{tx(ada)}, nil); err != nil {
				t.Fatalf("Run() after an hour = %v", err)
			}
		}
		s.Quit()
	})
}
