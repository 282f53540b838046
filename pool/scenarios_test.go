package pool_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/verimails/verimaild/internal/lab"
	"github.com/verimails/verimaild/internal/mailworld"
	"github.com/verimails/verimaild/pool"
	"github.com/verimails/verimaild/pool/reply"
)

// docs/scenarios.md lists every scenario with the tests that hold it; that they are there, TestPagesNameTests sees to.
func TestScenariosAreListed(t *testing.T) {
	slow(t)
	text, err := os.ReadFile("../docs/scenarios.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile(`(?m)^\| (\d+) \| [^|]+ \| ([^|]+) \|$`).FindAllStringSubmatch(string(text), -1)
	test := regexp.MustCompile("`[a-z/.]+: Test[A-Za-z0-9]+`")
	for i, row := range rows {
		if row[1] != fmt.Sprint(i+1) {
			t.Fatalf("row %d is of scenario %s", i+1, row[1])
		}
		if !test.MatchString(row[2]) {
			t.Errorf("scenario %s has no test", row[1])
		}
	}
	if len(rows) != 52 {
		t.Errorf("%d scenarios are listed, want 52", len(rows))
	}
}

func TestScenario17LockStep(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, oneHost(mailworld.Host{Pipelining: mailworld.PipeliningOff}), func(o *pool.Options) { o.Limits = unpaced() })
		for _, o := range r.ask(r.hosts("mx.a.test"), "ada@a.test", "bob@a.test", "cleo@a.test") {
			r.want(o, reply.Accepted)
		}
		for _, c := range r.world.Commands("mx.a.test") {
			if c.Pipelined {
				t.Errorf("%s was sent before the reply to the command before it", c.Line)
			}
		}
	})
}

func TestScenario19OddKeywords(t *testing.T) {
	bubble(t, func(t *testing.T) {
		odd := mailworld.EHLO{Keywords: []string{"size\t10240000", "AUTH=LOGIN PLAIN", "pipelining", "8bitmime", "Pipelining", "smtpUTF8"}}
		spec := oneHost(mailworld.Host{EHLO: odd, SMTPUTF8: true})
		spec.Domains[0].Mailboxes = append(spec.Domains[0].Mailboxes, "žofie")
		r := newRig(t, spec, func(o *pool.Options) { o.Limits = unpaced() })
		r.want(r.ask(r.hosts("mx.a.test"), "ada@a.test", "bob@a.test")[0], reply.Accepted)
		if s := r.world.Sessions("mx.a.test")[0]; s.Flights != 2 {
			t.Errorf("%d flights, want EHLO and one more: pipelining was offered", s.Flights)
		}
		out := r.pool.Probe(t.Context(), pool.Request{
			Domain: "a.test", Hosts: r.hosts("mx.a.test"), Recipients: []pool.Recipient{{Path: "žofie@a.test", SMTPUTF8: true}},
		})
		r.want(out[0], reply.Accepted)
	})
}

// STARTTLS is offered and then refused: the session goes on in clear, and there is no other.
func TestScenario22STARTTLSRefused(t *testing.T) {
	for _, mode := range []mailworld.TLSMode{mailworld.TLSTempFail, mailworld.TLSRefused} {
		bubble(t, func(t *testing.T) {
			r := newRig(t, oneHost(mailworld.Host{TLS: mailworld.TLS{Mode: mode}}), nil)
			o := r.ask(r.hosts("mx.a.test"), "ada@a.test")[0]
			r.want(o, reply.Accepted)
			if o.TLS != "" {
				t.Errorf("TLS = %s, want none", o.TLS)
			}
			r.wantSessions("mx.a.test", 1)
		})
	}
}

