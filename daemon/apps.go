package daemon

import (
	"fmt"

	"github.com/verimails/verimaild/config"
	"github.com/verimails/verimaild/daemon/api"
	"github.com/verimails/verimaild/verify"
)

// apps is the configuration in the words of the API.
func apps(cfg *config.Config) api.Apps {
	out := api.Apps{
		Only:   cfg.AppsOnly,
		Charge: api.Charge{Cached: cfg.Charge.Cached, Syntax: cfg.Charge.Syntax, OurFault: cfg.Charge.OurFault},
		List:   make([]api.App, len(cfg.Apps)),
	}
	for i, a := range cfg.Apps {
		out.List[i] = api.App{
			Name: a.Name, UID: a.UID, GID: a.GID, Scopes: scopes(a.Scopes), Rule: fmt.Sprintf("apps[%d]", i),
			Quota: api.Quota{
				PerMinute: a.Quota.PerMinute, PerDay: a.Quota.PerDay, PerMonth: a.Quota.PerMonth, Concurrent: a.Quota.Concurrent,
			},
		}
		if a.Weight != nil {
			out.List[i].Weight = *a.Weight
		}
		if a.Class != nil && *a.Class == "bulk" {
			out.List[i].Class = verify.Bulk
		}
	}
	return out
}

func scopes(names []string) api.Scope {
	all := map[string]api.Scope{"verify": api.ScopeVerify, "jobs": api.ScopeJobs, "admin": api.ScopeAdmin}
	out := api.ScopeNone
	for _, n := range names {
		out |= all[n]
	}
	return out
}
