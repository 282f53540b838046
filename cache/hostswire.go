package cache

import (
	"net/netip"
	"time"

	"github.com/verimails/verimaild/verify/address"
	"github.com/verimails/verimaild/verify/maildns"
)

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

func encodeHosts(r *hostsRecord) []byte {
	var bits byte
	if r.Implicit {
		bits |= bitImplicitMX
	}
	if !r.failedAt.IsZero() {
		bits |= bitFailed
	}
	return encoded(func(e *encoder) {
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
	})
}

func decodeHosts(body []byte) (*hostsRecord, error) {
	d := decoder{s: string(body)}
	var r hostsRecord
	bits := d.byte()
	r.Implicit = bits&bitImplicitMX != 0
	domain, err := address.ParseDomain(d.string())
	if err != nil {
		return nil, errWire
	}
	r.Domain = domain
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
