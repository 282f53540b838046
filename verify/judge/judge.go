// Package judge is the judgement: evidence in, a reason out. It asks nobody, knows no time and keeps nothing, so that
// all that it can say can be tested.
//
// Next says what is still to be asked, if anything, and Decide what follows from what was heard. Decide's order of
// precedence, first to last:
//
//  1. A failure without a reply is about this host, the network or the mail server, never about the address.
//  2. A reply before RCPT is about the source, the sender or the mail server.
//  3. A refusal at RCPT in words in which every recipient of the domain is refused, the made-up one and postmaster
//     too, says nothing about this one.
//  4. Any other reply to RCPT that is no acceptance says what its class says, and a 4yz never that the address is dead.
//  5. An acceptance is worth nothing where the provider accepts everything (its mode), or the server has stopped telling
//     this source the truth; little where the domain accepts everything, or nobody knows; and only where made-up
//     recipients are refused does it say that mail can be delivered.
package judge

import (
	"github.com/verimails/verimaild/pool"
	"github.com/verimails/verimaild/pool/provider"
	"github.com/verimails/verimaild/pool/reply"
	"github.com/verimails/verimaild/pool/smtp"
	"github.com/verimails/verimaild/verify/verdict"
)

// A Finding is what asking about one recipient showed, as far as the judgement needs it. The zero Finding is one that
// was not asked.
type Finding struct {
	Asked    bool
	Stage    smtp.Stage
	Code     int // 0 if no reply came.
	Meaning  reply.Meaning
	Failure  pool.Failure
	Fallback bool   // A host that is not of the best preference spoke.
	Words    uint64 // The words of a refusal, see Words; 0 if they were not looked at.
}

// Of is the finding that an outcome is.
func Of(o *pool.Outcome) Finding {
	return Finding{
		Asked: true, Stage: o.Stage, Code: o.Reply.Code, Meaning: o.Meaning, Failure: o.Failure, Fallback: o.Fallback,
	}
}

// Remembered is the finding that the evidence of an earlier answer is.
func Remembered(e *verdict.Evidence) Finding {
	return Finding{
		Asked: true, Stage: smtp.Stage(e.Stage), Code: e.Code,
		Meaning: reply.Meaning{Class: reply.Class(e.Class), Scope: reply.Scope(e.Scope), Rule: e.Rule},
	}
}

// answered reports whether the recipient itself got a reply.
func (f *Finding) answered() bool {
	return f.Failure == pool.FailNone && f.Stage == smtp.StageRCPT
}

// Accepted reports whether the recipient itself was accepted.
func (f *Finding) Accepted() bool {
	return f.answered() && f.Code/100 == 2 && f.Meaning.Class == reply.Accepted
}

// Refused reports whether the recipient itself was refused for good, for what it is.
func (f *Finding) Refused() bool {
	return f.answered() && f.Code/100 == 5 && f.Meaning.Scope == reply.ScopeMailbox
}

// PutOff reports whether the recipient itself was put off in a way that asking again from the same source, by a
// schedule, may settle: it is greylisted, it is being looked into, or it is said not to exist just now.
func (f *Finding) PutOff() bool {
	if !f.answered() || f.Code/100 == 2 {
		return false
	}
	if f.Meaning.Class == reply.Greylisted {
		return true
	}
	return f.Code/100 == 4 && (f.Meaning.Detail == reply.DetailVerifying || f.doubtful())
}

// doubtful reports whether a 4yz says of the mailbox what only a 5yz can.
func (f *Finding) doubtful() bool {
	dead := f.Meaning.Class == reply.NoSuchMailbox || f.Meaning.Class == reply.MailboxDisabled
	return dead && f.Code/100 == 4 && f.Meaning.Scope == reply.ScopeMailbox
}

