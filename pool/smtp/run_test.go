package smtp

import (
	"slices"
	"testing"
	"testing/synctest"
)

func TestRunOneWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, conn := open(t, config(), func(p *peer) {
			p.hello("PIPELINING", "ENHANCEDSTATUSCODES")
			for range 2 {
				p.expect(mailFrom, rcpt(ada), rcpt(bob), rcpt(eve), "RSET")
				p.send("250 2.1.0 Ok", "250 2.1.5 Ok", "250 2.1.5 Ok", "250 2.1.5 Ok", "250 2.0.0 Ok")
			}
			p.bye()
		})
		before := len(conn.written())
		for range 2 {
			var r recorder
			if err := s.Run(t.Context(), []Transaction{tx(ada, bob, eve)}, r.on); err != nil {
				t.Fatalf("Run() = %v", err)
			}
			r.want(t, "0/-1 250 2.1.0", "0/0 250 2.1.5", "0/1 250 2.1.5", "0/2 250 2.1.5")
			if err := s.Usable(); err != nil {
				t.Errorf("Usable() = %v, want nil", err)
			}
		}
		s.Quit()
		got := conn.written()[before:]
		flight := mailFrom + "\r\n" + rcpt(ada) + "\r\n" + rcpt(bob) + "\r\n" + rcpt(eve) + "\r\nRSET\r\n"
		if want := []string{flight, flight, "QUIT\r\n"}; !slices.Equal(got, want) {
			t.Errorf("writes = %q, want %q", got, want)
		}
		if got := asError(t, s.Err()).Kind; got != KindClosed {
			t.Errorf("Err().Kind = %q, want %q", got, KindClosed)
		}
	})
}
