package pool_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/verimails/verimaild/internal/mailworld"
	"github.com/verimails/verimaild/pool"
	"github.com/verimails/verimaild/pool/reply"
)

// at asks about a recipient of a domain at the mail host of this name.
func (r *rig) at(host, path string) pool.Outcome {
	r.t.Helper()
	return r.ask(r.hosts(host), path)[0]
}

// owners is a world of mail hosts, with a domain each, d0.test and so on, that takes any recipient.
func owners(hosts ...mailworld.Host) mailworld.Spec {
	spec := mailworld.Spec{RTT: 20 * time.Millisecond, Hosts: hosts}
	for i := range hosts {
		name := fmt.Sprintf("d%d.test", i)
		if hosts[i].Name == "" {
			hosts[i].Name = "mx." + name
		}
		spec.Domains = append(spec.Domains, mailworld.Domain{Name: name, MX: mailworld.MXs(hosts[i].Name), CatchAll: true})
	}
	return spec
}

// says is a host that answers a verb with this.
func says(verb string, code int, text string) mailworld.Host {
	return mailworld.Host{Replies: map[string]mailworld.Reply{verb: mailworld.Say(code, text)}}
}

const noSuchSender = "5.1.8 <probe@source0.egress.test>: Sender address rejected: Domain not found"

// wantSender checks what Egress shows of the reverse-path.
func (r *rig) wantSender(state string) {
	r.t.Helper()
	if got := r.pool.Egress("", 0).Sender; got.State != state || got.Domain != "source0.egress.test" || (got.Refusal != nil) != (state != "closed") {
		r.t.Errorf("Egress().Sender = %+v, want %s", got, state)
	}
	if trouble := r.pool.SenderTrouble(); (trouble != "") != (state == "open") {
		r.t.Errorf("SenderTrouble() = %q while the sender is %s", trouble, state)
	}
}

// wantRemembered checks that o was not asked, and when it may be.
func (r *rig) wantRemembered(o pool.Outcome, soon, late time.Duration) {
	r.t.Helper()
	r.want(o, reply.SenderRefused)
	if wait := time.Until(o.RetryAt); !o.Remembered || wait < soon || wait > late {
		r.t.Errorf("%s: Remembered %v, RetryAt in %v, want a refusal of before, and %v to %v", o.Recipient.Path, o.Remembered, wait, soon, late)
	}
}

// Two receivers that have nothing to do with each other find the reverse-path at fault: for an hour nobody is asked, then
// one of them is, about nobody.
func TestReversePathRefusedEverywhere(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, owners(says("MAIL", 550, noSuchSender), says("MAIL", 550, noSuchSender), mailworld.Host{}), nil)
		r.want(r.at("mx.d0.test", "ada@d0.test"), reply.SenderRefused)
		r.wantSender("closed")
		second := r.at("mx.d1.test", "ada@d1.test")
		r.want(second, reply.SenderRefused)
		if second.Remembered || time.Until(second.RetryAt) < 59*time.Minute {
			t.Errorf("the second refusal: Remembered %v, RetryAt in %v, want its own, and an hour", second.Remembered, time.Until(second.RetryAt))
		}
		r.wantSender("open")
		for i := range 20 {
			o := r.at("mx.d2.test", fmt.Sprintf("u%d@d2.test", i))
			r.wantRemembered(o, 59*time.Minute, time.Hour)
			if o.Host != "mx.d1.test" || o.Source != "a" || o.Reply.Code != 550 || !strings.Contains(o.Reply.Text(), "Domain not found") {
				t.Fatalf("answered %q by %q, asked from %q; want what mx.d1.test said", o.Reply.String(), o.Host, o.Source)
			}
		}
		r.wantSessions("mx.d2.test", 0)
		if got := len(r.world.Recipients("")); got != 0 {
			t.Errorf("%d recipients were named to hosts that refuse the sender", got)
		}
		time.Sleep(time.Hour)
		r.wantSender("testing")
		r.want(r.at("mx.d2.test", "ada@d2.test"), reply.Accepted)
		r.wantSender("closed")
		if got := r.verbs("mx.d2.test"); got != "EHLO MAIL RSET MAIL RCPT RSET" {
			t.Errorf("the way back was %s, want a test that asks about nobody first", got)
		}
	})
}

