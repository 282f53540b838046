package cache

import (
	"time"

	"github.com/verimails/verimaild/verify/address"
	"github.com/verimails/verimaild/verify/verdict"
)

// factRecord is a domain fact as it is stored.
type factRecord struct {
	verdict.DomainFact
	epoch uint32
}

// Domain returns what is remembered of a domain's mail server. The slices of the result are shared: they must not be
// changed. ContradictedAt is set even if nothing else is remembered.
func (c *Cache) Domain(d address.Domain) (verdict.DomainFact, verdict.Freshness) {
	out, fromMemory, f := c.domain(d)
	c.count(kindDomain, fromMemory, f)
	return out, f
}

// domain is Domain without counting.
func (c *Cache) domain(d address.Domain) (out verdict.DomainFact, fromMemory bool, f verdict.Freshness) {
	rec, fromMemory, f := c.fact(d)
	if f != verdict.Missing {
		out = rec.DomainFact
		out.ExpiresAt = out.CheckedAt.Add(c.ages.Load().factAge(&out).Hard)
	}
	out.Domain = d.ASCII()
	out.ContradictedAt = epochTime(c.epochOf(d.ASCII()))
	return out, fromMemory, f
}

// fact looks a domain fact up without counting.
func (c *Cache) fact(d address.Domain) (rec *factRecord, fromMemory bool, f verdict.Freshness) {
	p := c.place(kindDomain, d.ASCII(), d.ASCII())
	rec = held[factRecord](c, &p)
	if fromMemory = rec != nil; !fromMemory {
		rec = c.loadFact(&p, d)
	}
	if rec != nil {
		f = c.ages.Load().factAge(&rec.DomainFact).freshness(rec.CheckedAt, c.now())
	}
	return rec, fromMemory, f
}

func (c *Cache) loadFact(p *place, d address.Domain) *factRecord {
	if !p.was.open() || c.absent(p) {
		return nil
	}
	before := c.slot(p.hash).look()
	key := c.hashes.domain(d)
	b, found, err := c.facts.Get(key[:])
	if err == nil && !found {
		c.noteAbsent(p, before)
		return nil
	}
	var rec *factRecord
	if err == nil {
		rec, err = decodeFact(b)
	}
	if err != nil || rec.Domain != d.ASCII() {
		c.bad(err)
		return nil
	}
	if rec.epoch < c.epochs.at(key) {
		return nil
	}
	c.admit(p, before, rec, rec.size())
	return rec
}

// PutDomain remembers a fact about a domain's mail server. The error is a [*NotStorableError] for a reason that may
// not stand for every recipient, or if the fact says nothing. What contradicts a fact that is remembered drops that
// one and every answer that leans on it. Evidence about real recipients is kept without its words: whoever reads the
// fact asks about somebody else.
func (c *Cache) PutDomain(t Token, d address.Domain, f verdict.DomainFact) error {
	if f.Reason != "" && !f.Reason.OfDomain() || f.Reason == "" && f.AcceptsAll == verdict.Undetermined {
		return &NotStorableError{Of: "domain", Reason: f.Reason}
	}
	f = c.trimFact(d, f)
	for c.putFact(t, d, f, false) {
	}
	return nil
}

// putFact tries once; it reports whether to try again. With onlyNewer an older fact than the remembered one is left.
func (c *Cache) putFact(t Token, d address.Domain, f verdict.DomainFact, onlyNewer bool) (again bool) {
	p := c.place(kindDomain, d.ASCII(), d.ASCII())
	before := c.slot(p.hash).look()
	key := c.hashes.domain(d)
	ages, now := c.ages.Load(), c.now()
	old, _, freshness := c.fact(d)
	if freshness == verdict.Missing {
		old = nil
	}
	if onlyNewer && old != nil && !f.CheckedAt.After(old.CheckedAt) {
		return false
	}
	keep, contradicts := settleFact(old, &f)
	if keep || factOutranked(old, &f, freshness) {
		return false
	}
	if contradicts && !c.contradicted(t, d, c.beginning(&f, onlyNewer)) {
		c.counter.void.Add(1)
		return false
	}
	rec := factRecord{DomainFact: f, epoch: c.epochs.at(key)}
	body := encodeFact(&rec)
	kept, err := decodeFact(body)
	if err != nil {
		c.bad(err) // It is as good as damaged: better not remembered than misremembered.
		return false
	}
	ttl := ages.factAge(&f).ttl(f.CheckedAt, now)
	return c.commit(t, &p, before, kept, kept.size(), func() error { return c.facts.TryPut(key[:], body, ttl) })
}

// beginning is what begins with a fact that contradicts what was known. What another host found out of refusals says
// nothing of those that this one met.
func (c *Cache) beginning(f *verdict.DomainFact, imported bool) func(address.Domain) {
	switch {
	case f.Reason != verdict.UniformRefusal:
		return c.newEpoch
	case imported:
		return func(address.Domain) {}
	default:
		return c.newUniform
	}
}

// settleFact decides what becomes of an old fact, which may be nil, when a new one comes. It is pure.
func settleFact(old *factRecord, f *verdict.DomainFact) (keep, contradicts bool) {
	if f.Reason == verdict.UniformRefusal {
		return settleUniform(old)
	}
	if old == nil {
		return false, false
	}
	known := old.AcceptsAll != verdict.Undetermined && f.AcceptsAll != verdict.Undetermined
	return false, known && old.AcceptsAll != f.AcceptsAll
}

// settleUniform is settleFact for a domain that refuses everybody alike. Where somebody was accepted, that it does so now
// is no habit of the domain: nothing is known by it that was not before. Elsewhere every refusal that is remembered is
// as empty as this one, unless that was found out before.
func settleUniform(old *factRecord) (keep, contradicts bool) {
	if old == nil {
		return false, true
	}
	if old.Reason != "" {
		return false, old.Reason != verdict.UniformRefusal
	}
	accepts := old.Accepted || old.AcceptsAll == verdict.True
	return accepts, !accepts
}

// refusalContradicts drops what is said of a domain if it is said to accept everyone, since somebody there does not
// exist.
func (c *Cache) refusalContradicts(t Token, d address.Domain) {
	if rec, _, f := c.fact(d); f != verdict.Missing && rec.AcceptsAll == verdict.True &&
		!(f == verdict.Fresh && verdict.Reported(rec.Evidence) != nil) {
		c.contradicted(t, d, c.newEpoch)
	}
}

// contradicted begins something new of a domain for the holder of a token, whose token stays valid while all others
// become void. With a void token it changes nothing, and says so.
func (c *Cache) contradicted(t Token, d address.Domain, begin func(address.Domain)) bool {
	p := c.place(kindDomain, d.ASCII(), d.ASCII())
	if !t.valid(&p) {
		return false
	}
	was := t.domainWas.Load()
	if !t.domain.CompareAndSwap(was, was+oneGeneration) {
		return false
	}
	t.domainWas.Store(was + oneGeneration)
	begin(d)
	return true
}

// trimFact is a copy of f within the bounds, its times as they can be stored.
func (c *Cache) trimFact(d address.Domain, f verdict.DomainFact) verdict.DomainFact {
	f.Domain = d.ASCII()
	f.CheckedAt = c.stamp(f.CheckedAt)
	f.ExpiresAt, f.ContradictedAt = time.Time{}, time.Time{}
	f.Evidence = trimEvidence(f.Evidence)
	for i := range f.Evidence {
		if ev := &f.Evidence[i]; !ev.Control {
			ev.Text, ev.Dialogue = "", nil
		}
	}
	return f
}
