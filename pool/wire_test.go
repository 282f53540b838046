package pool_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/verimails/verimaild/internal/mailworld"
	"github.com/verimails/verimaild/pool"
	"github.com/verimails/verimaild/pool/reply"
)

// The numbers in the names of these tests are those of the list of scenarios that a prober has to stand: what
// servers do to a session. Every one of them ends with the rig's check that the client did nothing rude.

func TestScenario01HappyPathIsOneWriteAndReused(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, oneHost(mailworld.Host{}), func(o *pool.Options) { o.Limits = unpaced() })
		for range 2 {
			for _, o := range r.ask(r.hosts("mx.a.test"), "ada@a.test", "bob@a.test", "cleo@a.test") {
				r.want(o, reply.Accepted)
			}
		}
		s := r.world.Sessions("mx.a.test")
		if len(s) != 1 || s[0].Greeted != 1 || s[0].Flights != 3 {
			t.Errorf("sessions = %+v, want one, with one EHLO and three flights", s)
		}
	})
}

func TestScenario02CloseInMidFlight(t *testing.T) {
	bubble(t, func(t *testing.T) {
		closes := mailworld.Glitch{On: "RCPT", Nth: 2, Do: mailworld.DoClose}
		r := newRig(t, oneHost(mailworld.Host{Glitches: []mailworld.Glitch{closes}}), nil)
		out := r.ask(r.hosts("mx.a.test"), "ada@a.test", "bob@a.test", "cleo@a.test")
		r.want(out[0], reply.Accepted)
		r.want(out[1], reply.Accepted) // First in its second flight.
		r.wantFailure(out[2], pool.FailDisconnected)
		r.wantAskedAtMost(2)
	})
}

func TestScenario03Says421InMidFlight(t *testing.T) {
	bubble(t, func(t *testing.T) {
		spec := oneHost(mailworld.Host{Limits: mailworld.Limits{SessionRecipients: mailworld.Limit{N: 2}}})
		r := newRig(t, spec, nil)
		for _, o := range r.ask(r.hosts("mx.a.test"), "ada@a.test", "bob@a.test", "cleo@a.test") {
			r.want(o, reply.Accepted)
		}
		r.wantSessions("mx.a.test", 2)
		r.wantAskedAtMost(2)
	})
}

func TestScenario04And05ClosedWhileIdle(t *testing.T) {
	for name, say := range map[string]mailworld.Reply{
		"421": mailworld.Say(421, "4.4.2 idle for too long"),
		"FIN": {Then: mailworld.Close},
		"RST": {Then: mailworld.Reset},
		"451": mailworld.Say(451, "4.4.2 Timeout - closing connection").AndThen(mailworld.Close),
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := newRig(t, oneHost(mailworld.Host{}), nil)
				r.want(r.ask(r.hosts("mx.a.test"), "ada@a.test")[0], reply.Accepted)
				synctest.Wait()
				if n := r.world.Interrupt("mx.a.test", say); n != 1 {
					t.Fatalf("%d sessions were idle, want 1", n)
				}
				time.Sleep(1100 * time.Millisecond) // QUIT, where it may be said, takes a second at most.
				synctest.Wait()
				if st := r.pool.Stats(); st.SessionsOpen != 0 || st.Sites != 0 {
					t.Errorf("the dead session was kept: %+v", st)
				}
				r.want(r.ask(r.hosts("mx.a.test"), "bob@a.test")[0], reply.Accepted)
				r.wantAskedAtMost(1)
			})
		})
	}
}

// The server goes just as the session is leased: whatever the order, the question is asked on another session.
func TestScenario05ClosedWhileLeased(t *testing.T) {
	for _, before := range []time.Duration{0, 5 * time.Millisecond, 9 * time.Millisecond, 10 * time.Millisecond, 11 * time.Millisecond} {
		bubble(t, func(t *testing.T) {
			r := newRig(t, oneHost(mailworld.Host{}), nil)
			r.want(r.ask(r.hosts("mx.a.test"), "ada@a.test")[0], reply.Accepted)
			synctest.Wait()
			r.world.Interrupt("mx.a.test", mailworld.Reply{Then: mailworld.Reset})
			time.Sleep(before) // Half a round trip is 10 ms.
			r.want(r.ask(r.hosts("mx.a.test"), "bob@a.test")[0], reply.Accepted)
			r.wantSessions("mx.a.test", 2)
		})
	}
}

