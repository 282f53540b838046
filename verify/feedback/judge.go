package feedback

import (
	"time"

	"github.com/verimails/verimaild/pool/reply"
	"github.com/verimails/verimaild/pool/smtp"
	"github.com/verimails/verimaild/verify/verdict"
)

// Bounds of what a report can show.
const (
	// Window is how old a report may be, and how long outcomes are counted.
	Window = 30 * 24 * time.Hour

	// Weight is for how long a bounce outranks what mail servers say to questions.
	Weight = 7 * 24 * time.Hour

	// exposeWithin is how soon after its acceptance an unknown user shows that the acceptance was worth nothing: what
	// bounces later may have been deleted since.
	exposeWithin = 72 * time.Hour

	// slack is by how much two clocks may differ; times in messages have whole seconds.
	slack = time.Minute
)

// A Says is what a report says, and of whom.
type Says string

// What a report may say. Only the first three are about the mailbox.
const (
	SaysDelivered Says = "delivered" // Mail to the address arrives.
	SaysRefused   Says = "refused"   // It is refused for good, for what the mailbox is.
	SaysFull      Says = "full"      // The mailbox is over its quota.
	SaysTemporary Says = "temporary" // It was put off.
	SaysBlocked   Says = "blocked"   // The sender, its address or its message was refused.
	SaysElsewhere Says = "elsewhere" // It bounced at another address that it was forwarded to.
	SaysUnclear   Says = "unclear"   // It bounced, and the report does not say of whom that speaks.
)

// An Effect is what a report does to what is remembered of the address.
type Effect string

// The effects.
const (
	EffectNone       Effect = "none"       // Nothing: the report says nothing of the address.
	EffectRemembered Effect = "remembered" // Nothing was known of the address; now this is.
	EffectConfirmed  Effect = "confirmed"  // It was known.
	EffectCorrected  Effect = "corrected"  // The opposite was known.
	EffectContested  Effect = "contested"  // Another application has reported the opposite: neither is believed, all is forgotten.
	EffectDuplicate  Effect = "duplicate"  // This was reported before.
	EffectOutdated   Effect = "outdated"   // Something newer is known, or the report is older than Window.
)

// A Count says what a report adds to the measure of the answer "deliverable".
type Count uint8

// The counts.
const (
	CountNothing Count = iota
	CountDelivered
	CountBounced
)

// Facts are all that a judgement rests on.
type Facts struct {
	App       string // Who reports.
	Outcome   Outcome
	Elsewhere bool
	Code      int // Of the bounce; 0 if it holds no reply.
	Enhanced  smtp.EnhancedCode
	Meaning   reply.Meaning // Of the bounce, read as a reply to RCPT.
	At, Now   time.Time

	Mailbox verdict.Mailbox   // What is remembered of the address,
	Known   verdict.Freshness // and how far it counts.
	Answer  verdict.Reason    // What is answered from memory just now; "" if nothing is.
	Habit   verdict.Tri       // Whether the domain is known to accept made-up recipients.
	Closed  bool              // It is known not to, whoever says so: a consumer provider's own domain.
}

// A Judgement is what a report says and what follows.
type Judgement struct {
	Says   Says
	Effect Effect
	Reason verdict.Reason // To be remembered of the mailbox; "" for nothing.
	Expose bool           // The domain accepts recipients that do not exist: its server's acceptances prove nothing.
	Count  Count
}

// Judge says what follows from a report. It is pure. Its order of precedence:
//
//  1. A report that says nothing of the mailbox does nothing.
//  2. Neither does one that is too old, was made before, or has been overtaken by something newer.
//  3. Where another application has reported the opposite within Weight, neither is believed.
//  4. What is left is remembered. A bounce outranks the acceptance of a question, however new, for as long as Weight.
func Judge(f Facts) Judgement {
	j := Judgement{Says: f.says(), Effect: EffectNone}
	if j.Says != SaysDelivered && j.Says != SaysRefused && j.Says != SaysFull {
		return j
	}
	switch {
	case f.repeated(j.Says):
		j.Effect = EffectDuplicate
		return j
	case f.overtaken(j.Says):
		j.Effect = EffectOutdated
		return j
	}
	j.Count = f.count(j.Says)
	if f.contested(j.Says) {
		j.Effect = EffectContested
		return j
	}
	j.Reason, j.Effect = f.reason(j.Says), f.effect(j.Says)
	j.Expose = f.exposes(j.Says)
	return j
}