// A second recipient gets 452: one is what a transaction has from then on, the control's too.
func TestScenario27OneRecipient(t *testing.T) {
	for name, known := range map[string]bool{"mx.a.test": false, "a-test.mail.protection.outlook.com": true} {
		bubble(t, func(t *testing.T) {
			host := mailworld.Host{Name: name, Limits: mailworld.Limits{Recipients: mailworld.Limit{N: 1}}}
			r := newRig(t, mailworld.Spec{Hosts: []mailworld.Host{host}, Domains: []mailworld.Domain{
				{Name: "a.test", MX: mailworld.MXs(name), Mailboxes: []string{"ada", "bob"}},
			}}, func(o *pool.Options) { o.Limits = unpaced() })
			for i := range 3 {
				out := r.pool.Probe(t.Context(), pool.Request{Domain: "a.test", Hosts: r.hosts(name), Recipients: []pool.Recipient{
					{Path: "ada@a.test"}, {Path: "bob@a.test"}, {Path: fmt.Sprintf("made%d@a.test", i), Control: true},
				}})
				r.want(out[0], reply.Accepted)
				r.want(out[1], reply.Accepted)
				r.want(out[2], reply.NoSuchMailbox)
			}
			tooMany := 0
			for _, c := range r.world.Commands(name) {
				if c.Code == 452 {
					tooMany++
				}
			}
			if most := map[bool]int{false: 2, true: 0}[known]; tooMany > most {
				t.Errorf("%s: %d recipients were too many, want at most %d", name, tooMany, most)
			}
		})
	}
}

// A greylist goes by network, sender and recipient: the retry comes from the same source, and costs no refusal.
func TestScenario29GreylistKeepsTheSource(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, oneHost(mailworld.Host{Greylist: 300 * time.Second}), func(o *pool.Options) {
			fleet(3)(o)
			for i := range o.Sources { // Each in a network of its own.
				o.Sources[i].IPv4 = mustAddr(fmt.Sprintf("127.77.%d.1", 192+i))
			}
			o.Limits.RefusalsPerHour = new(15)
		})
		for _, home := range []string{"a", "b", "c"} {
			path := map[string]string{"a": "ada@a.test", "b": "bob@a.test", "c": "cleo@a.test"}[home]
			first := r.request(path, pinned(home))
			r.want(first, reply.Greylisted)
			if first.PathRefusals != 0 {
				t.Errorf("PathRefusals = %d: it is none", first.PathRefusals)
			}
			time.Sleep(310 * time.Second)
			again := r.request(path, pinned(first.Source))
			r.want(again, reply.Accepted)
			if again.Source != home {
				t.Errorf("asked again from %s, want %s", again.Source, home)
			}
		}
		from := map[string]int{}
		for _, c := range r.world.Commands("mx.a.test") {
			if c.Verb == "RCPT" {
				from[c.Source.Addr().String()+c.Line]++
			}
		}
		for what, n := range from {
			if n != 2 {
				t.Errorf("%s: %d times, want twice, and from nowhere else", what, n)
			}
		}
		if len(from) != 3 {
			t.Errorf("asked as %v, want each from one source", from)
		}
	})
}

// 521 in the greeting is in TestFallback; 556 at RCPT says the same of the domain.
func TestScenario38NoMailAtRCPT(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, oneHost(mailworld.Host{Rcpt: func(string) mailworld.Reply { return mailworld.Say(556, "5.1.10 Domain takes no mail") }}), nil)
		o := r.ask(r.hosts("mx.a.test"), "ada@a.test")[0]
		r.want(o, reply.DomainNotHere)
		if o.Meaning.Detail != reply.DetailNoMail || o.Meaning.Scope != reply.ScopeDomain {
			t.Errorf("meaning = %+v, want no_mail of the domain", o.Meaning)
		}
	})
}