// Facts are all that a judgement rests on.
type Facts struct {
	Mode provider.Mode // "" is ModeProbe.

	AcceptAll verdict.Tri // What is known of the domain's habit without asking.
	Listed    bool        // AcceptAll is what the table of providers says of a consumer domain; nobody was asked.
	Doubted   bool        // The domain is on record with a refusal: one made-up recipient is not proof enough.
	Wavering  bool        // It is on record as accepting everyone: one refusal is not proof enough.

	Target  Finding
	Control Finding // A made-up recipient: the domain's own, the same each time.
	Second  Finding // Another one.

	// Suspected says that the site had refused many recipients of this source before it accepted the target, so that it
	// may have begun to accept whatever is asked.
	Suspected    bool
	RefusedSince bool    // It has refused some recipient of this source since it last accepted one of those here.
	Silenced     bool    // It was found to accept whatever is asked a while ago.
	Fresh        Finding // A made-up recipient that nobody has ever asked about.
	Elsewhere    Finding // One at another domain of the site, which refuses such.
	Alone        bool    // There is no such other domain.

	// Alike says that several recipients of the domain were refused in the words of this refusal, and none is known to
	// have been accepted.
	Alike      bool
	Postmaster Finding

	Stood    bool // This is the last visit of the schedule, and all before it brought the same.
	Expected bool // The control waits out the greylist already.
}

// A Decision is a reason, and what is now known of the domain.
type Decision struct {
	Reason   verdict.Reason
	CatchAll verdict.Tri
	Tested   verdict.AcceptAll
	Learned  bool // CatchAll was found out now.
	CutShort bool // The control was given up by us, so that the reason says less than the server would have.
	Silenced bool // The site was found to accept whatever is asked.
}

// Decide is the judgement; see the package's comment for its order of precedence.
func Decide(f *Facts) Decision {
	d := Decision{CatchAll: f.AcceptAll, Tested: verdict.AcceptAllNotTested}
	if f.AcceptAll != verdict.Undetermined && !f.Listed {
		d.Tested = verdict.AcceptAllTested
	}
	t := &f.Target
	if t.Failure != pool.FailNone {
		d.Reason = failureReason(t.Failure)
		return d
	}
	if t.Stage != smtp.StageRCPT {
		d.Reason = earlyReason(t)
		return d
	}
	switch {
	case !t.Accepted():
		refusal(f, &d)
	case f.worthless():
		d.Reason = verdict.ProviderUnverifiable
	default:
		acceptance(f, &d)
	}
	return d
}

// worthless reports whether the provider accepts whatever is asked.
func (f *Facts) worthless() bool {
	return f.Mode == provider.ModeWeak || f.Mode == provider.ModeNoSignal
}

// refusal decides about a target that was not accepted, and what its refusal tells of the domain.
func refusal(f *Facts, d *Decision) {
	d.Reason = rcptReason(&f.Target)
	if d.Reason.IsRefusal() && f.uniform() {
		d.Reason, d.CatchAll, d.Tested = verdict.UniformRefusal, verdict.Undetermined, verdict.AcceptAllInconclusive
		return
	}
	if f.Stood && f.Target.doubtful() && d.Reason == verdict.ServerTempfail {
		d.Reason = verdict.PersistentTempfail
	}
	if d.CatchAll != verdict.Undetermined {
		return
	}
	unknown := f.Target.Refused() && f.Target.Meaning.Class == reply.NoSuchMailbox && !f.Wavering
	switch {
	case f.Control.Refused():
		d.learn(verdict.False, f.Control.Fallback)
	case f.Control.Accepted(): // The one refused, a made-up one not: that is no rule.
		d.Tested = verdict.AcceptAllInconclusive
	case unknown: // A server that knows who is not there.
		d.learn(verdict.False, f.Target.Fallback)
	}
}

// learn notes what was found out of the domain's habit. A backup host's habits are its own.
func (d *Decision) learn(catchAll verdict.Tri, fallback bool) {
	if !fallback {
		d.CatchAll, d.Tested, d.Learned = catchAll, verdict.AcceptAllTested, true
	}
}