// says reads the report.
func (f *Facts) says() Says {
	switch {
	case f.Outcome == Delivered:
		return SaysDelivered
	case f.Outcome == Delayed:
		return SaysTemporary
	case f.Elsewhere:
		return SaysElsewhere
	case f.Code == 0:
		return SaysUnclear
	case f.Meaning.Class == reply.MailboxFull:
		return SaysFull
	case f.Code/100 == 4:
		return SaysTemporary
	case f.refusal() != "":
		return SaysRefused
	}
	switch f.Meaning.Class {
	case reply.SourceBlocked, reply.SenderRefused, reply.PolicyRefused, reply.RateLimited, reply.Greylisted:
		return SaysBlocked
	default:
		return SaysUnclear
	}
}

// refusal is the reason that a bounce is by itself, if it is about the mailbox and for good; else "".
func (f *Facts) refusal() verdict.Reason {
	if f.Code/100 != 5 || f.Meaning.Scope != reply.ScopeMailbox || f.aboutRoute() {
		return ""
	}
	r, err := verdict.ParseReason(reply.Outcome(f.Meaning, f.Code))
	if err != nil || !r.IsRefusal() {
		return ""
	}
	return r
}

// aboutRoute reports whether the enhanced code is about the way to the domain, RFC 3463 §3.2 and §3.5: a sender's own
// server bounces so when its DNS fails.
func (f *Facts) aboutRoute() bool {
	return f.Enhanced == smtp.EnhancedCode{Class: 5, Subject: 1, Detail: 2} || f.Enhanced == smtp.EnhancedCode{Class: 5, Subject: 4, Detail: 4}
}

// last is the report that memory rests on; nil if it rests on a dialogue, or on nothing.
func (f *Facts) last() *verdict.Evidence {
	if f.Known == verdict.Missing {
		return nil
	}
	return verdict.Reported(f.Mailbox.Evidence)
}

// agrees reports whether what is remembered is of the kind that s says.
func (f *Facts) agrees(s Says) bool {
	switch s {
	case SaysDelivered:
		return f.Mailbox.Reason.IsAcceptance()
	case SaysRefused:
		return f.Mailbox.Reason.IsRefusal()
	default:
		return f.Mailbox.Reason == verdict.MailboxFull
	}
}

// repeated reports whether the same application has said so of the same time before.
func (f *Facts) repeated(s Says) bool {
	last := f.last()
	return last != nil && last.Source == f.App && last.At.Equal(f.At) && f.agrees(s)
}

// overtaken reports whether the report is too old to say something.
func (f *Facts) overtaken(s Says) bool {
	if f.Now.Sub(f.At) > Window {
		return true
	}
	if f.Known == verdict.Missing || !f.Mailbox.CheckedAt.After(f.At.Add(slack)) {
		return false
	}
	switch {
	case f.last() != nil, s == SaysFull:
		return true
	case s == SaysDelivered:
		return !f.Mailbox.Reason.IsAcceptance()
	default:
		return f.Mailbox.Reason.IsAcceptance() && f.Now.Sub(f.At) > Weight
	}
}

// contested reports whether another application has said the opposite.
func (f *Facts) contested(s Says) bool {
	last := f.last()
	if last == nil || last.Source == f.App || f.At.Sub(last.At).Abs() > Weight {
		return false
	}
	return s == SaysDelivered && f.Mailbox.Reason.IsRefusal() || s == SaysRefused && f.Mailbox.Reason.IsAcceptance()
}

// reason is what is to be remembered.
func (f *Facts) reason(s Says) verdict.Reason {
	switch s {
	case SaysDelivered:
		return verdict.MailboxAccepted
	case SaysFull:
		return verdict.MailboxFull
	default:
		return f.refusal()
	}
}

func (f *Facts) effect(s Says) Effect {
	switch {
	case f.Known == verdict.Missing:
		return EffectRemembered
	case f.agrees(s):
		return EffectConfirmed
	default:
		return EffectCorrected
	}
}

// exposes reports whether a bounce shows that the domain's server accepts recipients that do not exist: it accepted
// this one a little while ago, and nobody is there.
func (f *Facts) exposes(s Says) bool {
	if s != SaysRefused || f.Meaning.Class != reply.NoSuchMailbox || f.Meaning.Detail == reply.DetailMoved || f.Closed || f.Habit == verdict.True {
		return false
	}
	accepted := f.Known != verdict.Missing && f.last() == nil && f.Mailbox.Reason.IsAcceptance() && f.Mailbox.Reason != verdict.MailboxBusy
	since := f.At.Sub(f.Mailbox.CheckedAt)
	return accepted && since >= -slack && since <= exposeWithin
}

// count says whether the answer "deliverable" was right about this message, if that was the answer when it was sent.
func (f *Facts) count(s Says) Count {
	if f.Answer.Verdict() != verdict.Deliverable || f.last() != nil || f.Mailbox.CheckedAt.After(f.At.Add(slack)) {
		return CountNothing
	}
	switch s {
	case SaysDelivered:
		return CountDelivered
	case SaysRefused:
		return CountBounced
	default:
		return CountNothing
	}
}