// verbs is what a host was told, but for QUIT.
func (r *rig) verbs(host string) string {
	var verbs []string
	for _, c := range r.world.Commands(host) {
		if c.Verb != "QUIT" {
			verbs = append(verbs, c.Verb)
		}
	}
	return strings.Join(verbs, " ")
}

// What is said of the reverse-path, in what words, and where.
func TestWhatIsSaidOfTheReversePath(t *testing.T) {
	for _, test := range []struct {
		name string
		host mailworld.Host
		want string
	}{
		{"unknown domain", says("MAIL", 550, noSuchSender), "open"},
		{"unknown domain, for now", says("MAIL", 450, "4.1.8 <probe@source0.egress.test>: Sender address rejected: Domain not found"), "open"},
		{"bad address", says("MAIL", 553, "5.1.7 bad sender address"), "open"},
		{"SPF in words", says("MAIL", 550, "5.7.1 SPF check failed: source0.egress.test does not designate 127.77.192.1"), "open"},
		{"SPF by code", says("MAIL", 550, "5.7.23 SPF validation failed"), "open"},
		{"unauthenticated", says("MAIL", 550, "5.7.26 This mail is unauthenticated"), "open"},
		{"a callout", says("MAIL", 550, `Sender verify failed: response to RCPT TO was: 550 unknown`), "open"},
		{"at RCPT, by code", says("RCPT", 450, "4.1.8 <probe@source0.egress.test>: Sender address rejected: Domain not found"), "open"},
		{"at RCPT, SPF by code", says("RCPT", 550, "5.7.23 <ada@d0.test>: Recipient address rejected: SPF fail"), "open"},
		{"at RCPT, in words: perhaps this recipient's taste", says("RCPT", 550, "5.7.1 sender rejected"), "closed"},
		{"SPF could not be looked up", says("MAIL", 451, "4.7.24 SPF temporary error"), "closed"},
		{"no reason", says("MAIL", 554, "refused"), "closed"},
		{"authentication", says("MAIL", 530, "5.7.0 Authentication required"), "closed"},
		{"TLS", says("MAIL", 530, "5.7.0 Must issue a STARTTLS command first"), "closed"},
		{"the EHLO name", says("MAIL", 550, "5.7.1 Helo command rejected: need fully-qualified hostname"), "closed"},
		{"the source", says("MAIL", 554, "5.7.1 Service unavailable; Client host [127.77.192.1] blocked using zen.spamhaus.org"), "closed"},
		{"no PTR", says("MAIL", 550, "5.7.25 no PTR record"), "closed"},
		{"trouble", says("MAIL", 451, "4.3.0 try again later"), "closed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := newRig(t, owners(test.host, test.host), nil)
				r.at("mx.d0.test", "ada@d0.test")
				r.wantSender("closed")
				o := r.at("mx.d1.test", "ada@d1.test")
				r.wantSender(test.want)
				if test.want == "open" {
					again := r.at("mx.d0.test", "bob@d0.test")
					r.wantRemembered(again, 59*time.Minute, time.Hour)
					if strings.Contains(again.Reply.Text(), "d1.test") || strings.Contains(again.Reply.Text(), "ada") {
						t.Errorf("%s is told %q, which was said of %s", again.Recipient.Path, again.Reply.Text(), o.Recipient.Path)
					}
				}
			})
		})
	}
}

