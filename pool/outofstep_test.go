package pool_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/verimails/verimaild/internal/mailworld"
	"github.com/verimails/verimaild/pool"
	"github.com/verimails/verimaild/pool/reply"
)

// truths are what is so of the recipients that these tests ask about.
var truths = map[string]reply.Class{
	"ada@a.test": reply.Accepted, "bob@a.test": reply.Accepted, "dan@a.test": reply.NoSuchMailbox, "nobody@a.test": reply.NoSuchMailbox,
}

// lockStep reports whether the host is known to be asked one command at a time.
func lockStep(r *rig) bool {
	sites := r.pool.Egress("", 1).Sites
	return len(sites) > 0 && len(sites[0].Learned.BrokenPipelining) > 0
}

// inSession changes h for its nth session alone.
func inSession(nth int, h mailworld.Host, change func(*mailworld.Host)) mailworld.Host {
	h.Vary = func(n int, h *mailworld.Host) {
		if n == nth {
			change(h)
		}
	}
	return h
}

// ends are the ways in which a session may end that has left out a reply, soon after the others.
func ends() map[string]func(*rig) {
	interrupt := func(say mailworld.Reply) func(*rig) {
		return func(r *rig) { r.world.Interrupt("mx.a.test", say) }
	}
	return map[string]func(*rig){
		"FIN": interrupt(mailworld.Reply{Then: mailworld.Close}),
		"RST": interrupt(mailworld.Reply{Then: mailworld.Reset}),
	}
}

// A server leaves out a reply, and hangs up long before the silence shows. Its words name nobody, so each later reply could
// be that of the command before. Nobody is told what is another's; on a sane session all have their own.
func TestScenario36LeftOutAndHungUp(t *testing.T) {
	for how, end := range ends() {
		for _, on := range []mailworld.Glitch{{On: "MAIL", Nth: 1}, {On: "RCPT", Nth: 1}, {On: "RCPT", Nth: 2}} {
			for _, paths := range [][]string{{"ada@a.test", "nobody@a.test"}, {"nobody@a.test", "ada@a.test"}, {"ada@a.test"}, {"nobody@a.test"}} {
				t.Run(fmt.Sprintf("%s, %s %d, %q", how, on.On, on.Nth, paths), func(t *testing.T) {
					bubble(t, func(t *testing.T) {
						on.Do = mailworld.DoDrop
						host := inSession(1, mailworld.Host{Style: mailworld.StyleExim}, func(h *mailworld.Host) { h.Glitches = []mailworld.Glitch{on} })
						r := newRig(t, oneHost(host), func(o *pool.Options) { o.Limits = unpaced() })
						done := make(chan []pool.Outcome)
						go func() { done <- r.ask(r.hosts("mx.a.test"), paths...) }()
						time.Sleep(90 * time.Millisecond) // Its replies have been read for 10 ms.
						end(r)
						for _, o := range <-done {
							r.want(o, truths[o.Recipient.Path])
						}
						r.wantAskedAtMost(2)
					})
				})
			}
		}
	}
}

// As above, and the server takes its leave when its client has been silent for some time.
func TestScenario36LeftOutAndTimedOut(t *testing.T) {
	for _, silent := range []bool{false, true} {
		bubble(t, func(t *testing.T) {
			host := inSession(1, mailworld.Host{Style: mailworld.StyleExim}, func(h *mailworld.Host) {
				h.Glitches = []mailworld.Glitch{{On: "MAIL", Nth: 1, Do: mailworld.DoDrop}}
				h.Limits.Idle, h.Limits.Silent = 100*time.Millisecond, silent
			})
			r := newRig(t, oneHost(host), func(o *pool.Options) { o.Limits = unpaced() })
			for _, o := range r.ask(r.hosts("mx.a.test"), "ada@a.test", "nobody@a.test", "bob@a.test") {
				r.want(o, truths[o.Recipient.Path])
			}
			r.wantAskedAtMost(2)
			if got := r.world.Sessions("mx.a.test"); len(got) != 2 || got[1].Flights < 6 {
				t.Errorf("sessions = %+v, want a second one in lock-step", got)
			}
		})
	}
}

