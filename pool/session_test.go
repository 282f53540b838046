package pool_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/verimails/verimaild/internal/mailworld"
	"github.com/verimails/verimaild/pool"
	"github.com/verimails/verimaild/pool/reply"
	"github.com/verimails/verimaild/pool/smtp"
)

func TestSessionIsReusedWhileItLingers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, oneHost(mailworld.Host{}), nil)
		hosts := r.hosts("mx.a.test")
		r.want(r.ask(hosts, "ada@a.test")[0], reply.Accepted)
		time.Sleep(10 * time.Second)
		r.want(r.ask(hosts, "nobody@a.test")[0], reply.NoSuchMailbox)
		r.wantSessions("mx.a.test", 1)

		time.Sleep(16 * time.Second) // The linger is 15 s.
		synctest.Wait()
		if st := r.pool.Stats(); st.SessionsOpen != 0 || st.Sites != 0 {
			t.Errorf("past the linger: %d sessions, %d sites, want none", st.SessionsOpen, st.Sites)
		}
		r.want(r.ask(hosts, "bob@a.test")[0], reply.Accepted)
		r.wantSessions("mx.a.test", 2)
	})
}

func TestGroupGoesInOneWrite(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, oneHost(mailworld.Host{}), func(o *pool.Options) { o.Limits = unpaced() })
		start := time.Now()
		out := r.ask(r.hosts("mx.a.test"), "ada@a.test", "nobody@a.test", "bob@a.test")
		r.want(out[0], reply.Accepted)
		r.want(out[1], reply.NoSuchMailbox)
		r.want(out[2], reply.Accepted)
		// Connect and greeting, EHLO, and one flight.
		if got, most := time.Since(start), 85*time.Millisecond; got > most {
			t.Errorf("three recipients took %v with 20ms round trips, want at most %v", got, most)
		}
	})
}

func TestSessionLimits(t *testing.T) {
	const n = 24
	for _, test := range []struct {
		name     string
		host     mailworld.Host
		local    func(i int) string
		sessions int
	}{
		{"transactions: 8 of 2 live recipients at most", mailworld.Host{}, func(i int) string { return "u" + fmt.Sprint(i) }, 3},
		{"refusals: 3", mailworld.Host{}, func(i int) string { return "x" + fmt.Sprint(i) }, 8},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				spec := oneHost(test.host)
				spec.Domains[0].Rcpt = func(path string) mailworld.Reply {
					if path[0] == 'u' {
						return mailworld.Say(250, "2.1.5 Ok")
					}
					return mailworld.Reply{}
				}
				r := newRig(t, spec, func(o *pool.Options) {
					o.Limits = lifted()
					o.Limits.RecipientsPerTransaction = new(1)
					o.Limits.TransactionsPerSession, o.Limits.RefusalsPerSession, o.Limits.Sessions = new(8), new(3), new(1)
				})
				var wg sync.WaitGroup
				for i := range n {
					wg.Go(func() {
						if o := r.ask(r.hosts("mx.a.test"), test.local(i)+"@a.test")[0]; o.Failure != pool.FailNone {
							t.Errorf("failure = %s (%s), want none", o.Failure, o.Detail)
						}
					})
				}
				wg.Wait()
				r.wantSessions("mx.a.test", test.sessions)
			})
		})
	}
}

func TestSessionsAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		spec := oneHost(mailworld.Host{Slow: map[string]time.Duration{"RCPT": time.Second}})
		spec.Domains[0].CatchAll = true
		r := newRig(t, spec, func(o *pool.Options) {
			o.Limits = lifted()
			o.Limits.RecipientsPerTransaction, o.Limits.Sessions = new(1), new(2)
		})
		var wg sync.WaitGroup
		for i := range 40 {
			wg.Go(func() { r.want(r.ask(r.hosts("mx.a.test"), fmt.Sprintf("u%d@a.test", i))[0], reply.Accepted) })
		}
		synctest.Wait()
		time.Sleep(5 * time.Second)
		if got := r.pool.Stats().SessionsOpen; got != 2 {
			t.Errorf("%d sessions open under load, want 2", got)
		}
		wg.Wait()
	})
}

