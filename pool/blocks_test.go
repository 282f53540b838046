package pool_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/verimails/verimaild/internal/mailworld"
	"github.com/verimails/verimaild/pool"
	"github.com/verimails/verimaild/pool/reply"
)

// One domain of a shared host blocks us at RCPT: that is no reason to leave the others alone. All of them doing so is.
func TestBlockAtRCPT(t *testing.T) {
	bubble(t, func(t *testing.T) {
		spec := oneHost(mailworld.Host{})
		spec.Domains[0].Rcpt = func(path string) mailworld.Reply {
			if strings.HasPrefix(path, "blocked") {
				return mailworld.Say(554, "5.7.1 <client.test[192.0.2.1]>: Client host rejected: Access denied")
			}
			return mailworld.Say(250, "2.1.5 Ok")
		}
		r := newRig(t, spec, func(o *pool.Options) { o.Limits = unpaced() })
		for i := range 4 {
			r.want(r.ask(r.hosts("mx.a.test"), fmt.Sprintf("blocked%d@a.test", i))[0], reply.SourceBlocked)
			r.want(r.ask(r.hosts("mx.a.test"), fmt.Sprintf("ada%d@a.test", i))[0], reply.Accepted)
		}
		for i := range 3 {
			r.want(r.ask(r.hosts("mx.a.test"), fmt.Sprintf("blocked9%d@a.test", i))[0], reply.SourceBlocked)
		}
		o := r.ask(r.hosts("mx.a.test"), "ada9@a.test")[0]
		r.want(o, reply.SourceBlocked)
		if !o.Remembered || strings.Contains(o.Reply.Text(), "blocked92") {
			t.Errorf("after three in a row: Remembered %v (%s), want the last refusal, without its recipient", o.Remembered, o.Reply)
		}
	})
}

// The names of sixty mail hosts are longer than a key of the store may be.
func TestSiteOfManyHostsIsKept(t *testing.T) {
	slow(t)
	dir := t.TempDir() + "/state"
	var names []string
	spec := mailworld.Spec{Domains: []mailworld.Domain{{Name: "a.test", CatchAll: true}}}
	for i := range 60 {
		names = append(names, fmt.Sprintf("mail-exchanger-number-%d.some-long-name.a.test", i))
		spec.Hosts = append(spec.Hosts, mailworld.Host{Name: names[i], Replies: map[string]mailworld.Reply{
			"MAIL": mailworld.Say(554, "5.7.1 Service unavailable; Client host blocked using zen.spamhaus.org"),
		}})
	}
	spec.Domains[0].MX = mailworld.MXs(names...)
	for _, restarted := range []bool{false, true} {
		bubble(t, func(t *testing.T) {
			r := newRig(t, spec, func(o *pool.Options) { o.State = openState(t, dir) })
			o := r.ask(r.hosts(names...), "ada@a.test")[0]
			r.want(o, reply.SourceBlocked)
			if o.Remembered != restarted {
				t.Errorf("restarted %v: Remembered = %v", restarted, o.Remembered)
			}
			time.Sleep(time.Minute) // It has been written down, and nothing is under way.
			if e := r.pool.Egress("", 10); len(e.Sites) != 1 || e.Sites[0].Paths[0].State != "open" {
				t.Errorf("a minute later Egress() shows %+v, want the breaker that is open", e.Sites)
			}
		})
	}
}

// What is said at RCPT is the site's word at once if it names a block list, and else perhaps one domain's own.
func TestUnmistakableBlockAtRCPT(t *testing.T) {
	for _, test := range []struct {
		text  string
		opens bool
	}{
		{"5.7.1 Service unavailable; Client host blocked using zen.spamhaus.org", true},
		{"5.7.1 Rejected: listed by SpamCop", true},
		{"5.7.1 <unknown[127.77.192.1]>: Client host rejected: Access denied", false},
		{"5.7.1 You are on the blacklist of this recipient", false},
		{"5.7.1 Client host rejected: cannot find your reverse hostname", false},
		{"5.7.1 blocked", false},
	} {
		t.Run(test.text, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				spec := oneHost(mailworld.Host{})
				blocked := true
				spec.Domains[0].Rcpt = func(string) mailworld.Reply {
					if blocked {
						return mailworld.Say(554, test.text)
					}
					return mailworld.Say(250, "2.1.5 Ok")
				}
				r := newRig(t, spec, func(o *pool.Options) { o.Limits = unpaced() })
				first := r.ask(r.hosts("mx.a.test"), "first@a.test")[0]
				blocked = false
				if o := r.ask(r.hosts("mx.a.test"), "second@a.test")[0]; o.Remembered != test.opens {
					t.Errorf("the next is answered %q, Remembered %v, want %v", o.Reply, o.Remembered, test.opens)
				}
				if first.RetryAt.IsZero() == test.opens {
					t.Errorf("RetryAt = %v, want one: %v", first.RetryAt, test.opens)
				}
			})
		})
	}
}
