package daemon

import (
	"fmt"

	"github.com/verimails/verimaild/config"
	"github.com/verimails/verimaild/pool/provider"
	"github.com/verimails/verimaild/verify/address"
)

// siteModes is what egress.sites says of how far a domain can be asked; nil if it says nothing. As for limits, the first
// rule that matches decides, and one without a mode leaves it to the table of providers.
func siteModes(in []config.SiteRule) (func(domain string, hosts []string) (provider.Mode, bool), error) {
	rules, some := make([]modeRule, len(in)), false
	for i := range in {
		if err := rules[i].set(&in[i]); err != nil {
			return nil, fmt.Errorf("egress.sites[%d]: %w", i, err)
		}
		some = some || in[i].Mode != ""
	}
	if !some {
		return nil, nil
	}
	return func(domain string, hosts []string) (provider.Mode, bool) {
		for i := range rules {
			if rules[i].matches(domain, hosts) {
				return rules[i].mode, rules[i].mode != ""
			}
		}
		return "", false
	}, nil
}

// A modeRule is one of them, ready for use.
type modeRule struct {
	provider string
	mx       *provider.HostPattern // nil if any will do.
	domain   string
	mode     provider.Mode
}

func (r *modeRule) set(in *config.SiteRule) error {
	r.provider, r.mode = in.Match.Provider, provider.Mode(in.Mode)
	if in.Match.MX != "" {
		p, err := provider.ParseHostPattern(in.Match.MX)
		if err != nil {
			return err
		}
		r.mx = &p
	}
	if in.Match.Domain != "" {
		d, err := address.ParseDomain(in.Match.Domain)
		if err != nil {
			return err
		}
		r.domain = d.ASCII()
	}
	return nil
}

// matches reports whether all that the rule asks for holds.
func (r *modeRule) matches(domain string, hosts []string) bool {
	if r.domain != "" && r.domain != domain || r.mx != nil && !r.mx.MatchAll(hosts) {
		return false
	}
	if r.provider == "" {
		return true
	}
	p, _ := provider.Match(hosts)
	return p != nil && p.ID == r.provider
}
