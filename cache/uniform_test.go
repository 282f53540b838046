package cache

import (
	"testing"
	"time"

	"github.com/verimails/verimaild/verify/verdict"
)

// TestUniformRefusal: that a domain refuses everybody alike takes back what its refusals were taken for, on disk and after
// a restart too. What comes later, and what real mail met, counts.
func TestUniformRefusal(t *testing.T) {
	b := newBench(t)
	d := domain(t, "example.com")
	b.put(ada, verdict.MailboxNotFound)
	b.put(bob, verdict.MailboxFull)
	b.habit("example.com", false)
	b.clock.advance(time.Minute)
	uniform := verdict.DomainFact{Reason: verdict.UniformRefusal, CheckedAt: b.clock.now()}
	if err := b.PutDomain(b.BeginDomain(d), d, uniform); err != nil {
		t.Fatal(err)
	}
	check := func(want verdict.Reason, fresh verdict.Freshness) {
		t.Helper()
		b.want(ada, want, fresh)
		b.want(bob, verdict.MailboxFull, verdict.Fresh)
		b.restart()
		b.want(ada, want, fresh)
	}
	check("", none)
	if f, _ := b.Domain(d); f.Reason != verdict.UniformRefusal || f.AcceptsAll != verdict.Undetermined {
		t.Errorf("Domain = %+v, want that all are refused alike and nothing else", f)
	}
	b.clock.advance(time.Hour)
	b.habit("example.com", false) // It tells recipients apart now.
	b.put(ada, verdict.MailboxNotFound)
	check(verdict.MailboxNotFound, verdict.Fresh)
	if err := b.ForgetAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.restart()
	if at := b.uniforms.at(b.hashes.domain(d)); at != 0 {
		t.Errorf("after everything was forgotten, the domain was uniform at %d", at)
	}
}

// TestRetryAtAndAccepted: what the judgement needs to know later comes back from disk.
func TestRetryAtAndAccepted(t *testing.T) {
	b, ada := newBench(t), addr(t, ada)
	d := domain(t, "example.com")
	m := sample(ada, verdict.AcceptedUntested, b.clock.now())
	m.RetryAt = b.clock.now().Add(17 * time.Minute)
	if _, err := b.PutMailbox(b.Begin(ada), ada, m); err != nil {
		t.Fatal(err)
	}
	fact := verdict.DomainFact{AcceptsAll: verdict.False, Accepted: true, CheckedAt: b.clock.now()}
	if err := b.PutDomain(b.BeginDomain(d), d, fact); err != nil {
		t.Fatal(err)
	}
	b.restart()
	if got, _ := b.Mailbox(ada); !got.RetryAt.Equal(m.RetryAt) {
		t.Errorf("Mailbox().RetryAt = %v, want %v", got.RetryAt, m.RetryAt)
	}
	if got, _ := b.Domain(d); !got.Accepted {
		t.Error("Domain().Accepted = false, want true")
	}
}

// TestAgainIsNotCounted: who looks twice has asked one question.
func TestAgainIsNotCounted(t *testing.T) {
	b, ada := newBench(t), addr(t, ada)
	b.put(ada.String(), verdict.MailboxNotFound)
	token := b.Begin(ada)
	before := b.Stats().Kinds
	b.Again().Mailbox(ada)
	b.Again().Domain(ada.Domain())
	b.Again().Hosts(ada.Domain())
	for i, k := range b.Stats().Kinds {
		if k != before[i] {
			t.Errorf("%s look-ups = %+v, want %+v", k.Kind, k, before[i])
		}
	}
	if token.Void() {
		t.Error("a token is void though nothing was forgotten")
	}
	if err := b.ForgetAddress(t.Context(), ada); err != nil {
		t.Fatal(err)
	}
	if !token.Void() {
		t.Error("a token is not void though its address was forgotten")
	}
}
