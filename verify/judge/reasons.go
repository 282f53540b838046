package judge

import (
	"github.com/verimails/verimaild/pool"
	"github.com/verimails/verimaild/pool/reply"
	"github.com/verimails/verimaild/pool/smtp"
	"github.com/verimails/verimaild/verify/verdict"
)

// failureReasons is the reason for each way in which a recipient got no reply.
var failureReasons = map[pool.Failure]verdict.Reason{
	pool.FailConnectTimeout: verdict.ConnectTimeout,
	pool.FailConnectRefused: verdict.ConnectRefused,
	pool.FailTLS:            verdict.TLSFailure,
	pool.FailTLSRequired:    verdict.TLSRequired,
	pool.FailProtocol:       verdict.ProtocolError,
	pool.FailDisconnected:   verdict.Disconnected,
	pool.FailTimeout:        verdict.ServerBusy,
	pool.FailUnroutable:     verdict.MXUnroutable,
	pool.FailNoSMTPUTF8:     verdict.SMTPUTF8Unsupported,
	pool.FailNoSource:       verdict.EgressBlocked,
	pool.FailBudget:         verdict.BudgetExhausted,
	pool.FailCanceled:       verdict.DeadlineExceeded,
	pool.FailClosed:         verdict.ShuttingDown,
}

// failureReason is the reason for a recipient that got no reply.
func failureReason(f pool.Failure) verdict.Reason {
	if r, ok := failureReasons[f]; ok {
		return r
	}
	return verdict.InternalError
}

// earlyReason is the reason for a reply before RCPT: never one about the address.
func earlyReason(f *Finding) verdict.Reason {
	greeting := f.Stage == smtp.StageConnect || f.Stage == smtp.StageEHLO
	if f.Meaning.Class == reply.TemporaryFailure && greeting {
		return verdict.ServerBusy
	}
	r := reasonOf(f)
	if r == verdict.NoMailHost { // The host says of itself that it takes no mail (521, 556), RFC 7504.
		return r
	}
	if r.Subject() == verdict.SubjectAddress || r.Subject() == verdict.SubjectDomain {
		return verdict.ServerTempfail
	}
	return r
}

// rcptReason is the reason for a reply to RCPT that is not an acceptance. That a verdict needs evidence about the address
// or its domain holds here whatever the rules that read replies say, for an operator may have written them.
func rcptReason(f *Finding) verdict.Reason {
	r := reasonOf(f)
	if r == verdict.AcceptedUntested && f.Code/100 != 2 { // Words that sound friendly make no acceptance.
		r = verdict.ProtocolError
	}
	if r.Verdict() == verdict.Unknown {
		return r
	}
	switch f.Meaning.Scope {
	case reply.ScopeMailbox, reply.ScopeDomain:
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

// reasonOf is the reason that a reply's class has in the table of docs/adr/0007-reading-replies.md, which calls nobody
// dead for a 4yz.
func reasonOf(f *Finding) verdict.Reason {
	r, err := verdict.ParseReason(reply.Outcome(f.Meaning, f.Code))
	if err != nil {
		return verdict.ProtocolError
	}
	return r
}
