package pool

import (
	"fmt"

	"github.com/verimails/verimaild/pool/provider"
)

// SiteRules are the operator's rules, ready for use. They do not change, and may be used concurrently.
type SiteRules []siteRule

type siteRule struct {
	SiteRule
	pattern provider.HostPattern
}

// CompileSiteRules checks the operator's rules. Its error names the rule at fault by its index.
func CompileSiteRules(rules []SiteRule) (SiteRules, error) {
	out := make(SiteRules, len(rules))
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

// Find is the index of the first rule for a domain at these hosts of prov, which may be nil; -1 if there is none. With
// domain "" the rules that name a domain do not match.
func (rs SiteRules) Find(prov *provider.Provider, hosts []string, domain string) int {
	for i := range rs {
		r := &rs[i]
		switch {
		case r.Provider != "" && (prov == nil || prov.ID != r.Provider):
		case r.MX != "" && !r.pattern.MatchAll(hosts):
		case r.Domain != "" && r.Domain != domain:
		default:
			return i
		}
	}
	return -1
}

// find is the rule that Find finds; nil if there is none.
func (rs SiteRules) find(prov *provider.Provider, hosts []string, domain string) *SiteRule {
	if i := rs.Find(prov, hosts, domain); i >= 0 {
		return &rs[i].SiteRule
	}
	return nil
}

// ofDomain reports whether some rule names the domain.
func (rs SiteRules) ofDomain(domain string) bool {
	for i := range rs {
		if rs[i].Domain == domain {
			return true
		}
	}
	return false
}
