package verify

import (
	"fmt"
	"slices"
	"time"

	"github.com/verimails/verimaild/pool"
	"github.com/verimails/verimaild/verify/address"
	"github.com/verimails/verimaild/verify/maildns"
	"github.com/verimails/verimaild/verify/verdict"
)

// A look is what was known before anybody was asked.
type look struct {
	at      time.Time
	mailbox verdict.Mailbox
	known   verdict.Freshness
	fact    verdict.DomainFact
	habit   verdict.Freshness
	ticket  *ticket
}

// look takes down what is known of an address, for a caller who wants to be shown the way to the answer.
func (v *Verifier) look(a address.Address) look {
	memory := v.memory.Again()
	l := look{at: v.now()}
	l.mailbox, l.known = memory.Mailbox(a)
	l.fact, l.habit = memory.Domain(a.Domain())
	l.ticket = v.tickets.of(a, v.inForce().sender)
	return l
}

// trace is the way to an answer, from what was known before it.
func (v *Verifier) trace(a address.Address, l *look, ans *verdict.Answer) *verdict.Trace {
	t := &verdict.Trace{Lists: v.traceLists(&ans.Flags), Decision: decisionOf(ans), Unseen: unseen(ans.Reason)}
	if ans.Stage != string(DepthSyntax) {
		t.Hosts = v.traceHosts(a.Domain(), l.at)
		t.Memory = v.traceMemory(l, ans)
		t.Source = v.traceSource(l, ans)
	}
	return t
}

// traceLists is what each list says of the address, and which list that is.
func (v *Verifier) traceLists(f *verdict.Flags) []verdict.ListLook {
	flags := map[string]verdict.Tri{
		"disposable": f.Disposable, "privacy_relay": f.PrivacyRelay, "role": f.Role, "free_provider": f.FreeProvider, "no_reply": f.NoReply,
	}
	versions := v.lists.Versions()
	out := make([]verdict.ListLook, len(versions))
	for i, l := range versions {
		out[i] = verdict.ListLook{
			List: l.List, Listed: flags[l.List] == verdict.True, Source: l.Source, Date: l.Date, Names: l.Names, Own: l.Added + l.Removed,
		}
	}
	return out
}

// traceHosts is what the DNS said; nil where that is not remembered.
func (v *Verifier) traceHosts(d address.Domain, since time.Time) *verdict.HostsLook {
	m, known := v.memory.Again().Hosts(d)
	if known == verdict.Missing {
		return nil
	}
	out := &verdict.HostsLook{
		Remembered: m.At.Before(since), Status: string(m.Status), Server: m.Server, At: m.At, TTL: m.TTL, Took: m.Took, Detail: m.Detail,
		Hosts: make([]verdict.HostLook, len(m.Hosts)),
	}
	for i := range m.Hosts {
		h := &m.Hosts[i]
		out.Hosts[i] = verdict.HostLook{Host: h.Name, Preference: h.Preference, Addrs: h.Addrs, Refused: h.Refused, Detail: h.Detail}
		if h.Detail == "" && h.Status != maildns.Found {
			out.Hosts[i].Detail = string(h.Status)
		}
	}
	return out
}

// traceMemory is what memory held before.
func (v *Verifier) traceMemory(l *look, ans *verdict.Answer) []verdict.MemoryLook {
	mailbox := verdict.MemoryLook{Of: "mailbox", Freshness: l.known}
	if l.known != verdict.Missing {
		mailbox.Says, mailbox.CheckedAt, mailbox.ExpiresAt = string(l.mailbox.Reason), l.mailbox.CheckedAt, l.mailbox.ExpiresAt
		mailbox.Served = ans.Cached && ans.CheckedAt.Equal(l.mailbox.CheckedAt)
	}
	domain := verdict.MemoryLook{Of: "domain", Freshness: l.habit}
	if l.habit != verdict.Missing {
		domain.Says, domain.CheckedAt, domain.ExpiresAt = habitSays(&l.fact), l.fact.CheckedAt, l.fact.ExpiresAt
		domain.Served = ans.Cached && !mailbox.Served && ans.CheckedAt.Equal(l.fact.CheckedAt)
	}
	out := []verdict.MemoryLook{mailbox, domain}
	if t := l.ticket; t != nil {
		out = append(out, verdict.MemoryLook{
			Of: "ticket", Freshness: verdict.Fresh, CheckedAt: t.checkedAt, ExpiresAt: t.first.Add(ticketLife),
			Says:   fmt.Sprintf("%s after visit %d, from source %s; the next is due at %s", t.reason, t.visits, t.source, t.due.UTC().Format(time.RFC3339)),
			Served: ans.Cached && ans.CheckedAt.Equal(t.checkedAt),
		})
	}
	return out
}

// habitSays is a domain's habit in words.
func habitSays(f *verdict.DomainFact) string {
	switch {
	case f.Reason != "":
		return string(f.Reason) + " for every recipient"
	case f.AcceptsAll == verdict.True:
		return "accepts made-up recipients"
	default:
		return "refuses made-up recipients"
	}
}

// traceSource is who asked, and why that one.
func (v *Verifier) traceSource(l *look, ans *verdict.Answer) verdict.SourceChoice {
	target, control := heard(ans.Evidence)
	if target == nil {
		target = control
	}
	if target == nil || target.Source == "" {
		return verdict.SourceChoice{}
	}
	c := verdict.SourceChoice{Name: target.Source}
	all, fit := v.sources()
	switch {
	case ans.Cached:
		c.Why = "it asked then; nobody was asked now"
	case l.ticket != nil && l.ticket.source == c.Name:
		c.Why = fmt.Sprintf("it asked first, at %s, and a greylist knows whoever asks by source, sender and recipient", l.ticket.first.UTC().Format(time.RFC3339))
	case all == 1:
		c.Why = "it is the only one"
	case fit < all:
		c.Why = fmt.Sprintf("the domain's first choice among the %d of %d sources that are fit now; a domain keeps its source", fit, all)
	default:
		c.Why = fmt.Sprintf("the domain's first choice among %d sources, by a hash of both names, so that a domain keeps its source", all)
	}
	return c
}

// sources is how many sources there are, and how many of them are fit.
func (v *Verifier) sources() (all, fit int) {
	p, ok := v.inForce().prober.(interface{ Stats() pool.Stats })
	if !ok {
		return 0, 0
	}
	list := p.Stats().Sources
	out := slices.DeleteFunc(slices.Clone(list), func(s pool.SourceStats) bool { return !s.SuspendedUntil.IsZero() })
	return len(list), len(out)
}
