package daemon

import (
	"errors"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/verimails/verimaild/cache"
	"github.com/verimails/verimaild/config"
	"github.com/verimails/verimaild/verify"
	"github.com/verimails/verimaild/verify/address"
	"github.com/verimails/verimaild/verify/maildns"
	"github.com/verimails/verimaild/verify/verdict"
)

// buildMemory makes the cache that answers are remembered in. A sandbox has none unless it is told to, so that the same
// question gets a fresh answer each time.
func (d *Daemon) buildMemory() (verify.Memory, error) {
	if d.sandbox != nil && !d.cfg.Sandbox.Memory {
		return nil, nil
	}
	c, err := cache.New(cache.Options{
		Stores: d.stores, Ages: ages(&d.cfg.Cache), Entries: d.cfg.Cache.Entries, Logger: d.log.Named("cache"),
	})
	if err != nil {
		return nil, err
	}
	d.cache = c
	d.rules.started = time.Now()
	return memory{c, d.log.Named("cache"), &d.rules}, nil
}

// ages is the configuration in the words of the cache.
func ages(c *config.Cache) cache.Ages {
	age := func(a config.Ages) cache.Age { return cache.Age{Soft: a.Soft, Hard: a.Hard} }
	out := cache.DefaultAges()
	out.Accepted, out.NotFound = age(c.MailboxAccepted), age(c.MailboxNotFound)
	out.Disabled, out.Full = age(c.MailboxDisabled), age(c.MailboxFull)
	out.AcceptsAll, out.RefusesMadeUp = age(c.AcceptsAll), age(c.RefusesMadeUp)
	out.Hosts = cache.HostAges{
		Min: c.MailHosts.Min, Max: c.MailHosts.Max, Hard: c.MailHosts.Hard,
		Negative: c.MailHosts.Negative, Failure: c.MailHosts.Failure,
	}
	return out
}

// memory is a cache as verify wants it: what the cache refuses to store is a fault of ours, and logged.
type memory struct {
	*cache.Cache
	log   *zap.Logger
	rules *hostRules
}

// hostRules is since when mail hosts are looked up by the rules in force: which addresses may be dialled, and which
// families the sources have.
type hostRules struct {
	started time.Time // Of this run; the rules of the one before are not known.
	changed atomic.Pointer[time.Time]
}

// change makes what was looked up until now be looked up again.
func (r *hostRules) change() { r.changed.Store(new(time.Now())) }

// since reports whether the rules have been the same since t.
func (r *hostRules) since(t time.Time) bool {
	changed := r.changed.Load()
	return changed == nil || t.After(*changed)
}

// hold reports whether h was looked up by the rules in force.
func (r *hostRules) hold(h *maildns.MailHosts) bool {
	if h.Status == maildns.Unroutable && h.At.Before(r.started) {
		return false
	}
	return r.since(h.At)
}

// Hosts is the mail hosts of a domain, unless they were looked up by other rules than those in force.
func (m memory) Hosts(d address.Domain) (maildns.MailHosts, verdict.Freshness) {
	return m.rules.filter(m.Cache.Hosts(d))
}

// filter leaves out mail hosts that were looked up by other rules than those in force.
func (r *hostRules) filter(h maildns.MailHosts, f verdict.Freshness) (maildns.MailHosts, verdict.Freshness) {
	if f == verdict.Missing || r.hold(&h) {
		return h, f
	}
	return maildns.MailHosts{}, verdict.Missing
}

// Again is m for whoever has looked before.
func (m memory) Again() verify.Reader { return again{m.Cache.Again(), m.rules} }

type again struct {
	cache.Reader
	rules *hostRules
}

// Hosts is that of memory.
func (a again) Hosts(d address.Domain) (maildns.MailHosts, verdict.Freshness) {
	return a.rules.filter(a.Reader.Hosts(d))
}

// Begin opens a note that is void once the address or its domain is forgotten.
func (m memory) Begin(a address.Address) verify.Note { return note{m, m.Cache.Begin(a), time.Now()} }

type note struct {
	memory
	token cache.Token
	begun time.Time
}

// Void reports whether nothing that is found out now is remembered.
func (n note) Void() bool { return n.token.Void() }

func (n note) Mailbox(a address.Address, m verdict.Mailbox) time.Time {
	expires, err := n.PutMailbox(n.token, a, m)
	n.check(err, a.Domain())
	return expires
}

func (n note) Domain(d address.Domain, f verdict.DomainFact) {
	n.check(n.PutDomain(n.token, d, f), d)
}

// Hosts remembers mail hosts, unless the rules have changed since they were asked for: they may be those of before.
func (n note) Hosts(h maildns.MailHosts) {
	if n.rules.since(n.begun) {
		n.PutHosts(n.token, h)
	}
}

// check logs why something was not stored.
func (n note) check(err error, d address.Domain) {
	if err == nil {
		return
	}
	level := zap.WarnLevel
	if _, ours := errors.AsType[*cache.NotStorableError](err); ours {
		level = zap.ErrorLevel
	}
	n.log.Log(level, "not remembered", zap.String("domain", d.ASCII()), zap.Error(err))
}