// What is asked about nobody in particular gets an answer of its own: refused, accepted, put off, or none.
func TestScenario40Controls(t *testing.T) {
	for name, test := range map[string]struct {
		say   mailworld.Reply
		class reply.Class
	}{
		"refused":  {mailworld.Say(550, "5.1.1 no such user"), reply.NoSuchMailbox},
		"accepted": {mailworld.Say(250, "2.1.5 Ok"), reply.Accepted},
		"put off":  {mailworld.Say(450, "4.2.0 greylisted, see http://postgrey.example"), reply.Greylisted},
		"tarpit":   {mailworld.Say(550, "5.1.1 no such user").After(25 * time.Second), reply.NoSuchMailbox},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				spec := oneHost(mailworld.Host{})
				spec.Domains[0].Rcpt = func(path string) mailworld.Reply {
					if strings.HasPrefix(path, "made") {
						return test.say
					}
					return mailworld.Reply{}
				}
				r := newRig(t, spec, nil)
				out := r.pool.Probe(t.Context(), pool.Request{Domain: "a.test", Hosts: r.hosts("mx.a.test"), Recipients: []pool.Recipient{
					{Path: "ada@a.test"}, {Path: "made1@a.test", Control: true},
				}})
				r.want(out[0], reply.Accepted)
				r.want(out[1], test.class)
				r.wantAskedAtMost(1)
			})
		})
	}
	t.Run("the sender is refused in between", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			second := mailworld.Glitch{On: "MAIL", Nth: 2, Do: mailworld.DoRaw, Text: "550 5.7.1 Sender rejected\r\n"}
			r := newRig(t, oneHost(mailworld.Host{Glitches: []mailworld.Glitch{second}}), nil)
			out := r.pool.Probe(t.Context(), pool.Request{Domain: "a.test", Hosts: r.hosts("mx.a.test"), Recipients: []pool.Recipient{
				{Path: "ada@a.test"}, {Path: "made1@a.test", Control: true},
			}})
			for _, o := range out {
				if o.Meaning.Class == reply.NoSuchMailbox && o.Recipient.Path == "ada@a.test" || o.Meaning.Class == reply.Accepted && o.Recipient.Control {
					t.Errorf("%s: %s", o.Recipient.Path, o.Reply)
				}
			}
		})
	})
}

// One of three sessions that linger is taken; the other two are still there for the next.
func TestScenario47OneOfThreeIdle(t *testing.T) {
	bubble(t, func(t *testing.T) {
		spec := oneHost(mailworld.Host{Slow: map[string]time.Duration{"RCPT": time.Second}})
		spec.Domains[0].CatchAll = true
		r := newRig(t, spec, func(o *pool.Options) {
			o.Limits = lifted()
			o.Limits.Sessions, o.Limits.RecipientsPerTransaction, o.Limits.RefusalsPerSession = new(3), new(1), new(50)
		})
		atOnce := func(n int) {
			var wg sync.WaitGroup
			for i := range n {
				wg.Go(func() { r.want(r.ask(r.hosts("mx.a.test"), fmt.Sprintf("u%d@a.test", i))[0], reply.Accepted) })
			}
			wg.Wait()
			synctest.Wait()
		}
		atOnce(30)
		for _, n := range []int{1, 30, 2, 30} {
			if got := r.pool.Stats().SessionsIdle; got != 3 {
				t.Errorf("%d sessions linger, want 3", got)
			}
			atOnce(n)
		}
		r.wantSessions("mx.a.test", 3)
	})
}

// The process dies in the middle of a flight. All that was under way may have been refused, and counts so.
func TestScenario46KilledInMidFlight(t *testing.T) {
	slow(t)
	dir, copied := t.TempDir()+"/state", t.TempDir()+"/state"
	limits := func(o *pool.Options) {
		o.Limits = unpaced()
		o.Limits.RefusalsPerHour, o.Limits.Sessions, o.Limits.RecipientsPerTransaction = new(4), new(4), new(1)
	}
	bubble(t, func(t *testing.T) {
		r := newRig(t, tagged(mailworld.Host{Slow: map[string]time.Duration{"RCPT": 5 * time.Second}}), func(o *pool.Options) {
			limits(o)
			o.State = openState(t, dir)
		})
		var outs []<-chan pool.Outcome
		for i := range 4 {
			outs = append(outs, r.later(fmt.Sprintf("ada+%d@a.test", i), nil))
		}
		time.Sleep(3 * time.Second)
		if n := r.pool.Egress("", 1).Sites[0].Accounts[0].Dead.Held; n != 4 {
			t.Fatalf("%d questions are under way, want 4", n)
		}
		lab.CopyDir(t, copied, dir)
		for _, o := range outs {
			r.want(<-o, reply.Accepted)
		}
	})
	bubble(t, func(t *testing.T) {
		r := newRig(t, tagged(mailworld.Host{}), func(o *pool.Options) {
			limits(o)
			o.State = openState(t, copied)
		})
		o := r.request("ada+5@a.test", within(30*time.Minute))
		r.wantFailure(o, pool.FailBudget)
	})
}
