package cache

import (
	"net/netip"
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
	p := c.place(kindHosts, d.ASCII(), d.ASCII())
	rec := held[hostsRecord](c, &p)
	fromMemory := rec != nil
	if !fromMemory {
		rec = c.loadHosts(&p, d)
	}
	f := verdict.Missing
	if rec != nil {
		f = rec.freshness(c.ages.Load(), c.now())
	}
	c.count(kindHosts, fromMemory, f)
	if f == verdict.Missing {
		return maildns.MailHosts{}, f
	}
	return rec.MailHosts, f
}

func (r *hostsRecord) freshness(ages *Ages, now time.Time) verdict.Freshness {
	f := ages.Hosts.mailHosts(&r.MailHosts).freshness(r.At, now)
	if since := now.Sub(r.failedAt); f == verdict.Stale && !r.failedAt.IsZero() && since > -maxAhead && since < ages.Hosts.Failure {
		return verdict.Fresh
	}
	return f
}

func (c *Cache) loadHosts(p *place, d address.Domain) *hostsRecord {
	if !p.was.open() {
		return nil
	}
	before := c.slot(p.hash).look()
	key := c.hashes.domain(d)
	b, found, err := c.hosts.Get(key[:])
	if err == nil && !found {
		return nil
	}
	var rec *hostsRecord
	if err == nil {
		rec, err = unpackHosts(b)
	}
	if err != nil || rec.Domain != d {
		c.counter.bad.Add(1)
		return nil
	}
	c.admit(p, before, rec, rec.size())
	return rec
}

// PutHosts remembers what the DNS said about m.Domain. A failure does not replace anything better: it is noted there.
func (c *Cache) PutHosts(t Token, m maildns.MailHosts) {
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
	value := packHosts(&rec)
	kept, err := unpackHosts(value)
	if err != nil {
		panic("cache: mail hosts do not survive their encoding")
	}
	key := c.hashes.domain(m.Domain)
	ttl := ages.Hosts.mailHosts(&rec.MailHosts).ttl(rec.At, now)
	return c.commit(t, &p, before, kept, kept.size(), func() error { return c.hosts.TryPut(key[:], value, ttl) })
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

// Bounds of what is kept of the DNS's answers; the resolver's own are lower.
const (
	maxHosts  = 64
	maxAddrs  = 32
	maxDetail = 256
)

// trimHosts is a copy of m within the bounds, its times as they can be stored.
func (c *Cache) trimHosts(m maildns.MailHosts) maildns.MailHosts {
	m.At = c.stamp(m.At)
	m.TTL = min(max(m.TTL, 0), longestAge).Truncate(time.Second)
	m.Took = min(max(m.Took, 0), longestAge).Truncate(time.Millisecond)
	m.Status = maildns.Status(cut(string(m.Status), maxName))
	m.Detail, m.Server = cut(m.Detail, maxDetail), cut(m.Server, maxName)
	hosts := make([]maildns.Host, min(len(m.Hosts), maxHosts))
	for i := range hosts {
		h := m.Hosts[i]
		h.Name, h.Detail = cut(h.Name, maxName), cut(h.Detail, maxDetail)
		h.Status = maildns.Status(cut(string(h.Status), maxName))
		h.Addrs = h.Addrs[:min(len(h.Addrs), maxAddrs)]
		h.Refused = h.Refused[:min(len(h.Refused), maxAddrs)]
		hosts[i] = h
	}
	m.Hosts = hosts
	return m
}

// Bits of a hosts record.
const (
	bitImplicitMX = 1 << iota
	bitFailed
)

func packHosts(r *hostsRecord) []byte {
	var bits byte
	if r.Implicit {
		bits |= bitImplicitMX
	}
	if !r.failedAt.IsZero() {
		bits |= bitFailed
	}
	var e encoder
	e.byte(bits)
	e.string(r.Domain.ASCII())
	e.string(string(r.Status))
	e.time(r.At)
	if !r.failedAt.IsZero() {
		e.time(r.failedAt)
	}
	e.uint(uint64(r.TTL / time.Second))       //nolint:gosec // G115: trimmed.
	e.uint(uint64(r.Took / time.Millisecond)) //nolint:gosec // G115: trimmed.
	e.string(r.Server)
	e.string(r.Detail)
	e.count(len(r.Hosts))
	for i := range r.Hosts {
		h := &r.Hosts[i]
		e.string(h.Name)
		e.uint(uint64(h.Preference))
		e.string(string(h.Status))
		e.string(h.Detail)
		for _, list := range [][]netip.Addr{h.Addrs, h.Refused} {
			e.count(len(list))
			for _, a := range list {
				e.addr(a)
			}
		}
	}
	return pack(nil, e.b)
}

func unpackHosts(value []byte) (*hostsRecord, error) {
	body, err := unpack(value)
	if err != nil {
		return nil, err
	}
	d := decoder{s: body}
	var r hostsRecord
	bits := d.byte()
	r.Implicit = bits&bitImplicitMX != 0
	if r.Domain, err = address.ParseDomain(d.string()); err != nil {
		return nil, errWire
	}
	r.Status = maildns.Status(d.string())
	r.At = d.time()
	if bits&bitFailed != 0 {
		r.failedAt = d.time()
	}
	r.TTL = time.Duration(d.small(uint64(longestAge/time.Second))) * time.Second            //nolint:gosec // G115: bounded.
	r.Took = time.Duration(d.small(uint64(longestAge/time.Millisecond))) * time.Millisecond //nolint:gosec // G115: bounded.
	r.Server = d.string()
	r.Detail = d.string()
	if n := d.count(); n > 0 && n <= maxHosts {
		r.Hosts = make([]maildns.Host, n)
		for i := range r.Hosts {
			decodeHost(&d, &r.Hosts[i])
		}
	}
	return &r, d.end()
}

func decodeHost(d *decoder, h *maildns.Host) {
	h.Name = d.string()
	h.Preference = uint16(d.small(1<<16 - 1)) //nolint:gosec // G115: bounded.
	h.Status = maildns.Status(d.string())
	h.Detail = d.string()
	h.Addrs, h.Refused = decodeAddrs(d), decodeAddrs(d)
}

func decodeAddrs(d *decoder) []netip.Addr {
	n := d.count()
	if n == 0 || n > maxAddrs {
		if n > maxAddrs {
			d.fail()
		}
		return nil
	}
	list := make([]netip.Addr, n)
	for i := range list {
		list[i] = d.addr()
	}
	return list
}
