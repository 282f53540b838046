package pool_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/verimails/verimaild/internal/mailworld"
	"github.com/verimails/verimaild/pool"
	"github.com/verimails/verimaild/pool/reply"
	"github.com/verimails/verimaild/pool/smtp"
)

// The server refuses MAIL, and answers the RCPT that was on its way with 503, or with 250 against all sense.
func TestScenario25RepliesBehindARefusedMAILAreNoEvidence(t *testing.T) {
	for _, nonsense := range []mailworld.Reply{mailworld.Say(503, "5.5.1 no sender"), mailworld.Say(250, "2.1.5 Ok")} {
		bubble(t, func(t *testing.T) {
			r := newRig(t, oneHost(mailworld.Host{
				Senders: map[string]mailworld.Reply{"*": mailworld.Say(550, "5.1.8 bad sender")}, NoSender: nonsense,
			}), nil)
			for _, o := range r.ask(r.hosts("mx.a.test"), "ada@a.test", "nobody@a.test", "c@a.test", "d@a.test") {
				if o.Stage != smtp.StageMAIL || o.Reply.Code != 550 || o.Meaning.Scope == reply.ScopeMailbox {
					t.Errorf("%s: outcome = %s %q, scope %s, want the refusal of MAIL", o.Recipient.Path, o.Stage, o.Reply, o.Meaning.Scope)
				}
			}
			r.wantSessions("mx.a.test", 1)
		})
	}
}

// Many servers end a session with 421 at the MAIL that is one too many. That is about the session.
func TestMAILRefusedOnASessionThatWasWelcome(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, oneHost(mailworld.Host{Limits: mailworld.Limits{Transactions: mailworld.Limit{N: 3}}}), func(o *pool.Options) {
			o.Limits = lifted()
			o.Limits.Sessions, o.Limits.RecipientsPerTransaction, o.Limits.RefusalsPerSession = new(1), new(1), new(100)
		})
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() { r.want(r.ask(r.hosts("mx.a.test"), fmt.Sprintf("no%d@a.test", i))[0], reply.NoSuchMailbox) })
		}
		wg.Wait()
		r.wantAskedAtMost(1)
	})
}

func TestScenario26TooManyRecipients(t *testing.T) {
	full := func(code int, text string) mailworld.Limit {
		return mailworld.Limit{N: 2, Reply: mailworld.Say(code, text)}
	}
	for _, test := range []struct {
		name  string
		limit mailworld.Limit
	}{
		{"452 4.5.3", full(452, "4.5.3 Too many recipients")},
		{"452 without enhanced code", full(452, "too many recipients")},
		{"552 without enhanced code", full(552, "too many recipients")},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := newRig(t, oneHost(mailworld.Host{Limits: mailworld.Limits{Recipients: test.limit}}), func(o *pool.Options) {
					o.Limits = lifted()
					o.Limits.RecipientsPerTransaction = new(5)
				})
				for range 3 { // The third is what has been learned from the first.
					for _, o := range r.ask(r.hosts("mx.a.test"), "a@a.test", "b@a.test", "c@a.test", "d@a.test", "e@a.test", "f@a.test") {
						r.want(o, reply.NoSuchMailbox)
					}
				}
				if got := len(r.world.Recipients("")); got > 6+4+12 {
					t.Errorf("18 recipients were asked about %d times, want 22 at most", got)
				}
			})
		})
	}
	t.Run("452 at the first", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			r := newRig(t, oneHost(mailworld.Host{Rcpt: func(string) mailworld.Reply { return mailworld.Say(452, "4.5.3 Too many recipients") }}), nil)
			for _, o := range r.ask(r.hosts("mx.a.test"), "ada@a.test", "bob@a.test") {
				if o.Reply.Code != 452 {
					t.Errorf("%s: outcome = %q %s, want the 452", o.Recipient.Path, o.Reply, o.Detail)
				}
			}
			r.wantAskedAtMost(2)
		})
	})
}