// uniform reports whether all are refused alike: several recipients, a made-up one, and postmaster, whom every domain
// has to take mail for (RFC 5321 §4.5.1).
func (f *Facts) uniform() bool {
	return f.Alike && f.alike(&f.Postmaster) && f.alike(&f.Control)
}

// alike reports whether g was refused in the target's words.
func (f *Facts) alike(g *Finding) bool {
	return g.Refused() && g.Words != 0 && g.Words == f.Target.Words
}

// acceptance decides what an accepted target is worth.
func acceptance(f *Facts, d *Decision) {
	if f.known() == verdict.True {
		d.Reason = verdict.AcceptedCatchAll
		return
	}
	if f.Suspected && !f.honest() {
		distrust(f, d)
		return
	}
	if f.known() == verdict.False {
		d.Reason = verdict.MailboxAccepted
		if f.Fresh.Refused() {
			d.Tested = verdict.AcceptAllTested
		}
		return
	}
	d.CatchAll, d.Tested = verdict.Undetermined, verdict.AcceptAllNotTested
	control := f.first()
	if !control.Asked {
		d.Reason = verdict.AcceptedUntested
		return
	}
	if control.Fallback != f.Target.Fallback { // Two hosts spoke, and need not know the same.
		d.inconclusive(control)
		return
	}
	if control.Refused() {
		d.Reason = verdict.MailboxAccepted
		d.learn(verdict.False, control.Fallback)
		d.CatchAll, d.Tested = verdict.False, verdict.AcceptAllTested // True of this answer, whichever host spoke.
		return
	}
	if !control.Accepted() || control.Fallback { // A backup host that accepts everyone says nothing of those behind it.
		d.inconclusive(control)
		return
	}
	if f.doubted() && !f.Second.Accepted() {
		d.inconclusive(&f.Second)
		return
	}
	d.Reason = verdict.AcceptedCatchAll
	d.learn(verdict.True, f.Second.Fallback)
}

// inconclusive is for an acceptance of which a made-up recipient did not show what it is worth.
func (d *Decision) inconclusive(control *Finding) {
	d.Reason, d.Tested = verdict.AcceptedUntested, verdict.AcceptAllInconclusive
	d.CutShort = control.Failure == pool.FailCanceled || control.Failure == pool.FailClosed
}

// distrust decides about an acceptance of which it was not shown that the site still tells the truth.
func distrust(f *Facts, d *Decision) {
	d.CatchAll, d.Tested = verdict.Undetermined, verdict.AcceptAllInconclusive
	switch {
	case f.Silenced:
		d.Reason = verdict.AcceptSuspect
	case !f.Fresh.Accepted():
		d.inconclusive(&f.Fresh)
	default:
		d.Reason = verdict.AcceptSuspect
		d.Silenced = f.Elsewhere.Accepted() || f.Alone
	}
}

// honest reports whether the site was heard to refuse somebody after it accepted the target.
func (f *Facts) honest() bool {
	return f.RefusedSince || f.Fresh.Refused() || f.Elsewhere.Refused()
}

// known is what is known of the domain's habit, as far as it holds for this acceptance: a backup host may accept whom
// its primary refuses, and a made-up recipient that was just accepted is stronger than what was known.
func (f *Facts) known() verdict.Tri {
	if f.AcceptAll == verdict.False && (f.Target.Fallback || f.Fresh.Accepted()) {
		return verdict.Undetermined
	}
	return f.AcceptAll
}

// first is the made-up recipient that shows the domain's habit.
func (f *Facts) first() *Finding {
	if f.Fresh.Asked {
		return &f.Fresh
	}
	return &f.Control
}

// doubted reports whether one accepted control is not proof enough.
func (f *Facts) doubted() bool { return f.Doubted || f.AcceptAll == verdict.False }