func TestPoolLimitEvictsTheIdlest(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var spec mailworld.Spec
		for i := range 6 {
			name := fmt.Sprintf("mx%d.test", i)
			spec.Hosts = append(spec.Hosts, mailworld.Host{Name: name})
			spec.Domains = append(spec.Domains, mailworld.Domain{Name: fmt.Sprintf("d%d.test", i), MX: mailworld.MXs(name), CatchAll: true})
		}
		r := newRig(t, spec, func(o *pool.Options) { o.MaxSessions = 2 })
		for i := range 6 {
			r.want(r.ask(r.hosts(fmt.Sprintf("mx%d.test", i)), fmt.Sprintf("ada@d%d.test", i))[0], reply.Accepted)
			if got := r.pool.Stats().SessionsOpen; got > 2 {
				t.Errorf("%d sessions open, want at most 2", got)
			}
		}
	})
}

func TestNoPipeliningIsLockStep(t *testing.T) {
	for _, kind := range []mailworld.Pipelining{
		mailworld.PipeliningOff, mailworld.PipeliningCloses, mailworld.PipeliningSwallows, mailworld.PipeliningConfused,
	} {
		t.Run(fmt.Sprint(kind), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := newRig(t, oneHost(mailworld.Host{Pipelining: kind}), nil)
				out := r.ask(r.hosts("mx.a.test"), "ada@a.test", "nobody@a.test")
				r.want(out[0], reply.Accepted)
				r.want(out[1], reply.NoSuchMailbox)
			})
		})
	}
}

func TestServerEndsSession(t *testing.T) {
	for _, test := range []struct {
		name   string
		glitch mailworld.Glitch
	}{
		{"closes in the middle of a flight", mailworld.Glitch{On: "RCPT", Nth: 2, Do: mailworld.DoClose}},
		{"resets in the middle of a flight", mailworld.Glitch{On: "RCPT", Nth: 2, Do: mailworld.DoReset}},
		{"says 421 in the middle of a flight", mailworld.Glitch{On: "RCPT", Nth: 2, Do: mailworld.DoSay, Text: "421 4.3.2 going down\r\n"}},
		{"answers one recipient twice", mailworld.Glitch{On: "RCPT", Nth: 1, Do: mailworld.DoExtra, Text: "550 5.1.1 no such user\r\n"}},
		{"leaves out an answer", mailworld.Glitch{On: "RCPT", Nth: 1, Do: mailworld.DoDrop}},
		{"talks nonsense", mailworld.Glitch{On: "RCPT", Nth: 1, Do: mailworld.DoRaw, Text: "<html>\r\n"}},
		{"contradicts itself", mailworld.Glitch{On: "RCPT", Nth: 1, Do: mailworld.DoRaw, Text: "250-ok\r\n550 no\r\n"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Run("once", func(t *testing.T) {
				bubble(t, func(t *testing.T) { glitchOnce(t, test.glitch) })
			})
			t.Run("always", func(t *testing.T) {
				bubble(t, func(t *testing.T) { glitchAlways(t, test.glitch) })
			})
		})
	}
}

// glitchOnce: the first session goes wrong, the second does not; the answers are those of a sane server.
func glitchOnce(t *testing.T, g mailworld.Glitch) {
	r := newRig(t, oneHost(mailworld.Host{Glitches: []mailworld.Glitch{g}}), nil)
	done := make(chan []pool.Outcome)
	go func() { done <- r.ask(r.hosts("mx.a.test"), "ada@a.test", "bob@a.test", "nobody@a.test") }()
	time.Sleep(70 * time.Millisecond) // The connection, the greeting and EHLO take 60; the flight is on its way.
	if err := r.world.Change("mx.a.test", func(h *mailworld.Host) { h.Glitches = nil }); err != nil {
		t.Fatal(err)
	}
	out := <-done
	r.want(out[0], reply.Accepted)
	r.want(out[1], reply.Accepted)
	r.want(out[2], reply.NoSuchMailbox)
}