func TestScenario28DomainsAreNeverMixed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		spec := oneHost(mailworld.Host{Limits: mailworld.Limits{OneDomain: true}})
		for i := range 7 {
			spec.Domains = append(spec.Domains, mailworld.Domain{Name: fmt.Sprintf("d%d.test", i), MX: mailworld.MXs("mx.a.test"), CatchAll: true})
		}
		r := newRig(t, spec, func(o *pool.Options) { o.Limits = lifted() })
		var wg sync.WaitGroup
		for i := range 200 {
			wg.Go(func() {
				r.want(r.ask(r.hosts("mx.a.test"), fmt.Sprintf("u%d@d%d.test", i, i%7))[0], reply.Accepted)
			})
		}
		wg.Wait()
	})
}

// One RCPT has two replies: together, or the second on its own a little later.
func TestScenario35ReplyTooMany(t *testing.T) {
	for _, wire := range []mailworld.Wire{{}, {Segment: 20, Gap: time.Millisecond}, {Hold: 30 * time.Millisecond}} {
		for nth := 1; nth <= 3; nth++ {
			bubble(t, func(t *testing.T) {
				extra := mailworld.Glitch{On: "RCPT", Nth: nth, Do: mailworld.DoExtra, Text: "550 5.1.1 no such user\r\n"}
				r := newRig(t, oneHost(mailworld.Host{Wire: wire, Glitches: []mailworld.Glitch{extra}}), nil)
				for _, o := range r.ask(r.hosts("mx.a.test"), "ada@a.test", "bob@a.test", "cleo@a.test") {
					if o.Meaning.Class == reply.NoSuchMailbox {
						t.Errorf("nth %d, wire %+v: %s has the reply of another: %q", nth, wire, o.Recipient.Path, o.Reply)
					}
				}
				r.wantAskedAtMost(2)
			})
		}
	}
}

// A reply too many at any command, and one that comes before it was asked for: nobody gets another's reply, or that of
// another command, whatever it says. What the doubt has spoilt is asked about again.
func TestScenario35ReplyTooManyAnywhere(t *testing.T) {
	for _, verb := range []string{"BANNER", "EHLO", "MAIL", "RCPT", "RSET"} {
		for _, text := range []string{"250 2.1.5 ok\r\n", "550 5.1.1 no such user\r\n", "250 2.1.5 ok\r\n550 5.1.1 no such user\r\n"} {
			for _, pipelining := range []mailworld.Pipelining{mailworld.PipeliningOn, mailworld.PipeliningOff} {
				bubble(t, func(t *testing.T) {
					host := mailworld.Host{Pipelining: pipelining, Vary: func(n int, h *mailworld.Host) {
						if n == 1 {
							h.Glitches = []mailworld.Glitch{{On: verb, Nth: 1, Do: mailworld.DoExtra, Text: text}}
						}
					}}
					r := newRig(t, oneHost(host), func(o *pool.Options) { o.Limits = unpaced() })
					out := r.ask(r.hosts("mx.a.test"), "ada@a.test", "nobody@a.test", "bob@a.test")
					for i, not := range []reply.Class{reply.NoSuchMailbox, reply.Accepted, reply.NoSuchMailbox} {
						if out[i].Meaning.Class == not {
							t.Errorf("%q behind %s, pipelining %d: %s is %s by %q", text, verb, pipelining, out[i].Recipient.Path, not, out[i].Reply)
						}
					}
					r.wantAskedAtMost(2)
				})
			}
		}
	}
}

// Replies that change places: nobody gets another's, as far as their words tell. A server that names an alias's target in
// its reply to the alias is believed.
func TestScenario35RepliesChangePlaces(t *testing.T) {
	for _, verb := range []string{"MAIL", "RCPT", "RSET"} {
		for _, paths := range [][]string{{"ada@a.test", "nobody@a.test"}, {"nobody@a.test", "ada@a.test"}, {"ada@a.test"}, {"nobody@a.test"}} {
			t.Run(fmt.Sprintf("%s %q", verb, paths), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					host := mailworld.Host{Vary: func(n int, h *mailworld.Host) {
						if n == 1 {
							h.Glitches = []mailworld.Glitch{{On: verb, Nth: 1, Do: mailworld.DoSwap}}
						}
					}}
					r := newRig(t, oneHost(host), func(o *pool.Options) { o.Limits = unpaced() })
					for i, o := range r.ask(r.hosts("mx.a.test"), paths...) {
						wrong := map[string]reply.Class{"ada@a.test": reply.NoSuchMailbox, "nobody@a.test": reply.Accepted}[paths[i]]
						if o.Meaning.Class == wrong {
							t.Errorf("%s is %s by %q", paths[i], wrong, o.Reply)
						}
					}
					r.wantAskedAtMost(2)
				})
			})
		}
	}
	t.Run("an alias", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			spec := oneHost(mailworld.Host{})
			spec.Domains[0].Replies = map[string]mailworld.Reply{"alias": mailworld.Say(550, "5.1.1 <nobody@a.test>: User unknown")}
			r := newRig(t, spec, func(o *pool.Options) { o.Limits = unpaced() })
			for i, o := range r.ask(r.hosts("mx.a.test"), "ada@a.test", "alias@a.test", "nobody@a.test") {
				r.want(o, []reply.Class{reply.Accepted, reply.NoSuchMailbox, reply.NoSuchMailbox}[i])
			}
			r.wantAskedAtMost(1)
		})
	})
}

