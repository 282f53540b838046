package cache

import (
	"github.com/verimails/verimaild/verify/address"
	"github.com/verimails/verimaild/verify/maildns"
	"github.com/verimails/verimaild/verify/verdict"
)

// A Reader looks up what the cache remembers, for somebody who has looked before: what it finds, or does not, is not
// counted, so that the counters tell how many questions memory answered.
type Reader struct{ c *Cache }

// Again returns a Reader.
func (c *Cache) Again() Reader { return Reader{c} }

// Mailbox is [Cache.Mailbox], not counted.
func (r Reader) Mailbox(a address.Address) (verdict.Mailbox, verdict.Freshness) {
	m, _, f := r.c.mailbox(a)
	return m, f
}

// Domain is [Cache.Domain], not counted.
func (r Reader) Domain(d address.Domain) (verdict.DomainFact, verdict.Freshness) {
	fact, _, f := r.c.domain(d)
	return fact, f
}

// Hosts is [Cache.Hosts], not counted.
func (r Reader) Hosts(d address.Domain) (maildns.MailHosts, verdict.Freshness) {
	h, _, f := r.c.mailHosts(d)
	return h, f
}
