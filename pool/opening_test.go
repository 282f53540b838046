package pool_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/verimails/verimaild/internal/mailworld"
	"github.com/verimails/verimaild/internal/netguard"
	"github.com/verimails/verimaild/pool"
	"github.com/verimails/verimaild/pool/reply"
	"github.com/verimails/verimaild/pool/smtp"
)

// twoHosts is oneHost with a second, of lesser preference.
func twoHosts(first, second mailworld.Host) mailworld.Spec {
	spec := oneHost(first)
	second.Name = "mx2.a.test"
	spec.Hosts = append(spec.Hosts, second)
	spec.Domains[0].MX = mailworld.MXs("mx.a.test", "mx2.a.test")
	return spec
}

func TestScenario09SlowBanner(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g := mailworld.Greeting{
			Teaser:      mailworld.Say(220, "wait for it").After(time.Second),
			Reply:       mailworld.Say(220, "mx.a.test ESMTP").After(6 * time.Second),
			EarlyTalker: mailworld.Say(554, "5.5.1 pregreet"),
		}
		r := newRig(t, oneHost(mailworld.Host{Greeting: g}), nil)
		r.want(r.ask(r.hosts("mx.a.test"), "ada@a.test")[0], reply.Accepted)
	})
}

func TestScenario10NoBanner(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, oneHost(mailworld.Host{Network: mailworld.Mute}), nil)
		start := time.Now()
		r.wantFailure(r.ask(r.hosts("mx.a.test"), "ada@a.test")[0], pool.FailConnectTimeout)
		if took := time.Since(start); took > 2*time.Minute {
			t.Errorf("gave up after %v, want at most two minutes", took)
		}
	})
}

// What becomes of a first host that misbehaves, and whether the second is asked.
func TestFallback(t *testing.T) {
	greets := func(code int, text string) mailworld.Host {
		return mailworld.Host{Greeting: mailworld.Greeting{Reply: mailworld.Say(code, text)}}
	}
	ehlo := func(code int, text string) mailworld.Host {
		return mailworld.Host{EHLO: mailworld.EHLO{Reply: mailworld.Say(code, text)}}
	}
	mail := func(code int, text string) mailworld.Host {
		return mailworld.Host{Senders: map[string]mailworld.Reply{"*": mailworld.Say(code, text)}}
	}
	network := func(n mailworld.Network) mailworld.Host { return mailworld.Host{Network: n} }
	for _, test := range []struct {
		name    string
		first   mailworld.Host
		second  mailworld.Host
		stage   smtp.Stage
		code    int
		failure pool.Failure
		asked   int // Sessions at the second host.
	}{
		{"connection refused", network(mailworld.RefuseConnect), mailworld.Host{}, smtp.StageRCPT, 250, "", 1},
		{"black hole", network(mailworld.BlackHole), mailworld.Host{}, smtp.StageRCPT, 250, "", 1},
		{"closed at once", network(mailworld.CloseOnAccept), mailworld.Host{}, smtp.StageRCPT, 250, "", 1},
		{"reset at once", network(mailworld.ResetOnAccept), mailworld.Host{}, smtp.StageRCPT, 250, "", 1},
		{"mute", network(mailworld.Mute), mailworld.Host{}, smtp.StageRCPT, 250, "", 1},
		{"37: greeted with 554", greets(554, "5.7.1 go away"), mailworld.Host{}, smtp.StageRCPT, 250, "", 1},
		{"greeted with 421", greets(421, "4.3.2 busy"), mailworld.Host{}, smtp.StageRCPT, 250, "", 1},
		{"38: greeted with 521, the other takes mail", greets(521, "5.3.2 no mail here"), mailworld.Host{}, smtp.StageRCPT, 250, "", 1},
		{"38: both greet with 521", greets(521, "5.3.2 no mail here"), greets(521, "5.3.2 nor here"), smtp.StageConnect, 521, "", 1},
		{"521, and the other is not there", greets(521, "5.3.2 no mail here"), network(mailworld.RefuseConnect), smtp.StageConnect, 0, pool.FailConnectRefused, 0},
		{"421, and 521: the domain may take mail yet", greets(421, "4.3.2 busy"), greets(521, "5.3.2 no mail here"), smtp.StageConnect, 421, "", 1},
		{"both greet with 554: the better host's word counts", greets(554, "5.7.1 one"), greets(421, "4.3.2 two"), smtp.StageConnect, 554, "", 1},
		{"23: EHLO refused with 550 is not shopped around", ehlo(550, "5.7.1 bad name"), mailworld.Host{}, smtp.StageEHLO, 550, "", 0},
		{"23: EHLO refused with 421", ehlo(421, "4.7.0 later"), mailworld.Host{}, smtp.StageEHLO, 421, "", 0},
		{"23: EHLO unknown, HELO known", ehlo(502, "5.5.1 what?"), mailworld.Host{}, smtp.StageRCPT, 250, "", 0},
		{"25: sender refused", mail(550, "5.1.8 sender domain does not resolve"), mailworld.Host{}, smtp.StageMAIL, 550, "", 0},
		{"25: sender put off", mail(451, "4.7.1 later"), mailworld.Host{}, smtp.StageMAIL, 451, "", 0},
		{"MAIL answered with 421", mail(421, "4.7.0 too fast"), mailworld.Host{}, smtp.StageMAIL, 421, "", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := newRig(t, twoHosts(test.first, test.second), nil)
				for _, o := range r.ask(r.hosts("mx.a.test", "mx2.a.test"), "ada@a.test", "bob@a.test") {
					if o.Stage != test.stage || o.Reply.Code != test.code || o.Failure != test.failure {
						t.Errorf("outcome = %s %q, failure %q (%s), want %s %d, failure %q",
							o.Stage, o.Reply, o.Failure, o.Detail, test.stage, test.code, test.failure)
					}
				}
				r.wantSessions("mx2.a.test", test.asked)
				if test.asked == 0 && test.failure == "" {
					r.wantSessions("mx.a.test", 1)
				}
			})
		})
	}
}