func TestScenario06Tarpit(t *testing.T) {
	bubble(t, func(t *testing.T) {
		spec := oneHost(mailworld.Host{Limits: mailworld.Limits{SoftErrors: 4, ErrorDelay: time.Second, ErrorGrowth: time.Second}})
		r := newRig(t, spec, func(o *pool.Options) {
			o.Limits = lifted()
			o.Limits.Sessions, o.Limits.RecipientsPerTransaction = new(1), new(1)
		})
		for i := range 12 {
			o := r.ask(r.hosts("mx.a.test"), string(rune('k'+i))+"@a.test")[0]
			r.want(o, reply.NoSuchMailbox)
		}
		if got := len(r.world.Sessions("mx.a.test")); got < 2 || got > 6 {
			t.Errorf("%d sessions, want a few: one that is slowed down is left", got)
		}
	})
}

func TestScenario07And08LimitsOfServersAreNotMet(t *testing.T) {
	for name, host := range map[string]mailworld.Host{
		"Postfix": mailworld.Postfix("mx.a.test"), "Exim": mailworld.Exim("mx.a.test"), "cPanel": mailworld.CPanel("mx.a.test"),
		"OpenSMTPD": mailworld.OpenSMTPD("mx.a.test"), "Sendmail": mailworld.Sendmail("mx.a.test"),
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := newRig(t, oneHost(host), nil)
				want := map[string]reply.Class{"ada": reply.Accepted, "bob": reply.Accepted, "no1": reply.NoSuchMailbox, "no2": reply.NoSuchMailbox}
				for range 15 {
					for local, class := range want {
						r.want(r.ask(r.hosts("mx.a.test"), local+"@a.test")[0], class)
					}
				}
				r.wantAskedAtMost(15) // Once each.
				for _, c := range r.world.Commands("mx.a.test") {
					if c.Code == 421 {
						t.Errorf("%s was answered %d %s, want no session driven that far", c.Line, c.Code, c.Reply)
					}
				}
			})
		})
	}
}

func TestScenario08ForcedRSETRefusedHarmsNoAnswer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, oneHost(mailworld.Exim("mx.a.test")), func(o *pool.Options) {
			o.Limits = lifted()
			o.Limits.RecipientsPerTransaction, o.Limits.Sessions = new(1), new(1)
		})
		for i := range 40 {
			local, class := "ada", reply.Accepted
			if i%3 == 0 {
				local, class = "nobody", reply.NoSuchMailbox
			}
			r.want(r.ask(r.hosts("mx.a.test"), local+"@a.test")[0], class)
		}
	})
}

