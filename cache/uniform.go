package cache

import (
	"github.com/verimails/verimaild/verify/address"
	"github.com/verimails/verimaild/verify/verdict"
)

// A domain that is found to refuse everybody in the same words has told nothing of those whom it refused before, and
// there may be any number of them. So the time of the finding is kept, in the way of epochs, and a refusal from before
// does not count. One that comes later, when the domain tells recipients apart, does.

// newUniform notes that a domain refuses everybody alike. For the generation see newEpoch.
func (c *Cache) newUniform(d address.Domain) { c.begin(&c.uniforms, d) }

// saidOfAll reports whether r is a refusal from before its domain was found, at an epoch, to refuse everybody alike.
// What was reported of a real message counts.
func (r *mailboxRecord) saidOfAll(epoch uint32) bool {
	return epoch != 0 && r.Reason.IsRefusal() && r.CheckedAt.Unix() <= int64(epoch) && verdict.Reported(r.Evidence) == nil
}