// A server that accepts every recipient: whatever is asked, DATA is not among it (the rig looks).
func TestScenario39AcceptsAll(t *testing.T) {
	bubble(t, func(t *testing.T) {
		spec := oneHost(mailworld.Host{})
		spec.Domains[0].CatchAll = true
		r := newRig(t, spec, nil)
		for _, o := range r.ask(r.hosts("mx.a.test"), "ada@a.test", "made-up@a.test") {
			r.want(o, reply.Accepted)
		}
	})
}

func TestScenario49OneQuestionOfFiveApplications(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, oneHost(mailworld.Host{}), nil)
		var wg sync.WaitGroup
		for i := range 5 {
			wg.Go(func() {
				rcpt := pool.Recipient{Path: "ada@a.test", Control: i == 3}
				o := r.pool.Probe(t.Context(), pool.Request{
					Domain: "a.test", Hosts: r.hosts("mx.a.test"), App: fmt.Sprint(i), Class: pool.Class(i % 2), Recipients: []pool.Recipient{rcpt},
				})[0]
				r.want(o, reply.Accepted)
				if o.Recipient != rcpt {
					t.Errorf("recipient = %+v, want the caller's own, %+v", o.Recipient, rcpt)
				}
			})
		}
		wg.Wait()
		r.wantAskedAtMost(1)
	})
}

// What a server announces by LIMITS, RFC 9422, holds whatever our own limits are.
func TestAnnouncedLimits(t *testing.T) {
	for _, test := range []struct {
		keyword  string
		sessions int
		within   func(mailworld.Session) bool
	}{
		{"LIMITS RCPTMAX=2", 1, func(s mailworld.Session) bool { return s.Transactions*2 >= s.Recipients }},
		{"LIMITS MAILMAX=1", 8, func(s mailworld.Session) bool { return s.Transactions <= 1 }},
		{"LIMITS MAILMAX=3 RCPTMAX=1", 8, func(s mailworld.Session) bool { return s.Transactions <= 3 }},
		{"LIMITS RCPTDOMAINMAX=1", 4, func(s mailworld.Session) bool { return domainsOf(s) <= 1 }},
		{"LIMITS RCPTDOMAINMAX=3", 2, func(s mailworld.Session) bool { return domainsOf(s) <= 3 }},
	} {
		t.Run(test.keyword, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				spec := oneHost(mailworld.Host{EHLO: mailworld.EHLO{More: []string{test.keyword}}})
				for i := range 4 {
					spec.Domains = append(spec.Domains, mailworld.Domain{Name: fmt.Sprintf("d%d.test", i), MX: mailworld.MXs("mx.a.test"), CatchAll: true})
				}
				r := newRig(t, spec, func(o *pool.Options) {
					o.Limits = lifted()
					o.Limits.Sessions, o.Limits.RecipientsPerTransaction = new(1), new(3)
				})
				var wg sync.WaitGroup
				for i := range 24 {
					wg.Go(func() {
						r.want(r.ask(r.hosts("mx.a.test"), fmt.Sprintf("u%d@d%d.test", i, i%4))[0], reply.Accepted)
					})
				}
				wg.Wait()
				r.wantSessions("mx.a.test", test.sessions)
				for _, s := range r.world.Sessions("mx.a.test") {
					if !test.within(s) {
						t.Errorf("session %d: %d transactions, %d recipients, %d domains", s.ID, s.Transactions, s.Recipients, domainsOf(s))
					}
				}
			})
		})
	}
}

