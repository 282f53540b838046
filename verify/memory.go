package verify

import (
	"context"
	"fmt"

	"github.com/verimails/verimaild/verify/address"
	"github.com/verimails/verimaild/verify/maildns"
	"github.com/verimails/verimaild/verify/verdict"
)

// Memory is what is remembered between requests. Its methods are called for every request, and must not wait for a disk
// to write.
type Memory interface {
	Mailbox(a address.Address) (verdict.Mailbox, verdict.Freshness)
	Domain(d address.Domain) (verdict.DomainFact, verdict.Freshness)
	Hosts(d address.Domain) (maildns.MailHosts, verdict.Freshness)

	// Begin is called before something is found out about a or its domain. What is forgotten meanwhile is not written.
	Begin(a address.Address) Note
}

// A Note takes down what was found out about one domain.
type Note interface {
	Mailbox(a address.Address, m verdict.Mailbox)
	Domain(d address.Domain, f verdict.DomainFact)
	Hosts(h maildns.MailHosts)
}

// forgetful is the memory of a verifier that has none.
type forgetful struct{}

func (forgetful) Mailbox(address.Address) (m verdict.Mailbox, f verdict.Freshness)  { return m, f }
func (forgetful) Domain(address.Domain) (d verdict.DomainFact, f verdict.Freshness) { return d, f }
func (forgetful) Hosts(address.Domain) (h maildns.MailHosts, f verdict.Freshness)   { return h, f }
func (forgetful) Begin(address.Address) Note                                        { return noNote{} }

type noNote struct{}

func (noNote) Mailbox(address.Address, verdict.Mailbox)  {}
func (noNote) Domain(address.Domain, verdict.DomainFact) {}
func (noNote) Hosts(maildns.MailHosts)                   {}

// mailHosts is the domain's mail hosts: from memory while the DNS says that they hold, else from the DNS, and where that
// fails, from memory again.
func (r *run) mailHosts(ctx context.Context) (*maildns.MailHosts, error) {
	d := r.addr.Domain()
	kept, freshness := r.v.memory.Hosts(d)
	if freshness == verdict.Fresh && !r.req.fresh() {
		return &kept, nil
	}
	now, err := r.v.resolver.Lookup(ctx, d)
	if err != nil {
		return nil, fmt.Errorf("mail hosts of %s: %w", d, err)
	}
	r.note.Hosts(now)
	if now.Status.Failed() && freshness != verdict.Missing && !kept.Status.Failed() {
		return &kept, nil
	}
	return &now, nil
}

// fresh reports whether the caller takes nothing that is remembered.
func (r *Request) fresh() bool { return r.MaxAge == 0 }

// rememberedAcceptAll is what is remembered of the domain's habit, if that need not be asked about again and is no older
// than the caller takes.
func (r *run) rememberedAcceptAll() verdict.Tri {
	f, freshness := r.v.memory.Domain(r.addr.Domain())
	r.fact = f
	if freshness != verdict.Fresh || !r.req.takes(r.v.now().Sub(f.CheckedAt)) {
		return verdict.Undetermined
	}
	return f.AcceptsAll
}

// doubted reports whether the domain is on record with a refusal: such a one is not called accept-all on one word.
func (r *run) doubted() bool {
	return r.fact.AcceptsAll == verdict.False || !r.fact.ContradictedAt.IsZero()
}

// remember takes down what the run found out.
func (r *run) remember(d *decision) {
	now := r.v.now()
	r.ans.CheckedAt = now
	if d.reason.OfMailbox() && !d.cutShort {
		r.note.Mailbox(r.addr, verdict.Mailbox{
			Reason: d.reason, AcceptAll: d.tested, ImplicitMX: r.ans.Flags.ImplicitMX, Provider: r.ans.Provider,
			MX: r.ans.MX, Evidence: r.ans.Evidence, CheckedAt: now,
		})
	}
	fact := verdict.DomainFact{CheckedAt: now}
	if d.learned {
		fact.AcceptsAll, fact.Evidence = d.catchAll, r.controlEvidence()
	}
	if d.reason.OfDomain() {
		fact.Reason, fact.Evidence = d.reason, r.ans.Evidence
	}
	if fact.AcceptsAll != verdict.Undetermined || fact.Reason != "" {
		r.note.Domain(r.addr.Domain(), fact)
	}
	if m, freshness := r.v.memory.Mailbox(r.addr); freshness != verdict.Missing && m.Reason == d.reason {
		r.ans.ExpiresAt = m.ExpiresAt
	}
}

// controlEvidence is the evidence about made-up recipients.
func (r *run) controlEvidence() []verdict.Evidence {
	var out []verdict.Evidence
	for _, e := range r.ans.Evidence {
		if e.Control {
			out = append(out, e)
		}
	}
	return out
}
