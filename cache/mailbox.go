package cache

import (
	"slices"
	"sync"
	"time"

	"github.com/verimails/verimaild/verify/address"
	"github.com/verimails/verimaild/verify/verdict"
)

// Mailbox returns what is remembered of a mailbox. The slices of the result are shared: they must not be changed.
func (c *Cache) Mailbox(a address.Address) (verdict.Mailbox, verdict.Freshness) {
	m, fromMemory, f := c.mailbox(a)
	c.count(kindMailbox, fromMemory, f)
	return m, f
}

// mailbox looks a mailbox up without counting.
func (c *Cache) mailbox(a address.Address) (m verdict.Mailbox, fromMemory bool, f verdict.Freshness) {
	p := c.place(kindMailbox, a.Key(), a.Domain().ASCII())
	rec := c.heldMailbox(&p, a)
	if fromMemory = rec != nil; !fromMemory {
		rec = c.loadMailbox(&p, a)
	}
	if rec != nil {
		f = rec.freshness(c.ages.Load(), c.now())
	}
	if f == verdict.Missing {
		return m, fromMemory, f
	}
	m = rec.Mailbox
	m.ExpiresAt = m.CheckedAt.Add(c.ages.Load().mailboxAge(&m).Hard)
	return m, fromMemory, f
}

// freshness judges a record. One that waits for a second refusal is worth asking about again.
func (r *mailboxRecord) freshness(ages *Ages, now time.Time) verdict.Freshness {
	f := ages.mailboxAge(&r.Mailbox).freshness(r.CheckedAt, now)
	if f == verdict.Fresh && r.refused() {
		return verdict.Stale
	}
	return f
}

// loadMailbox reads a record from disk into memory; nil if there is none that counts.
func (c *Cache) loadMailbox(p *place, a address.Address) *mailboxRecord {
	if !p.was.open() || c.absent(p) {
		return nil
	}
	before := c.slot(p.hash).look()
	d := c.hashes.domain(a.Domain())
	b, found, err := c.mailboxes.Get(c.hashes.mailbox(d, a))
	if err != nil {
		c.bad(err)
		return nil
	}
	if !found {
		c.noteAbsent(p, before)
		return nil
	}
	rec, err := decodeMailboxOf(a, b)
	if err != nil {
		c.bad(err)
		return nil
	}
	if rec.leansOnHabit() && rec.epoch < c.epochs.at(d) || rec.saidOfAll(c.uniforms.at(d)) {
		return nil
	}
	c.admit(p, before, rec, rec.size())
	return rec
}

// leans reports whether an answer holds only as long as the domain's habit towards made-up recipients is known.
func leans(r verdict.Reason) bool {
	return r == verdict.MailboxAccepted || r == verdict.AcceptedCatchAll
}

// PutMailbox remembers what a mailbox answered. The error is a [*NotStorableError] for a reason that is not about a
// mailbox. These rules hold:
//
//   - a refusal does not replace an acceptance that is younger than its soft age; it is noted, and a second one does;
//   - an acceptance of which nothing more is known does not replace one of which more is;
//   - "no such mailbox" in a domain that is said to accept everyone drops what is said of the domain;
//   - what was reported of a mailbox gives way to nothing that a question found out until its soft age: see feedback.go.
//
// If what is remembered from now on has the reason of m, expires is until when; else it is zero.
func (c *Cache) PutMailbox(t Token, a address.Address, m verdict.Mailbox) (expires time.Time, err error) {
	if !m.Reason.OfMailbox() {
		return expires, &NotStorableError{Of: "mailbox", Reason: m.Reason}
	}
	m = c.trimMailbox(m)
	if m.Reason == verdict.MailboxNotFound {
		c.refusalContradicts(t, a.Domain())
	}
	rec := c.storeMailbox(t, a, m)
	if rec.Reason == m.Reason && !t.Void() {
		expires = rec.CheckedAt.Add(c.ages.Load().mailboxAge(&rec.Mailbox).Hard)
	}
	return expires, nil
}

// storeMailbox puts m in its place, until nobody else was faster. It returns what is remembered.
func (c *Cache) storeMailbox(t Token, a address.Address, m verdict.Mailbox) mailboxRecord {
	for {
		if rec, again := c.putMailbox(t, a, m); !again {
			return rec
		}
	}
}

