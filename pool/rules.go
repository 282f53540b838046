package pool

import (
	"fmt"

	"github.com/verimails/verimaild/pool/provider"
)

// siteRules are the operator's rules, ready for use.
type siteRules []siteRule

type siteRule struct {
	SiteRule
	pattern provider.HostPattern
}

// compileRules checks the operator's rules. Its error names the rule at fault by its index.
func compileRules(rules []SiteRule) (siteRules, error) {
	out := make(siteRules, len(rules))
	for i, r := range rules {
		out[i].SiteRule = r
		if r.Provider == "" && r.MX == "" && r.Domain == "" {
			return nil, fmt.Errorf("sites[%d]: matches nothing", i)
		}
		if r.Provider != "" && provider.ByID(r.Provider) == nil {
			return nil, fmt.Errorf("sites[%d]: there is no provider %q", i, r.Provider)
		}
		if r.MX == "" {
			continue
		}
		var err error
		if out[i].pattern, err = provider.ParseHostPattern(r.MX); err != nil {
			return nil, fmt.Errorf("sites[%d]: mx: %w", i, err)
		}
	}
	return out, nil
}

// find is the first rule for a domain at these hosts; nil if there is none. With domain "" the rules that name a
// domain do not match.
func (rs siteRules) find(prov *provider.Provider, hosts []string, domain string) *siteRule {
	for i := range rs {
		r := &rs[i]
		switch {
		case r.Provider != "" && (prov == nil || prov.ID != r.Provider):
		case r.MX != "" && !r.pattern.MatchAll(hosts):
		case r.Domain != "" && r.Domain != domain:
		default:
			return r
		}
	}
	return nil
}

// ofDomain reports whether some rule names the domain.
func (rs siteRules) ofDomain(domain string) bool {
	for i := range rs {
		if rs[i].Domain == domain {
			return true
		}
	}
	return false
}
