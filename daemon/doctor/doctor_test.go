package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/verimails/verimaild/client/apitype"
	"github.com/verimails/verimaild/config"
	"github.com/verimails/verimaild/daemon"
	"github.com/verimails/verimaild/internal/mailworld"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A rig is a world in which all is in order, and the configuration of a daemon in it.
type rig struct {
	*mailworld.World
	dir  string
	text string
	exam exam
}

// newRig makes a world with three mail servers of different owners, a sender, and a block list.
func newRig(t *testing.T, change ...func(*mailworld.Spec)) *rig {
	t.Helper()
	spec := mailworld.Spec{
		Hosts: []mailworld.Host{{Name: "mx.one.test"}, {Name: "mail.egress.test"}},
		Domains: []mailworld.Domain{
			{Name: "one.test", MX: mailworld.MXs("mx.one.test")},
			{Name: "two.test", Addrs: []netip.Addr{netip.MustParseAddr("127.200.2.1")}},
			{Name: "three.test", Addrs: []netip.Addr{netip.MustParseAddr("127.200.3.1")}},
			{Name: "egress.test", MX: mailworld.MXs("mail.egress.test"), TXT: []string{"v=spf1 {sources} -all"}, Mailboxes: []string{"probe"}},
			{Name: "2.0.0.127.bl.test", Addrs: []netip.Addr{netip.MustParseAddr("127.0.0.2")}},
		},
	}
	for _, f := range change {
		f(&spec)
	}
	w, err := mailworld.Start(spec)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "vm") // The path of a socket must be short.
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil { // Applications have to get at the socket.
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.Check(t)
		if err := errors.Join(w.Close(), os.RemoveAll(dir)); err != nil {
			t.Error(err)
		}
	})
	r := &rig{World: w, dir: dir, text: fmt.Sprintf(`socket: {path: %[1]s/s}
state_dir: %[1]s/state
resolver: {servers: ["%[2]s"], timeout: 300ms}
drain_timeout: 5s
egress:
  sender: probe@egress.test
  port: %[3]d
  allow_networks: [127.0.0.0/8]
  sources: [{name: a, ipv4: %[4]v, ehlo: source0.egress.test}]
preflight: {port_targets: [one.test, two.test, three.test], network_targets: [], dnsbl: [bl.test]}
`, dir, w.DNSAddr(), w.Port(), w.SourceAddr(0))}
	r.exam.host = host{
		now: time.Now, synced: func() (bool, bool) { return true, true },
		space:     func(string) (space, error) { return space{free: 50 << 30, files: 1e6, filesKnown: true}, nil },
		openFiles: func(int) (uint64, error) { return 65536, nil },
	}
	r.exam.Version = daemon.Version()
	return r
}

