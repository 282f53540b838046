package smtp

import (
	"context"
	"errors"
	"slices"
	"strings"
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
		got := s.Stats()
		if got.Transactions != 2 || got.Recipients != 2 || got.Refusals != 1 || got.Flights != 2 {
			t.Errorf("Stats() = %+v, want 2 transactions, 2 recipients, 1 refusal, 2 flights", got)
		}
		s.Quit()
	})
}

// One command at a time, by the server's word, by ours, or for one transaction; after a refused MAIL nobody is asked
// about and nothing reset.
func TestRunStepwise(t *testing.T) {
	for _, tt := range []struct {
		name       string
		extensions []string
		cfg        func(*Config)
		stepwise   bool
	}{
		{name: "not offered"},
		{name: "not wanted", extensions: []string{"PIPELINING"}, cfg: func(c *Config) { c.NoPipelining = true }},
		{name: "not this time", extensions: []string{"PIPELINING"}, stepwise: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := config()
				if tt.cfg != nil {
					tt.cfg(&cfg)
				}
				s, _ := open(t, cfg, func(p *peer) {
					p.hello(tt.extensions...)
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
				txs[1].Stepwise = tt.stepwise
				if err := s.Run(t.Context(), txs, r.on); err != nil {
					t.Fatalf("Run() = %v", err)
				}
				r.want(t, "0/-1 451 4.7.1", "1/-1 250", "1/0 550 5.1.1", "1/1 250")
				if got := s.Stats(); got.Transactions != 2 || got.Recipients != 2 || got.Flights != 6 {
					t.Errorf("Stats() = %+v, want 2 transactions, 2 recipients, 6 flights", got)
				}
				s.Quit()
			})
		})
	}
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

