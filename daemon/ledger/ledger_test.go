package ledger

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/verimails/verimaild/cache"
	"github.com/verimails/verimaild/internal/store"
	"github.com/verimails/verimaild/pool/reply"
	"github.com/verimails/verimaild/verify/address"
	"github.com/verimails/verimaild/verify/feedback"
	"github.com/verimails/verimaild/verify/verdict"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var start = time.Date(2026, time.November, 23, 9, 0, 0, 0, time.UTC)

// bench is a ledger with what a test needs around it.
type bench struct {
	*Ledger
	t      *testing.T
	cache  *cache.Cache
	stores *store.Stores
	now    time.Time
	logged *observer.ObservedLogs
}

func newBench(t *testing.T, so store.Options) *bench {
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
	b := &bench{t: t, stores: stores, now: start}
	now := func() time.Time { return b.now }
	if b.cache, err = cache.New(cache.Options{Stores: stores, Now: now}); err != nil {
		t.Fatal(err)
	}
	core, logged := observer.New(zap.DebugLevel)
	b.logged = logged
	b.Ledger, err = New(Options{
		Cache: b.cache, Stores: stores, Replies: reply.Builtin, Logger: zap.New(core), Now: now,
		Remembered: func(a address.Address) verdict.Reason {
			m, _ := b.cache.Mailbox(a)
			return m.Reason
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func inMemory(t *testing.T) *bench { return newBench(t, store.Options{InMemory: true}) }

func addr(t *testing.T, s string) address.Address {
	t.Helper()
	a, err := address.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// answered stores an answer of a server, of now.
func (b *bench) answered(email string, r verdict.Reason, provider string) {
	b.t.Helper()
	a := addr(b.t, email)
	_, err := b.cache.PutMailbox(b.cache.Begin(a), a, verdict.Mailbox{
		Reason: r, AcceptAll: verdict.AcceptAllTested, Provider: provider, CheckedAt: b.now,
		Evidence: []verdict.Evidence{{Stage: "rcpt", Code: 250, Text: "OK", At: b.now}},
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

// take reports, an hour later.
func (b *bench) take(app, email string, o feedback.Outcome, text string) Result {
	b.t.Helper()
	b.now = b.now.Add(time.Hour)
	res, err := b.Take(b.t.Context(), app, feedback.Report{Email: email, Outcome: o, Text: text})
	if err != nil {
		b.t.Fatalf("Take(%s, %s) = %v", email, o, err)
	}
	return res
}

func (b *bench) wantMailbox(email string, r verdict.Reason, app string) {
	b.t.Helper()
	m, _ := b.cache.Mailbox(addr(b.t, email))
	by := ""
	if e := verdict.Reported(m.Evidence); e != nil {
		by = e.Source
	}
	if m.Reason != r || by != app {
		b.t.Errorf("%s is remembered as %q, reported by %q, want %q by %q", email, m.Reason, by, r, app)
	}
}

const unknownUser = "550 5.1.1 <ada@example.com>: User unknown"

func TestBounceCorrects(t *testing.T) {
	b := inMemory(t)
	b.answered("ada@example.com", verdict.MailboxAccepted, "google")
	b.answered("bob@example.com", verdict.MailboxAccepted, "google")
	res := b.take("shop", "Ada@EXAMPLE.com", feedback.Bounced, unknownUser)
	if res.Effect != feedback.EffectRemembered || res.Expose { // Local-parts differ in case: Ada is not ada.
		t.Errorf("Take(Ada) = %+v, want remembered", res)
	}
	res = b.take("shop", "ada@EXAMPLE.com", feedback.Bounced, unknownUser)
	if res.Effect != feedback.EffectCorrected || !res.Expose || res.Provider != "google" || res.Meaning.Rule == "" {
		t.Errorf("Take(ada) = %+v, want corrected, exposed, google, with a rule", res)
	}
	b.wantMailbox("ada@example.com", verdict.MailboxNotFound, "shop")
	b.wantMailbox("bob@example.com", "", "")
	f, known := b.cache.Domain(addr(t, "ada@example.com").Domain())
	if f.AcceptsAll != verdict.True || known != verdict.Fresh || verdict.Reported(f.Evidence) == nil {
		t.Errorf("habit = %+v, %v, want accepts all, fresh, reported", f, known)
	}
	m, _ := b.cache.Mailbox(addr(t, "ada@example.com"))
	if len(m.Evidence) != 2 || m.Evidence[0].Stage != "rcpt" || m.Evidence[1].Text != "<ada@example.com>: User unknown" {
		t.Errorf("evidence = %+v, want the acceptance and then the bounce", m.Evidence)
	}
	if n := b.logged.FilterMessageSnippet("bounce shows").Len(); n != 1 {
		t.Errorf("%d lines say that a domain was exposed, want 1", n)
	}
}

func TestSaysNothing(t *testing.T) {
	b := inMemory(t)
	b.answered("ada@example.com", verdict.MailboxAccepted, "")
	for _, text := range []string{"450 4.2.0 Greylisted", "550 5.7.1 blocked using zen.spamhaus.org", "554 5.7.1 spam", "", "oops"} {
		if res := b.take("shop", "ada@example.com", feedback.Bounced, text); res.Effect != feedback.EffectNone {
			t.Errorf("Take(%q) = %+v, want no effect", text, res)
		}
	}
	b.wantMailbox("ada@example.com", verdict.MailboxAccepted, "")
	if st := b.Stats(); st.Total.Of() != 0 {
		t.Errorf("Stats() = %+v, want nothing measured", st)
	}
}

func TestContested(t *testing.T) {
	b := inMemory(t)
	b.take("shop", "ada@example.com", feedback.Delivered, "")
	b.wantMailbox("ada@example.com", verdict.MailboxAccepted, "shop")
	if res := b.take("news", "ada@example.com", feedback.Bounced, unknownUser); res.Effect != feedback.EffectContested {
		t.Errorf("Take() = %+v, want contested", res)
	}
	b.wantMailbox("ada@example.com", "", "")
	if n := b.logged.FilterLevelExact(zap.WarnLevel).Len(); n != 1 {
		t.Errorf("%d warnings, want 1", n)
	}
	b.take("shop", "bob@example.com", feedback.Delivered, "")
	b.take("shop", "bob@example.com", feedback.Bounced, unknownUser)
	b.wantMailbox("bob@example.com", verdict.MailboxNotFound, "shop") // An application may correct itself.
	for _, a := range b.Stats().Apps {
		if want := map[string]uint64{"news": 1, "shop": 0}[a.Name]; a.Effects[feedback.EffectContested] != want {
			t.Errorf("%s: contested = %d, want %d", a.Name, a.Effects[feedback.EffectContested], want)
		}
	}
}

func TestBadReports(t *testing.T) {
	b := inMemory(t)
	for _, r := range []feedback.Report{
		{},
		{Email: "ada@example.com", Outcome: "opened"},
		{Email: "no address", Outcome: feedback.Bounced},
		{Email: "ada@[192.0.2.1]", Outcome: feedback.Bounced, Text: unknownUser},
	} {
		if res, err := b.Take(t.Context(), "shop", r); !IsReport(err) {
			t.Errorf("Take(%+v) = %+v, %v, want an error about the report", r, res, err)
		}
	}
	if st := b.Stats(); len(st.Apps) != 0 {
		t.Errorf("Stats() = %+v, want nothing", st)
	}
}

func TestFutureIsNow(t *testing.T) {
	b := inMemory(t)
	if _, err := b.Take(t.Context(), "shop", feedback.Report{
		Email: "ada@example.com", Outcome: feedback.Bounced, Text: unknownUser, At: b.now.AddDate(10, 0, 0),
	}); err != nil {
		t.Fatal(err)
	}
	if m, _ := b.cache.Mailbox(addr(t, "ada@example.com")); !m.CheckedAt.Equal(b.now) {
		t.Errorf("remembered as of %v, want %v", m.CheckedAt, b.now)
	}
}

// TestPrecision: each answer counts once, by provider, for as long as the window; all of it survives a restart.
func TestPrecision(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	b := newBench(t, store.Options{Dir: dir})
	for i := range 10 {
		email := fmt.Sprintf("user%d@gmail.com", i)
		b.answered(email, verdict.MailboxAccepted, "google")
		if i == 0 {
			b.take("shop", email, feedback.Bounced, "550-5.1.1 The email account that you tried to reach does not exist")
		} else {
			b.take("shop", email, feedback.Delivered, "")
		}
		b.take("shop", email, feedback.Delivered, "") // Once more: not counted.
	}
	b.answered("x@small.example", verdict.MailboxAccepted, "")
	b.take("news", "x@small.example", feedback.Delivered, "")
	b.answered("y@small.example", verdict.AcceptedCatchAll, "")
	b.take("news", "y@small.example", feedback.Delivered, "") // Not answered deliverable.
	want := []Precision{{"", 1, 0}, {"google", 9, 1}}
	check := func(when string) {
		t.Helper()
		st := b.Stats()
		if fmt.Sprint(st.Providers) != fmt.Sprint(want) || st.Total.Of() != 11 {
			t.Errorf("%s: Stats() = %+v, want %v", when, st, want)
		}
		if len(st.Apps) != 2 || st.Apps[1].Name != "shop" || st.Apps[1].Reports != 20 || st.Apps[1].Says[feedback.SaysDelivered] != 19 {
			t.Errorf("%s: Apps = %+v, want 20 reports of shop", when, st.Apps)
		}
		if ratio, ok := st.Providers[1].Ratio(); !ok || ratio != 0.9 {
			t.Errorf("%s: Ratio() = %v, %t, want 0.9", when, ratio, ok)
		}
	}
	check("at once")
	if err := b.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := b.stores.Close(); err != nil {
		t.Fatal(err)
	}
	was := b.now
	b = newBench(t, store.Options{Dir: dir})
	b.now = was
	check("after a restart")
	b.now = was.Add(feedback.Window + 48*time.Hour)
	if st := b.Stats(); len(st.Providers) != 0 || st.Total.Of() != 0 || len(st.Apps) != 2 {
		t.Errorf("after the window: Stats() = %+v, want no precision", st)
	}
	if err := b.Flush(t.Context()); err != nil || len(b.days) != 0 {
		t.Errorf("Flush() = %v, %d days left, want none", err, len(b.days))
	}
	if ratio, ok := new(Precision).Ratio(); ok {
		t.Errorf("Ratio() of nothing = %v", ratio)
	}
}

// TestFlushTogether: many reporters at once lose nothing, and an older count never replaces a newer one.
func TestFlushTogether(t *testing.T) {
	b := inMemory(t)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 20 {
				r := feedback.Report{Email: fmt.Sprintf("u%d.%d@example.com", i, j), Outcome: feedback.Delivered}
				if _, err := b.Take(t.Context(), "shop", r); err != nil {
					t.Error(err)
				}
				if err := b.Flush(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	c, found, err := b.records.Get([]byte("ashop"))
	if err != nil || !found || tallyOf(c).reports != 160 {
		t.Errorf("on disk: %v, %t, %v, want 160 reports", c, found, err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("gone")
	cancel(gone)
	b.flushing <- struct{}{}
	if err := b.Flush(ctx); !errors.Is(err, gone) {
		t.Errorf("Flush() of a caller who has gone = %v, want %v", err, gone)
	}
}

// TestFlushFails: counts that found no room on the disk are written by the next flush.
func TestFlushFails(t *testing.T) {
	full := make(chan bool, 1)
	full <- false
	b := newBench(t, store.Options{Dir: filepath.Join(t.TempDir(), "state"), Free: func(string) (store.Space, error) {
		now := <-full
		full <- now
		if now {
			return store.Space{Total: 1 << 40}, nil
		}
		return store.Space{Free: 1 << 40, Total: 1 << 40}, nil
	}})
	b.take("shop", "ada@example.com", feedback.Delivered, "")
	<-full
	full <- true
	if err := b.Flush(t.Context()); !errors.Is(err, store.ErrDiskFull) {
		t.Fatalf("Flush() on a full disk = %v, want %v", err, store.ErrDiskFull)
	}
	<-full
	full <- false
	if err := b.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if c, _, _ := b.records.Get([]byte("ashop")); tallyOf(c).reports != 1 {
		t.Errorf("on disk: %v, want 1 report", c)
	}
}

// TestLoadLeavesOutWhatIsNone: damaged and foreign records are passed over.
func TestLoadLeavesOutWhatIsNone(t *testing.T) {
	b := inMemory(t)
	for key, c := range map[string]counts{"": {1}, "z": {1}, "a": {1}, "p\x00": {1}, "anews": {7}, "p\x00\x00\x51\x01google": {3, 1}} {
		if err := b.records.Put(t.Context(), append([]byte(nil), key...), c, 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.load(); err != nil {
		t.Fatal(err)
	}
	if len(b.apps) != 1 || b.apps["news"].reports != 7 || len(b.days) != 1 {
		t.Errorf("load() took %v and %v, want news and one day", b.apps, b.days)
	}
	if b.logged.FilterLevelExact(zap.WarnLevel).Len() != 4 {
		t.Errorf("%d warnings, want 4", b.logged.Len())
	}
}

// TestCountsOnDisk: what was counted stays readable, to the octet.
func TestCountsOnDisk(t *testing.T) {
	c := counts{3, 0, 300, 1 << 63, 127, 128}
	const want = "010300ac02808080808080808080017f8001"
	b := appendCounts(nil, c)
	if got := fmt.Sprintf("%x", b); got != want {
		t.Errorf("appendCounts(%v) = %s, want %s", c, got, want)
	}
	if got, err := decodeCounts(b); err != nil || !slices.Equal(got, c) {
		t.Errorf("decodeCounts(%s) = %v, %v, want %v", want, got, err, c)
	}
	full := appendCounts(nil, make(counts, maxCounts))
	if got, err := decodeCounts(full); err != nil || len(got) != maxCounts {
		t.Errorf("decodeCounts of %d counts = %v, %v", maxCounts, got, err)
	}
	for name, bad := range map[string][]byte{
		"nothing": nil, "another version": {2, 1}, "half a number": {countsVersion, 0x80}, "one count too many": append(full, 0),
	} {
		if got, err := decodeCounts(bad); !errors.Is(err, errCounts) {
			t.Errorf("%s: decodeCounts = %v, %v, want %v", name, got, err, errCounts)
		}
	}
}

func FuzzDecodeCounts(f *testing.F) {
	t := tally{reports: 3, last: 1_800_000_000}
	f.Add(appendCounts(nil, t.counts()))
	f.Add(appendCounts(nil, measure{9, 1}.counts()))
	f.Add([]byte{countsVersion, 0x80})
	f.Add([]byte{2, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := decodeCounts(b)
		if err != nil {
			return
		}
		again, err := decodeCounts(appendCounts(nil, c))
		if err != nil || fmt.Sprint(again) != fmt.Sprint(c) {
			t.Fatalf("decode(encode(%v)) = %v, %v", c, again, err)
		}
		a := tallyOf(c)
		a.app("x")
	})
}