// load reads the configuration, as the command does.
func (r *rig) load(t *testing.T) *config.Config {
	t.Helper()
	path := filepath.Join(r.dir, "verimaild.yaml")
	if err := os.WriteFile(path, []byte(r.text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(path, nil)
	if err == nil {
		r.exam.Config, r.exam.Socket = cfg, cfg.Socket.Path
		err = daemon.Check(cfg)
	}
	r.exam.Faults, _ = errors.AsType[config.Faults](err)
	return cfg
}

// serve runs a daemon by the configuration until the test ends.
func (r *rig) serve(t *testing.T) {
	t.Helper()
	d, err := daemon.New(daemon.Options{Config: r.load(t), Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Stop(context.Background()); err != nil {
			t.Errorf("Stop() = %v, want nil", err)
		}
	})
}

// look runs the exam.
func (r *rig) look(t *testing.T) []Finding {
	t.Helper()
	var out []Finding
	r.exam.run(t.Context(), func(f Finding) { out = append(out, f) })
	return out
}

// find is the first finding of a check with this state; it fails the test if there is none.
func find(t *testing.T, list []Finding, area, check string, st State) Finding {
	t.Helper()
	for _, f := range list {
		if f.Area == area && f.Check == check && f.State == st {
			return f
		}
	}
	t.Errorf("no finding of %s %s that is %s:\n%s", area, check, st, dump(list))
	return Finding{}
}

func dump(list []Finding) string {
	var b strings.Builder
	for _, f := range list {
		fmt.Fprintf(&b, "  %s %s %q: %s: %s. %s\n", f.Area, f.Check, f.Subject, f.State, f.Found, f.Advice)
	}
	return b.String()
}

// TestAllWell looks with a daemon and without one.
func TestAllWell(t *testing.T) {
	r := newRig(t)
	r.load(t)
	r.exam.Verify = func(_ context.Context, email string) (apitype.Answer, error) {
		return apitype.Answer{Email: email, Verdict: apitype.Deliverable}, nil
	}
	without := r.look(t)
	find(t, without, AreaDaemon, "running", Note)
	find(t, without, AreaState, "state_dir", Note)

	r.serve(t)
	with := r.look(t)
	for _, want := range []struct{ area, check string }{
		{AreaConfiguration, "valid"},
		{AreaDaemon, "version"},
		{AreaDaemon, "running"},
		{AreaDaemon, "ready"},
		{AreaDaemon, "permissions"},
		{AreaState, "state_dir"},
		{AreaState, "disk"},
		{AreaHost, "descriptors"},
		{AreaHost, "clock"},
		{AreaResolver, "answers"},
		{AreaResolver, "truncation"},
		{AreaResolver, "honesty"},
		{AreaSources, "address"},
		{AreaSources, "port"},
		{AreaSources, "ptr"},
		{AreaSources, "ehlo"},
		{AreaSources, "spf"},
		{AreaSources, "dnsbl"},
		{AreaSources, "sender_mx"},
		{AreaSender, "mailbox"},
		{AreaSender, "postmaster"},
	} {
		find(t, with, want.area, want.check, OK)
	}
	for _, list := range [][]Finding{without, with} {
		for _, f := range list {
			if f.State == Warn || f.State == Fail || f.State == Unknown {
				t.Errorf("%s %s: %s, %s; want nothing wrong", f.Area, f.Check, f.State, f.Found)
			}
			if strings.HasSuffix(f.Found, ".") || f.Advice != "" && !strings.HasSuffix(f.Advice, ".") {
				t.Errorf("%s %s: %q, %q, want one sentence without and one with its full stop", f.Area, f.Check, f.Found, f.Advice)
			}
		}
	}
}

// TestFaults injects one fault at a time, and looks for the line that names it and what to do.
func TestFaults(t *testing.T) {
	domain := func(name string, change func(*mailworld.Domain)) func(*testing.T, *rig) {
		return func(_ *testing.T, r *rig) { r.ChangeDomain(name, change) }
	}
	edit := func(old, new string) func(*testing.T, *rig) {
		return func(t *testing.T, r *rig) {
			if !strings.Contains(r.text, old) {
				t.Fatalf("the configuration has no %q", old)
			}
			r.text = strings.Replace(r.text, old, new, 1)
		}
	}
	onHost := func(change func(*host)) func(*testing.T, *rig) {
		return func(_ *testing.T, r *rig) { change(&r.exam.host) }
	}
	room := func(s space) func(*testing.T, *rig) {
		return onHost(func(h *host) { h.space = func(string) (space, error) { return s, nil } })
	}
	for _, row := range []struct {
		name          string
		inject        func(*testing.T, *rig)
		area, check   string
		state         State
		found, advice string
	}{
		{"a key that does not exist", edit("drain_timeout", "drain_timeuot"), AreaConfiguration, "valid", Fail, `did you mean "drain_timeout"`, "config check"},
		{"no sender", edit("sender: probe@egress.test", `sender: ""`), AreaConfiguration, "set", Fail, "no mail server is asked", "egress.sender"},
		{"a source that this host does not have", edit("ipv4: 127.", "ipv4: 192.0.2.1, public_ipv4: 127."), AreaConfiguration, "valid", Fail, "is not an address of this host", ""},
		{"the same, by the sources", edit("ipv4: 127.", "ipv4: 192.0.2.1, public_ipv4: 127."), AreaSources, "address", Fail, "is not an address of this host", "source a"},

		{"a daemon that was killed", func(t *testing.T, r *rig) { deadSocket(t, r.dir+"/s") }, AreaDaemon, "running", Warn, "the last one was killed", "systemctl start"},
		{"something that does not speak", func(t *testing.T, r *rig) { muteSocket(t, r.dir+"/s") }, AreaDaemon, "running", Fail, "", "journalctl"},

		{"a state directory that is a file", func(t *testing.T, r *rig) { writeFile(t, r.dir+"/state", 0o600) }, AreaState, "state_dir", Fail, "is not a directory", "state_dir"},
		{"a state directory for all", func(t *testing.T, r *rig) { makeDir(t, r.dir+"/state", 0o777) }, AreaState, "state_dir", Fail, "others may write", "chmod 0700"},
		{"a state directory for all to read", func(t *testing.T, r *rig) { makeDir(t, r.dir+"/state", 0o755) }, AreaState, "state_dir", Warn, "others may look", "chmod 0700"},
		{"a state directory nowhere", edit("/state\n", "/no/where/state\n"), AreaState, "state_dir", Fail, "there is no", "state_dir"},
		{"a full disk", room(space{free: 100 << 20}), AreaState, "disk", Fail, "only 100 MB", "Make room"},
		{"a disk that is nearly full", room(space{free: 1 << 30}), AreaState, "disk", Warn, "only 1024 MB", "Make room"},
		{"a read-only disk", room(space{free: 50 << 30, readOnly: true}), AreaState, "disk", Fail, "read-only", "Mount it"},
		{"no more files", room(space{free: 50 << 30, files: 5, filesKnown: true}), AreaState, "disk", Fail, "only 5 files", "Delete"},
		{"few descriptors", onHost(func(h *host) { h.openFiles = func(int) (uint64, error) { return 1024, nil } }), AreaHost, "descriptors", Note, "1024 files", "LimitNOFILE"},
		{"1970", onHost(func(h *host) { h.now = func() time.Time { return time.Unix(100, 0) } }), AreaHost, "clock", Fail, "1970-01-01", "NTP"},
		{"a clock that nobody keeps", onHost(func(h *host) { h.synced = func() (bool, bool) { return false, true } }), AreaHost, "clock", Warn, "nobody keeps", "NTP"},

		{"no resolver", func(_ *testing.T, r *rig) { r.text = strings.Replace(r.text, r.DNSAddr(), "127.0.0.1:1", 1) }, AreaResolver, "answers", Fail, "does not answer", "resolver.servers"},
		{"no resolver: the port is not known", func(_ *testing.T, r *rig) { r.text = strings.Replace(r.text, r.DNSAddr(), "127.0.0.1:1", 1) }, AreaSources, "port", Unknown, "too few", "resolver"},
		{"a resolver that hides names", domain("one.test", func(d *mailworld.Domain) { d.Faults = map[string]mailworld.Fault{"A": mailworld.NXDomain} }), AreaResolver, "honesty", Unknown, "one.test does not exist", "Use a resolver of your own"},

		{"no SPF", domain("egress.test", func(d *mailworld.Domain) { d.TXT = nil }), AreaSources, "spf", Warn, "no SPF record", `v=spf1 ip4:127.`},
		{"another name in EHLO", edit("ehlo: source0.egress.test", "ehlo: source1.egress.test"), AreaSources, "ehlo", Warn, "does not lead to", "ehlo of source a"},
		{"a null MX", domain("egress.test", func(d *mailworld.Domain) { d.MX = mailworld.NullMX() }), AreaSources, "sender_mx", Warn, "null MX", "MX record"},
		{"a list that does not answer", domain("2.0.0.127.bl.test", func(d *mailworld.Domain) { d.Addrs = []netip.Addr{netip.MustParseAddr("127.255.255.254")} }), AreaSources, "dnsbl", Note, "does not answer the resolver", "resolver of your own"},
		{"no mailbox", func(_ *testing.T, r *rig) {
			r.exam.Verify = func(context.Context, string) (apitype.Answer, error) {
				return apitype.Answer{Verdict: apitype.Undeliverable, Reason: "mailbox_not_found"}, nil
			}
		}, AreaSender, "postmaster", Warn, "postmaster@egress.test takes no mail", "Make the mailbox"},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := newRig(t)
			row.inject(t, r)
			r.load(t)
			got := find(t, r.look(t), row.area, row.check, row.state)
			if !strings.Contains(got.Found, row.found) || !strings.Contains(got.Advice, row.advice) {
				t.Errorf("%s %s: %q, %q, want …%s…, …%s…", row.area, row.check, got.Found, got.Advice, row.found, row.advice)
			}
		})
	}
}