// An honest server hangs up at a refusal, without a word (what Exim calls drop). Where its words name the recipient they
// are believed; where not, who was answered is asked again, once, and no more.
func TestHungUpAfterARefusal(t *testing.T) {
	for _, test := range []struct {
		text  string
		again int
	}{{"550 5.1.1 <{rcpt}>: user unknown\r\n", 1}, {"550 No Such User Here\r\n", 2}} {
		bubble(t, func(t *testing.T) {
			host := mailworld.Host{Style: mailworld.StyleExim, Glitches: []mailworld.Glitch{{On: "RCPT", Nth: 1, Do: mailworld.DoSay, Text: test.text}}}
			r := newRig(t, oneHost(host), func(o *pool.Options) { o.Limits = unpaced() })
			out := r.ask(r.hosts("mx.a.test"), "nobody@a.test", "dan@a.test")
			for _, o := range out {
				r.want(o, reply.NoSuchMailbox)
			}
			r.wantAskedAtMost(2)
			times := 0
			for _, path := range r.world.Recipients("mx.a.test") {
				if path == "nobody@a.test" {
					times++
				}
			}
			if times != test.again {
				t.Errorf("%q: asked %d times, want %d", test.text, times, test.again)
			}
		})
	}
}

// A server that hangs up at the second recipient of each session answers all of them: what was to follow in lock-step, and
// never left us, has both its chances still.
func TestHungUpAtEachSecondRecipient(t *testing.T) {
	bubble(t, func(t *testing.T) {
		host := mailworld.Host{
			Style: mailworld.StyleExim, Pipelining: mailworld.PipeliningOff,
			Glitches: []mailworld.Glitch{{On: "RCPT", Nth: 2, Do: mailworld.DoClose}},
		}
		r := newRig(t, oneHost(host), func(o *pool.Options) { o.Limits = unpaced() })
		for _, o := range r.ask(r.hosts("mx.a.test"), "ada@a.test", "nobody@a.test", "bob@a.test", "dan@a.test") {
			r.want(o, truths[o.Recipient.Path])
		}
		r.wantAskedAtMost(2)
	})
}

// MAIL is told about a recipient, or in the words for one: the reply before it was left out, or some reply was too many. The
// flight is not believed, and nobody blames the sender.
func TestMAILIsToldAboutARecipient(t *testing.T) {
	for name, g := range map[string]mailworld.Glitch{
		"changed places":          {On: "MAIL", Nth: 1, Do: mailworld.DoSwap},
		"in the words for one":    {On: "MAIL", Nth: 1, Do: mailworld.DoRaw, Text: "250 2.1.5 Ok\r\n"},
		"accepted":                {On: "MAIL", Nth: 1, Do: mailworld.DoRaw, Text: "250 nobody@a.test ok\r\n"},
		"refused":                 {On: "MAIL", Nth: 1, Do: mailworld.DoRaw, Text: "550 5.1.1 <nobody@a.test>: user unknown\r\n"},
		"RCPT about the sender":   {On: "RCPT", Nth: 1, Do: mailworld.DoRaw, Text: "250 2.1.0 <probe@source0.egress.test> sender ok\r\n"},
		"RSET about a recipient":  {On: "RSET", Nth: 1, Do: mailworld.DoRaw, Text: "250 2.1.5 ada@a.test ok\r\n"},
		"RSET refuses a mailbox":  {On: "RSET", Nth: 1, Do: mailworld.DoRaw, Text: "550 5.1.1 user unknown\r\n"},
		"RCPT is told to go on":   {On: "RCPT", Nth: 1, Do: mailworld.DoRaw, Text: "354 go on\r\n"},
		"RCPT, as if it was HELO": {On: "RCPT", Nth: 1, Do: mailworld.DoRaw, Text: "220 mx.a.test\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				host := inSession(1, mailworld.Host{}, func(h *mailworld.Host) { h.Glitches = []mailworld.Glitch{g} })
				r := newRig(t, oneHost(host), func(o *pool.Options) { o.Limits = unpaced() })
				for _, o := range r.ask(r.hosts("mx.a.test"), "nobody@a.test", "ada@a.test", "dan@a.test") {
					r.want(o, truths[o.Recipient.Path])
				}
				r.wantAskedAtMost(2)
				r.wantSessions("mx.a.test", 2)
				if e := r.pool.Egress("", 1); len(e.Refusals) != 0 || lockStep(r) {
					t.Errorf("one such session was held against the site: %+v", e)
				}
			})
		})
	}
}