// A dead session: what was answered keeps its answer, what was not has none, and the error says whether that can be
// relied on.
func TestRunSessionDies(t *testing.T) {
	for _, tt := range []struct {
		name     string
		stepwise bool
		script   func(p *peer) // From the flight on: MAIL, ada, bob, RSET have been read, or MAIL if stepwise.
		events   []string
		stage    Stage
		kind     Kind
		reply    string
		doubtful bool
		took     time.Duration
	}{
		{
			name:   "closed in the middle",
			script: func(p *peer) { p.send("250 m", "250 a"); _ = p.conn.Close() },
			events: []string{"0/-1 250", "0/0 250"}, stage: StageRCPT, kind: KindDisconnected,
		},
		{
			name:   "reset before the first reply",
			script: func(p *peer) { p.conn.(*memConn).reset() },
			stage:  StageMAIL, kind: KindDisconnected,
		},
		{
			name:   "closed within a reply",
			script: func(p *peer) { p.send("250 m", "250 a"); p.raw("250 b"); _ = p.conn.Close() },
			events: []string{"0/-1 250", "0/0 250"}, stage: StageRCPT, kind: KindDisconnected,
		},
		{
			name:   "421 for the second recipient",
			script: func(p *peer) { p.send("250 m", "250 a", "421 4.7.0 enough"); p.gone() },
			events: []string{"0/-1 250", "0/0 250", "0/1 421 4.7.0"}, stage: StageRCPT, kind: KindReply, reply: "421 4.7.0 enough",
		},
		{
			name:   "421 for MAIL, with what was under way answered",
			script: func(p *peer) { p.send("421 4.7.0 enough", "250 a", "250 b", "250 r"); p.gone() },
			events: []string{"0/-1 421 4.7.0"}, stage: StageMAIL, kind: KindReply, reply: "421 4.7.0 enough",
		},
		{
			name:   "421 for RSET",
			script: func(p *peer) { p.send("250 m", "250 a", "250 b", "421 4.4.5 full"); p.gone() },
			events: []string{"0/-1 250", "0/0 250", "0/1 250"}, stage: StageRSET, kind: KindReply, reply: "421 4.4.5 full",
		},
		{
			name:   "421 for a recipient after a refused MAIL",
			script: func(p *peer) { p.send("550 m", "421 enough"); p.gone() },
			events: []string{"0/-1 550"}, stage: StageRCPT, kind: KindReply, reply: "421 enough",
		},
		{
			name:   "221 for a recipient",
			script: func(p *peer) { p.send("250 m", "250 a", "221 bye"); p.gone() },
			events: []string{"0/-1 250", "0/0 250"}, stage: StageRCPT, kind: KindReply, reply: "221 bye",
		},
		{
			name:   "RSET refused",
			script: func(p *peer) { p.send("250 m", "250 a", "250 b", "503 5.5.1 no"); p.expect("QUIT"); p.gone() },
			events: []string{"0/-1 250", "0/0 250", "0/1 250"}, stage: StageRSET, kind: KindReply, reply: "503 5.5.1 no",
		},
		{
			name:   "RSET too often",
			script: func(p *peer) { p.send("250 m", "250 a", "250 b", "554 too many nonmail commands"); _ = p.conn.Close() },
			events: []string{"0/-1 250", "0/0 250", "0/1 250"}, stage: StageRSET, kind: KindReply, reply: "554 too many nonmail commands",
		},
		{
			name:   "RSET gets a recipient's reply",
			script: func(p *peer) { p.send("250 m", "250 a", "250 a", "550 5.1.1 b"); p.expect("QUIT") },
			events: []string{"0/-1 250", "0/0 250", "0/1 250"}, stage: StageRSET, kind: KindProtocol, reply: "550 5.1.1 b", doubtful: true,
		},
		{
			name:     "RSET refused with a mailbox's code, stepwise",
			stepwise: true,
			script: func(p *peer) {
				p.send("250 m")
				p.expect(rcpt(ada))
				p.send("250 a")
				p.expect(rcpt(bob))
				p.send("250 b")
				p.expect("RSET")
				p.send("550 no")
				p.expect("QUIT")
			},
			events: []string{"0/-1 250", "0/0 250", "0/1 250"}, stage: StageRSET, kind: KindReply, reply: "550 no",
		},
		{
			name:   "one reply too many",
			script: func(p *peer) { p.send("250 m", "250 a", "250 a", "250 b", "250 r"); p.expect("QUIT") },
			events: []string{"0/-1 250", "0/0 250", "0/1 250"}, stage: "", kind: KindProtocol, reply: "250 r", doubtful: true,
		},
		{
			name:     "one reply too many, stepwise",
			stepwise: true,
			script:   func(p *peer) { p.send("250 m", "250 m"); p.expect("QUIT") },
			events:   []string{"0/-1 250"}, stage: "", kind: KindProtocol, reply: "250 m", doubtful: true,
		},
		{
			name:   "one reply too few",
			script: func(p *peer) { p.send("250 m", "250 a", "250 r"); p.expect("QUIT") },
			events: []string{"0/-1 250", "0/0 250", "0/1 250"}, stage: StageRSET, kind: KindTimeout, doubtful: true, took: 20 * time.Second,
		},
		{
			name:   "only the first command answered",
			script: func(p *peer) { p.send("250 m"); p.expect("QUIT") },
			events: []string{"0/-1 250"}, stage: StageRCPT, kind: KindTimeout, took: 60 * time.Second,
		},
		{
			name:   "no command answered",
			script: func(p *peer) { p.expect("QUIT") },
			stage:  StageMAIL, kind: KindTimeout, took: 30 * time.Second,
		},
		{
			name:     "recipient not answered, stepwise",
			stepwise: true,
			script: func(p *peer) {
				p.send("250 m")
				p.expect(rcpt(ada))
				p.send("250 a")
				p.expect(rcpt(bob), "QUIT")
			},
			events: []string{"0/-1 250", "0/0 250"}, stage: StageRCPT, kind: KindTimeout, took: 60 * time.Second,
		},
		{
			name:   "two codes in one reply",
			script: func(p *peer) { p.send("250 m", "250-a", "550 b"); p.expect("QUIT") },
			events: []string{"0/-1 250"}, stage: StageRCPT, kind: KindProtocol,
		},
		{
			name:   "no reply at all",
			script: func(p *peer) { p.send("250 m", "250 a", "warning: disk full", "250 b", "250 r"); p.expect("QUIT") },
			events: []string{"0/-1 250", "0/0 250"}, stage: StageRCPT, kind: KindProtocol,
		},
		{
			name:   "3yz",
			script: func(p *peer) { p.send("250 m", "354 go ahead"); p.expect("QUIT") },
			events: []string{"0/-1 250"}, stage: StageRCPT, kind: KindProtocol, reply: "354 go ahead", doubtful: true,
		},
		{
			name:   "a greeting instead of an answer",
			script: func(p *peer) { p.send("250 m", "220 hello"); p.expect("QUIT") },
			events: []string{"0/-1 250"}, stage: StageRCPT, kind: KindProtocol, reply: "220 hello", doubtful: true,
		},
		{
			name:   "endless line",
			script: func(p *peer) { p.raw("250 m\r\n250 " + strings.Repeat("x", 60<<10)); p.expect("QUIT") },
			events: []string{"0/-1 250"}, stage: StageRCPT, kind: KindProtocol,
		},
		{
			name: "10,000 continuation lines",
			script: func(p *peer) {
				for range 10_000 {
					p.raw("250-m\r\n")
				}
			},
			stage: StageMAIL, kind: KindProtocol,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := config()
				cfg.NoPipelining = tt.stepwise
				s, conn := open(t, cfg, func(p *peer) {
					p.hello("PIPELINING")
					p.expect(mailFrom)
					if !tt.stepwise {
						p.expect(rcpt(ada), rcpt(bob), "RSET")
					}
					tt.script(p)
				})
				var r recorder
				start := time.Now()
				e := asError(t, s.Run(t.Context(), []Transaction{tx(ada, bob)}, r.on))
				r.want(t, tt.events...)
				if e.Stage != tt.stage || e.Kind != tt.kind || e.Reply.String() != tt.reply || e.Doubtful != tt.doubtful || !e.Sent {
					t.Errorf("Run() = %+v, want %q, %v, %q, doubtful %v, sent", e, tt.stage, tt.kind, tt.reply, tt.doubtful)
				}
				if got := time.Since(start); got != tt.took {
					t.Errorf("Run took %v, want %v", got, tt.took)
				}
				if s.Usable() == nil {
					t.Error("Usable() = nil, want the session dead")
				}
				synctest.Wait()
				select {
				case <-s.Done():
				default:
					t.Error("Done() is open, want the session dead")
				}
				writes := len(conn.written())
				if e := asError(t, s.Run(t.Context(), []Transaction{tx(eve)}, r.on)); e.Sent || len(conn.written()) != writes {
					t.Error("a second Run wrote to a dead session")
				}
				s.Quit()
			})
		})
	}
}

