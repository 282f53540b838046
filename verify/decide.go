package verify

import (
	"github.com/verimails/verimaild/pool"
	"github.com/verimails/verimaild/pool/provider"
	"github.com/verimails/verimaild/pool/reply"
	"github.com/verimails/verimaild/pool/smtp"
	"github.com/verimails/verimaild/verify/verdict"
)

// A finding is what one recipient's probe showed, as far as the decision needs it.
type finding struct {
	asked   bool
	stage   smtp.Stage
	code    int // 0 if no reply came.
	meaning reply.Meaning
	failure pool.Failure
}

func findingOf(o *pool.Outcome) finding {
	return finding{asked: true, stage: o.Stage, code: o.Reply.Code, meaning: o.Meaning, failure: o.Failure}
}

// accepted reports whether the recipient itself was accepted.
func (f finding) accepted() bool {
	return f.asked && f.stage == smtp.StageRCPT && f.code/100 == 2 && f.meaning.Class == reply.Accepted
}

// refused reports whether the recipient itself was refused for good, for what it is.
func (f finding) refused() bool {
	return f.asked && f.stage == smtp.StageRCPT && f.code/100 == 5 && f.meaning.Scope == reply.ScopeMailbox
}

// facts is all that a decision rests on.
type facts struct {
	target    finding
	control   finding
	mode      provider.Mode
	acceptAll verdict.Tri // Known already, without asking the control: from memory, or of a consumer domain.
}

// A decision is a reason, and what is now known of the domain.
type decision struct {
	reason   verdict.Reason
	catchAll verdict.Tri
	tested   verdict.AcceptAll
	learned  bool // catchAll was found out now.
	cutShort bool // The control was given up by us, so that the reason says less than the server would have.
}

// decide is the judgement. It is pure. Its order of precedence:
//
//  1. A failure without a reply is about this host, the network or the mail server, never about the address.
//  2. A reply before RCPT is about the source, the sender or the mail server.
//  3. A reply to RCPT that is not an acceptance says what its class says.
//  4. An acceptance is worth what the provider's mode says, and then what the control says.
func decide(f facts) decision {
	d := decision{catchAll: f.acceptAll, tested: verdict.AcceptAllNotTested}
	if f.acceptAll != verdict.Undetermined {
		d.tested = verdict.AcceptAllTested
	}
	switch {
	case f.target.failure != pool.FailNone:
		d.reason = failureReason(f.target.failure)
	case f.target.stage != smtp.StageRCPT:
		d.reason = earlyReason(f.target)
	case !f.target.accepted():
		d.reason = rcptReason(f.target)
		if f.target.refused() && f.target.meaning.Class == reply.NoSuchMailbox && d.catchAll == verdict.Undetermined {
			d.learn(verdict.False) // A server that knows who is not there.
		}
	case f.mode == provider.ModeWeak || f.mode == provider.ModeNoSignal:
		d.reason = verdict.ProviderUnverifiable
	default:
		acceptance(f, &d)
	}
	return d
}

// learn notes what was found out of the domain's habit.
func (d *decision) learn(catchAll verdict.Tri) {
	d.catchAll, d.tested, d.learned = catchAll, verdict.AcceptAllTested, true
}

// acceptance decides what an accepted target is worth.
func acceptance(f facts, d *decision) {
	switch {
	case f.acceptAll == verdict.True:
		d.reason = verdict.AcceptedCatchAll
	case f.acceptAll == verdict.False:
		d.reason = verdict.MailboxAccepted
	case f.control.accepted():
		d.reason = verdict.AcceptedCatchAll
		d.learn(verdict.True)
	case f.control.refused():
		d.reason = verdict.MailboxAccepted
		d.learn(verdict.False)
	case f.control.asked:
		d.reason, d.tested = verdict.AcceptedUntested, verdict.AcceptAllInconclusive
		d.cutShort = f.control.failure == pool.FailCanceled || f.control.failure == pool.FailClosed
	default:
		d.reason = verdict.AcceptedUntested
	}
}

// failureReason is the reason for a recipient that got no reply.
func failureReason(f pool.Failure) verdict.Reason {
	switch f {
	case pool.FailConnectTimeout:
		return verdict.ConnectTimeout
	case pool.FailConnectRefused:
		return verdict.ConnectRefused
	case pool.FailTLS:
		return verdict.TLSFailure
	case pool.FailTLSRequired:
		return verdict.TLSRequired
	case pool.FailProtocol:
		return verdict.ProtocolError
	case pool.FailDisconnected:
		return verdict.Disconnected
	case pool.FailTimeout:
		return verdict.ServerBusy
	case pool.FailUnroutable:
		return verdict.MXUnroutable
	case pool.FailNoSMTPUTF8:
		return verdict.SMTPUTF8Unsupported
	case pool.FailNoSource:
		return verdict.EgressBlocked
	case pool.FailCanceled:
		return verdict.DeadlineExceeded
	case pool.FailClosed:
		return verdict.ShuttingDown
	default:
		return verdict.InternalError
	}
}

// earlyReason is the reason for a reply before RCPT: never one about the address.
func earlyReason(f finding) verdict.Reason {
	greeting := f.stage == smtp.StageConnect || f.stage == smtp.StageEHLO
	if f.meaning.Class == reply.TemporaryFailure && greeting {
		return verdict.ServerBusy
	}
	r := reasonOf(f)
	switch {
	case r == verdict.NoMailHost && (f.code == 521 || f.code == 556):
		return r // The host says of itself that it takes no mail, RFC 7504.
	case r.Subject() == verdict.SubjectAddress || r.Subject() == verdict.SubjectDomain:
		return verdict.ServerTempfail
	default:
		return r
	}
}

// rcptReason is the reason for a reply to RCPT that is not an acceptance. Laws 1 and 2 of decide hold here whatever
// the rules that read replies say, for an operator may have written them.
func rcptReason(f finding) verdict.Reason {
	r := reasonOf(f)
	if r.Verdict() == verdict.Unknown {
		return r
	}
	switch f.meaning.Scope {
	case reply.ScopeMailbox, reply.ScopeDomain:
		if f.code/100 == 4 && r.Verdict() == verdict.Undeliverable {
			return verdict.ServerTempfail
		}
		return r
	case reply.ScopeSender:
		return verdict.SenderRefused
	case reply.ScopeSource, reply.ScopeSourceSite:
		return verdict.SourceBlocked
	case reply.ScopeSession:
		return verdict.SessionLimited
	default:
		return verdict.ServerTempfail
	}
}

// reasonOf is the reason that a reply's class has in the table of docs/api.md.
func reasonOf(f finding) verdict.Reason {
	r, err := verdict.ParseReason(reply.Outcome(f.meaning, f.code))
	if err != nil {
		return verdict.ProtocolError
	}
	return r
}