// TestInventedNames looks at a resolver that has an address for every name.
func TestInventedNames(t *testing.T) {
	r := newRig(t, func(s *mailworld.Spec) {
		s.Find = func(name string) (mailworld.Domain, bool) {
			return mailworld.Domain{Name: name, Addrs: []netip.Addr{netip.MustParseAddr("127.203.0.80")}}, strings.HasSuffix(name, ".com")
		}
	})
	r.load(t)
	got := find(t, r.look(t), AreaResolver, "honesty", Fail)
	if !strings.Contains(got.Found, "invents addresses") || !strings.Contains(got.Advice, "resolver of your own") {
		t.Errorf("honesty: %q, %q, want what it does, and what to do", got.Found, got.Advice)
	}
}

// TestClosedOrDown tells a port that is closed from a mail server that is down: the port is tried at addresses where
// nobody listens, while something else answers.
func TestClosedOrDown(t *testing.T) {
	r := newRig(t)
	down := func(name, addr string) {
		r.ChangeDomain(name, func(d *mailworld.Domain) { d.MX, d.Addrs = nil, []netip.Addr{netip.MustParseAddr(addr)} })
	}
	down("two.test", "127.200.2.1")
	down("three.test", "127.200.3.1")
	r.load(t)
	if got := find(t, r.look(t), AreaSources, "port", OK); !strings.Contains(got.Found, "mx.one.test took the connection") {
		t.Errorf("two of three servers down: %q, want an open port", got.Found)
	}
	down("one.test", "127.200.1.1")
	if got := find(t, r.look(t), AreaSources, "port", Fail); !strings.Contains(got.Advice, "Ask the provider of this host") {
		t.Errorf("no server can be reached: %q, %q, want a closed port and whom to ask", got.Found, got.Advice)
	}
}

