package verify

import (
	"testing"

	"github.com/verimails/verimaild/pool"
	"github.com/verimails/verimaild/pool/provider"
	"github.com/verimails/verimaild/pool/reply"
	"github.com/verimails/verimaild/pool/smtp"
	"github.com/verimails/verimaild/verify/verdict"
)

var (
	allStages  = []smtp.Stage{smtp.StageConnect, smtp.StageEHLO, smtp.StageSTARTTLS, smtp.StageMAIL, smtp.StageRCPT}
	allCodes   = []int{220, 250, 251, 252, 421, 450, 451, 452, 471, 500, 503, 521, 550, 551, 552, 553, 554, 556, 571}
	allClasses = []reply.Class{
		reply.Accepted, reply.NoSuchMailbox, reply.MailboxDisabled, reply.MailboxFull, reply.DomainNotHere,
		reply.Greylisted, reply.RateLimited, reply.TemporaryFailure, reply.SourceBlocked, reply.SenderRefused,
		reply.PolicyRefused, reply.AddressSyntax, reply.CannotVerify, reply.Other,
	}
	allScopes = []reply.Scope{
		reply.ScopeMailbox, reply.ScopeDomain, reply.ScopeSender, reply.ScopeSession, reply.ScopeRoute,
		reply.ScopeSourceSite, reply.ScopeSource, reply.ScopeSite,
	}
	allDetails = []reply.Detail{
		"", reply.DetailNoPTR, reply.DetailHarvest, reply.DetailHELO, reply.DetailMoved, reply.DetailTooManyRcpts,
		reply.DetailMixedDomains, reply.DetailTLSRequired, reply.DetailIdle, reply.DetailVerifying, reply.DetailNoMail,
		reply.DetailBlockListed, reply.DetailTooManySession,
	}
	allModes = []provider.Mode{provider.ModeProbe, provider.ModeWeak, provider.ModeNoSignal, provider.ModeSkip}
	allTris  = []verdict.Tri{verdict.Undetermined, verdict.True, verdict.False}
)

// findings are all that a probe can show.
func findings() []finding {
	var out []finding
	for _, stage := range allStages {
		for _, code := range allCodes {
			for _, class := range allClasses {
				for _, scope := range allScopes {
					for _, detail := range allDetails {
						out = append(out, finding{
							asked: true, stage: stage, code: code,
							meaning: reply.Meaning{Class: class, Scope: scope, Detail: detail},
						})
					}
				}
			}
		}
	}
	for _, f := range []pool.Failure{
		pool.FailConnectTimeout, pool.FailConnectRefused, pool.FailTLS, pool.FailTLSRequired, pool.FailProtocol,
		pool.FailDisconnected, pool.FailTimeout, pool.FailUnroutable, pool.FailNoSMTPUTF8, pool.FailNoSource,
		pool.FailCanceled, pool.FailClosed, pool.FailInternal, pool.Failure("a new one"),
	} {
		for _, stage := range allStages {
			out = append(out, finding{asked: true, stage: stage, failure: f})
		}
	}
	return out
}

// TestUnknownByConstruction holds decide to its first law over everything that can be found, however the replies were read:
// what is not about the address or its domain is unknown, and no 4yz makes an address undeliverable.
func TestUnknownByConstruction(t *testing.T) {
	accepted := finding{asked: true, stage: smtp.StageRCPT, code: 250, meaning: reply.Meaning{Class: reply.Accepted, Scope: reply.ScopeMailbox}}
	controls := []finding{
		{},
		accepted,
		{asked: true, stage: smtp.StageRCPT, code: 550, meaning: reply.Meaning{Class: reply.NoSuchMailbox, Scope: reply.ScopeMailbox}},
		{asked: true, stage: smtp.StageRCPT, code: 450, meaning: reply.Meaning{Class: reply.Greylisted, Scope: reply.ScopeMailbox}},
		{asked: true, failure: pool.FailDisconnected},
	}
	check := func(f facts) {
		if problem := unlawful(f, decide(f)); problem != "" {
			t.Fatalf("decide(%+v) = %+v: %s", f, decide(f), problem)
		}
	}
	for _, target := range findings() {
		if !target.accepted() { // What the control says cannot matter then; one of each has to do.
			check(facts{target: target, control: accepted, mode: provider.ModeProbe, acceptAll: verdict.False})
			check(facts{target: target, mode: provider.ModeWeak})
			continue
		}
		for _, control := range controls {
			for _, mode := range allModes {
				for _, all := range allTris {
					check(facts{target: target, control: control, mode: mode, acceptAll: all})
				}
			}
		}
	}
}