func TestAttemptIsBounded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var spec mailworld.Spec
		var names []string
		for i := range 6 {
			names = append(names, fmt.Sprintf("mx%d.a.test", i))
			spec.Hosts = append(spec.Hosts, mailworld.Host{Name: names[i], Network: mailworld.RefuseConnect})
		}
		r := newRig(t, spec, nil)
		hosts := r.hosts(names...)
		for i := range hosts { // Three addresses each, none of which answers.
			a := hosts[i].Addrs[0].As4()
			a[2] += 100
			b := a
			b[2]++
			hosts[i].Addrs = append(hosts[i].Addrs, netip.AddrFrom4(a), netip.AddrFrom4(b))
		}
		r.wantFailure(r.ask(hosts, "ada@a.test")[0], pool.FailConnectRefused)
		if got := r.pool.Stats().Dials; got != 5 {
			t.Errorf("%d addresses dialled, want 5", got)
		}
	})
}

func TestEqualPreferencesShareTheLoad(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, twoHosts(mailworld.Host{}, mailworld.Host{}), func(o *pool.Options) {
			o.Limits = lifted()
			o.Limits.TransactionsPerSession = new(1)
		})
		hosts := r.hosts("mx.a.test", "mx2.a.test")
		hosts[1].Preference = hosts[0].Preference
		for range 60 {
			r.want(r.ask(hosts, "ada@a.test")[0], reply.Accepted)
		}
		a, b := len(r.world.Sessions("mx.a.test")), len(r.world.Sessions("mx2.a.test"))
		if a < 10 || b < 10 {
			t.Errorf("equal hosts had %d and %d sessions of 60, want about as many each", a, b)
		}
	})
}

func TestScenario20And21BrokenTLS(t *testing.T) {
	for _, test := range []struct {
		mode     mailworld.TLSMode
		sessions int // For one question today, and one tomorrow.
	}{
		{mailworld.TLSGarbage, 3},
		{mailworld.TLSAbort, 3},
		{mailworld.TLSHang, 3},
		{mailworld.TLSOld, 3},
		{mailworld.TLSExpired, 2},
		{mailworld.TLSOn, 2},
		{mailworld.TLSTempFail, 2},
		{mailworld.TLSRefused, 2},
	} {
		t.Run(fmt.Sprint(test.mode), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := newRig(t, oneHost(mailworld.Host{TLS: mailworld.TLS{Mode: test.mode}}), nil)
				r.want(r.ask(r.hosts("mx.a.test"), "ada@a.test")[0], reply.Accepted)
				time.Sleep(24 * time.Hour)
				r.want(r.ask(r.hosts("mx.a.test"), "ada@a.test")[0], reply.Accepted)
				r.wantSessions("mx.a.test", test.sessions)
			})
		})
	}
}

