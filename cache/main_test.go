package cache

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/verimails/verimaild/internal/store"
	"github.com/verimails/verimaild/verify/address"
	"github.com/verimails/verimaild/verify/maildns"
	"github.com/verimails/verimaild/verify/verdict"
)

// TestMain runs the test binary as one of the child processes below when it is asked to.
func TestMain(m *testing.M) {
	if child, ok := children[os.Getenv("CACHE_TEST_CHILD")]; ok {
		if err := child(os.Getenv("CACHE_TEST_DIR")); err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// children are what a child process of a test does with a directory.
var children = map[string]func(dir string) error{
	"remember": rememberForEver,
	"load":     loadMany,
	"serve":    serveMany,
}

// child is the test binary as a child process.
func child(t *testing.T, name, dir string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), "CACHE_TEST_CHILD="+name, "CACHE_TEST_DIR="+dir)
	cmd.Stderr = os.Stderr
	return cmd
}

// clock is a wall clock that a test sets.
type clock struct{ ns atomic.Int64 }

var start = time.Date(2026, time.November, 23, 9, 0, 0, 0, time.UTC)

func newClock() *clock {
	c := &clock{}
	c.ns.Store(start.UnixNano())
	return c
}

func (c *clock) now() time.Time          { return time.Unix(0, c.ns.Load()).UTC() }
func (c *clock) advance(d time.Duration) { c.ns.Add(int64(d)) }

// bench is a cache with what a test needs to look behind it.
type bench struct {
	*Cache
	t      testing.TB
	clock  *clock
	stores *store.Stores
	opts   Options
}

// newBench makes a cache over stores in memory.
func newBench(t testing.TB) *bench {
	t.Helper()
	return benchOn(t, store.Options{InMemory: true})
}

// benchOnDisk makes a cache over stores on disk.
func benchOnDisk(t testing.TB) *bench {
	t.Helper()
	return benchOn(t, store.Options{Dir: filepath.Join(t.TempDir(), "state")})
}

func benchOn(t testing.TB, so store.Options) *bench {
	t.Helper()
	stores, err := store.Open(so)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stores.Close(); err != nil {
			t.Errorf("Close() = %v", err)
		}
	})
	b := &bench{t: t, clock: newClock(), stores: stores}
	b.opts = Options{Stores: stores, Now: b.clock.now}
	if b.Cache, err = New(b.opts); err != nil {
		t.Fatal(err)
	}
	return b
}

// emptyMemory empties the tier in memory, so that what is asked next comes from disk.
func (b *bench) emptyMemory() {
	b.t.Helper()
	if err := b.Flush(b.t.Context()); err != nil {
		b.t.Fatalf("Flush = %v", err)
	}
	b.memory.clear()
}

// put stores an answer of now.
func (b *bench) put(a string, r verdict.Reason) {
	b.t.Helper()
	b.putAt(b.Begin(addr(b.t, a)), a, r)
}

func (b *bench) putAt(tok Token, a string, r verdict.Reason) {
	b.t.Helper()
	if _, err := b.PutMailbox(tok, addr(b.t, a), verdict.Mailbox{Reason: r, CheckedAt: b.clock.now()}); err != nil {
		b.t.Fatalf("PutMailbox(%s, %s) = %v", a, r, err)
	}
}

// habit stores whether a domain accepts made-up recipients.
func (b *bench) habit(d string, acceptsAll bool) {
	b.t.Helper()
	f := verdict.DomainFact{AcceptsAll: verdict.TriOf(acceptsAll), CheckedAt: b.clock.now()}
	if err := b.PutDomain(b.BeginDomain(domain(b.t, d)), domain(b.t, d), f); err != nil {
		b.t.Fatalf("PutDomain(%s) = %v", d, err)
	}
}

// want checks what is remembered of a mailbox, in memory and on disk: "" is nothing.
func (b *bench) want(a string, r verdict.Reason, f verdict.Freshness) {
	b.t.Helper()
	for _, tier := range []string{"first", "disk", "memory"} {
		got, fresh := b.Mailbox(addr(b.t, a))
		if got.Reason != r || fresh != f {
			b.t.Errorf("%s look-up of %s = %q, %v, want %q, %v", tier, a, got.Reason, fresh, r, f)
		}
		if tier == "first" {
			b.emptyMemory()
		}
	}
}

// wantHabit checks what is remembered of a domain, in memory and on disk.
func (b *bench) wantHabit(d string, t verdict.Tri, f verdict.Freshness) {
	b.t.Helper()
	for _, tier := range []string{"first", "disk", "memory"} {
		got, fresh := b.Domain(domain(b.t, d))
		if got.AcceptsAll != t || fresh != f {
			b.t.Errorf("%s look-up of %s = %v, %v, want %v, %v", tier, d, got.AcceptsAll, fresh, t, f)
		}
		if tier == "first" {
			b.emptyMemory()
		}
	}
}

