package smtp

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"
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

func TestRunTwoTransactionsInOneWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, conn := open(t, config(), func(p *peer) {
			p.hello("PIPELINING")
			p.expect(mailFrom, rcpt(ada), "RSET", mailFrom, rcpt(bob), "RSET")
			p.send("250 m1", "250 a", "250 r1", "250 m2", "550 5.1.1 b", "250 r2")
			p.bye()
		})
		var r recorder
		if err := s.Run(t.Context(), []Transaction{tx(ada), tx(bob)}, r.on); err != nil {
			t.Fatalf("Run() = %v", err)
		}
		r.want(t, "0/-1 250", "0/0 250", "1/-1 250", "1/0 550 5.1.1")
		if got := len(conn.written()); got != 2 {
			t.Errorf("%d writes, want 2: EHLO and one flight", got)
		}
		s.Quit()
	})
}

// One command at a time, by the server's word, by ours, or for one transaction; after a refused MAIL nobody is asked
// about and nothing reset.
func TestRunStepwise(t *testing.T) {
	for _, tt := range []stepwise{
		{name: "not offered"},
		{name: "not wanted", extensions: []string{"PIPELINING"}, unwanted: true},
		{name: "not this time", extensions: []string{"PIPELINING"}, stepwise: true},
	} {
		t.Run(tt.name, func(t *testing.T) { synctest.Test(t, tt.run) })
	}
}

// A stepwise is a reason to send one command at a time.
type stepwise struct {
	name       string
	extensions []string
	unwanted   bool
	stepwise   bool
}

func (c *stepwise) run(t *testing.T) {
	cfg := config()
	cfg.NoPipelining = c.unwanted
	s, _ := open(t, cfg, func(p *peer) {
		p.hello(c.extensions...)
		for _, turn := range [][2]string{
			{mailFrom, "451 4.7.1 later"},
			{mailFrom, "250 ok"},
			{rcpt(bob), "550 5.1.1 no"},
			{rcpt(eve), "250 ok"},
			{"RSET", "250 ok"},
		} {
			p.expect(turn[0])
			p.quiet(time.Second)
			p.send(turn[1])
		}
		p.bye()
	})
	var r recorder
	txs := []Transaction{tx(ada), tx(bob, eve)}
	txs[1].Stepwise = c.stepwise
	if err := s.Run(t.Context(), txs, r.on); err != nil {
		t.Fatalf("Run() = %v", err)
	}
	r.want(t, "0/-1 451 4.7.1", "1/-1 250", "1/0 550 5.1.1", "1/1 250")
	s.Quit()
}

// Whatever the server says to recipients that were under way after a refused MAIL is no evidence about them.
func TestRunMailRefused(t *testing.T) {
	for name, replies := range map[string][]string{
		"and RCPT too":           {"550 5.1.8 no such domain", "503 5.5.1 need MAIL", "503 5.5.1 need MAIL", "250 ok"},
		"and RCPT accepted":      {"451 4.3.0 later", "250 2.1.5 ok", "250 2.1.5 ok", "250 ok"},
		"and no such user":       {"554 5.7.1 blocked", "550 5.1.1 no such user", "550 5.1.1 no such user", "250 ok"},
		"and something about it": {"550-5.7.1 SPF", "550 5.7.1 fail", "250 ok", "452 4.5.3 many", "250 ok"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, _ := open(t, config(), func(p *peer) {
					p.hello("PIPELINING")
					p.expect(mailFrom, rcpt(ada), rcpt(bob), "RSET", mailFrom, rcpt(eve), "RSET")
					p.send(replies...)
					p.send("250 m", "250 e", "250 r")
					p.bye()
				})
				var r recorder
				if err := s.Run(t.Context(), []Transaction{tx(ada, bob), tx(eve)}, r.on); err != nil {
					t.Fatalf("Run() = %v", err)
				}
				if got := len(r.events); got != 3 || r.events[0].Rcpt != -1 || r.events[0].Reply.Positive() || r.events[2].Tx != 1 {
					t.Errorf("events = %q, want MAIL refused, then the second transaction", r.text())
				}
				s.Quit()
			})
		})
	}
}

// on is called as each reply comes, not when the flight is over.
func TestRunReportsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := open(t, config(), func(p *peer) {
			p.hello("PIPELINING")
			p.expect(mailFrom, rcpt(ada), rcpt(bob), "RSET")
			p.send("250 m", "250 a")
			time.Sleep(10 * time.Second)
			p.send("250 b", "250 r")
			p.bye()
		})
		start := time.Now()
		var at []time.Duration
		if err := s.Run(t.Context(), []Transaction{tx(ada, bob)}, func(Event) { at = append(at, time.Since(start)) }); err != nil {
			t.Fatal(err)
		}
		if want := []time.Duration{0, 0, 10 * time.Second}; !slices.Equal(at, want) {
			t.Errorf("events at %v, want %v", at, want)
		}
		s.Quit()
	})
}

