package cache

import (
	"fmt"
	"strings"
	"time"

	"github.com/verimails/verimaild/verify/address"
	"github.com/verimails/verimaild/verify/verdict"
)

// maxSite bounds what is remembered of a site, in bytes.
const maxSite = 4096

// siteRecord is what is known of a site. Its owner gives it meaning.
type siteRecord struct {
	name string
	data string
	at   time.Time
}

// Site returns what PutSite remembered under a name, and when that was. The bytes are the caller's.
func (c *Cache) Site(name string) (data []byte, at time.Time, found bool) {
	p := c.place(kindSite, name, "")
	rec := held[siteRecord](c, &p)
	fromMemory := rec != nil
	if !fromMemory {
		rec = c.loadSite(&p)
	}
	f := verdict.Missing
	if rec != nil {
		f = Age{c.ages.Load().Site, c.ages.Load().Site}.freshness(rec.at, c.now())
	}
	c.count(kindSite, fromMemory, f)
	if f == verdict.Missing {
		return nil, time.Time{}, false
	}
	return []byte(rec.data), rec.at, true
}

func (c *Cache) loadSite(p *place) *siteRecord {
	if !p.was.open() {
		return nil
	}
	before := c.slot(p.hash).look()
	b, found, err := c.sites.Get(c.hashes.site(p.key.name))
	if err == nil && !found {
		return nil
	}
	var rec *siteRecord
	if err == nil {
		rec, err = decodeSite(b)
	}
	if err != nil || rec.name != p.key.name {
		c.bad(err)
		return nil
	}
	c.admit(p, before, rec, rec.size())
	return rec
}

// PutSite remembers what was learned about a site, in place of what was remembered before. Name and data together
// have at most 4096 bytes.
func (c *Cache) PutSite(name string, data []byte) error {
	if name == "" || len(name)+len(data) > maxSite {
		return fmt.Errorf("cache: site of %d bytes under a name of %d: the name must not be empty, and both have at most %d", len(data), len(name), maxSite)
	}
	c.putSite(&siteRecord{strings.Clone(name), string(data), c.stamp(time.Time{})})
	return nil
}

func (c *Cache) putSite(rec *siteRecord) {
	p := c.place(kindSite, rec.name, "")
	body, key := encodeSite(rec), c.hashes.site(rec.name)
	age := c.ages.Load().Site
	ttl := Age{age, age}.ttl(rec.at, c.now())
	for {
		before := c.slot(p.hash).look()
		if !c.commit(c.BeginDomain(address.Domain{}), &p, before, rec, rec.size(), func() error { return c.sites.TryPut(key, body, ttl) }) {
			return
		}
	}
}

func encodeSite(r *siteRecord) []byte {
	return encoded(func(e *encoder) {
		e.time(r.at)
		e.text(r.name)
		e.text(r.data)
	})
}

func decodeSite(body []byte) (*siteRecord, error) {
	d := decoder{s: string(body)}
	r := siteRecord{at: d.time()}
	r.name = d.text()
	r.data = d.text()
	if r.name == "" {
		d.fail()
	}
	return &r, d.end()
}