// What follows the last reply takes no answer back, unless it is one reply more.
func TestRunEndsWithTheSession(t *testing.T) {
	for name, tt := range map[string]struct {
		end  func(p *peer)
		kind Kind
	}{
		"FIN": {func(p *peer) { _ = p.conn.Close() }, KindDisconnected},
		"421": {func(p *peer) { p.raw("421 4.3.2 going down\r\n") }, KindReply},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, _ := open(t, config(), func(p *peer) {
					p.hello("PIPELINING")
					p.expect(mailFrom, rcpt(ada), "RSET")
					p.send("250 m", "250 a", "250 r")
					tt.end(p)
				})
				if err := s.Run(t.Context(), []Transaction{tx(ada)}, nil); err != nil {
					t.Errorf("Run() = %v, want nil: every command was answered", err)
				}
				<-s.Done()
				if e := asError(t, s.Usable()); e.Kind != tt.kind || e.Doubtful {
					t.Errorf("Usable() = %v, want %v", e, tt.kind)
				}
				s.Quit()
			})
		})
	}
}

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
		got := s.Stats()
		if got.LastLatency != 0 || !got.LastUsed.Equal(time.Now()) {
			t.Errorf("Stats() = %+v, want the latency of RSET alone, and last used now", got)
		}
		s.Quit()
	})
}

func TestLastLatencyIsOfOneReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := open(t, config(), func(p *peer) {
			p.hello("PIPELINING")
			p.expect(mailFrom, "RSET")
			time.Sleep(5 * time.Second)
			p.send("250 m")
			time.Sleep(3 * time.Second)
			p.send("250 r")
			p.bye()
		})
		if err := s.Run(t.Context(), []Transaction{tx()}, nil); err != nil {
			t.Fatal(err)
		}
		if got := s.Stats().LastLatency; got != 3*time.Second {
			t.Errorf("LastLatency = %v, want 3s", got)
		}
		s.Quit()
	})
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
		if !s.BareLF() {
			t.Error("BareLF() = false after a line that ended in LF")
		}
		s.Quit()
	})
}

func TestRunCanceled(t *testing.T) {
	cause := errors.New("enough")
	for name, pipelining := range map[string]bool{"burst": true, "stepwise": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := config()
				cfg.NoPipelining = !pipelining
				s, _ := open(t, cfg, func(p *peer) {
					p.hello("PIPELINING")
					p.expect(mailFrom)
					if pipelining {
						p.expect(rcpt(ada), "RSET")
					}
					p.send("250 m")
					if !pipelining {
						p.expect(rcpt(ada))
					}
					time.Sleep(10 * time.Second)
					p.send("250 late")
					p.expect("QUIT")
				})
				ctx, cancel := context.WithCancelCause(t.Context())
				time.AfterFunc(5*time.Second, func() { cancel(cause) })
				var r recorder
				err := s.Run(ctx, []Transaction{tx(ada)}, r.on)
				if e := asError(t, err); e.Kind != KindCanceled || e.Stage != StageRCPT || !errors.Is(err, cause) || !e.Sent {
					t.Errorf("Run() = %v, want %v at %v because %v, sent", err, KindCanceled, StageRCPT, cause)
				}
				s.Quit()
				time.Sleep(time.Minute)
				r.want(t, "0/-1 250") // Nothing is reported once Run has returned.
			})
		})
	}
}

func TestRunCanceledBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := open(t, config(), func(p *peer) { p.hello("PIPELINING"); p.bye() })
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if e := asError(t, s.Run(ctx, []Transaction{tx(ada)}, nil)); e.Kind != KindCanceled || e.Sent {
			t.Errorf("Run() = %v, sent %v, want %v and nothing sent", e, e.Sent, KindCanceled)
		}
		if err := s.Usable(); err != nil {
			t.Errorf("Usable() = %v: a Run that sent nothing harms nothing", err)
		}
		s.Quit()
	})
}

// A context that ends after its Run must not hit the next one.
func TestRunCanceledAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := open(t, config(), func(p *peer) {
			p.hello("PIPELINING")
			for range 100 {
				p.expect(mailFrom, "RSET")
				p.send("250 m", "250 r")
			}
			p.bye()
		})
		for i := range 100 {
			ctx, cancel := context.WithCancel(t.Context())
			if err := s.Run(ctx, []Transaction{tx()}, nil); err != nil {
				t.Fatalf("Run %d = %v", i, err)
			}
			cancel()
		}
		synctest.Wait()
		if err := s.Usable(); err != nil {
			t.Errorf("Usable() = %v", err)
		}
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
	for _, tt := range []struct {
		name     string
		replies  int
		stage    Stage
		kind     Kind
		doubtful bool
		took     time.Duration
	}{
		{"silent", 0, StageMAIL, KindTimeout, false, 30 * time.Second},
		{"answers all but RSET", 101, StageRSET, KindTimeout, true, 20 * time.Second},
		{"answers it all", 102, "", KindProtocol, true, 30 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				conn := serveWindow(t, 1<<10, func(p *peer) {
					p.hello("PIPELINING")
					time.Sleep(time.Second)
					p.raw(strings.Repeat("250 ok\r\n", tt.replies))
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
				if e.Stage != tt.stage || e.Kind != tt.kind || e.Doubtful != tt.doubtful || !e.Sent {
					t.Errorf("Run() = %+v, want %v at %q, doubtful %v, sent", e, tt.kind, tt.stage, tt.doubtful)
				}
				if got := time.Since(start).Round(time.Millisecond); got != tt.took {
					t.Errorf("Run took %v, want %v", got, tt.took)
				}
				s.Quit()
				if got := conn.written(); strings.HasPrefix(got[len(got)-1], "QUIT") {
					t.Error("QUIT was written behind half a command")
				}
			})
		})
	}
}
