package cache

import (
	"testing"
	"time"

	"github.com/verimails/verimaild/verify/verdict"
)

func TestHabitAges(t *testing.T) {
	tests := []struct {
		name       string
		fact       verdict.DomainFact
		soft, hard time.Duration
	}{
		{"accepts all", verdict.DomainFact{AcceptsAll: verdict.True}, day, 7 * day},
		{"refuses made-up ones", verdict.DomainFact{AcceptsAll: verdict.False}, 3 * day, 14 * day},
		{"refuses all alike", verdict.DomainFact{Reason: verdict.UniformRefusal}, 6 * time.Hour, day},
		{"takes no mail", verdict.DomainFact{Reason: verdict.NoMailHost}, 6 * time.Hour, day},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			d := domain(t, "example.com")
			tt.fact.CheckedAt = b.clock.now()
			if err := b.PutDomain(b.BeginDomain(d), d, tt.fact); err != nil {
				t.Fatal(err)
			}
			b.wantHabit("example.com", tt.fact.AcceptsAll, fresh)
			b.clock.advance(tt.soft)
			b.wantHabit("example.com", tt.fact.AcceptsAll, stale)
			f, _ := b.Domain(d)
			if f.Reason != tt.fact.Reason || f.Domain != "example.com" || !f.ExpiresAt.Equal(start.Add(tt.hard)) {
				t.Errorf("Domain = %+v, want reason %q until %v", f, tt.fact.Reason, start.Add(tt.hard))
			}
			b.clock.advance(tt.hard - tt.soft)
			b.wantHabit("example.com", verdict.Undetermined, none)
		})
	}
}

func TestOnlyFactsAboutDomainsAreStored(t *testing.T) {
	b := newBench(t)
	d := domain(t, "example.com")
	for _, r := range append(verdict.Reasons(), "nonsense", "") {
		err := b.PutDomain(b.BeginDomain(d), d, verdict.DomainFact{Reason: r, CheckedAt: b.clock.now()})
		if (err == nil) != r.OfDomain() {
			t.Errorf("PutDomain(%q) = %v, want it stored: %v", r, err, r.OfDomain())
		}
	}
}

func TestContradictions(t *testing.T) {
	const accepted, catchAll = verdict.MailboxAccepted, verdict.AcceptedCatchAll
	tests := []struct {
		name  string
		do    func(b *bench)
		habit verdict.Tri
		ada   verdict.Reason
	}{
		{"control accepted where made-up ones were refused", func(b *bench) {
			b.habit("example.com", false)
			b.put(ada, accepted)
			b.habit("example.com", true)
		}, verdict.True, ""},
		{"control refused where all were accepted", func(b *bench) {
			b.habit("example.com", true)
			b.put(ada, catchAll)
			b.habit("example.com", false)
		}, verdict.False, ""},
		{"target refused where all were accepted", func(b *bench) {
			b.habit("example.com", true)
			b.put(ada, catchAll)
			b.put(bob, verdict.MailboxNotFound)
		}, verdict.Undetermined, ""},
		{"said by the caller", func(b *bench) {
			b.habit("example.com", false)
			b.put(ada, accepted)
			b.Contradict(domain(b.t, "example.com"))
		}, verdict.Undetermined, ""},
		{"busy mailbox leans on nothing", func(b *bench) {
			b.habit("example.com", false)
			b.put(ada, verdict.MailboxBusy)
			b.habit("example.com", true)
		}, verdict.True, verdict.MailboxBusy},
		{"refusal leans on nothing", func(b *bench) {
			b.habit("example.com", true)
			b.put(ada, verdict.MailboxFull)
			b.put(bob, verdict.MailboxNotFound)
		}, verdict.Undetermined, verdict.MailboxFull},
		{"same habit again", func(b *bench) {
			b.habit("example.com", false)
			b.put(ada, accepted)
			b.habit("example.com", false)
		}, verdict.False, accepted},
		{"target refused where made-up ones are", func(b *bench) {
			b.habit("example.com", false)
			b.put(ada, accepted)
			b.put(bob, verdict.MailboxNotFound)
		}, verdict.False, accepted},
		{"disabled mailbox where all are accepted", func(b *bench) {
			b.habit("example.com", true)
			b.put(ada, catchAll)
			b.put(bob, verdict.MailboxDisabled)
		}, verdict.True, catchAll},
		{"all refused alike just now", func(b *bench) {
			b.habit("example.com", false)
			b.put(ada, accepted)
			d := domain(b.t, "example.com")
			for _, f := range []verdict.DomainFact{{AcceptsAll: verdict.False, Accepted: true}, {Reason: verdict.UniformRefusal}} {
				if err := b.PutDomain(b.BeginDomain(d), d, f); err != nil {
					b.t.Fatal(err)
				}
			}
		}, verdict.False, accepted},
		{"contradicted, then learned anew", func(b *bench) {
			b.habit("example.com", false)
			b.put(ada, accepted)
			b.Contradict(domain(b.t, "example.com"))
			b.habit("example.com", false)
			b.put(ada, accepted)
		}, verdict.False, accepted},
		{"another domain", func(b *bench) {
			b.habit("example.com", false)
			b.put(ada, accepted)
			b.habit("example.net", false)
			b.habit("example.net", true)
		}, verdict.False, accepted},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			tt.do(b)
			check := func() {
				t.Helper()
				f := fresh
				if tt.habit == verdict.Undetermined {
					f = none
				}
				b.wantHabit("example.com", tt.habit, f)
				f = fresh
				if tt.ada == "" {
					f = none
				}
				b.want(ada, tt.ada, f)
			}
			check()
			b.restart()
			check()
		})
	}
}

