package cache

import (
	"errors"
	"testing"
	"time"

	"github.com/verimails/verimaild/verify/verdict"
)

// report is evidence that ends with a report at a time.
func report(at time.Time, before ...verdict.Evidence) []verdict.Evidence {
	return append(before, verdict.Evidence{
		Stage: verdict.StageReport, Source: "shop", Code: 550, Enhanced: "5.1.1", Text: "ada@example.com: no such user", At: at,
		Class: "no_such_mailbox", Scope: "mailbox", Rule: "unknown-user",
	})
}

// bounced stores that a message to an address bounced, now.
func (b *bench) bounced(a string) {
	b.t.Helper()
	now := b.clock.now()
	m := verdict.Mailbox{Reason: verdict.MailboxNotFound, CheckedAt: now, Evidence: report(now)}
	if err := b.Reported(addr(b.t, a), m); err != nil {
		b.t.Fatalf("Reported(%s) = %v", a, err)
	}
}

func (b *bench) exposed(d string) {
	b.t.Helper()
	now := b.clock.now()
	f := verdict.DomainFact{AcceptsAll: verdict.True, CheckedAt: now, Evidence: report(now)}
	if err := b.Exposed(domain(b.t, d), f); err != nil {
		b.t.Fatalf("Exposed(%s) = %v", d, err)
	}
}

func TestBounceOutranksAcceptance(t *testing.T) {
	const ada = "ada@example.com"
	for _, tt := range []struct {
		name  string
		after time.Duration // Between the bounce and the next answer.
		reply verdict.Reason
		want  verdict.Reason
	}{
		{"a question at once", 0, verdict.MailboxAccepted, verdict.MailboxNotFound},
		{"a question within the week", 6 * 24 * time.Hour, verdict.MailboxAccepted, verdict.MailboxNotFound},
		{"nothing known of the domain", time.Hour, verdict.AcceptedUntested, verdict.MailboxNotFound},
		{"over quota", time.Hour, verdict.MailboxFull, verdict.MailboxNotFound},
		{"refused for another reason", time.Hour, verdict.MailboxDisabled, verdict.MailboxNotFound},
		{"a question after the week", 8 * 24 * time.Hour, verdict.MailboxAccepted, verdict.MailboxAccepted},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			b.put(ada, verdict.MailboxAccepted)
			b.bounced(ada) // Once is enough.
			b.want(ada, verdict.MailboxNotFound, verdict.Fresh)
			b.clock.advance(tt.after)
			b.put(ada, tt.reply)
			b.want(ada, tt.want, verdict.Fresh)
		})
	}
}

func TestBounceIsKeptAsAnAcceptance(t *testing.T) {
	const ada = "ada@example.com"
	b := newBench(t)
	b.bounced(ada)
	b.clock.advance(8 * 24 * time.Hour)
	b.want(ada, verdict.MailboxNotFound, verdict.Stale)
	b.clock.advance(23 * 24 * time.Hour)
	b.want(ada, "", verdict.Missing)
}

func TestDeliveryStandsByItself(t *testing.T) {
	const ada = "ada@example.com"
	b := newBench(t)
	b.habit("example.com", true)
	m := verdict.Mailbox{Reason: verdict.MailboxAccepted, CheckedAt: b.clock.now(), Evidence: report(b.clock.now())}
	if err := b.Reported(addr(t, ada), m); err != nil {
		t.Fatal(err)
	}
	b.put(ada, verdict.AcceptedCatchAll)
	b.want(ada, verdict.MailboxAccepted, verdict.Fresh)
	b.Contradict(domain(t, "example.com"))
	b.want(ada, verdict.MailboxAccepted, verdict.Fresh) // It leans on nothing.
	b.clock.advance(time.Hour)
	b.put(ada, verdict.MailboxNotFound)
	b.want(ada, verdict.MailboxAccepted, verdict.Stale) // As any acceptance, it waits for a second refusal.
}

func TestExposedDomain(t *testing.T) {
	const ada, bob = "ada@example.com", "bob@example.com"
	b := newBench(t)
	b.habit("example.com", false)
	b.put(ada, verdict.MailboxAccepted)
	b.put(bob, verdict.MailboxNotFound)
	under := b.Begin(addr(t, ada)) // An answer that was under way.
	b.exposed("example.com")
	b.want(ada, "", verdict.Missing)
	b.want(bob, verdict.MailboxNotFound, verdict.Fresh)
	b.wantHabit("example.com", verdict.True, verdict.Fresh)
	b.putAt(under, ada, verdict.MailboxAccepted)
	b.want(ada, "", verdict.Missing)

	b.clock.advance(6 * 24 * time.Hour)
	b.habit("example.com", false) // A made-up recipient was refused: that is not what was exposed.
	b.put(bob, verdict.MailboxNotFound)
	b.wantHabit("example.com", verdict.True, verdict.Fresh)

	b.clock.advance(2 * 24 * time.Hour)
	b.habit("example.com", false)
	b.wantHabit("example.com", verdict.False, verdict.Fresh)
}

// TestExposedSparesOthers: other domains keep what is known of them.
func TestExposedSparesOthers(t *testing.T) {
	b := newBench(t)
	b.habit("example.net", false)
	b.put("ada@example.net", verdict.MailboxAccepted)
	b.exposed("example.com")
	b.wantHabit("example.net", verdict.False, verdict.Fresh)
	b.want("ada@example.net", verdict.MailboxAccepted, verdict.Fresh)
}

// TestExposedEvidence: a domain's record holds none of the words that were said about somebody there.
func TestExposedEvidence(t *testing.T) {
	b := newBench(t)
	b.exposed("example.com")
	f, _ := b.Domain(domain(t, "example.com"))
	r := verdict.Reported(f.Evidence)
	if r == nil || r.Text != "" || r.Source != "shop" || r.Code != 550 {
		t.Errorf("evidence = %+v, want a report by shop with its code and without its words", f.Evidence)
	}
}

func TestReportedRefusesWhatIsNone(t *testing.T) {
	b := newBench(t)
	var unstorable *NotStorableError
	for _, m := range []verdict.Mailbox{
		{Reason: verdict.MailboxNotFound},
		{Reason: verdict.SourceBlocked, Evidence: report(start)},
		{Reason: verdict.MailboxNotFound, Evidence: append(report(start), verdict.Evidence{Stage: "rcpt"})},
	} {
		if err := b.Reported(addr(t, "ada@example.com"), m); !errors.As(err, &unstorable) {
			t.Errorf("Reported(%+v) = %v, want a NotStorableError", m, err)
		}
	}
	for _, f := range []verdict.DomainFact{
		{AcceptsAll: verdict.True},
		{AcceptsAll: verdict.False, Evidence: report(start)},
	} {
		if err := b.Exposed(domain(t, "example.com"), f); !errors.As(err, &unstorable) {
			t.Errorf("Exposed(%+v) = %v, want a NotStorableError", f, err)
		}
	}
	b.want("ada@example.com", "", verdict.Missing)
}
