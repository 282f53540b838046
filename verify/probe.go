package verify

import (
	"context"
	"time"

	"github.com/verimails/verimaild/pool"
	"github.com/verimails/verimaild/pool/provider"
	"github.com/verimails/verimaild/pool/reply"
	"github.com/verimails/verimaild/pool/smtp"
	"github.com/verimails/verimaild/verify/judge"
	"github.com/verimails/verimaild/verify/verdict"
)

// probe asks about the target, and about whoever else the judgement needs. The first run at a domain finds out for all
// that come meanwhile what the domain does with made-up recipients.
func (r *run) probe(ctx context.Context) {
	r.stage(string(smtp.StageRCPT))
	f := &r.facts
	f.Mode = r.mode
	r.habit()
	var mine *scout
	if f.AcceptAll == verdict.Undetermined && f.Mode == provider.ModeProbe {
		mine = r.scoutFor(ctx)
	}
	if f.AcceptAll == verdict.True && !r.req.fresh() {
		r.ans.Evidence = r.fact.Evidence
		r.ans.Reason, r.ans.Flags.CatchAll, r.ans.AcceptAll = verdict.AcceptedCatchAll, verdict.True, verdict.AcceptAllTested
		r.v.tickets.drop(r.addr)
		r.report(mine, f.AcceptAll, r.fact.Evidence)
		return
	}
	r.scouting = mine
	d := r.ask(ctx, mine != nil)
	r.remember(&d)
	r.v.tallies.end(r.domain(), r.trial)
	known := f.AcceptAll
	if d.Learned {
		known, r.fact.Evidence = d.CatchAll, controlEvidence(r.ans.Evidence)
	}
	r.report(mine, known, r.fact.Evidence)
}

// habit fills in what is known of the domain without asking.
func (r *run) habit() {
	f := &r.facts
	f.AcceptAll = r.rememberedAcceptAll()
	if f.AcceptAll == verdict.Undetermined && provider.RefusesUnknown(r.domain()) {
		f.AcceptAll, f.Listed = verdict.False, true
	}
	contradicted := !r.fact.ContradictedAt.IsZero()
	f.Doubted = contradicted || r.fact.AcceptsAll == verdict.False
	f.Wavering = contradicted || r.fact.AcceptsAll == verdict.True
}

// scoutFor fills in what another run finds out, or has found out since; else it makes r the scout.
func (r *run) scoutFor(ctx context.Context) *scout {
	f := &r.facts
	for range scoutRounds {
		mine, found := r.scout(ctx)
		if mine != nil {
			r.habit() // An earlier scout may have come back since.
			return mine
		}
		if f.AcceptAll = found.acceptAll; f.AcceptAll != verdict.Undetermined {
			r.fact.Evidence = found.evidence
			return nil
		}
	}
	return nil
}

// ask asks, decides, and writes the decision into the answer. A scout that somebody waits for asks about the domain's
// made-up recipient in the same breath.
func (r *run) ask(ctx context.Context, scout bool) judge.Decision {
	f := &r.facts
	if r.settles != nil {
		r.resume()
	} else {
		r.askTarget(ctx, scout)
	}
	r.weigh()
	for step := judge.Next(f); step != judge.Done; step = judge.Next(f) {
		if !r.listens(ctx, step) && !r.follows(ctx, step) {
			r.take(ctx, step)
		}
		r.weigh()
	}
	if r.tests {
		r.v.paths.done(r.path())
	}
	d := judge.Decide(f)
	if r.target.Failure == pool.FailCanceled {
		d.Reason = interrupted(ctx)
	}
	r.conclude(&d)
	return d
}

// askTarget asks about the address, as long as somebody wants to know: if a caller comes at the moment when the last one
// has gone, or is in more of a hurry than those before, once more.
func (r *run) askTarget(ctx context.Context, scout bool) {
	target := pool.Recipient{Path: r.addr.Path(), SMTPUTF8: r.addr.NeedsSMTPUTF8()}
	var out []pool.Outcome
	for {
		wanted, stop := r.v.whileWanted(ctx, r.flight)
		req := r.request(target)
		if scout && r.bursts(&req) {
			req.Recipients, req.Along = append(req.Recipients, r.made(firstControl)), true
		}
		if r.ticket != nil {
			req.Source = r.ticket.source
		}
		out = r.asked(wanted, req)
		stop()
		if out[0].Failure != pool.FailCanceled || ctx.Err() != nil || r.v.unwanted(r.flight) {
			break
		}
	}
	r.target = out[0]
	r.hear(&r.target)
	r.ans.Stage = string(r.target.Stage)
	r.ans.Evidence = append(r.ans.Evidence, evidence(&r.target))
	r.facts.Target = judge.Of(&r.target)
	if r.facts.Target.Accepted() {
		r.acceptedAt = r.target.At
		r.v.tallies.clear(r.domain(), r.v.now())
	}
	// A control that was dropped with its target, or instead of it, is as good as not asked about.
	if len(out) > 1 && out[1].Failure != pool.FailCanceled && out[1].Source == r.target.Source {
		r.hear(&out[1])
		r.ans.Evidence = append(r.ans.Evidence, evidence(&out[1]))
		r.facts.Control = r.control(&out[1])
	}
}

