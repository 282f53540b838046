package daemon

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/verimails/verimaild/client"
	"github.com/verimails/verimaild/client/apitype"
	"github.com/verimails/verimaild/config"
	"github.com/verimails/verimaild/internal/mailworld"
)

// reloads puts the running configuration with a change into force.
func (r *running) reloads(t *testing.T, change func(*config.Config)) (restart []string) {
	t.Helper()
	next := *r.cfg
	change(&next)
	restart, err := r.Reload(t.Context(), &next)
	if err != nil {
		t.Fatalf("Reload() = %v, want nil", err)
	}
	return restart
}

// TestNoSender has a daemon without a sender answer what it can, become ready by a reload, and cease to be.
func TestNoSender(t *testing.T) {
	w := smallWorld(t)
	r := start(t, w, func(cfg *config.Config) { cfg.Egress.Sender = "" })

	unset := func() {
		t.Helper()
		ready := r.isReady(t)
		if ready.Ready || len(ready.Problems) != 1 || !strings.Contains(ready.Problems[0].Message, "egress.sender") {
			t.Errorf("Ready() = %+v, want a problem that names egress.sender", ready)
		}
		a := r.wantReason(t, "grace@example.test", "egress_blocked")
		if !strings.Contains(a.Explanation, "egress.sender") {
			t.Errorf("explanation = %q, want egress.sender in it", a.Explanation)
		}
		if a.Domain == nil || len(a.Domain.MX) != 1 || a.Domain.MX[0].Host != "mx.example.test" {
			t.Errorf("domain = %+v, want its mail host", a.Domain)
		}
	}
	unset()
	r.wantReason(t, "not an address", "invalid_syntax")
	r.wantReason(t, "ada@nowhere.test", "domain_not_found")
	if a := r.askFor(t, "ada@example.test", client.VerifyOptions{Depth: apitype.DepthDNS}); a.Reason != "not_probed" {
		t.Errorf("with depth dns: %s, want not_probed", a.Reason)
	}
	if got := w.Counts().Sessions; got != 0 {
		t.Errorf("%d sessions without a sender, want 0", got)
	}

	r.reloads(t, func(cfg *config.Config) { cfg.Egress.Sender = "probe@source0.egress.test" })
	if ready := r.isReady(t); !ready.Ready || len(ready.Problems) != 0 {
		t.Errorf("Ready() = %+v, want ready", ready)
	}
	r.wantReason(t, "ada@example.test", "mailbox_accepted")

	r.reloads(t, func(cfg *config.Config) { cfg.Egress.Sender = "" })
	before := w.Counts().Commands["RCPT"]
	unset()
	if got := w.Counts().Commands["RCPT"]; got != before {
		t.Errorf("%d recipients asked about without a sender, want 0", got-before)
	}

	r.reloads(t, func(cfg *config.Config) { cfg.Egress.Sender = "other@source0.egress.test" })
	r.wantReason(t, "grace@example.test", "mailbox_not_found")
	mails := 0
	for _, c := range w.Commands("") {
		if c.Verb == "MAIL" && strings.Contains(c.Line, "<other@") {
			mails++
		}
	}
	if mails == 0 {
		t.Error("the new sender was not used")
	}
}

// TestReloadSources moves the daemon to another source.
func TestReloadSources(t *testing.T) {
	w := smallWorld(t)
	r := start(t, w)
	if e := r.wantReason(t, "ada@example.test", "mailbox_accepted").Evidence; e[0].Source != "a" {
		t.Errorf("source = %q, want a", e[0].Source)
	}
	r.reloads(t, func(cfg *config.Config) {
		cfg.Egress.Sources = []config.Source{{Name: "b", IPv4: w.SourceAddr(1), EHLO: "source1.egress.test"}}
	})
	if e := r.wantReason(t, "grace@example.test", "mailbox_not_found").Evidence; e[0].Source != "b" {
		t.Errorf("source = %q, want b", e[0].Source)
	}
	sessions := w.Sessions("")
	last := sessions[len(sessions)-1]
	if last.Source.Addr() != w.SourceAddr(1) || last.EHLO != "source1.egress.test" {
		t.Errorf("last session from %v as %s, want %v as source1.egress.test", last.Source.Addr(), last.EHLO, w.SourceAddr(1))
	}
}