// putMailbox tries once; it reports whether to try again, and else what is remembered.
func (c *Cache) putMailbox(t Token, a address.Address, m verdict.Mailbox) (rec mailboxRecord, again bool) {
	p := c.place(kindMailbox, a.Key(), a.Domain().ASCII())
	before := c.slot(p.hash).look()
	old := c.heldMailbox(&p, a)
	if old == nil {
		old = c.loadMailbox(&p, a)
	}
	ages, now := c.ages.Load(), c.now()
	d := c.hashes.domain(a.Domain())
	rec, changed := settleMailbox(old, mailboxRecord{Mailbox: m, epoch: c.epochs.at(d)}, ages, now)
	if !changed {
		return rec, false
	}
	body := encodeMailbox(&rec, a)
	key, ttl := c.hashes.mailbox(d, a), ages.mailboxAge(&rec.Mailbox).ttl(rec.CheckedAt, now)
	// Memory holds what the disk gives back, not what the caller may go on changing.
	kept := &wireMailbox{body: body}
	return rec, c.commit(t, &p, before, kept, rec.size(), func() error { return c.mailboxes.TryPut(key, body, ttl) })
}

// A wireMailbox is a record in its wire form, which is decoded when it is asked for: most of a list never are.
type wireMailbox struct {
	body []byte
	once sync.Once
	rec  *mailboxRecord
	err  error
}

// heldMailbox is the record in memory; nil if there is none that can be read.
func (c *Cache) heldMailbox(p *place, a address.Address) *mailboxRecord {
	if rec := held[mailboxRecord](c, p); rec != nil {
		return rec
	}
	q := held[wireMailbox](c, p)
	if q == nil {
		return nil
	}
	q.once.Do(func() { q.rec, q.err = decodeMailboxOf(a, q.body) })
	if q.err != nil {
		c.bad(q.err)
	}
	return q.rec
}

// settleMailbox decides what is remembered after an answer. It is pure. changed is false if that is what was
// remembered before.
func settleMailbox(old *mailboxRecord, answer mailboxRecord, ages *Ages, now time.Time) (rec mailboxRecord, changed bool) {
	if old == nil {
		return answer, true
	}
	f := ages.mailboxAge(&old.Mailbox).freshness(old.CheckedAt, now)
	if f == verdict.Missing {
		return answer, true
	}
	switch {
	case verdict.Reported(answer.Evidence) != nil:
		return answer, true
	case outranked(old, &answer.Mailbox, f):
		return *old, false
	case answer.Reason.IsRefusal() && old.Reason.IsAcceptance() && f == verdict.Fresh:
		if old.refused() && !old.refusedAt.Equal(answer.CheckedAt) {
			return answer, true // The second.
		}
		rec = *old
		rec.refusal, rec.refusedAt = answer.Reason, answer.CheckedAt
		return rec, !old.refused()
	case answer.Reason == verdict.AcceptedUntested && old.Reason.IsAcceptance() && old.Reason != verdict.AcceptedUntested:
		if !old.refused() {
			return *old, false
		}
		rec = *old
		rec.refusal, rec.refusedAt = "", time.Time{} // It accepts again, after all.
		return rec, true
	default:
		return answer, true
	}
}

// trimMailbox is a copy of m within the bounds, its times as they can be stored.
func (c *Cache) trimMailbox(m verdict.Mailbox) verdict.Mailbox {
	m.CheckedAt = c.stamp(m.CheckedAt)
	m.ExpiresAt = time.Time{}
	if !m.RetryAt.IsZero() {
		m.RetryAt = c.stamp(m.RetryAt)
	}
	m.AcceptAll = verdict.AcceptAll(cut(string(m.AcceptAll), maxName))
	m.Provider = cut(m.Provider, maxName)
	m.MX = slices.Clone(m.MX[:min(len(m.MX), maxMX)])
	for i := range m.MX {
		m.MX[i].Host = cut(m.MX[i].Host, maxName)
	}
	m.Evidence = trimEvidence(m.Evidence)
	return m
}

// stamp is a time as records hold it: whole milliseconds of the wall clock, now if there is none.
func (c *Cache) stamp(t time.Time) time.Time {
	if t.IsZero() {
		t = c.now()
	}
	return t.Round(0).UTC().Truncate(time.Millisecond)
}

func encodeMailbox(r *mailboxRecord, a address.Address) []byte {
	red := redactorFor(a)
	return encoded(func(e *encoder) { r.encode(e, &red) })
}

func decodeMailboxOf(a address.Address, body []byte) (*mailboxRecord, error) {
	red := redactorFor(a)
	d := decoder{s: string(body)}
	r := decodeMailbox(&d, &red)
	return &r, d.end()
}