// Receivers that belong together are one, and so is one that says it twice; a few odd ones in a crowd are odd.
func TestReversePathIsNotBlamedTooSoon(t *testing.T) {
	refuses := func(name string) mailworld.Host {
		h := says("MAIL", 550, noSuchSender)
		h.Name = name
		return h
	}
	sites := func(n int, refuse ...int) []mailworld.Host {
		hosts := make([]mailworld.Host, n)
		for _, i := range refuse {
			hosts[i] = refuses("")
		}
		return hosts
	}
	for _, test := range []struct {
		name  string
		hosts []mailworld.Host
		waits time.Duration // Before the last one is asked.
		want  string
	}{
		{"one site", []mailworld.Host{refuses("")}, 0, "closed"},
		{"two sites of one provider", []mailworld.Host{refuses("d0-test.mail.protection.outlook.com"), refuses("d1-test.mail.protection.outlook.com")}, 0, "closed"},
		{"two mail hosts of one domain", []mailworld.Host{refuses("mx1.hoster.test"), refuses("mx2.hoster.test")}, 0, "closed"},
		{"a provider and somebody else", []mailworld.Host{refuses("d0-test.mail.protection.outlook.com"), refuses("mx.hoster.test")}, 0, "open"},
		{"two an hour apart", sites(2, 0, 1), time.Hour + time.Minute, "closed"},
		{"two of twenty", sites(20, 0, 19), 0, "open"},
		{"two of thirty", sites(30, 0, 29), 0, "closed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				spec := owners(test.hosts...)
				r := newRig(t, spec, nil)
				for i := range spec.Hosts {
					if i == len(spec.Hosts)-1 {
						time.Sleep(test.waits)
					}
					r.at(spec.Hosts[i].Name, fmt.Sprintf("ada@d%d.test", i))
				}
				if test.waits == 0 {
					time.Sleep(20 * time.Minute)
					r.at(spec.Hosts[0].Name, "ada@d0.test") // That one site says it again is no news.
				}
				r.wantSender(test.want)
			})
		})
	}
	t.Run("two names of one address", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			r := newRig(t, owners(refuses("")), nil)
			r.at("mx.d0.test", "ada@d0.test")
			other := r.hosts("mx.d0.test")
			other[0].Name = "mail.customer.test"
			r.want(r.ask(other, "ada@customer.test")[0], reply.SenderRefused)
			r.wantSender("closed")
		})
	})
	t.Run("a forgiving pool", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			r := newRig(t, owners(refuses(""), refuses(""), mailworld.Host{}), func(o *pool.Options) { o.Forgiving = true })
			r.at("mx.d0.test", "ada@d0.test")
			r.at("mx.d1.test", "ada@d1.test")
			r.wantSender("closed")
			r.want(r.at("mx.d2.test", "ada@d2.test"), reply.Accepted)
		})
	})
}

// refusedEverywhere is a pool whose reverse-path is refused everywhere but at the hosts beyond the first two.
func refusedEverywhere(t *testing.T, change func(*pool.Options), more ...mailworld.Host) *rig {
	t.Helper()
	hosts := append([]mailworld.Host{says("MAIL", 550, noSuchSender), says("MAIL", 550, noSuchSender)}, more...)
	r := newRig(t, owners(hosts...), change)
	r.at("mx.d0.test", "ada@d0.test")
	r.at("mx.d1.test", "ada@d1.test")
	r.wantSender("open")
	return r
}

// Another reverse-path is another matter, and the same one is put to the test when the operator has it read again.
func TestReloadOfARefusedReversePath(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := refusedEverywhere(t, nil, mailworld.Host{})
		if err := r.pool.Reload(r.opts); err != nil {
			t.Fatal(err)
		}
		r.want(r.at("mx.d2.test", "ada@d2.test"), reply.Accepted)
		if got := r.verbs("mx.d2.test"); got != "EHLO MAIL RSET MAIL RCPT RSET" {
			t.Errorf("after a reload: %s, want a test that asks about nobody first", got)
		}
	})
	bubble(t, func(t *testing.T) {
		r := refusedEverywhere(t, nil, mailworld.Host{})
		r.opts.Sender = "other@mended.test"
		if err := r.pool.Reload(r.opts); err != nil {
			t.Fatal(err)
		}
		if s := r.pool.Egress("", 0).Sender; s.State != "closed" || s.Domain != "mended.test" {
			t.Errorf("Egress().Sender = %+v, want another one, and nothing held against it", s)
		}
		r.want(r.at("mx.d2.test", "ada@d2.test"), reply.Accepted)
		if got := r.verbs("mx.d2.test"); got != "EHLO MAIL RCPT RSET" {
			t.Errorf("with another sender: %s, want no test", got)
		}
	})
}

