package daemon

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/verimails/verimaild/config"
	"github.com/verimails/verimaild/internal/mailworld"
	"github.com/verimails/verimaild/pool/preflight"
)

// preflightWorld is one in which the sources of the world are in order: it has three mail servers in networks of their
// own, a sender's domain with SPF, and a block list.
func preflightWorld(t *testing.T) *mailworld.World {
	t.Helper()
	return startWorld(t, mailworld.Spec{
		Hosts: []mailworld.Host{{Name: "mx.one.test"}, {Name: "mail.egress.test"}},
		Domains: []mailworld.Domain{
			{Name: "one.test", MX: mailworld.MXs("mx.one.test")},
			{Name: "two.test", Addrs: []netip.Addr{netip.MustParseAddr("127.200.2.1")}},
			{Name: "three.test", Addrs: []netip.Addr{netip.MustParseAddr("127.200.3.1")}},
			{Name: "egress.test", MX: mailworld.MXs("mail.egress.test"), TXT: []string{"v=spf1 {sources} -all"}, Mailboxes: []string{"probe"}},
			{Name: "2.0.0.127.bl.test", Addrs: []netip.Addr{netip.MustParseAddr("127.0.0.2")}},
		},
	})
}

// preflighted changes a configuration so that its preflight lives in the world.
func preflighted(c *config.Config) {
	c.Egress.Sender = "probe@egress.test"
	c.Preflight.PortTargets = []string{"one.test", "two.test", "three.test"}
	c.Preflight.NetworkTargets, c.Preflight.DNSBL = nil, []string{"bl.test."}
}

// look runs a preflight with what the daemon would look at, and returns the finding of a check.
func (r *running) look(t *testing.T, check preflight.Check) preflight.Finding {
	t.Helper()
	opts := preflightFor(r.cfg, r.resolver, r.guard)
	var err error
	if opts.Sources, err = configuredSources(r.cfg); err != nil {
		t.Fatal(err)
	}
	rep := preflight.Examine(t.Context(), opts)
	at := slices.IndexFunc(rep.Findings, func(f preflight.Finding) bool { return f.Check == check })
	if at < 0 {
		t.Fatalf("no finding of %s: %+v", check, rep.Findings)
	}
	return rep.Findings[at]
}

// TestPreflightThroughResolver looks at a source through the daemon's own resolver, over real sockets.
func TestPreflightThroughResolver(t *testing.T) {
	w := preflightWorld(t)
	r := start(t, w, preflighted)
	for _, c := range []preflight.Check{
		preflight.CheckAddress, preflight.CheckPort, preflight.CheckPTR, preflight.CheckEHLO, preflight.CheckSPF,
		preflight.CheckDNSBL, preflight.CheckSenderMX,
	} {
		if f := r.look(t, c); f.State != preflight.OK {
			t.Errorf("%s: %s, %q (%s), want ok", c, f.State, f.What, f.Advice)
		}
	}
	for _, row := range []struct {
		domain mailworld.Domain
		check  preflight.Check
		state  preflight.State
	}{
		{mailworld.Domain{Name: "egress.test", MX: mailworld.MXs("mail.egress.test")}, preflight.CheckSPF, preflight.Bad},
		{mailworld.Domain{Name: "egress.test", Faults: map[string]mailworld.Fault{"TXT": mailworld.ServFail}}, preflight.CheckSPF, preflight.Unknown},
		{mailworld.Domain{Name: "egress.test", MX: mailworld.NullMX()}, preflight.CheckSenderMX, preflight.Bad},
		{mailworld.Domain{Name: "2.0.0.127.bl.test", Addrs: []netip.Addr{netip.MustParseAddr("127.255.255.254")}}, preflight.CheckDNSBL, preflight.Unknown},
	} {
		w.ChangeDomain(row.domain.Name, func(d *mailworld.Domain) { *d = row.domain })
		if f := r.look(t, row.check); f.State != row.state {
			t.Errorf("%s with %+v: %s, %q, want %s", row.check, row.domain, f.State, f.What, row.state)
		}
	}
}

// TestUnfitSources shows on readyz and in the status what is taken out.
func TestUnfitSources(t *testing.T) {
	w := preflightWorld(t)
	r := start(t, w, preflighted, func(c *config.Config) {
		c.Egress.Sources = append(c.Egress.Sources, config.Source{Name: "b", IPv4: w.SourceAddr(1), EHLO: "source1.egress.test"})
	})
	opts := r.preflightOptions(r.cfg, &egressPlan{})
	if opts.Mode != preflight.Off {
		t.Errorf("without a pool, preflight is in mode %s, want off", opts.Mode)
	}
	r.lose(t, "a")
	if got := r.isReady(t); !got.Ready || len(got.Problems) != 1 || got.Problems[0].Code != "source_unfit" || !strings.Contains(got.Problems[0].Message, "source a is not used: ") {
		t.Errorf("with one source of two: Ready() = %+v, want ready, and the problem", got)
	}
	if line := r.status(); !strings.Contains(line, "source a is not used") {
		t.Errorf("status() = %q, want source a in it", line)
	}
	if a := r.ask(t, "nobody@one.test"); len(a.Evidence) == 0 || a.Evidence[0].Source != "b" {
		t.Errorf("asked by %+v, want by source b", a.Evidence)
	}
	r.lose(t, "a", "b")
	r.wantReason(t, "somebody@one.test", "egress_blocked")
	if got := r.isReady(t); got.Ready || len(got.Problems) != 2 {
		t.Errorf("without a source: Ready() = %+v, want two problems", got)
	}
}

// lose runs a preflight in which these sources have lost their addresses.
func (r *running) lose(t *testing.T, names ...string) {
	t.Helper()
	r.mu.Lock()
	opts := preflight.MonitorOptions{Options: preflightFor(r.cfg, r.resolver, r.guard)}
	opts.Sources, _ = configuredSources(r.cfg)
	r.mu.Unlock()
	for i := range opts.Sources {
		if s := &opts.Sources[i]; slices.Contains(names, s.Name) {
			s.IPv4 = netip.MustParseAddr("192.0.2.1") // Which this host does not have.
		}
	}
	opts.Fitness = r.setFitness
	r.monitor.Reload(opts)
	eventually(t, "the preflight has run", func() bool {
		rep := r.Preflight()
		return rep != nil && len(rep.Out) == len(names)
	})
}