func TestScenario11To15Wire(t *testing.T) {
	long := func(n int) mailworld.Reply { return mailworld.Say(250, "2.1.5 "+strings.Repeat("x", n)) }
	for _, test := range []struct {
		name    string
		host    mailworld.Host
		class   reply.Class
		failure pool.Failure
	}{
		{"11 one octet a segment", mailworld.Host{Wire: mailworld.Wire{Segment: 1, Gap: time.Millisecond}}, reply.Accepted, ""},
		{"11 all in one segment", mailworld.Host{Wire: mailworld.Wire{Hold: 50 * time.Millisecond}}, reply.Accepted, ""},
		{
			"12 many lines, each with its enhanced code",
			mailworld.Host{Rcpt: func(string) mailworld.Reply { return mailworld.Say(250, "2.1.5 one\n2.1.5 two\nOk") }},
			reply.Accepted, "",
		},
		{
			"13 one reply with two codes",
			mailworld.Host{Glitches: []mailworld.Glitch{{On: "RCPT", Do: mailworld.DoRaw, Text: "250-ok\r\n550 no\r\n"}}},
			"", pool.FailProtocol,
		},
		{"14 a line of 2000", mailworld.Host{Rcpt: func(string) mailworld.Reply { return long(2000) }}, reply.Accepted, ""},
		{
			"14 a line of 10000",
			mailworld.Host{Glitches: []mailworld.Glitch{{On: "RCPT", Do: mailworld.DoRaw, Text: "250 " + strings.Repeat("x", 10000) + "\r\n"}}},
			"", pool.FailProtocol,
		},
		{"14 a line of 600", mailworld.Host{Rcpt: func(string) mailworld.Reply { return long(600) }}, reply.Accepted, ""},
		{
			"14 a line of 4096",
			mailworld.Host{Glitches: []mailworld.Glitch{{On: "RCPT", Do: mailworld.DoRaw, Text: "250 " + strings.Repeat("x", 4092) + "\r\n"}}},
			reply.Accepted, "",
		},
		{
			"14 a line without an end",
			mailworld.Host{Glitches: []mailworld.Glitch{{On: "RCPT", Do: mailworld.DoEndless}}},
			"", pool.FailProtocol,
		},
		{
			"14 10000 lines",
			mailworld.Host{Glitches: []mailworld.Glitch{{On: "RCPT", Do: mailworld.DoRaw, Text: strings.Repeat("250-x\r\n", 10000) + "250 x\r\n"}}},
			"", pool.FailProtocol,
		},
		{"15 bare LF", mailworld.Host{Wire: mailworld.Wire{LineEnd: "\n"}}, reply.Accepted, ""},
		{
			"15 CR, NUL and 8 bits in the text",
			mailworld.Host{Glitches: []mailworld.Glitch{{On: "RCPT", Do: mailworld.DoRaw, Text: "250 2.1.5 a\rb\x00c\xffd\r\n"}}},
			reply.Accepted, "",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := newRig(t, oneHost(test.host), nil)
				o := r.ask(r.hosts("mx.a.test"), "ada@a.test")[0]
				if test.failure == "" {
					r.want(o, test.class)
				} else {
					r.wantFailure(o, test.failure)
				}
				if text := o.Reply.String(); strings.ContainsAny(text, "\r\n\x00") {
					t.Errorf("text = %q, want it printable", text)
				}
				r.wantAskedAtMost(2)
			})
		})
	}
}

func TestScenario16BrokenPipeliningIsRemembered(t *testing.T) {
	for _, kind := range []mailworld.Pipelining{mailworld.PipeliningSwallows, mailworld.PipeliningConfused} {
		bubble(t, func(t *testing.T) {
			r := newRig(t, oneHost(mailworld.Host{Pipelining: kind}), nil)
			for range 2 {
				out := r.ask(r.hosts("mx.a.test"), "ada@a.test", "nobody@a.test")
				r.want(out[0], reply.Accepted)
				r.want(out[1], reply.NoSuchMailbox)
				time.Sleep(24 * time.Hour)
			}
			r.wantSessions("mx.a.test", 3) // One that found out, and one for each day.
		})
	}
}

func TestScenario18PipeliningBySideOfTLS(t *testing.T) {
	for _, kind := range []mailworld.Pipelining{mailworld.PipeliningBeforeTLS, mailworld.PipeliningAfterTLS} {
		bubble(t, func(t *testing.T) {
			r := newRig(t, oneHost(mailworld.Host{Pipelining: kind, TLS: mailworld.TLS{Mode: mailworld.TLSOn}}), nil)
			out := r.ask(r.hosts("mx.a.test"), "ada@a.test", "nobody@a.test")
			r.want(out[0], reply.Accepted)
			r.want(out[1], reply.NoSuchMailbox)
			if out[0].TLS == "" {
				t.Error("the session was not under TLS")
			}
			r.wantSessions("mx.a.test", 1)
		})
	}
}

func TestScenario34RSETRefused(t *testing.T) {
	for name, say := range map[string]mailworld.Reply{
		"503": mailworld.Say(503, "5.5.1 what?"), "late 250": mailworld.Say(250, "2.0.0 Ok").After(3 * time.Second),
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := newRig(t, oneHost(mailworld.Host{Replies: map[string]mailworld.Reply{"RSET": say}}), nil)
				for range 3 {
					r.want(r.ask(r.hosts("mx.a.test"), "ada@a.test")[0], reply.Accepted)
					r.want(r.ask(r.hosts("mx.a.test"), "nobody@a.test")[0], reply.NoSuchMailbox)
				}
				r.wantAskedAtMost(3)
			})
		})
	}
}