// A restart forgets a refused reverse-path no more than a breaker; another one is not what it was.
func TestRefusedReversePathIsKept(t *testing.T) {
	slow(t)
	dir := t.TempDir() + "/state"
	state := func(t *testing.T) func(*pool.Options) {
		return func(o *pool.Options) { o.State = openState(t, dir) }
	}
	bubble(t, func(t *testing.T) {
		r := refusedEverywhere(t, state(t), mailworld.Host{})
		time.Sleep(10 * time.Minute)
		r.wantSender("open")
	})
	bubble(t, func(t *testing.T) {
		r := newRig(t, owners(mailworld.Host{Name: "mx.else.test"}), func(o *pool.Options) {
			state(t)(o)
			o.Sender = "other@mended.test"
		})
		r.want(r.at("mx.else.test", "ada@d0.test"), reply.Accepted)
	})
	bubble(t, func(t *testing.T) { // A bubble's clock begins anew each time.
		r := newRig(t, owners(mailworld.Host{Name: "mx.else.test"}), state(t))
		o := r.at("mx.else.test", "bob@d0.test")
		r.wantRemembered(o, 50*time.Minute, time.Hour)
		if o.Host != "mx.d1.test" || o.Source != "a" {
			t.Errorf("after a restart: said by %q to %q, want mx.d1.test to a", o.Host, o.Source)
		}
		time.Sleep(time.Until(o.RetryAt))
		r.want(r.at("mx.else.test", "bob@d0.test"), reply.Accepted)
	})
	bubble(t, func(t *testing.T) {
		r := newRig(t, owners(mailworld.Host{Name: "mx.else.test"}), state(t))
		r.wantSender("closed")
		r.want(r.at("mx.else.test", "cleo@d0.test"), reply.Accepted)
	})
}

// The test is made at one site. It opens the way, closes it for another hour, or says nothing; then it is made elsewhere.
func TestTestOfTheReversePath(t *testing.T) {
	due := func(t *testing.T, more ...mailworld.Host) *rig {
		r := refusedEverywhere(t, nil, more...)
		time.Sleep(time.Hour)
		r.wantSender("testing")
		return r
	}
	t.Run("refused again", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			r := due(t, says("MAIL", 550, noSuchSender), mailworld.Host{})
			o := r.at("mx.d2.test", "ada@d2.test")
			r.want(o, reply.SenderRefused)
			if o.Host != "mx.d2.test" || time.Until(o.RetryAt) < 59*time.Minute {
				t.Errorf("answered by %s, RetryAt in %v, want the site's own word, and an hour", o.Host, time.Until(o.RetryAt))
			}
			r.wantSender("open")
			r.wantRemembered(r.at("mx.d3.test", "ada@d3.test"), 59*time.Minute, time.Hour)
			if got := r.verbs("mx.d2.test"); got != "EHLO MAIL RSET" {
				t.Errorf("the test was %s, want nobody asked about", got)
			}
		})
	})
	t.Run("others are told to come back while it lasts", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			r := due(t, mailworld.Host{Slow: map[string]time.Duration{"MAIL": 20 * time.Second}}, mailworld.Host{})
			first := make(chan pool.Outcome, 1)
			go func() { first <- r.at("mx.d2.test", "ada@d2.test") }()
			time.Sleep(5 * time.Second)
			r.wantRemembered(r.at("mx.d3.test", "ada@d3.test"), 59*time.Second, time.Minute)
			r.wantSessions("mx.d3.test", 0)
			r.want(<-first, reply.Accepted)
			r.want(r.at("mx.d3.test", "ada@d3.test"), reply.Accepted)
		})
	})
	t.Run("a site in trouble, one that is gone, one that hangs up", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			hangsUp := mailworld.Host{Glitches: []mailworld.Glitch{{On: "MAIL", Do: mailworld.DoClose}}}
			r := due(t, says("MAIL", 451, "4.3.0 try again later"), mailworld.Host{Network: mailworld.RefuseConnect}, hangsUp, mailworld.Host{})
			r.want(r.at("mx.d2.test", "ada@d2.test"), reply.TemporaryFailure)
			r.wantSender("testing")
			r.wantFailure(r.at("mx.d3.test", "ada@d3.test"), pool.FailConnectRefused)
			r.wantSender("testing")
			r.wantFailure(r.at("mx.d4.test", "ada@d4.test"), pool.FailDisconnected)
			r.wantSender("testing")
			r.want(r.at("mx.d5.test", "ada@d5.test"), reply.Accepted)
			r.wantSender("closed")
		})
	})
	t.Run("who asked for it has gone", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			r := due(t, mailworld.Host{Slow: map[string]time.Duration{"MAIL": 20 * time.Second}}, mailworld.Host{})
			ctx, leave := context.WithTimeout(t.Context(), 5*time.Second)
			defer leave()
			r.wantFailure(r.pool.Probe(ctx, pool.Request{
				Domain: "d2.test", Hosts: r.hosts("mx.d2.test"), Recipients: []pool.Recipient{{Path: "ada@d2.test"}},
			})[0], pool.FailCanceled)
			r.want(r.at("mx.d3.test", "ada@d3.test"), reply.Accepted)
			r.wantSender("closed")
		})
	})
}

