package cache

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/verimails/verimaild/internal/store"
	"github.com/verimails/verimaild/verify/maildns"
	"github.com/verimails/verimaild/verify/verdict"
)

func TestForgetAddress(t *testing.T) {
	b := newBench(t)
	b.put(ada, verdict.MailboxAccepted)
	b.put(bob, verdict.MailboxAccepted)
	b.habit("example.com", false)
	if err := b.ForgetAddress(t.Context(), addr(t, ada)); err != nil {
		t.Fatal(err)
	}
	b.want(ada, "", none)
	b.want(bob, verdict.MailboxAccepted, fresh)
	b.wantHabit("example.com", verdict.False, fresh)
	b.put(ada, verdict.MailboxNotFound) // It may be asked about again.
	b.want(ada, verdict.MailboxNotFound, fresh)
}

func TestForgetDomain(t *testing.T) {
	b := newBench(t)
	b.put(ada, verdict.MailboxAccepted)
	b.put(bob, verdict.MailboxNotFound)
	b.put(eve, verdict.MailboxAccepted)
	b.habit("example.com", false)
	b.putStatus(maildns.Found, time.Hour)
	b.Contradict(domain(t, "example.com"))
	n, err := b.ForgetDomain(t.Context(), domain(t, "example.com"))
	if n != 5 || err != nil {
		t.Errorf("ForgetDomain = %d, %v, want 5 records", n, err)
	}
	b.want(ada, "", none)
	b.want(bob, "", none)
	b.wantHabit("example.com", verdict.Undetermined, none)
	b.wantHosts("", none)
	if f, _ := b.Domain(domain(t, "example.com")); !f.ContradictedAt.IsZero() {
		t.Errorf("ContradictedAt = %v, want it forgotten", f.ContradictedAt)
	}
	b.want(eve, verdict.MailboxAccepted, fresh)
}

func TestForgetAll(t *testing.T) {
	b := benchOnDisk(t)
	kept, err := store.NewRecords(b.stores.State(), "t/", raw)
	if err != nil {
		t.Fatal(err)
	}
	if err := kept.Put(t.Context(), []byte("ticket"), []byte("kept"), 0); err != nil {
		t.Fatal(err)
	}
	b.put(ada, verdict.MailboxAccepted)
	b.put(eve, verdict.MailboxAccepted)
	b.habit("example.com", false)
	if err := b.ForgetAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.want(ada, "", none)
	b.want(eve, "", none)
	b.wantHabit("example.com", verdict.Undetermined, none)
	if _, found, err := kept.Get([]byte("ticket")); !found || err != nil {
		t.Errorf("the durable store after ForgetAll: %v, %v, want it untouched", found, err)
	}
	b.put(ada, verdict.MailboxNotFound)
	b.want(ada, verdict.MailboxNotFound, fresh)
}

// TestForgetHoldsForWhatIsUnderWay stores what was being asked while it was forgotten.
func TestForgetHoldsForWhatIsUnderWay(t *testing.T) {
	forget := map[string]func(b *bench) error{
		"address": func(b *bench) error { return b.ForgetAddress(t.Context(), addr(t, ada)) },
		"domain": func(b *bench) error {
			_, err := b.ForgetDomain(t.Context(), domain(t, "example.com"))
			return err
		},
		"all": func(b *bench) error { return b.ForgetAll(t.Context()) },
	}
	for name, do := range forget {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			tok := b.Begin(addr(t, ada))
			if err := do(b); err != nil {
				t.Fatal(err)
			}
			b.putAt(tok, ada, verdict.MailboxAccepted)
			if err := b.PutDomain(tok, domain(t, "example.com"), verdict.DomainFact{AcceptsAll: verdict.True}); err != nil {
				t.Fatal(err)
			}
			b.PutHosts(tok, found(domain(t, "example.com"), start))
			b.want(ada, "", none)
			if name == "address" { // What was found out about its domain is not about the address.
				b.wantHabit("example.com", verdict.True, fresh)
				b.wantHosts(maildns.Found, fresh)
				return
			}
			b.wantHabit("example.com", verdict.Undetermined, none)
			b.wantHosts("", none)
			if n := b.Stats().Void; n != 3 {
				t.Errorf("Stats().Void = %d, want 3", n)
			}
		})
	}
}