// restart makes a new cache over the same stores, as a restart of the daemon would.
func (b *bench) restart() {
	b.t.Helper()
	if err := b.Flush(b.t.Context()); err != nil {
		b.t.Fatalf("Flush = %v", err)
	}
	fresh := &Cache{
		store: b.store, hashes: b.hashes, log: b.log, now: b.now, memory: newMemory(1000, 1<<20),
		mailboxes: b.mailboxes, facts: b.facts, hosts: b.hosts,
	}
	fresh.epochs.records, fresh.uniforms.records = b.epochs.records, b.uniforms.records
	fresh.ages.Store(b.ages.Load())
	if err := errors.Join(fresh.loadEpochs(&fresh.epochs), fresh.loadEpochs(&fresh.uniforms)); err != nil {
		b.t.Fatal(err)
	}
	b.Cache = fresh
}

func addr(t testing.TB, s string) address.Address {
	t.Helper()
	a, err := address.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func domain(t testing.TB, s string) address.Domain {
	t.Helper()
	d, err := address.ParseDomain(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// sample is a mailbox record as probes make them.
func sample(a address.Address, r verdict.Reason, at time.Time) verdict.Mailbox {
	target := verdict.Evidence{
		Stage: "rcpt", MX: "mx1.mail.example.com", IP: netip.MustParseAddr("192.0.2.25"), Source: "a", TLS: "TLS1.3",
		Code: 550, Enhanced: "5.1.1", Text: "<" + a.String() + ">: Recipient address rejected: User unknown in virtual mailbox table",
		Class: "no_such_mailbox", Scope: "mailbox", Rule: "postfix-user-unknown", At: at.Add(-time.Second),
	}
	m := verdict.Mailbox{
		Reason: r, AcceptAll: verdict.AcceptAllTested, ImplicitMX: verdict.False, CheckedAt: at,
		MX: []verdict.MX{{Host: "mx1.mail.example.com", Preference: 10}, {Host: "mx2.mail.example.com", Preference: 20}},
	}
	if !r.IsAcceptance() {
		m.Evidence = []verdict.Evidence{target}
		return m
	}
	control := target
	control.Control, control.Text = true, "<…@example.com>: Recipient address rejected: User unknown in virtual mailbox table"
	target.Code, target.Enhanced, target.Text, target.Class, target.Rule = 250, "2.1.5", "Ok", "accepted", "rcpt-accepted"
	m.Evidence = []verdict.Evidence{target, control}
	return m
}

// dialogue is one session's lines.
func dialogue(a address.Address, at time.Time) []verdict.Line {
	var out []verdict.Line
	for i, s := range []string{
		"S220 mx1.mail.example.com ESMTP Postfix (Debian/GNU)", "CEHLO a.egress.example.net",
		"S250-mx1.mail.example.com", "S250-PIPELINING", "S250-SIZE 52428800", "S250-VRFY", "S250-ETRN", "S250-STARTTLS",
		"S250-ENHANCEDSTATUSCODES", "S250-8BITMIME", "S250-DSN", "S250-SMTPUTF8", "S250 CHUNKING",
		"CSTARTTLS", "S220 2.0.0 Ready to start TLS", "CEHLO a.egress.example.net",
		"S250-mx1.mail.example.com", "S250-PIPELINING", "S250-SIZE 52428800", "S250-VRFY", "S250-ETRN",
		"S250-ENHANCEDSTATUSCODES", "S250-8BITMIME", "S250-DSN", "S250-SMTPUTF8", "S250 CHUNKING",
		"CMAIL FROM:<…@egress.example.net>", "CRCPT TO:<" + a.String() + ">", "CRSET", "S250 2.1.0 Ok",
		"S550 5.1.1 <" + a.String() + ">: Recipient address rejected: User unknown in virtual mailbox table", "S250 2.0.0 Ok",
	} {
		out = append(out, verdict.Line{At: at.Add(time.Duration(i) * 7 * time.Millisecond), Client: s[0] == 'C', Text: s[1:]})
	}
	return out
}

// found is what the DNS says of a domain with two mail hosts.
func found(d address.Domain, at time.Time) maildns.MailHosts {
	return maildns.MailHosts{
		Domain: d, Status: maildns.Found, TTL: time.Hour, At: at, Server: "127.0.0.53:53", Took: 12 * time.Millisecond,
		Hosts: []maildns.Host{
			{Name: "mx1." + d.ASCII(), Preference: 10, Status: maildns.Found, Addrs: []netip.Addr{netip.MustParseAddr("192.0.2.25"), netip.MustParseAddr("2001:db8::25")}},
			{Name: "mx2." + d.ASCII(), Preference: 20, Status: maildns.Unroutable, Refused: []netip.Addr{netip.MustParseAddr("10.0.0.25")}, Detail: "private"},
		},
	}
}