// bursts reports whether the control is asked about along with the target. That saves somebody who waits a round trip
// if the target is accepted, and costs a refusal more if it is not, where both go in one write. It is not worth that to a
// row of a list, nor where a second recipient in a transaction is put off.
func (r *run) bursts(req *pool.Request) bool {
	oneByOne := r.provider != nil && r.provider.Quirks.OneRecipient
	return req.Class == pool.Interactive && r.mode == provider.ModeProbe && r.ticket == nil && !oneByOne
}

// resume takes the acceptance that is remembered for the target's reply: only the control is missing.
func (r *run) resume() {
	e := &r.settles.Evidence[0]
	r.facts.Target = judge.Remembered(e)
	r.target = pool.Outcome{Source: e.Source, Stage: smtp.StageRCPT, At: e.At}
	r.acceptedAt = e.At
	r.ans.Evidence = append(r.ans.Evidence, *e)
}

// hear notes what a reply tells of its path.
func (r *run) hear(o *pool.Outcome) {
	if o.Stage == smtp.StageRCPT && o.Reply.Code/100 == 5 && o.Meaning.Class == reply.NoSuchMailbox {
		r.v.paths.refused(pathKey{o.Source, r.site()}, refuser{r.domain(), r.hosts}, o.At)
	}
}

// weigh fills in what the judgement has to know beside the replies.
func (r *run) weigh() {
	f := &r.facts
	now := r.v.now()
	switch t := &f.Target; {
	case t.Accepted():
		r.weighAcceptance(now)
	case t.PutOff():
		f.Stood = r.ticket.lastVisit(now)
		f.Expected = r.v.tickets.expected(r.domain(), r.target.Source)
	case t.Refused() && t.Words == 0:
		t.Words = judge.Words(r.target.Reply.Code, r.target.Reply.Enhanced.String(), r.target.Reply.Text(), r.target.Recipient.Path)
		f.Alike = r.alike(t.Words, now)
	case t.Refused() && f.Alike && !f.Postmaster.Asked: // Somebody else may have found out.
		f.Alike = r.alike(t.Words, now)
	case t.Refused() && f.Alike: // Somebody may have been accepted while postmaster and the control were asked about.
		f.Alike = !r.v.tallies.toldApart(r.domain(), now)
	}
}

// alike reports whether the domain's recipients may all be refused in the same words.
func (r *run) alike(words uint64, now time.Time) bool {
	fact, freshness := r.v.memory.Again().Domain(r.addr.Domain())
	if fact.Reason == verdict.UniformRefusal { // It was so when last looked at.
		if freshness == verdict.Fresh && !r.req.fresh() {
			r.recallUniform(&fact)
		}
		return true
	}
	if fact.Accepted || fact.AcceptsAll == verdict.True || provider.RefusesUnknown(r.domain()) {
		return false
	}
	return r.v.tallies.refused(r.addr, words, now)
}

// recallUniform takes what postmaster and the made-up recipient met a while ago for what they would meet now.
func (r *run) recallUniform(fact *verdict.DomainFact) {
	var found []judge.Finding
	for _, e := range controlEvidence(fact.Evidence) {
		f := judge.Remembered(&e)
		f.Words = judge.Words(e.Code, e.Enhanced, e.Text, "")
		found = append(found, f)
		r.ans.Evidence = append(r.ans.Evidence, e)
	}
	if len(found) == 2 {
		r.facts.Postmaster, r.facts.Control = found[0], found[1]
		r.recalled = true
	}
}

func (r *run) domain() string { return r.addr.Domain().ASCII() }

// site is the domain's site.
func (r *run) site() string { return pool.SiteName(r.hosts) }

// path is the path on which the target was asked about.
func (r *run) path() pathKey { return pathKey{r.target.Source, r.site()} }

// request begins a question to the domain's mail hosts.
func (r *run) request(rcpt pool.Recipient) pool.Request {
	req := pool.Request{
		Domain: r.domain(), Hosts: r.hosts, Recipients: []pool.Recipient{rcpt}, App: r.req.App, Weight: r.req.Weight,
	}
	req.Class, req.Deadline = r.v.urgency(r.flight)
	if r.scouting != nil {
		req.Awaited = r.scouting.awaited
	}
	return req
}

// interrupted is the reason for a run that was cut short.
func interrupted(ctx context.Context) verdict.Reason {
	if context.Cause(ctx) == ErrStopping {
		return verdict.ShuttingDown
	}
	return verdict.DeadlineExceeded
}