func TestRunOctetByOctet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := open(t, config(), func(p *peer) {
			p.hello("PIPELINING")
			p.expect(mailFrom, rcpt(ada), rcpt(bob), "RSET")
			for _, octet := range []byte("250-2.1.0 m\r\n250 m\r\n250 2.1.5 a\r\n550-5.1.1 no\n550 5.1.1 b\r\n250 r\r\n") {
				p.raw(string(octet))
				time.Sleep(time.Millisecond)
			}
			p.bye()
		})
		var r recorder
		if err := s.Run(t.Context(), []Transaction{tx(ada, bob)}, r.on); err != nil {
			t.Fatal(err)
		}
		r.want(t, "0/-1 250 2.1.0", "0/0 250 2.1.5", "0/1 550 5.1.1")
		s.Quit()
	})
}

func TestRunSMTPUTF8(t *testing.T) {
	utf8 := Transaction{ReversePath: "ask@example.org", SMTPUTF8: true, Recipients: []string{"grüße@xn--bcher-kva.example"}}
	t.Run("offered", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s, _ := open(t, config(), func(p *peer) {
				p.hello("PIPELINING", "SMTPUTF8")
				p.expect(mailFrom+" SMTPUTF8", "RCPT TO:<grüße@xn--bcher-kva.example>", "RSET")
				p.send("250 m", "250 g", "250 r")
				p.expect(mailFrom, rcpt(ada), "RSET")
				p.send("250 m", "250 a", "250 r")
				p.bye()
			})
			for _, tx := range []Transaction{utf8, tx(ada)} {
				if err := s.Run(t.Context(), []Transaction{tx}, nil); err != nil {
					t.Errorf("Run() = %v", err)
				}
			}
			s.Quit()
		})
	})
	t.Run("not offered", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s, _ := open(t, config(), func(p *peer) { p.hello("PIPELINING", "8BITMIME"); p.bye() })
			if err := s.Run(t.Context(), []Transaction{tx(ada), utf8}, nil); !errors.Is(err, ErrNoSMTPUTF8) {
				t.Errorf("Run() = %v, want %v", err, ErrNoSMTPUTF8)
			}
			if err := s.Usable(); err != nil {
				t.Errorf("Usable() = %v, want nil: nothing was sent", err)
			}
			s.Quit()
		})
	})
}

func TestRunRefusesUnsafeArguments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := open(t, config(), func(p *peer) { p.hello("PIPELINING"); p.bye() })
		for name, bad := range map[string]struct {
			tx   Transaction
			want error
		}{
			"second command":    {tx(ada, "x@example.net>\r\nDATA"), ErrUnsafeArgument},
			"in the sender":     {Transaction{ReversePath: "a@b.example>\nDATA"}, ErrUnsafeArgument},
			"null reverse-path": {Transaction{Recipients: []string{ada}}, ErrNullReversePath},
			"empty recipient":   {tx(""), ErrUnsafeArgument},
		} {
			err := s.Run(t.Context(), []Transaction{tx(ada), bad.tx}, nil)
			if !errors.Is(err, bad.want) {
				t.Errorf("%s: Run() = %v, want %v", name, err, bad.want)
			}
		}
		if err := s.Run(t.Context(), nil, nil); err != nil {
			t.Errorf("Run() of nothing = %v", err)
		}
		if err := s.Usable(); err != nil {
			t.Errorf("Usable() = %v, want nil: nothing was sent", err)
		}
		s.Quit()
	})
}

func TestRunBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := open(t, config(), func(p *peer) {
			p.hello("PIPELINING")
			p.expect(mailFrom, "RSET")
			time.Sleep(5 * time.Second)
			p.send("250 m", "250 r")
			p.bye()
		})
		time.AfterFunc(time.Second, func() {
			if err := s.Usable(); !errors.Is(err, ErrBusy) {
				t.Errorf("Usable() = %v, want %v", err, ErrBusy)
			}
			if err := s.Run(t.Context(), []Transaction{tx(ada)}, nil); !errors.Is(err, ErrBusy) {
				t.Errorf("Run() = %v, want %v", err, ErrBusy)
			}
		})
		if err := s.Run(t.Context(), []Transaction{tx()}, nil); err != nil {
			t.Errorf("Run() = %v", err)
		}
		s.Quit()
	})
}