// glitchAlways: every session goes wrong; whatever is said about an address is true, or it is not said.
func glitchAlways(t *testing.T, g mailworld.Glitch) {
	r := newRig(t, oneHost(mailworld.Host{Glitches: []mailworld.Glitch{g}}), nil)
	out := r.ask(r.hosts("mx.a.test"), "ada@a.test", "bob@a.test", "nobody@a.test")
	truth := []reply.Class{reply.Accepted, reply.Accepted, reply.NoSuchMailbox}
	for i, o := range out {
		if o.Stage != smtp.StageRCPT || o.Reply.Code == 0 || o.Meaning.Scope != reply.ScopeMailbox {
			continue
		}
		if o.Meaning.Class != truth[i] {
			t.Errorf("%s: class = %s (%s), want %s or no word about the mailbox", o.Recipient.Path, o.Meaning.Class, o.Reply, truth[i])
		}
	}
	if got := len(r.world.Sessions("mx.a.test")); got > 6 {
		t.Errorf("%d sessions for three recipients, want at most 6: two for each", got)
	}
}

func TestIdleSessionClosedByServer(t *testing.T) {
	for _, silent := range []bool{false, true} {
		t.Run(fmt.Sprintf("silent=%v", silent), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := newRig(t, oneHost(mailworld.Host{Limits: mailworld.Limits{Idle: 5 * time.Second, Silent: silent}}), nil)
				r.want(r.ask(r.hosts("mx.a.test"), "ada@a.test")[0], reply.Accepted)
				time.Sleep(8 * time.Second)
				r.want(r.ask(r.hosts("mx.a.test"), "bob@a.test")[0], reply.Accepted)
				r.wantSessions("mx.a.test", 2)
			})
		})
	}
}

func TestTarpitIsWaitedOut(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, oneHost(mailworld.Host{Slow: map[string]time.Duration{"RCPT": 25 * time.Second}}), nil)
		out := r.ask(r.hosts("mx.a.test"), "ada@a.test", "nobody@a.test")
		r.want(out[0], reply.Accepted)
		r.want(out[1], reply.NoSuchMailbox)
	})
}

func TestTooManyRecipientsLowersTheBatch(t *testing.T) {
	bubble(t, func(t *testing.T) {
		spec := oneHost(mailworld.Host{Limits: mailworld.Limits{Recipients: mailworld.Limit{N: 1}}})
		spec.Domains[0].CatchAll = true
		r := newRig(t, spec, nil)
		out := r.ask(r.hosts("mx.a.test"), "a@a.test", "b@a.test", "c@a.test", "d@a.test", "e@a.test")
		for _, o := range out {
			r.want(o, reply.Accepted)
		}
		before := len(r.world.Recipients("mx.a.test"))
		for _, o := range r.ask(r.hosts("mx.a.test"), "f@a.test", "g@a.test", "h@a.test") {
			r.want(o, reply.Accepted)
		}
		if got := len(r.world.Recipients("mx.a.test")) - before; got != 3 {
			t.Errorf("three more recipients were asked about %d times, want 3", got)
		}
	})
}

func TestIdenticalRecipientsShareAProbe(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, oneHost(mailworld.Host{}), nil)
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() { r.want(r.ask(r.hosts("mx.a.test"), "ada@a.test")[0], reply.Accepted) })
		}
		wg.Wait()
		if got := len(r.world.Recipients("mx.a.test")); got != 1 {
			t.Errorf("one address wanted five times at once was asked about %d times, want 1", got)
		}
	})
}

func TestCancelDropsWhatIsQueued(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, oneHost(mailworld.Host{Slow: map[string]time.Duration{"RCPT": 10 * time.Second}}),
			func(o *pool.Options) {
				o.Limits = lifted()
				o.Limits.Sessions, o.Limits.RecipientsPerTransaction, o.Limits.RefusalsPerSession = new(1), new(1), new(3)
			})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan []pool.Outcome)
		go func() {
			done <- r.pool.Probe(ctx, pool.Request{
				Domain: "a.test", Hosts: r.hosts("mx.a.test"),
				Recipients: []pool.Recipient{{Path: "ada@a.test"}, {Path: "bob@a.test"}, {Path: "cleo@a.test"}},
			})
		}()
		time.Sleep(time.Second)
		cancel()
		out := <-done
		r.want(out[0], reply.Accepted) // Was sent, and so is finished.
		r.wantFailure(out[2], pool.FailCanceled)
	})
}