func TestScenario20Injection(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tls := mailworld.TLS{Mode: mailworld.TLSInject, Inject: "250-mx.a.test\r\n250 PIPELINING\r\n"}
		r := newRig(t, oneHost(mailworld.Host{TLS: tls}), nil)
		r.wantFailure(r.ask(r.hosts("mx.a.test"), "ada@a.test")[0], pool.FailTLS)
		if got := r.world.Recipients(""); len(got) != 0 {
			t.Errorf("asked about %v on a session that somebody else spoke in", got)
		}
	})
}

func TestScenario21TLSRequired(t *testing.T) {
	for mode, want := range map[mailworld.TLSMode]pool.Failure{
		mailworld.NoTLS: pool.FailTLSRequired, mailworld.TLSTempFail: pool.FailTLSRequired,
		mailworld.TLSGarbage: pool.FailTLS, mailworld.TLSOn: pool.FailNone,
	} {
		bubble(t, func(t *testing.T) {
			r := newRig(t, oneHost(mailworld.Host{TLS: mailworld.TLS{Mode: mode}}), func(o *pool.Options) { o.TLS = smtp.TLSRequired })
			r.wantFailure(r.ask(r.hosts("mx.a.test"), "ada@a.test")[0], want)
		})
	}
}

func TestScenario24SMTPUTF8(t *testing.T) {
	probe := func(r *rig, hosts []pool.Host) []pool.Outcome {
		return r.pool.Probe(r.t.Context(), pool.Request{Domain: "a.test", Hosts: hosts, Recipients: []pool.Recipient{
			{Path: "ada@a.test"}, {Path: "žofie@a.test", SMTPUTF8: true}, {Path: "nobody@a.test"},
		}})
	}
	t.Run("offered", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			spec := oneHost(mailworld.Host{SMTPUTF8: true})
			spec.Domains[0].Mailboxes = append(spec.Domains[0].Mailboxes, "žofie")
			r := newRig(t, spec, nil)
			out := probe(r, r.hosts("mx.a.test"))
			r.want(out[0], reply.Accepted)
			r.want(out[1], reply.Accepted)
			r.want(out[2], reply.NoSuchMailbox)
			for _, c := range r.world.Commands("mx.a.test") {
				if c.Verb == "MAIL" && c.Line != "MAIL FROM:<probe@source0.egress.test>" && c.Line != "MAIL FROM:<probe@source0.egress.test> SMTPUTF8" {
					t.Errorf("command = %q", c.Line)
				}
			}
		})
	})
	t.Run("not offered", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			r := newRig(t, oneHost(mailworld.Host{}), nil)
			out := probe(r, r.hosts("mx.a.test"))
			r.want(out[0], reply.Accepted)
			r.wantFailure(out[1], pool.FailNoSMTPUTF8)
			r.want(out[2], reply.NoSuchMailbox)
		})
	})
	t.Run("not offered by a backup host", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			r := newRig(t, twoHosts(mailworld.Host{Network: mailworld.RefuseConnect, SMTPUTF8: true}, mailworld.Host{}), nil)
			r.wantFailure(probe(r, r.hosts("mx.a.test", "mx2.a.test"))[1], pool.FailConnectRefused)
		})
	})
	t.Run("refused as a parameter", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			r := newRig(t, oneHost(mailworld.Host{SMTPUTF8: true, Glitches: []mailworld.Glitch{
				{On: "MAIL", Nth: 2, Do: mailworld.DoRaw, Text: "555 5.5.4 SMTPUTF8?\r\n"},
			}}), nil)
			out := probe(r, r.hosts("mx.a.test"))
			r.want(out[0], reply.Accepted)
			if out[1].Stage != smtp.StageMAIL || out[1].Reply.Code != 555 {
				t.Errorf("outcome = %s %q, want the refusal of MAIL", out[1].Stage, out[1].Reply)
			}
			r.want(out[2], reply.NoSuchMailbox)
		})
	})
}

