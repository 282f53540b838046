package api

import (
	"time"

	"github.com/verimails/verimaild/client/apitype"
	"github.com/verimails/verimaild/pool/reply"
	"github.com/verimails/verimaild/verify/verdict"
)

// wireTrace is the way to an answer as the client gets it; nil if it was not asked for.
func (s *Server) wireTrace(a *verdict.Answer) *apitype.Trace {
	t := a.Trace
	if t == nil {
		return nil
	}
	now := time.Now()
	out := &apitype.Trace{
		Lists: make([]apitype.TraceList, len(t.Lists)), Memory: make([]apitype.TraceMemory, len(t.Memory)),
		MailHosts: wireTraceHosts(t.Hosts, now), Rules: rulesOf(s.opts.Replies(), a.Evidence),
		Decision: apitype.TraceDecision{Rule: t.Decision.Rule, Says: t.Decision.Says}, Unseen: append([]string{}, t.Unseen...),
	}
	for i, l := range t.Lists {
		out.Lists[i] = apitype.TraceList{List: l.List, Listed: l.Listed, Source: l.Source, Date: l.Date, Names: l.Names, Own: l.Own}
	}
	for i := range t.Memory {
		out.Memory[i] = wireTraceMemory(&t.Memory[i], now)
	}
	if t.Source.Name != "" {
		out.Source = &apitype.TraceSource{Name: t.Source.Name, Why: t.Source.Why}
	}
	return out
}

func wireTraceHosts(h *verdict.HostsLook, now time.Time) *apitype.TraceHosts {
	if h == nil {
		return nil
	}
	out := &apitype.TraceHosts{
		From: "dns", Status: h.Status, Server: orNull(h.Server), CheckedAt: h.At.UTC(), AgeS: ageSeconds(h.At, now),
		TTLLeftS: int64(max(h.TTL-now.Sub(h.At), 0) / time.Second), TookMS: h.Took.Milliseconds(), Detail: orNull(h.Detail),
		Hosts: make([]apitype.TraceHost, len(h.Hosts)),
	}
	if h.Remembered {
		out.From = "memory"
	}
	for i := range h.Hosts {
		mx := &h.Hosts[i]
		out.Hosts[i] = apitype.TraceHost{
			Host: mx.Host, Preference: mx.Preference, Addresses: addrStrings(mx.Addrs), Refused: addrStrings(mx.Refused), Detail: orNull(mx.Detail),
		}
	}
	return out
}

func wireTraceMemory(m *verdict.MemoryLook, now time.Time) apitype.TraceMemory {
	out := apitype.TraceMemory{Of: m.Of, Says: orNull(m.Says), Freshness: m.Freshness.String(), Served: m.Served}
	if m.Freshness == verdict.Missing {
		return out
	}
	age, checked, expires := ageSeconds(m.CheckedAt, now), m.CheckedAt.UTC(), m.ExpiresAt.UTC()
	out.AgeS, out.CheckedAt = &age, &checked
	if !m.ExpiresAt.IsZero() {
		out.ExpiresAt = &expires
	}
	return out
}

// rulesOf are the rules that read the replies of the evidence, each once, with where such replies come from. A rule that is
// there no more, for the evidence may be from before a reload, is left out.
func rulesOf(t *reply.Table, evidence []verdict.Evidence) []apitype.TraceRule {
	out := []apitype.TraceRule{}
	named := map[string]bool{}
	for i := range evidence {
		name := evidence[i].Rule
		rule, ok := t.Rule(name)
		if !ok || named[name] {
			continue
		}
		named[name] = true
		seen := rule.Seen
		if seen == "" {
			seen = "the operator's own"
		}
		out = append(out, apitype.TraceRule{Rule: name, Seen: seen})
	}
	return out
}
