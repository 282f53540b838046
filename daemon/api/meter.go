package api

import (
	"context"

	"github.com/verimails/verimaild/verify"
	"github.com/verimails/verimaild/verify/verdict"
)

// Meter is v for applications: what each asks is charged to its quotas and counted as its use. Its Verify fails with
// a [*QuotaError] where a quota is spent, before anybody is asked; what memory answers is not refused.
//
// An address is charged once, before it is asked about, so that many questions at a time can't go past a quota; what
// does not count after all is given back. A caller that goes away has its address charged: it may have been sent, and
// the answer is there for the next question. So has one whose deadline passes.
func (a *Accounts) Meter(v Verifier) Verifier { return &meter{a, v} }

type meter struct {
	accounts *Accounts
	next     Verifier
}

// Verify is Verify of the verifier behind the meter, within the quotas of req.App.
func (m *meter) Verify(ctx context.Context, req verify.Request) (*verdict.Answer, error) {
	t := m.accounts.table.Load()
	mem := t.named(req.App)
	if mem.Quota == (Quota{}) {
		ans, err := m.next.Verify(ctx, req)
		if err == nil {
			m.accounts.watch(ans)
			mem.answered(m.accounts.now(), ans, t.charge.counts(ans, req.Depth))
		}
		return ans, err
	}
	b := bill{meter: m, member: mem, charge: t.charge, admit: req.Admit}
	return b.verify(ctx, req)
}

// A bill is one address of an application that has quotas.
type bill struct {
	*meter
	member *member
	charge Charge
	admit  func(context.Context) error // Of the request.

	charged bool
	on      day // On which it was.
	inside  bool
}

func (b *bill) verify(ctx context.Context, req verify.Request) (*verdict.Answer, error) {
	if b.charge.Cached || b.charge.Syntax {
		// What memory and syntax answer counts, and is known only once it is there.
		if err := b.pay(); err != nil {
			return nil, err
		}
	}
	if req.Depth != verify.DepthSyntax {
		req.Admit = b.enter
	}
	defer b.leave()
	ans, err := b.next.Verify(ctx, req)
	if err != nil {
		if b.charged && ctx.Err() == nil {
			b.member.giveBack(b.on) // A fault of ours, or refused after all.
		}
		return nil, err
	}
	if b.charged && !b.charge.counts(ans, req.Depth) {
		b.member.giveBack(b.on)
	}
	b.accounts.watch(ans)
	b.member.answered(b.accounts.now(), ans, false)
	return ans, nil
}

// pay charges the address.
func (b *bill) pay() error {
	now := b.accounts.now()
	if err := b.member.spendAt(now); err != nil {
		return err
	}
	b.charged, b.on = true, dayOf(now)
	return nil
}

// enter is called when somebody has to be asked.
func (b *bill) enter(ctx context.Context) error {
	if err := b.member.enter(); err != nil {
		return err
	}
	b.inside = true
	if !b.charged {
		if err := b.pay(); err != nil {
			return err
		}
	}
	if b.admit != nil {
		return b.admit(ctx)
	}
	return nil
}

// leave undoes what enter has counted.
func (b *bill) leave() {
	if b.inside {
		b.member.leave()
	}
}

// counts reports whether an answer is charged for.
func (c *Charge) counts(ans *verdict.Answer, depth verify.Depth) bool {
	switch {
	case ans.Reason == verdict.InvalidSyntax:
		return c.Syntax
	case ans.Cached:
		return c.Cached
	case depth == verify.DepthSyntax:
		return false // Nobody was asked.
	case ourFault(ans.Reason):
		return c.OurFault
	}
	return true
}

// ourFault reports whether an answer is unknown because of this host. A deadline that passed is not: the question goes
// on, and its answer is there for who asks again.
func ourFault(r verdict.Reason) bool {
	if r.Verdict() != verdict.Unknown || r == verdict.DeadlineExceeded {
		return false
	}
	switch r.Subject() {
	case verdict.SubjectSource, verdict.SubjectSender, verdict.SubjectSession, verdict.SubjectLocal:
		return true
	}
	return false
}
