package daemon

import (
	"fmt"
	"slices"

	"github.com/verimails/verimaild/config"
	"github.com/verimails/verimaild/pool"
	"github.com/verimails/verimaild/pool/provider"
)

// siteModes is what egress.sites says of how far a domain can be asked; nil if it says nothing. The rule that decides is
// the one that decides about limits too, and one without a mode leaves it to the table of providers.
func siteModes(in []config.SiteRule) (func(domain string, hosts []string) (provider.Mode, bool), error) {
	list, err := siteRules(in)
	if err != nil {
		return nil, err
	}
	rules, err := pool.CompileSiteRules(list)
	if err != nil {
		return nil, fmt.Errorf("egress.%w", err)
	}
	if !slices.ContainsFunc(in, func(r config.SiteRule) bool { return r.Mode != "" }) {
		return nil, nil
	}
	return func(domain string, hosts []string) (provider.Mode, bool) {
		prov, _ := provider.Match(hosts)
		i := rules.Find(prov, hosts, domain)
		if i < 0 {
			return "", false
		}
		return provider.Mode(in[i].Mode), in[i].Mode != ""
	}, nil
}
