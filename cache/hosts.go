package cache

import (
	"time"

	"github.com/verimails/verimaild/verify/address"
	"github.com/verimails/verimaild/verify/maildns"
	"github.com/verimails/verimaild/verify/verdict"
)

// hostsRecord is what the DNS said, as it is stored.
type hostsRecord struct {
	maildns.MailHosts
	failedAt time.Time // When asking again failed; zero if it did not.
}

// Hosts returns what the DNS is remembered to have said about a domain. The slices of the result are shared: they
// must not be changed. A record is fresh as long as its TTL says; past that it is stale, and goes on to serve for a
// day if the DNS fails. For some minutes after a failure it counts as fresh, so that the DNS is left alone.
func (c *Cache) Hosts(d address.Domain) (maildns.MailHosts, verdict.Freshness) {
	h, fromMemory, f := c.mailHosts(d)
	c.count(kindHosts, fromMemory, f)
	return h, f
}

// mailHosts is Hosts without counting.
func (c *Cache) mailHosts(d address.Domain) (h maildns.MailHosts, fromMemory bool, f verdict.Freshness) {
	p := c.place(kindHosts, d.ASCII(), d.ASCII())
	rec := held[hostsRecord](c, &p)
	if fromMemory = rec != nil; !fromMemory {
		rec = c.loadHosts(&p, d)
	}
	if rec != nil {
		f = rec.freshness(c.ages.Load(), c.now())
	}
	if f == verdict.Missing {
		return h, fromMemory, f
	}
	return rec.MailHosts, fromMemory, f
}

func (r *hostsRecord) freshness(ages *Ages, now time.Time) verdict.Freshness {
	f := ages.Hosts.mailHosts(&r.MailHosts).freshness(r.At, now)
	if since := now.Sub(r.failedAt); f == verdict.Stale && !r.failedAt.IsZero() && since > -maxAhead && since < ages.Hosts.Failure {
		return verdict.Fresh
	}
	return f
}

func (c *Cache) loadHosts(p *place, d address.Domain) *hostsRecord {
	if !p.was.open() || c.absent(p) {
		return nil
	}
	before := c.slot(p.hash).look()
	key := c.hashes.domain(d)
	b, found, err := c.hosts.Get(key[:])
	if err == nil && !found {
		c.noteAbsent(p, before)
		return nil
	}
	var rec *hostsRecord
	if err == nil {
		rec, err = decodeHosts(b)
	}
	if err != nil || rec.Domain != d {
		c.bad(err)
		return nil
	}
	c.admit(p, before, rec, rec.size())
	return rec
}

// PutHosts remembers what the DNS said about m.Domain. A failure does not replace anything better: it is noted there.
// Without a domain it does nothing.
func (c *Cache) PutHosts(t Token, m maildns.MailHosts) {
	if m.Domain == (address.Domain{}) {
		return
	}
	m = c.trimHosts(m)
	for c.putHosts(t, m, false) {
	}
}

// putHosts tries once; it reports whether to try again. With onlyNewer an older record than the remembered one is left.
func (c *Cache) putHosts(t Token, m maildns.MailHosts, onlyNewer bool) (again bool) {
	p := c.place(kindHosts, m.Domain.ASCII(), m.Domain.ASCII())
	before := c.slot(p.hash).look()
	old := held[hostsRecord](c, &p)
	if old == nil {
		old = c.loadHosts(&p, m.Domain)
	}
	ages, now := c.ages.Load(), c.now()
	if old != nil && old.freshness(ages, now) == verdict.Missing {
		old = nil
	}
	if onlyNewer && old != nil && !m.At.After(old.At) {
		return false
	}
	rec := settleHosts(old, m)
	body := encodeHosts(&rec)
	kept, err := decodeHosts(body)
	if err != nil {
		c.bad(err) // It is as good as damaged: better not remembered than misremembered.
		return false
	}
	key := c.hashes.domain(m.Domain)
	ttl := ages.Hosts.mailHosts(&rec.MailHosts).ttl(rec.At, now)
	return c.commit(t, &p, before, kept, kept.size(), func() error { return c.hosts.TryPut(key[:], body, ttl) })
}

// settleHosts decides what is remembered when the DNS has been asked and old, which may be nil, was remembered.
// It is pure.
func settleHosts(old *hostsRecord, m maildns.MailHosts) hostsRecord {
	if m.Status.Failed() && old != nil && !old.Status.Failed() {
		rec := *old
		rec.failedAt = m.At
		return rec
	}
	return hostsRecord{MailHosts: m}
}
