package smtp

import (
	"bufio"
	"net"
	"sync"
	"testing"
)

// Over TCP, a reset of an idle session is noticed, and so is a FIN.
func TestOverTCP(t *testing.T) {
	for name, linger := range map[string]int{"FIN": -1, "RST": 0} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			var wg sync.WaitGroup
			t.Cleanup(wg.Wait)
			t.Cleanup(func() { _ = l.Close() })
			wg.Go(func() {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				p := &peer{t: t, conn: conn, in: bufio.NewReader(conn)}
				p.hello("PIPELINING")
				p.expect(mailFrom, rcpt(ada), "RSET")
				p.send("250 m", "550 5.1.1 a", "250 r")
				_ = conn.(*net.TCPConn).SetLinger(linger)
				_ = conn.Close()
			})

			conn, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			s, err := Open(t.Context(), conn, config())
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Run(t.Context(), []Transaction{tx(ada)}, nil); err != nil && linger < 0 {
				t.Errorf("Run() = %v", err) // An RST may overtake the replies.
			}
			<-s.Done()
			if e := asError(t, s.Err()); e.Kind != KindDisconnected || e.Doubtful {
				t.Errorf("Err() = %v, want %v", e, KindDisconnected)
			}
			s.Quit()
		})
	}
}
