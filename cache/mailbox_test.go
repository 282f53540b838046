package cache

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/verimails/verimaild/verify/verdict"
)

const (
	ada   = "Ada.Lovelace+news@example.com"
	bob   = "bob@example.com"
	eve   = "eve@example.net"
	day   = 24 * time.Hour
	fresh = verdict.Fresh
	stale = verdict.Stale
	none  = verdict.Missing
)

func TestMailboxAges(t *testing.T) {
	tests := []struct {
		reason     verdict.Reason
		soft, hard time.Duration
	}{
		{verdict.MailboxAccepted, 7 * day, 30 * day},
		{verdict.MailboxBusy, 7 * day, 30 * day},
		{verdict.AcceptedCatchAll, day, 7 * day},
		{verdict.AcceptedUntested, time.Hour, day},
		{verdict.MailboxFull, 6 * time.Hour, day},
		{verdict.MailboxNotFound, 12 * time.Hour, 3 * day},
		{verdict.MailboxMoved, 12 * time.Hour, 3 * day},
		{verdict.RecipientRefused, 12 * time.Hour, 3 * day},
		{verdict.SMTPUTF8Unsupported, 12 * time.Hour, 3 * day},
		{verdict.MailboxDisabled, day, 7 * day},
	}
	for _, tt := range tests {
		t.Run(string(tt.reason), func(t *testing.T) {
			b := newBench(t)
			b.put(ada, tt.reason)
			b.want(ada, tt.reason, fresh)
			b.clock.advance(tt.soft - time.Millisecond)
			b.want(ada, tt.reason, fresh)
			b.clock.advance(time.Millisecond)
			b.want(ada, tt.reason, stale)
			if m, _ := b.Mailbox(addr(t, ada)); !m.ExpiresAt.Equal(start.Add(tt.hard)) {
				t.Errorf("ExpiresAt = %v, want %v", m.ExpiresAt, start.Add(tt.hard))
			}
			b.clock.advance(tt.hard - tt.soft - time.Millisecond)
			b.want(ada, tt.reason, stale)
			b.clock.advance(time.Millisecond)
			b.want(ada, "", none)
		})
	}
}

// TestMemoryIsNotOlderThanHardAge keeps a record in memory all the time: it must go by age alone.
func TestMemoryIsNotOlderThanHardAge(t *testing.T) {
	b := newBench(t)
	b.put(ada, verdict.MailboxNotFound)
	for age := time.Duration(0); age < 3*day; age += time.Hour {
		if _, f := b.Mailbox(addr(t, ada)); f == none {
			t.Fatalf("at %v: missing", age)
		}
		b.clock.advance(time.Hour)
	}
	if m, f := b.Mailbox(addr(t, ada)); f != none || m.Reason != "" {
		t.Errorf("at the hard age: %q, %v, want nothing", m.Reason, f)
	}
	if s := b.Stats().Kinds[kindMailbox]; s.Memory != 72 || s.Disk != 0 || s.Misses != 1 {
		t.Errorf("Stats() = %+v, want 72 hits in memory and a miss", s)
	}
}

func TestClockSetBack(t *testing.T) {
	b := newBench(t)
	b.put(ada, verdict.MailboxAccepted)
	b.clock.advance(-time.Hour)
	b.want(ada, verdict.MailboxAccepted, fresh)
	b.put(bob, verdict.MailboxNotFound)
	b.put(ada, verdict.MailboxFull) // What is learned now replaces what seems to be from the future.
	b.want(ada, verdict.MailboxFull, fresh)
	b.clock.advance(time.Hour)
	b.want(bob, verdict.MailboxNotFound, fresh)

	b.clock.advance(300 * day)
	b.put(eve, verdict.MailboxAccepted)
	b.clock.advance(-300 * day) // The clock was wrong, and what it stamped is worth nothing.
	b.want(eve, "", none)
	b.put(eve, verdict.MailboxNotFound)
	b.want(eve, verdict.MailboxNotFound, fresh)
}

func TestOnlyAnswersOfMailboxesAreStored(t *testing.T) {
	for _, r := range append(verdict.Reasons(), "", "nonsense") {
		b := newBench(t)
		b.put(ada, verdict.MailboxAccepted)
		_, err := b.PutMailbox(b.Begin(addr(t, ada)), addr(t, ada), verdict.Mailbox{Reason: r, CheckedAt: b.clock.now()})
		refused, isType := errors.AsType[*NotStorableError](err)
		if stored := err == nil; stored != r.OfMailbox() || isType == stored || isType && refused.Reason != r {
			t.Errorf("PutMailbox(%q) = %v, want it stored: %v", r, err, r.OfMailbox())
		}
		if err != nil {
			b.want(ada, verdict.MailboxAccepted, fresh)
		}
	}
}

