package verify

import (
	"context"
	"fmt"

	"github.com/verimails/verimaild/verify/address"
	"github.com/verimails/verimaild/verify/maildns"
	"github.com/verimails/verimaild/verify/verdict"
)

// Memory is what is remembered between requests.
type Memory interface{}

// forgetful is the memory of a verifier that has none.
type forgetful struct{}

func (r *run) remembered() bool                 { return false }
func (r *run) rememberedAcceptAll() verdict.Tri { return verdict.Undetermined }
func (r *run) remember(*decision)               {}

// mailHosts is the domain's mail hosts, from memory or the DNS.
func (v *Verifier) mailHosts(ctx context.Context, d address.Domain) (*maildns.MailHosts, error) {
	h, err := v.resolver.Lookup(ctx, d)
	if err != nil {
		return nil, fmt.Errorf("mail hosts of %s: %w", d, err)
	}
	return &h, nil
}