func TestTokensAreForOneThing(t *testing.T) {
	b := newBench(t)
	tokens := map[string]Token{
		"zero":              {},
		"of another domain": b.Begin(addr(t, eve)),
		"of another name":   b.Begin(addr(t, bob)),
		"of the domain":     b.BeginDomain(domain(t, "example.com")),
	}
	for name, tok := range tokens {
		b.putAt(tok, ada, verdict.MailboxAccepted)
		if m, f := b.Mailbox(addr(t, ada)); f != none {
			t.Errorf("stored with a token %s: %q", name, m.Reason)
		}
	}
}

// TestForgetAndRefresh has many readers and writers of a few mailboxes while they are forgotten again and again. What
// was learned before a forgetting began must never be seen after it has ended.
func TestForgetAndRefresh(t *testing.T) {
	b := newBench(t)
	b.memory = newMemory(64, 1<<20) // Small, so that both tiers are used.
	var begun, ended atomic.Int64   // How many forgettings have.
	var wg sync.WaitGroup
	stop := make(chan struct{})
	names := make([]string, 8)
	for i := range names {
		names[i] = fmt.Sprintf("user%d@example.com", i)
	}
	for w := range 4 {
		wg.Go(func() {
			for n := w; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				a := addr(t, names[n%len(names)])
				tok := b.Begin(a)
				learned := begun.Load()
				m := verdict.Mailbox{Reason: verdict.MailboxFull, Provider: fmt.Sprint(learned), CheckedAt: b.clock.now()}
				if _, err := b.PutMailbox(tok, a, m); err != nil {
					t.Error(err)
				}
			}
		})
		wg.Go(func() {
			for n := w; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				ended := ended.Load()
				m, f := b.Mailbox(addr(t, names[n%len(names)]))
				var learned int64
				if f == verdict.Missing {
					continue
				}
				if _, err := fmt.Sscan(m.Provider, &learned); err != nil || learned < ended {
					t.Errorf("after forgetting %d: a record from after %q began, %v", ended, m.Provider, err)
				}
			}
		})
	}
	for n := range 60 {
		begun.Add(1)
		var err error
		switch n % 3 {
		case 0:
			_, err = b.ForgetDomain(t.Context(), domain(t, "example.com"))
		case 1:
			for _, name := range names {
				if err = b.ForgetAddress(t.Context(), addr(t, name)); err != nil {
					break
				}
			}
		case 2:
			err = b.ForgetAll(t.Context())
		}
		if err != nil {
			t.Errorf("forget: %v", err)
		}
		ended.Add(1)
	}
	close(stop)
	wg.Wait()
}

// disk is a file system whose free space a test sets.
type disk struct{ free atomic.Uint64 }

func (d *disk) space(string) (store.Space, error) {
	return store.Space{Free: d.free.Load(), Total: 1 << 40}, nil
}

func TestFullDiskDegradesToMemory(t *testing.T) {
	var d disk
	d.free.Store(1 << 40)
	b := benchOn(t, store.Options{Dir: filepath.Join(t.TempDir(), "state"), Free: d.space})
	b.put(eve, verdict.MailboxAccepted)
	if err := b.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.free.Store(1 << 20)
	b.put(ada, verdict.MailboxAccepted)
	if err := b.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if m, f := b.Mailbox(addr(t, ada)); f != fresh || m.Reason != verdict.MailboxAccepted {
		t.Errorf("with a full disk: %q, %v, want it remembered in memory", m.Reason, f)
	}
	if n := b.Stats().Store.Failed; n != 1 {
		t.Errorf("Stats().Store.Failed = %d, want 1", n)
	}
	if err := b.ForgetAddress(t.Context(), addr(t, eve)); err == nil {
		t.Error("ForgetAddress that could not be written = nil, want an error")
	}
	b.emptyMemory()
	if _, f := b.Mailbox(addr(t, ada)); f != none {
		t.Errorf("what a full disk did not take is there: %v", f)
	}
	d.free.Store(1 << 40)
	b.put(ada, verdict.MailboxAccepted)
	b.want(ada, verdict.MailboxAccepted, fresh)
}