func TestWhatReplacesWhat(t *testing.T) {
	const (
		accepted = verdict.MailboxAccepted
		catchAll = verdict.AcceptedCatchAll
		untested = verdict.AcceptedUntested
		notFound = verdict.MailboxNotFound
		disabled = verdict.MailboxDisabled
		full     = verdict.MailboxFull
	)
	tests := []struct {
		name   string
		steps  []any // Reasons to store, a minute apart, and times to wait before the next one.
		want   verdict.Reason
		wantIs verdict.Freshness
	}{
		{"refusal over nothing", []any{notFound}, notFound, fresh},
		{"first refusal over a young acceptance", []any{accepted, notFound}, accepted, stale},
		{"second refusal over a young acceptance", []any{accepted, notFound, notFound}, notFound, fresh},
		{"second refusal of another kind", []any{accepted, notFound, disabled}, disabled, fresh},
		{"acceptance between two refusals", []any{accepted, notFound, accepted, notFound}, accepted, stale},
		{"untested acceptance between two refusals", []any{accepted, notFound, untested, notFound}, accepted, stale},
		{"refusal over an acceptance past its soft age", []any{accepted, 7 * day, notFound}, notFound, fresh},
		{"refusal over a busy mailbox", []any{verdict.MailboxBusy, disabled}, verdict.MailboxBusy, stale},
		{"refusal over an untested acceptance", []any{untested, notFound}, untested, stale},
		{"refusal over an untested acceptance past its soft age", []any{untested, time.Hour, notFound}, notFound, fresh},
		{"full over a young acceptance", []any{accepted, full}, full, fresh},
		{"acceptance over a refusal", []any{notFound, accepted}, accepted, fresh},
		{"untested acceptance over a refusal", []any{notFound, untested}, untested, fresh},
		{"untested acceptance over an acceptance", []any{accepted, untested}, accepted, fresh},
		{"untested acceptance over an acceptance past its soft age", []any{accepted, 8 * day, untested}, accepted, stale},
		{"untested acceptance over one past its hard age", []any{accepted, 31 * day, untested}, untested, fresh},
		{"untested acceptance over an accept-all one", []any{catchAll, untested}, catchAll, fresh},
		{"acceptance over an untested one", []any{untested, accepted}, accepted, fresh},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			for _, step := range tt.steps {
				switch v := step.(type) {
				case verdict.Reason:
					b.clock.advance(time.Minute)
					b.put(ada, v)
				case time.Duration:
					b.clock.advance(v)
				}
			}
			b.want(ada, tt.want, tt.wantIs)
		})
	}
}

// TestSameRefusalTwice stores one refusal twice, as two callers who shared a probe might: it is one refusal.
func TestSameRefusalTwice(t *testing.T) {
	b := newBench(t)
	b.put(ada, verdict.MailboxAccepted)
	b.clock.advance(time.Minute)
	b.put(ada, verdict.MailboxNotFound)
	b.put(ada, verdict.MailboxNotFound)
	b.want(ada, verdict.MailboxAccepted, stale)
}

func TestMailboxSurvivesWhole(t *testing.T) {
	b := newBench(t)
	a := addr(t, ada)
	want := sample(a, verdict.MailboxAccepted, start)
	want.Provider = "google"
	want.Evidence[0].Dialogue = dialogue(a, start)
	if _, err := b.PutMailbox(b.Begin(a), a, want); err != nil {
		t.Fatal(err)
	}
	want.ExpiresAt = start.Add(30 * day)
	for _, tier := range []string{"memory", "disk"} {
		got, _ := b.Mailbox(a)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("from %s: %+v, want %+v", tier, got, want)
		}
		b.emptyMemory()
	}
}

// TestCallerMayGoOn changes what was stored after storing it.
func TestCallerMayGoOn(t *testing.T) {
	b := newBench(t)
	a := addr(t, ada)
	m := sample(a, verdict.MailboxAccepted, start)
	if _, err := b.PutMailbox(b.Begin(a), a, m); err != nil {
		t.Fatal(err)
	}
	m.Evidence[0].Text, m.MX[0].Host = "changed", "changed"
	if got, _ := b.Mailbox(a); got.Evidence[0].Text == "changed" || got.MX[0].Host == "changed" {
		t.Errorf("Mailbox = %+v, which the caller has changed after storing it", got)
	}
}

func TestAgesCanBeReplaced(t *testing.T) {
	b := newBench(t)
	b.put(ada, verdict.MailboxAccepted)
	ages := DefaultAges()
	ages.Accepted = Age{time.Hour, 2 * time.Hour}
	if err := b.SetAges(ages); err != nil {
		t.Fatal(err)
	}
	b.clock.advance(time.Hour)
	b.want(ada, verdict.MailboxAccepted, stale)
	b.clock.advance(time.Hour)
	b.want(ada, "", none)
	ages.Full = Age{time.Hour, time.Minute}
	if err := b.SetAges(ages); err == nil {
		t.Error("SetAges with a hard age below the soft one = nil, want an error")
	}
	ages.Full = Age{time.Hour, 1000 * day}
	if err := b.SetAges(ages); err == nil {
		t.Error("SetAges with an age of 1000 days = nil, want an error")
	}
}