// Who waits when the reverse-path turns out to be refused is told at once; what is under way is heard.
func TestWhoWaitsIsToldOfTheReversePath(t *testing.T) {
	bubble(t, func(t *testing.T) {
		busy := mailworld.Host{Slow: map[string]time.Duration{"RCPT": 10 * time.Second}}
		r := newRig(t, owners(says("MAIL", 550, noSuchSender), says("MAIL", 550, noSuchSender), busy), func(o *pool.Options) {
			o.Limits = lifted()
			o.Limits.Sessions, o.Limits.RecipientsPerTransaction, o.Limits.TransactionsPerSession = new(1), new(1), new(1)
		})
		outs := make([]chan pool.Outcome, 5)
		for i := range outs {
			outs[i] = make(chan pool.Outcome, 1)
			go func() { outs[i] <- r.at("mx.d2.test", fmt.Sprintf("u%d@d2.test", i)) }()
		}
		time.Sleep(3 * time.Second)
		r.at("mx.d0.test", "ada@d0.test")
		r.at("mx.d1.test", "ada@d1.test")
		began, accepted := time.Now(), 0
		for i := range outs {
			switch o := <-outs[i]; {
			case o.Meaning.Class == reply.Accepted:
				accepted++
			default:
				r.wantRemembered(o, 59*time.Minute, time.Hour)
			}
		}
		if took := time.Since(began); accepted != 1 || took > 20*time.Second {
			t.Errorf("%d were accepted, and all told after %v; want the one that was under way, and at once", accepted, took)
		}
	})
}

// Work that goes to another source is told so there, too.
func TestRefusedReversePathIsOfAllSources(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := refusedEverywhere(t, func(o *pool.Options) {
			limits := o.Limits
			fleet(3)(o)
			o.Limits = limits
		}, mailworld.Host{})
		for _, source := range []string{"a", "b", "c"} {
			out := r.pool.Probe(t.Context(), pool.Request{
				Domain: "d2.test", Hosts: r.hosts("mx.d2.test"), Source: source, Recipients: []pool.Recipient{{Path: "ada@d2.test"}},
			})
			r.wantRemembered(out[0], 59*time.Minute, time.Hour)
		}
		r.wantSessions("mx.d2.test", 0)
		out, _ := r.pool.Outlook(pool.Prospect{Source: "a", Hosts: []string{"mx.d2.test"}, Domain: "d2.test", Recipients: 1})
		if out.Limit != pool.LimitBreaker || out.Takes < 59*time.Minute {
			t.Errorf("Outlook() = %+v, want the breaker, and an hour", out)
		}
	})
}