// TestReloadLimits has a limit hold for sites that are known already.
func TestReloadLimits(t *testing.T) {
	w := smallWorld(t)
	r := start(t, w)
	r.wantReason(t, "ada@example.test", "mailbox_accepted") // Its control leaves a session with one refusal.
	r.reloads(t, func(cfg *config.Config) {
		one := 1
		cfg.Egress.Limits.RefusalsPerSession = &one
	})
	for _, name := range []string{"x1", "x2", "x3"} {
		r.wantReason(t, name+"@example.test", "mailbox_not_found")
	}
	for _, s := range w.Sessions("")[1:] {
		if s.Recipients != 1 {
			t.Errorf("session %d: %d recipients, want 1", s.ID, s.Recipients)
		}
	}
}

// TestReloadResolver asks another name server from then on, and looks up IPv6 once a source has it.
func TestReloadResolver(t *testing.T) {
	one, two := smallWorld(t), startWorld(t, mailworld.Spec{})
	r := start(t, one)
	opts := client.VerifyOptions{Depth: apitype.DepthDNS}
	if a := r.askFor(t, "ada@example.test", opts); a.Reason != "not_probed" {
		t.Errorf("reason = %s, want not_probed", a.Reason)
	}
	aaaa := func() (n int) {
		for _, q := range one.Queries("mx.example.test") {
			if q.Type == "AAAA" {
				n++
			}
		}
		return n
	}
	if got := aaaa(); got != 0 {
		t.Errorf("%d AAAA queries with IPv4 sources only, want 0", got)
	}
	r.reloads(t, func(cfg *config.Config) {
		cfg.Egress.Sources = []config.Source{
			{Name: "a", IPv4: one.SourceAddr(0), EHLO: "source0.egress.test"},
			{Name: "six", IPv6: netip.IPv6Loopback(), EHLO: "source0.egress.test"},
		}
	})
	r.askFor(t, "grace@example.test", opts)
	if aaaa() == 0 {
		t.Error("no AAAA query with an IPv6 source")
	}
	r.reloads(t, func(cfg *config.Config) { cfg.Resolver.Servers = []string{two.DNSAddr()} })
	if a := r.askFor(t, "ada@other.test", opts); a.Reason != "domain_not_found" {
		t.Errorf("reason = %s, want domain_not_found", a.Reason)
	}
	if two.Counts().Queries == 0 {
		t.Error("the new name server was not asked")
	}
}

// TestReloadGuard lets a network in, and out again.
func TestReloadGuard(t *testing.T) {
	w := smallWorld(t)
	r := start(t, w, func(cfg *config.Config) { cfg.Egress.AllowNetworks = nil })
	r.wantReason(t, "ada@example.test", "mx_unroutable")
	r.reloads(t, func(cfg *config.Config) {
		cfg.Egress.AllowNetworks = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	})
	r.wantReason(t, "grace@example.test", "mailbox_not_found")
	r.reloads(t, func(cfg *config.Config) {
		cfg.Egress.AllowNetworks = nil
		one := 1
		cfg.Egress.Limits.RefusalsPerSession = &one // So that a new session is needed.
	})
	before := w.Counts().Sessions
	r.wantReason(t, "dennis@example.test", "mx_unroutable")
	if got := w.Counts().Sessions; got != before {
		t.Errorf("%d sessions after the network was taken away, want 0", got-before)
	}
}