// unlawful says what is wrong with a decision on f; "" if nothing is.
func unlawful(f facts, d decision) string {
	got := d.reason.Verdict()
	atRCPT := f.target.failure == pool.FailNone && f.target.stage == smtp.StageRCPT
	aboutThem := atRCPT && (f.target.meaning.Scope == reply.ScopeMailbox || f.target.meaning.Scope == reply.ScopeDomain)
	taken := atRCPT && f.target.code/100 == 2
	switch {
	case d.reason.Explanation() == "":
		return "not a reason"
	case f.target.failure == pool.FailUnroutable || f.target.failure == pool.FailNoSMTPUTF8:
		if d.reason.Subject() != verdict.SubjectDomain {
			return "what the domain's hosts lack is about the domain"
		}
	case d.reason == verdict.NoMailHost && (f.target.code == 521 || f.target.code == 556):
	case !aboutThem && !taken && got != verdict.Unknown:
		return "a verdict without evidence about address or domain"
	case f.target.code/100 == 4 && got == verdict.Undeliverable:
		return "undeliverable by a 4yz"
	case got == verdict.Deliverable && !taken && d.reason != verdict.MailboxBusy:
		return "deliverable without an acceptance"
	case d.reason == verdict.MailboxAccepted && f.mode != provider.ModeProbe && f.mode != provider.ModeSkip:
		return "deliverable at a provider whose acceptance proves nothing"
	case d.reason == verdict.MailboxAccepted && f.acceptAll != verdict.False && !f.control.refused():
		return "deliverable though nothing shows that made-up recipients are refused"
	case taken && got == verdict.Undeliverable:
		return "undeliverable though accepted"
	}
	return ""
}

