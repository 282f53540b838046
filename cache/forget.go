package cache

import (
	"context"
	"fmt"

	"github.com/verimails/verimaild/internal/store"
	"github.com/verimails/verimaild/verify/address"
)

// ForgetAddress forgets a mailbox: in memory, on disk, and where its answer is under way. When it returns without an
// error, the deletion is written. With an error the mailbox may be remembered still.
func (c *Cache) ForgetAddress(ctx context.Context, a address.Address) error {
	hash := c.hash(a.Key())
	gen := c.nameGeneration(hash)
	gen.close()
	defer gen.open()
	c.slot(hash).settle()
	c.memory.remove(hash, memKey{kindMailbox, a.Key()})
	if !c.store.InUse() {
		return nil
	}
	d := c.hashes.domain(a.Domain())
	if err := c.mailboxes.Delete(ctx, c.hashes.mailbox(d, a)); err != nil {
		return fmt.Errorf("cache: forget an address: %w", err)
	}
	return nil
}

// ForgetDomain forgets all about a domain, its mailboxes included: in memory, on disk, and where an answer is under
// way. It returns how many records were on disk. For errors see [Cache.ForgetAddress].
func (c *Cache) ForgetDomain(ctx context.Context, d address.Domain) (n int, err error) {
	gen := c.domainGeneration(d.ASCII())
	gen.close()
	defer gen.open()
	c.slots.settle()
	c.memory.removeDomain(d.ASCII())
	key := c.hashes.domain(d)
	if err := c.store.Flush(ctx); err != nil {
		return 0, fmt.Errorf("cache: forget %s: %w", d, err)
	}
	if c.store.InUse() {
		for _, set := range []*store.Records[[]byte]{c.mailboxes, c.facts, c.hosts, c.epochs.records, c.uniforms.records} {
			deleted, err := set.DeletePrefix(ctx, key[:])
			n += deleted
			if err != nil {
				return n, fmt.Errorf("cache: forget %s: %w", d, err)
			}
		}
	}
	c.epochs.forget(key)
	c.uniforms.forget(key)
	return n, nil
}

// ForgetAll forgets everything, and gives the disk space back. What the durable store holds is not touched.
// For errors see [Cache.ForgetAddress].
func (c *Cache) ForgetAll(ctx context.Context) error {
	for i := range c.gens.domains {
		c.gens.domains[i].close()
	}
	defer func() {
		for i := range c.gens.domains {
			c.gens.domains[i].open()
		}
	}()
	c.slots.settle()
	c.memory.clear()
	for _, set := range []*store.Records[[]byte]{c.mailboxes, c.facts, c.hosts, c.epochs.records, c.uniforms.records} {
		if err := set.Drop(ctx); err != nil {
			return fmt.Errorf("cache: forget everything: %w", err)
		}
	}
	c.epochs.forgetAll()
	c.uniforms.forgetAll()
	return nil
}