// TestOtherDaemon finds a daemon that is not what the configuration and this program say.
func TestOtherDaemon(t *testing.T) {
	r := newRig(t)
	r.serve(t)
	r.exam.Version.Version = "v9.9.9"
	r.exam.Config.Socket.Mode = 0o600
	r.exam.host.openFiles = func(pid int) (uint64, error) {
		if pid != os.Getpid() {
			return 0, fmt.Errorf("asked about process %d, want the daemon's, %d", pid, os.Getpid())
		}
		return 1024, nil
	}
	list := r.look(t)
	find(t, list, AreaDaemon, "version", Warn)
	find(t, list, AreaDaemon, "permissions", Warn)
	find(t, list, AreaHost, "descriptors", Warn)
}

// TestThisHost asks the operating system itself.
func TestThisHost(t *testing.T) {
	h := thisHost()
	if sp, err := h.space(t.TempDir()); err != nil || sp.free == 0 {
		t.Errorf("space() = %+v, %v, want some", sp, err)
	}
	if n, err := h.openFiles(0); err != nil || n < 64 {
		t.Errorf("openFiles(0) = %d, %v, want at least 64", n, err)
	}
	if n, err := h.openFiles(os.Getpid()); err != nil || n < 64 {
		t.Errorf("openFiles(own) = %d, %v, want at least 64", n, err)
	}
	if names := madeUp(); len(names) != 3 || names[1] == madeUp()[1] {
		t.Errorf("madeUp() = %q, want three names, others each time", names)
	}
}

// deadSocket leaves a socket without a daemon.
func deadSocket(t *testing.T, path string) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// muteSocket hangs up on whoever connects.
func muteSocket(t *testing.T, path string) {
	t.Helper()
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
}

func writeFile(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, nil, mode); err != nil {
		t.Fatal(err)
	}
}

func makeDir(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := errors.Join(os.Mkdir(path, 0o700), os.Chmod(path, mode)); err != nil {
		t.Fatal(err)
	}
}