func TestDecide(t *testing.T) {
	at := func(code int, class reply.Class, scope reply.Scope) finding {
		return finding{asked: true, stage: smtp.StageRCPT, code: code, meaning: reply.Meaning{Class: class, Scope: scope}}
	}
	early := func(stage smtp.Stage, code int, class reply.Class, scope reply.Scope) finding {
		f := at(code, class, scope)
		f.stage = stage
		return f
	}
	ok := at(250, reply.Accepted, reply.ScopeMailbox)
	dead := at(550, reply.NoSuchMailbox, reply.ScopeMailbox)
	grey := at(450, reply.Greylisted, reply.ScopeSourceSite)
	gone := finding{asked: true, stage: smtp.StageRCPT, failure: pool.FailDisconnected}
	for _, test := range []struct {
		name     string
		facts    facts
		reason   verdict.Reason
		catchAll verdict.Tri
		tested   verdict.AcceptAll
	}{
		{"accepted, control refused", facts{target: ok, control: dead}, verdict.MailboxAccepted, verdict.False, verdict.AcceptAllTested},
		{"accepted, control accepted", facts{target: ok, control: ok}, verdict.AcceptedCatchAll, verdict.True, verdict.AcceptAllTested},
		{"accepted, control greylisted", facts{target: ok, control: grey}, verdict.AcceptedUntested, verdict.Undetermined, verdict.AcceptAllInconclusive},
		{"accepted, control lost", facts{target: ok, control: gone}, verdict.AcceptedUntested, verdict.Undetermined, verdict.AcceptAllInconclusive},
		{"accepted, no control", facts{target: ok}, verdict.AcceptedUntested, verdict.Undetermined, verdict.AcceptAllNotTested},
		{"accepted, known to accept all", facts{target: ok, acceptAll: verdict.True}, verdict.AcceptedCatchAll, verdict.True, verdict.AcceptAllTested},
		{"accepted, known to refuse", facts{target: ok, acceptAll: verdict.False}, verdict.MailboxAccepted, verdict.False, verdict.AcceptAllTested},
		{"accepted, weak provider", facts{target: ok, control: dead, mode: provider.ModeWeak}, verdict.ProviderUnverifiable, verdict.Undetermined, verdict.AcceptAllNotTested},
		{"refused, weak provider", facts{target: dead, mode: provider.ModeWeak}, verdict.MailboxNotFound, verdict.False, verdict.AcceptAllTested},
		{"no such mailbox", facts{target: dead}, verdict.MailboxNotFound, verdict.False, verdict.AcceptAllTested},
		{"no such mailbox in a catch-all domain", facts{target: dead, acceptAll: verdict.True}, verdict.MailboxNotFound, verdict.True, verdict.AcceptAllTested},
		{"450 user unknown", facts{target: at(450, reply.NoSuchMailbox, reply.ScopeMailbox)}, verdict.ServerTempfail, verdict.Undetermined, verdict.AcceptAllNotTested},
		{"disabled", facts{target: at(550, reply.MailboxDisabled, reply.ScopeMailbox)}, verdict.MailboxDisabled, verdict.Undetermined, verdict.AcceptAllNotTested},
		{"450 disabled", facts{target: at(450, reply.MailboxDisabled, reply.ScopeMailbox)}, verdict.ServerTempfail, verdict.Undetermined, verdict.AcceptAllNotTested},
		{"full", facts{target: at(552, reply.MailboxFull, reply.ScopeMailbox)}, verdict.MailboxFull, verdict.Undetermined, verdict.AcceptAllNotTested},
		{"452 full", facts{target: at(452, reply.MailboxFull, reply.ScopeMailbox)}, verdict.MailboxFull, verdict.Undetermined, verdict.AcceptAllNotTested},
		{"busy mailbox", facts{target: at(450, reply.RateLimited, reply.ScopeMailbox)}, verdict.MailboxBusy, verdict.Undetermined, verdict.AcceptAllNotTested},
		{"rate of the source", facts{target: at(450, reply.RateLimited, reply.ScopeSourceSite)}, verdict.SourceRateLimited, verdict.Undetermined, verdict.AcceptAllNotTested},
		{"greylisted", facts{target: grey}, verdict.Greylisted, verdict.Undetermined, verdict.AcceptAllNotTested},
		{"relay denied", facts{target: at(554, reply.DomainNotHere, reply.ScopeDomain)}, verdict.RelayDenied, verdict.Undetermined, verdict.AcceptAllNotTested},
		{"restricted", facts{target: at(550, reply.PolicyRefused, reply.ScopeMailbox)}, verdict.RecipientRefused, verdict.Undetermined, verdict.AcceptAllNotTested},
		{"policy about us", facts{target: at(550, reply.PolicyRefused, reply.ScopeSourceSite)}, verdict.SourceBlocked, verdict.Undetermined, verdict.AcceptAllNotTested},
		{"block at RCPT", facts{target: at(554, reply.SourceBlocked, reply.ScopeSource)}, verdict.SourceBlocked, verdict.Undetermined, verdict.AcceptAllNotTested},
		{"sender refused at RCPT", facts{target: at(550, reply.SenderRefused, reply.ScopeSender)}, verdict.SenderRefused, verdict.Undetermined, verdict.AcceptAllNotTested},
		{"252", facts{target: at(252, reply.CannotVerify, reply.ScopeMailbox)}, verdict.AcceptedUntested, verdict.Undetermined, verdict.AcceptAllNotTested},
		{"address syntax", facts{target: at(553, reply.AddressSyntax, reply.ScopeMailbox)}, verdict.RecipientRefused, verdict.Undetermined, verdict.AcceptAllNotTested},
		{"nonsense", facts{target: at(550, reply.Other, reply.ScopeSite)}, verdict.ProtocolError, verdict.Undetermined, verdict.AcceptAllNotTested},
		{"blocked at the greeting", facts{target: early(smtp.StageConnect, 554, reply.SourceBlocked, reply.ScopeSourceSite)}, verdict.SourceBlocked, verdict.Undetermined, verdict.AcceptAllNotTested},
		{"busy at the greeting", facts{target: early(smtp.StageConnect, 421, reply.TemporaryFailure, reply.ScopeSite)}, verdict.ServerBusy, verdict.Undetermined, verdict.AcceptAllNotTested},
		{"tempfail at MAIL", facts{target: early(smtp.StageMAIL, 451, reply.TemporaryFailure, reply.ScopeSite)}, verdict.ServerTempfail, verdict.Undetermined, verdict.AcceptAllNotTested},
		{"dead words before RCPT", facts{target: early(smtp.StageMAIL, 550, reply.NoSuchMailbox, reply.ScopeMailbox)}, verdict.ServerTempfail, verdict.Undetermined, verdict.AcceptAllNotTested},
		{"an operator's rule that blames the mailbox for a source", facts{target: at(550, reply.NoSuchMailbox, reply.ScopeSource)}, verdict.SourceBlocked, verdict.Undetermined, verdict.AcceptAllNotTested},
		{"connect timeout", facts{target: finding{asked: true, stage: smtp.StageConnect, failure: pool.FailConnectTimeout}}, verdict.ConnectTimeout, verdict.Undetermined, verdict.AcceptAllNotTested},
		{"no SMTPUTF8", facts{target: finding{asked: true, stage: smtp.StageMAIL, failure: pool.FailNoSMTPUTF8}}, verdict.SMTPUTF8Unsupported, verdict.Undetermined, verdict.AcceptAllNotTested},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.facts.mode == "" {
				test.facts.mode = provider.ModeProbe
			}
			got := decide(test.facts)
			learned := test.tested == verdict.AcceptAllTested && test.facts.acceptAll == verdict.Undetermined
			want := decision{reason: test.reason, catchAll: test.catchAll, tested: test.tested, learned: learned}
			if got != want {
				t.Errorf("decide(%+v) = %+v, want %+v", test.facts, got, want)
			}
		})
	}
}
