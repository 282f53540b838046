package pool

import (
	"time"

	"github.com/verimails/verimaild/pool/budget"
	"github.com/verimails/verimaild/pool/provider"
)

// A providerState is what all sites of one provider share: many have a mail host for each of their customers, and
// count across them. Guarded by Pool.mu.
type providerState struct {
	provider *provider.Provider
	limits   Limits // Across all sites and sources; refusals and controls per network prefix.
	sessions int    // Open or being opened.
	rate     budget.Bucket
	openings budget.Window
	nextDial time.Duration
	accounts accounts
	dirty    bool
	slowdown *slowdown
}

// acrossOf finds or makes the state of a provider; nil where nothing limits it across its sites.
func (p *Pool) acrossOf(prov *provider.Provider) *providerState {
	if prov == nil || prov.ProviderLimits == (provider.Limits{}) && prov.Limits.RefusalsPerHour == nil {
		return nil
	}
	v := p.across[prov.ID]
	if v == nil {
		v = &providerState{provider: prov, accounts: accounts{}, slowdown: p.slowdownOf(prov.ID)}
		v.limit(p)
		p.across[prov.ID] = v
	}
	return v
}

// acrossID is acrossOf for the provider of this id; nil if there is none.
func (p *Pool) acrossID(id string) *providerState { return p.acrossOf(provider.ByID(id)) }

// limit puts into force what the provider's row says, as far as the operator's own rule for the provider has not lifted
// or raised it: an agreement with a provider is one for all of its sites.
func (v *providerState) limit(p *Pool) {
	// Many domains of a provider differ in their sets of hosts, and not in who counts behind them: what one site bears
	// within an hour is all that its provider bears, unless the row says more.
	v.limits = Limits{}.With(&provider.Limits{
		RefusalsPerHour: v.provider.Limits.RefusalsPerHour, ControlsPerHour: v.provider.Limits.ControlsPerHour,
	}).With(&v.provider.ProviderLimits)
	rule := p.rules.find(v.provider, nil, "")
	if rule == nil || rule.Provider != v.provider.ID {
		return
	}
	raise(&v.limits.Sessions, rule.Limits.Sessions)
	raise(&v.limits.SessionsPerHour, rule.Limits.SessionsPerHour)
	raise(&v.limits.RefusalsPerHour, rule.Limits.RefusalsPerHour)
	raise(&v.limits.ControlsPerHour, rule.Limits.ControlsPerHour)
	raise(&v.limits.ProbesPerMinute, rule.Limits.ProbesPerMinute)
	if d := rule.Limits.DialInterval; d != nil {
		v.limits.DialInterval = min(v.limits.DialInterval, *d)
	}
}

// raise makes a limit what to says, if that is lifted or more.
func raise[T int | float64](limit, to *T) {
	if to != nil && (*to == 0 || *limit != 0 && *to > *limit) {
		*limit = *to
	}
}
