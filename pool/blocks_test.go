package pool_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
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

// What is said at RCPT is the site's word at once if it names us, or a block list by its name; and else one domain's own.
func TestUnmistakableBlockAtRCPT(t *testing.T) {
	public := func(o *pool.Options) {
		o.Sources[0].PublicIPv4, o.Sources[0].PublicIPv6 = mustAddr("192.0.2.10"), mustAddr("2001:db8::25")
	}
	for _, test := range []struct {
		text   string
		change func(*pool.Options)
		opens  bool
	}{
		{"5.7.1 <unknown[127.77.192.1]>: Client host rejected: Access denied", nil, true},
		{"5.7.1 Your address 127.77.192.1. is blocked", nil, true},
		{"5.7.1 Client host rejected: cannot find your reverse hostname, [127.77.192.1]", nil, true},
		{"5.7.1 <client.test[192.0.2.10]>: Client host rejected: Access denied", public, true},
		{"5.7.1 Your host ip:192.0.2.10 is blocked", public, true},
		{"5.7.1 Client host [2001:DB8:0::25] blocked", public, true},
		{"5.7.1 Service unavailable; Client host blocked using zen.spamhaus.org", nil, true},
		{"5.7.1 Rejected: listed by SpamCop", nil, true},
		{"5.7.1 <client.test[192.0.2.1]>: Client host rejected: Access denied", nil, false},
		{"5.7.1 <client.test[127.77.192.11]>: Client host rejected: Access denied", nil, false},
		{"5.7.1 <client.test[192.0.2.10]>: Client host rejected: Access denied", nil, false},
		{"5.7.1 You are on the blacklist of this recipient", nil, false},
		{"5.7.1 Client host rejected: cannot find your reverse hostname", nil, false},
		{"5.7.1 blocked", nil, false},
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
				r := newRig(t, spec, func(o *pool.Options) {
					o.Limits = unpaced()
					if test.change != nil {
						test.change(o)
					}
				})
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

// Where the kernel chooses the address, it is the one that the session has.
func TestUnmistakableBlockOfTheKernelsChoice(t *testing.T) {
	bubble(t, func(t *testing.T) {
		spec := oneHost(mailworld.Host{Blocks: []mailworld.Block{{At: mailworld.AtRCPT}}}) // Names the client's address.
		r := newRig(t, spec, func(o *pool.Options) {
			dial, from := o.Dial, o.Sources[0].IPv4
			o.Sources[0].IPv4 = netip.Addr{}
			o.Dial = func(ctx context.Context, laddr netip.Addr, raddr netip.AddrPort) (net.Conn, error) {
				if !laddr.IsValid() {
					laddr = from
				}
				return dial(ctx, laddr, raddr)
			}
		})
		first := r.ask(r.hosts("mx.a.test"), "ada@a.test")[0]
		if !strings.Contains(first.Reply.Text(), "127.77.192.1") || first.RetryAt.IsZero() {
			t.Errorf("%s: RetryAt = %v, want the breaker open", first.Reply, first.RetryAt)
		}
	})
}