func TestContradictionIsOnRecord(t *testing.T) {
	b := newBench(t)
	d := domain(t, "example.com")
	b.habit("example.com", true)
	b.clock.advance(time.Minute)
	b.Contradict(d)
	b.restart()
	if f, fresh := b.Domain(d); fresh != none || !f.ContradictedAt.Equal(start.Add(time.Minute)) {
		t.Errorf("Domain = %+v, %v, want nothing but ContradictedAt %v", f, fresh, start.Add(time.Minute))
	}
	if n := b.Stats().Contradictions; n != 0 {
		t.Errorf("Contradictions after a restart = %d, want 0", n)
	}
	// The clock is set back, and the domain is contradicted again: what was learned between the two must still go.
	b.clock.advance(-time.Hour)
	b.put(ada, verdict.MailboxAccepted)
	b.Contradict(d)
	b.want(ada, "", none)
	b.restart()
	b.want(ada, "", none)
}

// TestVoidTokenContradictsNothing stores a contradiction that was learned before the domain was forgotten.
func TestVoidTokenContradictsNothing(t *testing.T) {
	b := newBench(t)
	d := domain(t, "example.com")
	tok := b.Begin(addr(t, bob))
	if _, err := b.ForgetDomain(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	b.habit("example.com", true)
	b.putAt(tok, bob, verdict.MailboxNotFound)
	if err := b.PutDomain(tok, d, verdict.DomainFact{AcceptsAll: verdict.False}); err != nil {
		t.Fatal(err)
	}
	b.wantHabit("example.com", verdict.True, fresh)
	b.want(bob, "", none)
}

// TestHolderGoesOn stores a fact with the token that has just contradicted another one, while somebody else's is void.
func TestHolderGoesOn(t *testing.T) {
	b := newBench(t)
	d := domain(t, "example.com")
	b.habit("example.com", true)
	mine, other := b.Begin(addr(t, bob)), b.Begin(addr(t, ada))
	b.putAt(mine, bob, verdict.MailboxNotFound)
	b.putAt(other, ada, verdict.AcceptedCatchAll) // Learned when the domain was thought to accept everyone.
	if err := b.PutDomain(mine, d, verdict.DomainFact{AcceptsAll: verdict.False}); err != nil {
		t.Fatal(err)
	}
	b.want(bob, verdict.MailboxNotFound, fresh)
	b.want(ada, "", none)
	b.wantHabit("example.com", verdict.False, fresh)
	b.putAt(mine, bob, verdict.MailboxDisabled)
	b.want(bob, verdict.MailboxDisabled, fresh)
}

func TestFactKeepsNoWordsAboutRecipients(t *testing.T) {
	b := newBench(t)
	d := domain(t, "example.com")
	m := sample(addr(t, ada), verdict.MailboxAccepted, start)
	m.Evidence[0].Dialogue = dialogue(addr(t, ada), start)
	m.Evidence[0].Text = "Ada.Lovelace is here"
	if err := b.PutDomain(b.BeginDomain(d), d, verdict.DomainFact{AcceptsAll: verdict.False, Evidence: m.Evidence}); err != nil {
		t.Fatal(err)
	}
	f, _ := b.Domain(d)
	if ev := f.Evidence[0]; ev.Text != "" || ev.Dialogue != nil || ev.Code != 250 {
		t.Errorf("evidence about a recipient = %+v, want it without words", ev)
	}
	if ev := f.Evidence[1]; ev.Text == "" {
		t.Errorf("evidence of the control = %+v, want it with its words", ev)
	}
}