// TestReloadNames has lists, policy and never_probe change.
func TestReloadNames(t *testing.T) {
	w := smallWorld(t)
	r := start(t, w)
	r.wantReason(t, "ada@example.test", "mailbox_accepted")
	dir := shortDir(t)
	add, suffix := filepath.Join(dir, "roles"), filepath.Join(dir, "suffix")
	if err := os.WriteFile(add, []byte("ada\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(suffix, []byte("co.uk\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.reloads(t, func(cfg *config.Config) {
		cfg.Lists.Role.Add = []string{add}
		cfg.Lists.Disposable.Add = []string{suffix}
	})
	r.wantReason(t, "ada@example.test", "role_address")
	if got := r.log.FilterMessageSnippet("names ignored").FilterField(zap.String("list", "disposable")).Len(); got != 1 {
		t.Errorf("%d lines about ignored names, want 1", got)
	}
	r.reloads(t, func(cfg *config.Config) { cfg.Policy.Role = false })
	r.wantReason(t, "ada@example.test", "mailbox_accepted")
	r.reloads(t, func(cfg *config.Config) { cfg.NeverProbe = []string{"example.test"} })
	r.wantReason(t, "grace@example.test", "probe_suppressed")
}

// TestReloadLog changes what is logged of an answer.
func TestReloadLog(t *testing.T) {
	r := start(t, smallWorld(t))
	r.wantReason(t, "ada@example.test", "mailbox_accepted")
	for _, e := range r.log.All() {
		for k, v := range e.ContextMap() {
			if s, ok := v.(string); ok && strings.Contains(s, "ada@") {
				t.Errorf("log.addresses is off, and a line has %s = %q", k, s)
			}
		}
	}
	if got := r.log.FilterMessage("answer").FilterField(zap.String("domain", "example.test")).Len(); got != 1 {
		t.Errorf("%d lines about the answer, want 1", got)
	}
	r.reloads(t, func(cfg *config.Config) { cfg.Log.Addresses = true })
	r.wantReason(t, "ada@example.test", "mailbox_accepted")
	if got := r.log.FilterField(zap.String("address", "ada@example.test")).Len(); got != 1 {
		t.Errorf("%d lines with the address, want 1", got)
	}
}

// TestReloadRestart names what needs a restart, and goes on naming it until that has happened.
func TestReloadRestart(t *testing.T) {
	r := start(t, smallWorld(t))
	socket := r.Socket()
	for i := range 2 {
		got := r.reloads(t, func(cfg *config.Config) {
			cfg.Socket.Path, cfg.StateDir, cfg.Cache.Entries = "/elsewhere/s", "/elsewhere", 1000
			cfg.DrainTimeout = time.Duration(i+1) * time.Second
		})
		if want := []string{"socket.path", "state_dir", "cache.entries"}; !slices.Equal(got, want) {
			t.Errorf("reload %d: needs a restart: %q, want %q", i, got, want)
		}
	}
	if r.Socket() != socket {
		t.Errorf("Socket() = %q, want still %q", r.Socket(), socket)
	}
}

// TestReloadFault keeps the old configuration, whatever is wrong with the new one.
func TestReloadFault(t *testing.T) {
	r := start(t, smallWorld(t))
	old := r.cfg
	for _, row := range []struct {
		name, key string
		change    func(*config.Config)
	}{
		{"sender", "egress.sender", func(c *config.Config) { c.Egress.Sender = "nobody" }},
		{"sender beyond ASCII", "egress.sender", func(c *config.Config) { c.Egress.Sender = "jürgen@example.test" }},
		{"address of another host", "egress.sources[0].ipv4", func(c *config.Config) {
			c.Egress.Sources = []config.Source{{Name: "a", IPv4: netip.MustParseAddr("192.0.2.1"), EHLO: "a.example.test"}}
		}},
		{"warm-up", "egress.sources[0].warmup: 10 does not come after 50", func(c *config.Config) {
			c.Egress.Sources = []config.Source{{Name: "a", IPv4: c.Egress.Sources[0].IPv4, EHLO: "a.example.test", Warmup: "50, 10"}}
		}},
		{"provider of a site", "egress.sites[1].match.provider", func(c *config.Config) {
			c.Egress.Sites = []config.SiteRule{{Match: config.SiteMatch{Provider: "google"}}, {Match: config.SiteMatch{Provider: "gogle"}}}
		}},
		{"pattern of a site", "egress.sites[0].match.mx", func(c *config.Config) {
			c.Egress.Sites = []config.SiteRule{{Match: config.SiteMatch{MX: "mx**.example.net"}}}
		}},
		{"domain of a site", "egress.sites[0].match.domain", func(c *config.Config) {
			c.Egress.Sites = []config.SiteRule{{Match: config.SiteMatch{Domain: "\u00ad\u00ad.example"}}}
		}},
		{"never_probe", "never_probe[0]", func(c *config.Config) { c.NeverProbe = []string{"a b"} }},
		{"list", "lists", func(c *config.Config) { c.Lists.Role.Add = []string{"/nowhere/roles"} }},
		{"reply rule", "replies", func(c *config.Config) {
			c.Replies = []config.ReplyRule{{Name: "x", Class: "no_such_class", Code: "550"}}
		}},
		{"name server", "resolver.servers", func(c *config.Config) { c.Resolver.Servers = []string{"localhost"} }},
	} {
		t.Run(row.name, func(t *testing.T) {
			next := *old
			row.change(&next)
			_, err := r.Reload(t.Context(), &next)
			if err == nil || !strings.Contains(err.Error(), row.key) {
				t.Errorf("Reload() = %v, want an error that names %s", err, row.key)
			}
			if r.cfg != old {
				t.Error("the configuration in force has changed")
			}
			r.wantReason(t, "ada@example.test", "mailbox_accepted")
		})
	}
}