// Some server leaves out the reply to a RCPT: the next reply stands in its place until the silence shows. Nobody is told
// anything by that session; a better one is asked again.
func TestScenario36FewerRepliesThanCommands(t *testing.T) {
	for _, test := range []struct {
		name     string
		sessions int // In which it does.
		failure  pool.Failure
	}{
		{"once", 1, ""}, {"always", 100, pool.FailTimeout},
	} {
		for _, paths := range [][]string{{"ada@a.test", "nobody@a.test"}, {"ada@a.test"}, {"nobody@a.test"}} {
			t.Run(fmt.Sprintf("%s %q", test.name, paths), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					host := mailworld.Host{Vary: func(n int, h *mailworld.Host) {
						if n <= test.sessions {
							h.Glitches = []mailworld.Glitch{{On: "RCPT", Nth: 1, Do: mailworld.DoDrop}}
						}
					}}
					r := newRig(t, oneHost(host), func(o *pool.Options) { o.Limits = unpaced() })
					for i, o := range r.ask(r.hosts("mx.a.test"), paths...) {
						r.wantFailure(o, test.failure)
						if truth := map[string]reply.Class{"ada@a.test": reply.Accepted, "nobody@a.test": reply.NoSuchMailbox}; test.failure == "" {
							r.want(o, truth[paths[i]])
						}
					}
					r.wantAskedAtMost(2)
				})
			})
		}
	}
}

// A server that does not read before it has written much, and the reverse, must not stop us.
func TestScenario50TinyWindow(t *testing.T) {
	bubble(t, func(t *testing.T) {
		spec := oneHost(mailworld.Host{Window: 64, Rcpt: func(string) mailworld.Reply {
			return mailworld.Say(250, "2.1.5 "+strings.Repeat("very well ", 200))
		}})
		r := newRig(t, spec, func(o *pool.Options) { o.Limits = lifted() })
		paths := make([]string, 80)
		for i := range paths {
			paths[i] = string(rune('a'+i%26)) + strings.Repeat("x", i/26) + "@a.test"
		}
		for _, o := range r.ask(r.hosts("mx.a.test"), paths...) {
			r.want(o, reply.Accepted)
		}
		r.wantAskedAtMost(1)
	})
}

// The connection of a reused session dies between the write and the first reply.
func TestScenario51ReusedSessionDiesBeforeItsFirstReply(t *testing.T) {
	bubble(t, func(t *testing.T) {
		second := mailworld.Glitch{On: "MAIL", Nth: 2, Do: mailworld.DoReset}
		r := newRig(t, oneHost(mailworld.Host{Glitches: []mailworld.Glitch{second}}), nil)
		r.want(r.ask(r.hosts("mx.a.test"), "ada@a.test")[0], reply.Accepted)
		r.want(r.ask(r.hosts("mx.a.test"), "nobody@a.test")[0], reply.NoSuchMailbox)
		r.wantSessions("mx.a.test", 2)
	})
}

// A server that takes sessions and ends them before the first command must not be dialled for ever.
func TestSessionsThatDieUnusedAreGivenUp(t *testing.T) {
	for name, g := range map[string]mailworld.Glitch{
		"closes after EHLO":           {On: "EHLO", Do: mailworld.DoClose, First: true},
		"says 421 after EHLO":         {On: "EHLO", Do: mailworld.DoSay, First: true, Text: "421 4.3.2 not now\r\n"},
		"closes at MAIL":              {On: "MAIL", Do: mailworld.DoClose},
		"says nothing any more":       {On: "MAIL", Do: mailworld.DoHang},
		"speaks nonsense behind EHLO": {On: "EHLO", Do: mailworld.DoExtra, Text: "250 and another thing\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := newRig(t, oneHost(mailworld.Host{Glitches: []mailworld.Glitch{g}}), nil)
				for _, o := range r.ask(r.hosts("mx.a.test"), "ada@a.test", "bob@a.test", "cleo@a.test", "a@a.test", "b@a.test", "c@a.test") {
					if o.Reply.Positive() || o.Meaning.Class == reply.NoSuchMailbox {
						t.Errorf("%s: outcome = %s, want none about the mailbox", o.Recipient.Path, o.Reply)
					}
				}
				if got := len(r.world.Sessions("mx.a.test")); got > 4 {
					t.Errorf("%d sessions for one question, want at most 4", got)
				}
				r.wantAskedAtMost(2)
			})
		})
	}
}
