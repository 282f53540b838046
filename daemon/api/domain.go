package api

import (
	"net/http"
	"net/netip"
	"time"

	"github.com/verimails/verimaild/cache"
	"github.com/verimails/verimaild/client/apitype"
	"github.com/verimails/verimaild/verify/address"
	"github.com/verimails/verimaild/verify/verdict"
)

// domainRecord is GET /v1/domains/{domain}.
func (s *Server) domainRecord(c *call) error {
	memory, err := s.remembered()
	if err != nil {
		return err
	}
	d, err := c.domain()
	if err != nil {
		return err
	}
	out, found := recallDomain(memory, d, time.Now())
	if !found {
		return fail(apitype.CodeNotRemembered, "Nothing is remembered of %s but, perhaps, some of its mailboxes.", d)
	}
	c.sendJSON(http.StatusOK, out)
	return nil
}

// recallDomain is what memory holds of a domain; found is false if that is nothing.
func recallDomain(memory *cache.Cache, d address.Domain, now time.Time) (out apitype.DomainRecord, found bool) {
	out.Domain = d.ASCII()
	out.MailHosts = recallHosts(memory, d, now)
	fact, freshness := memory.Domain(d)
	out.ContradictedAt = fact.ContradictedAt
	if freshness != verdict.Missing {
		out.Habit = wireHabit(&fact)
		out.Habit.AgeS, out.Habit.Freshness = ageSeconds(fact.CheckedAt, now), freshness.String()
	}
	return out, out.MailHosts != nil || out.Habit != nil || !out.ContradictedAt.IsZero()
}

// recallHosts is what memory holds of a domain's mail hosts; nil if that is nothing.
func recallHosts(memory *cache.Cache, d address.Domain, now time.Time) *apitype.MailHosts {
	m, freshness := memory.Hosts(d)
	if freshness == verdict.Missing {
		return nil
	}
	out := &apitype.MailHosts{
		Status: string(m.Status), Implicit: m.Implicit, Hosts: make([]apitype.MailHost, len(m.Hosts)),
		Detail: m.Detail, Server: m.Server, CheckedAt: m.At, ExpiresAt: memory.HostsExpireAt(&m),
		AgeS: ageSeconds(m.At, now), Freshness: freshness.String(),
	}
	for i := range m.Hosts {
		h := &m.Hosts[i]
		out.Hosts[i] = apitype.MailHost{
			Host: h.Name, Preference: h.Preference, Addresses: addrStrings(h.Addrs), Refused: addrStrings(h.Refused),
		}
	}
	return out
}

func wireHabit(f *verdict.DomainFact) *apitype.DomainHabit {
	out := &apitype.DomainHabit{
		AcceptsAll: f.AcceptsAll.Ptr(), Reason: string(f.Reason), Evidence: make([]apitype.Evidence, len(f.Evidence)),
		CheckedAt: f.CheckedAt, ExpiresAt: f.ExpiresAt,
	}
	for i := range f.Evidence {
		out.Evidence[i] = wireEvidence(&f.Evidence[i])
	}
	return out
}

func addrStrings(list []netip.Addr) []string {
	out := make([]string, len(list))
	for i, a := range list {
		out[i] = a.String()
	}
	return out
}

// ageSeconds is how old what was found at a time is; 0 if the clock was set back behind it.
func ageSeconds(at, now time.Time) int64 { return int64(max(now.Sub(at), 0) / time.Second) }