func domainsOf(s mailworld.Session) int {
	seen := map[string]bool{}
	for _, c := range s.Commands {
		if _, domain, ok := strings.Cut(c.Line, "@"); ok && c.Verb == "RCPT" {
			seen[domain] = true
		}
	}
	return len(seen)
}

func TestFlightIsBoundedWhereLimitsAreLifted(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, oneHost(mailworld.Host{}), func(o *pool.Options) {
			o.Limits = unpaced()
			o.Limits.RecipientsPerTransaction, o.Limits.RefusalsPerSession, o.Limits.Sessions = new(0), new(0), new(1)
		})
		paths := make([]string, 450)
		for i := range paths {
			paths[i] = fmt.Sprintf("no%d@a.test", i)
		}
		for _, o := range r.ask(r.hosts("mx.a.test"), paths...) {
			r.want(o, reply.NoSuchMailbox)
		}
		if s := r.world.Sessions("mx.a.test")[0]; s.Transactions != 5 {
			t.Errorf("%d recipients went in %d transactions, want 5 of 100 at most", s.Recipients, s.Transactions)
		}
	})
}

// A path that our own client refuses to write fails alone, whoever shares its flight.
func TestUnsayablePathFailsAlone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, oneHost(mailworld.Host{}), nil)
		out := r.ask(r.hosts("mx.a.test"), "ada@a.test", "evil>\r\nDATA@a.test", "nobody@a.test")
		r.want(out[0], reply.Accepted)
		r.wantFailure(out[1], pool.FailInternal)
		r.want(out[2], reply.NoSuchMailbox)
		r.wantAskedAtMost(1)
	})
}

// Evidence is the opening, MAIL, and the recipient's own RCPT, and nothing of anybody else's.
func TestDialogueIsOnlyTheRecipientsOwn(t *testing.T) {
	glitches := map[string][]mailworld.Glitch{
		"all is well":            nil,
		"421 naming a recipient": {{On: "RCPT", Nth: 1, Do: mailworld.DoSay, Text: "421 4.7.0 too many like <{rcpt}>\r\n"}},
		"a reply too many":       {{On: "RCPT", Nth: 1, Do: mailworld.DoExtra, Text: "550 5.1.1 <{rcpt}> unknown\r\n"}},
		"nonsense":               {{On: "RCPT", Nth: 1, Do: mailworld.DoRaw, Text: "<{rcpt}>? Never heard.\r\n"}},
		"out of place":           {{On: "RCPT", Nth: 1, Do: mailworld.DoRaw, Text: "354 <{rcpt}> go on\r\n"}},
		"refused RSET":           {{On: "RSET", Do: mailworld.DoRaw, Text: "503 5.5.1 <{rcpt}>\r\n"}},
		"closes":                 {{On: "RCPT", Nth: 2, Do: mailworld.DoClose}},
	}
	for name, g := range glitches {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := newRig(t, oneHost(mailworld.Host{Glitches: g}), nil)
				for _, o := range r.ask(r.hosts("mx.a.test"), "ada@a.test", "nobody@a.test", "cleo@a.test") {
					checkDialogue(t, &o)
				}
			})
		})
	}
}

func checkDialogue(t *testing.T, o *pool.Outcome) {
	t.Helper()
	var text strings.Builder
	for l := range o.Dialogue() {
		text.WriteString(l.Text + "\n")
	}
	text.WriteString(o.Detail + "\n" + o.Reply.String())
	for _, other := range []string{"ada@", "nobody@", "cleo@"} {
		if !strings.HasPrefix(o.Recipient.Path, other) && strings.Contains(text.String(), other) {
			t.Errorf("%s: another recipient is in its evidence:\n%s", o.Recipient.Path, text.String())
		}
	}
	for _, must := range []string{"220 ", "EHLO source0.egress.test", "MAIL FROM:<probe@source0.egress.test>", "RCPT TO:<" + o.Recipient.Path + ">"} {
		if !strings.Contains(text.String(), must) {
			t.Errorf("%s: no %q in its evidence:\n%s", o.Recipient.Path, must, text.String())
		}
	}
}