func TestScenario30Families(t *testing.T) {
	v6, dead4 := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("127.77.150.1")
	for _, test := range []struct {
		name    string
		addrs   []netip.Addr
		v6      bool
		failure pool.Failure
		dials   int64
	}{
		{"v6 only, and the source has none", []netip.Addr{v6}, false, pool.FailNoSource, 0},
		{"v6 only", []netip.Addr{v6}, true, "", 1},
		{"v4 dead", []netip.Addr{dead4, v6}, true, "", 2},
		{"four dead addresses of v4 do not use up the attempts", []netip.Addr{
			dead4, dead4.Next(), dead4.Next().Next(), dead4.Next().Next().Next(), dead4.Next().Next().Next().Next(), v6,
		}, true, "", 2},
		{"v4 written as v6", []netip.Addr{netip.MustParseAddr("::ffff:127.77.1.1")}, true, "", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := newRig(t, oneHost(mailworld.Host{IPv6: true}), func(o *pool.Options) {
					if test.v6 {
						o.Sources[0].IPv6 = netip.MustParseAddr("2001:db8:1::1")
					}
				})
				r.wantFailure(r.ask([]pool.Host{{Name: "mx.a.test", Addrs: test.addrs}}, "ada@a.test")[0], test.failure)
				if got := r.pool.Stats().Dials; got != test.dials {
					t.Errorf("%d dials, want %d", got, test.dials)
				}
			})
		})
	}
}

// Nothing may be sent to an address that the guard refuses, whatever the mail hosts' records say.
func TestScenario32Guard(t *testing.T) {
	own := netip.MustParseAddr("198.51.101.7")
	allowed := netip.MustParseAddr("127.77.1.1")
	for _, test := range []struct {
		name    string
		addrs   []string
		failure pool.Failure
		dials   int64
	}{
		{"private and the like", []string{
			"10.0.0.5", "127.0.0.1", "169.254.1.1", "0.0.0.0", "198.51.101.7", "::1", "fe80::1", "fd00::1", "::ffff:10.0.0.1", "64:ff9b::a00:1",
		}, pool.FailUnroutable, 0},
		{"six private ones before a good one", []string{
			"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6", "127.77.1.1",
		}, "", 1},
		{"private, and public but of a family that the source has not", []string{"10.0.0.1", "2a00::1"}, pool.FailNoSource, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				var trapped atomic.Int64
				r := newRig(t, oneHost(mailworld.Host{}), func(o *pool.Options) {
					o.Guard = netguard.New(netguard.Options{Allow: []netip.Prefix{netip.PrefixFrom(allowed, 32)}, Own: []netip.Addr{own}})
					dial := o.Dial
					o.Dial = func(ctx context.Context, laddr netip.Addr, raddr netip.AddrPort) (net.Conn, error) {
						if raddr.Addr() != allowed {
							trapped.Add(1)
						}
						return dial(ctx, laddr, raddr)
					}
				})
				h := pool.Host{Name: "mx.a.test"}
				for _, a := range test.addrs {
					h.Addrs = append(h.Addrs, netip.MustParseAddr(a))
				}
				r.wantFailure(r.ask([]pool.Host{h}, "ada@a.test")[0], test.failure)
				if got := r.pool.Stats().Dials; got != test.dials || trapped.Load() != 0 {
					t.Errorf("%d dials, %d of them to a trap, want %d and 0", got, trapped.Load(), test.dials)
				}
			})
		})
	}
}

func TestScenario44LocalNetworkDown(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, oneHost(mailworld.Host{}), nil)
		r.world.CutNetwork(true)
		r.wantFailure(r.ask(r.hosts("mx.a.test"), "ada@a.test")[0], pool.FailNoSource)
		r.world.CutNetwork(false)
		r.want(r.ask(r.hosts("mx.a.test"), "ada@a.test")[0], reply.Accepted) // No grudge is borne.
	})
}

func TestScenario47DeadDestinations(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, oneHost(mailworld.Host{}), nil)
		dead := netip.MustParseAddr("127.77.150.1")
		for i := range 1000 {
			host := []pool.Host{{Name: fmt.Sprintf("mx.d%d.test", i), Addrs: []netip.Addr{dead}}}
			r.wantFailure(r.ask(host, fmt.Sprintf("ada@d%d.test", i))[0], pool.FailConnectRefused)
		}
		synctest.Wait()
		if st := r.pool.Stats(); st.Dials > 10 || st.Sites != 0 || st.SessionsOpen != 0 {
			t.Errorf("after 1000 dead sites: %+v, want few dials, since they are all one address, and nothing left", st)
		}
	})
}