// A farewell is one whatever it says, and in whatever place: nothing is said to the server after it (the rig looks).
func TestFarewellThatNamesARecipient(t *testing.T) {
	for _, verb := range []string{"MAIL", "RCPT", "RSET"} {
		bubble(t, func(t *testing.T) {
			bye := mailworld.Glitch{On: verb, Nth: 1, Do: mailworld.DoSay, Text: "421 4.3.2 going down, ada@a.test or not\r\n"}
			host := inSession(1, mailworld.Host{}, func(h *mailworld.Host) { h.Glitches = []mailworld.Glitch{bye} })
			r := newRig(t, oneHost(host), func(o *pool.Options) { o.Limits = unpaced() })
			out := r.ask(r.hosts("mx.a.test"), "ada@a.test", "nobody@a.test")
			if verb == "MAIL" { // It is about us then.
				return
			}
			for _, o := range out {
				r.want(o, truths[o.Recipient.Path])
			}
		})
	}
}

// A server that always says to MAIL what others say to RCPT means well. In a group its replies cannot be told from those
// that are out of step, in lock-step they can: that is how it is asked, from the first time that it shows.
func TestServerThatAlwaysAnswersOddly(t *testing.T) {
	for name, replies := range map[string]map[string]mailworld.Reply{
		"2.1.5 to all": {"MAIL": mailworld.Say(250, "2.1.5 Ok"), "RSET": mailworld.Say(250, "2.1.5 Flushed")},
		"the sender":   {"MAIL": mailworld.Say(250, "2.1.0 <{sender}> ok"), "RSET": mailworld.Say(250, "2.0.0 Ok")},
	} {
		for _, ramp := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, ramp %v", name, ramp), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					spec := oneHost(mailworld.Host{Replies: replies})
					if name == "the sender" {
						spec.Domains[0].Replies = map[string]mailworld.Reply{
							"ada": mailworld.Say(250, "2.1.5 from <{sender}> ok"), "bob": mailworld.Say(250, "2.1.5 from <{sender}> ok"),
						}
					}
					r := newRig(t, spec, func(o *pool.Options) {
						o.Limits = unpaced()
						o.Limits.Ramp = &ramp
					})
					for range 3 {
						for _, o := range r.ask(r.hosts("mx.a.test"), "ada@a.test", "nobody@a.test", "bob@a.test") {
							r.want(o, truths[o.Recipient.Path])
						}
						synctest.Wait()
					}
					if !lockStep(r) {
						t.Error("its commands still go together")
					}
					times := 0
					for _, path := range r.world.Recipients("mx.a.test") {
						if path == "ada@a.test" {
							times++
						}
					}
					if most := map[bool]int{false: 4, true: 3}[ramp]; times > most {
						t.Errorf("for three questions, asked %d times, want at most %d: the first one alone may be in doubt", times, most)
					}
				})
			})
		}
	}
}

// What happens again is no accident: a host that has said too much twice is asked in lock-step from then on. Once is one.
func TestOutOfStepTwice(t *testing.T) {
	for sessions, want := range map[int]bool{1: false, 2: true} {
		for _, apart := range []time.Duration{0, 23 * time.Hour, 25 * time.Hour} {
			bubble(t, func(t *testing.T) {
				host := mailworld.Host{Vary: func(n int, h *mailworld.Host) {
					if n == 1 || n == 3 && sessions == 2 { // The second is the one that asks again.
						h.Glitches = []mailworld.Glitch{{On: "RCPT", Nth: 1, Do: mailworld.DoExtra, Text: "550 No Such User Here\r\n"}}
					}
				}}
				r := newRig(t, oneHost(host), func(o *pool.Options) { o.Limits = unpaced() })
				for range 2 {
					for _, o := range r.ask(r.hosts("mx.a.test"), "ada@a.test", "nobody@a.test") {
						r.want(o, truths[o.Recipient.Path])
					}
					time.Sleep(2*time.Minute + apart) // No session lingers that long.
				}
				for _, o := range r.ask(r.hosts("mx.a.test"), "ada@a.test", "nobody@a.test") {
					r.want(o, truths[o.Recipient.Path])
				}
				want := want && apart < 24*time.Hour
				if got := lockStep(r); got != want {
					t.Errorf("out of step in %d sessions, %v apart: lock-step = %v, want %v", sessions, apart, got, want)
				}
			})
		}
	}
}