func TestNoRoomAtStart(t *testing.T) {
	var d disk
	d.free.Store(200 << 20)
	b := benchOn(t, store.Options{Dir: filepath.Join(t.TempDir(), "state"), Free: d.space})
	b.put(ada, verdict.MailboxAccepted)
	if _, f := b.Mailbox(addr(t, ada)); f != fresh {
		t.Errorf("without a store: %v, want it remembered in memory", f)
	}
	if err := b.ForgetAddress(t.Context(), addr(t, ada)); err != nil {
		t.Errorf("ForgetAddress without a store = %v", err)
	}
	if _, f := b.Mailbox(addr(t, ada)); f != none {
		t.Errorf("after ForgetAddress: %v", f)
	}
	b.put(ada, verdict.MailboxAccepted)
	if _, err := b.ForgetDomain(t.Context(), domain(t, "example.com")); err != nil {
		t.Errorf("ForgetDomain without a store = %v", err)
	}
	if err := b.ForgetAll(t.Context()); err != nil {
		t.Errorf("ForgetAll without a store = %v", err)
	}
	if _, f := b.Mailbox(addr(t, ada)); f != none {
		t.Errorf("after ForgetDomain: %v", f)
	}
	if s := b.Stats().Store; s.InUse || s.Dropped != 2 {
		t.Errorf("Stats().Store = %+v, want it unused, and two writes dropped", s)
	}
}

// TestNoAddressOnDisk looks for addresses in what a day's work leaves on disk.
func TestNoAddressOnDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	b := benchOn(t, store.Options{Dir: dir})
	secrets := []string{"margaret", "hamilton", "grace.hopper", "katherine"}
	for i, s := range []string{"margaret+apollo@example.com", "Hamilton@example.com", "grace.hopper@example.com"} {
		a := addr(t, s)
		for j, r := range []verdict.Reason{verdict.MailboxAccepted, verdict.MailboxNotFound, verdict.MailboxFull} {
			m := sample(a, r, b.clock.now())
			m.Evidence[0].Text = fmt.Sprintf("<%s>: %s and <katherine@elsewhere.example> (%s) unknown %d %d", a, a.LocalPart(), a.Base(), i, j)
			m.Evidence[0].Dialogue = dialogue(a, b.clock.now())
			b.clock.advance(time.Minute)
			if _, err := b.PutMailbox(b.Begin(a), a, m); err != nil {
				t.Fatal(err)
			}
			f := verdict.DomainFact{AcceptsAll: verdict.TriOf(j == 0), Evidence: m.Evidence}
			if err := b.PutDomain(b.Begin(a), a.Domain(), f); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := b.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*", "*"))
	if err != nil || len(files) < 6 {
		t.Fatalf("files: %q, %v", files, err)
	}
	for _, name := range files {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range secrets {
			if at := indexFold(content, s); at >= 0 {
				t.Errorf("%s holds %q: %q", name, s, content[max(0, at-40):min(len(content), at+40)])
			}
		}
	}
}

// indexFold is where s stands in b, in whatever case; -1 if it does not.
func indexFold(b []byte, s string) int {
	for i := 0; i+len(s) <= len(b); i++ {
		if b[i]|0x20 == s[0] && equalFold(b[i:i+len(s)], s) {
			return i
		}
	}
	return -1
}

func equalFold(b []byte, s string) bool {
	for i := range b {
		if b[i]|0x20 != s[i] && b[i] != s[i] {
			return false
		}
	}
	return true
}
