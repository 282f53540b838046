package judge

import (
	"math/rand/v2"
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
		reply.DetailBlockListed, reply.DetailTooManySession, reply.DetailReversePath,
	}
	allFailures = []pool.Failure{
		pool.FailConnectTimeout, pool.FailConnectRefused, pool.FailTLS, pool.FailTLSRequired, pool.FailProtocol,
		pool.FailDisconnected, pool.FailTimeout, pool.FailUnroutable, pool.FailNoSMTPUTF8, pool.FailNoSource, pool.FailBudget,
		pool.FailCanceled, pool.FailClosed, pool.FailInternal, pool.Failure("a new one"),
	}
	allModes = []provider.Mode{"", provider.ModeProbe, provider.ModeWeak, provider.ModeNoSignal, provider.ModeSkip}
	allTris  = []verdict.Tri{verdict.Undetermined, verdict.True, verdict.False}
)

// findings are all that a probe can show.
func findings() []Finding {
	var out []Finding
	for _, stage := range allStages {
		for _, code := range allCodes {
			for _, class := range allClasses {
				for _, scope := range allScopes {
					for _, detail := range allDetails {
						out = append(out, Finding{
							Asked: true, Stage: stage, Code: code,
							Meaning: reply.Meaning{Class: class, Scope: scope, Detail: detail},
						})
					}
				}
			}
		}
	}
	for _, f := range allFailures {
		for _, stage := range allStages {
			out = append(out, Finding{Asked: true, Stage: stage, Failure: f})
		}
	}
	return out
}

// TestEveryReply holds Decide to the law over every reply to the target, however it was read.
func TestEveryReply(t *testing.T) {
	for _, target := range findings() {
		for _, mode := range []provider.Mode{provider.ModeProbe, provider.ModeWeak} {
			f := Facts{Target: target, Mode: mode, Stood: true}
			if problem := unlawful(&f, Decide(&f)); problem != "" {
				t.Fatalf("Decide(%+v) = %+v: %s", f, Decide(&f), problem)
			}
		}
	}
}

// TestAnyFacts holds Decide and Next to the law over what may be found together.
func TestAnyFacts(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 11))
	for range 100_000 {
		f := anyFacts(r)
		settle(t, r, &f)
		if problem := unlawful(&f, Decide(&f)); problem != "" {
			t.Fatalf("Decide(%+v) = %+v: %s", f, Decide(&f), problem)
		}
	}
}

// settle answers Next's questions until there are none left: nobody is asked about twice.
func settle(t *testing.T, r *rand.Rand, f *Facts) {
	t.Helper()
	at := map[Step]*Finding{
		AskControl: &f.Control, AskSecond: &f.Second, AskFresh: &f.Fresh, AskElsewhere: &f.Elsewhere, AskPostmaster: &f.Postmaster,
	}
	for step := Next(f); step != Done; step = Next(f) {
		if at[step].Asked {
			t.Fatalf("Next(%+v) = %d, which was asked", *f, step)
		}
		*at[step] = anyFinding(r)
		at[step].Asked = true
	}
}

// anyFacts draws facts, the likely ones more often.
func anyFacts(r *rand.Rand) Facts {
	flip := func() bool { return r.IntN(3) == 0 }
	f := Facts{
		Mode: allModes[r.IntN(len(allModes))], AcceptAll: allTris[r.IntN(3)], Listed: flip(), Doubted: flip(), Wavering: flip(),
		Suspected: flip(), RefusedSince: flip(), Silenced: flip(), Alone: flip(), Alike: flip(), Stood: flip(), Expected: flip(),
		Target: anyFinding(r),
	}
	if f.Mode == provider.ModeNoSignal {
		f.Mode = provider.ModeProbe
	}
	f.Target.Asked = true
	for _, g := range []*Finding{&f.Control, &f.Second, &f.Fresh, &f.Elsewhere, &f.Postmaster} {
		if flip() {
			*g = anyFinding(r)
		}
	}
	return f
}

func anyFinding(r *rand.Rand) Finding {
	f := Finding{Asked: true, Stage: smtp.StageRCPT, Fallback: r.IntN(5) == 0, Words: uint64(r.IntN(3))}
	likely := reply.Meaning{Scope: reply.ScopeMailbox}
	switch r.IntN(8) {
	case 0, 1, 2:
		f.Code, likely.Class = 250, reply.Accepted
	case 3, 4:
		f.Code, likely.Class = 550, reply.NoSuchMailbox
	case 5:
		f.Code, likely.Class = 450, reply.Greylisted
	case 6:
		f.Failure = allFailures[r.IntN(len(allFailures))]
	default:
		f.Stage, f.Code = allStages[r.IntN(len(allStages))], allCodes[r.IntN(len(allCodes))]
		likely = reply.Meaning{
			Class: allClasses[r.IntN(len(allClasses))], Scope: allScopes[r.IntN(len(allScopes))], Detail: allDetails[r.IntN(len(allDetails))],
		}
	}
	f.Meaning = likely
	return f
}

// unlawful says what is wrong with a decision on f; "" if nothing is. It is written from the laws, not from the code.
func unlawful(f *Facts, d Decision) string {
	for _, law := range []func(*Facts, Decision) string{lawOfEvidence, lawOfAcceptance, lawOfHabit, lawOfUniform} {
		if problem := law(f, d); problem != "" {
			return problem
		}
	}
	return ""
}

// lawOfEvidence: a verdict other than unknown needs evidence about the address or its domain.
func lawOfEvidence(f *Facts, d Decision) string {
	got := d.Reason.Verdict()
	atRCPT := f.Target.Failure == pool.FailNone && f.Target.Stage == smtp.StageRCPT
	aboutThem := atRCPT && (f.Target.Meaning.Scope == reply.ScopeMailbox || f.Target.Meaning.Scope == reply.ScopeDomain)
	taken := atRCPT && f.Target.Code/100 == 2
	switch {
	case d.Reason.Explanation() == "":
		return "not a reason"
	case f.Target.Failure == pool.FailUnroutable || f.Target.Failure == pool.FailNoSMTPUTF8:
		if d.Reason.Subject() != verdict.SubjectDomain {
			return "what the domain's hosts lack is about the domain"
		}
	case d.Reason == verdict.NoMailHost && (f.Target.Code == 521 || f.Target.Code == 556):
	case !aboutThem && !taken && got != verdict.Unknown:
		return "a verdict without evidence about address or domain"
	case f.Target.Code/100 == 4 && got == verdict.Undeliverable:
		return "undeliverable by a 4yz"
	case got == verdict.Deliverable && !taken && d.Reason != verdict.MailboxBusy:
		return "deliverable without an acceptance"
	case taken && got == verdict.Undeliverable:
		return "undeliverable though accepted"
	case !taken && d.Reason == verdict.AcceptedUntested:
		return "accepted though not accepted"
	}
	return ""
}

// lawOfAcceptance: an acceptance means that mail can be delivered only where a made-up recipient was refused, by a host of
// the same rank, at a provider that tells the truth, on a path that does.
func lawOfAcceptance(f *Facts, d Decision) string {
	if d.Reason != verdict.MailboxAccepted && d.Reason != verdict.AcceptedCatchAll {
		return ""
	}
	honest := !f.Suspected || f.RefusedSince || f.Fresh.Refused() || f.Elsewhere.Refused()
	likewise := func(g *Finding) bool { return g.Refused() && g.Fallback == f.Target.Fallback }
	shown := f.AcceptAll == verdict.False && !f.Target.Fallback || likewise(&f.Control) || likewise(&f.Fresh)
	switch {
	case !f.Target.Accepted():
		return "accepted though not accepted"
	case f.Mode == provider.ModeWeak || f.Mode == provider.ModeNoSignal:
		return "an acceptance is believed where it proves nothing"
	case !honest && f.AcceptAll != verdict.True:
		return "an acceptance is believed on a path that may have stopped telling the truth"
	case d.Reason == verdict.MailboxAccepted && !shown:
		return "deliverable though nothing shows that made-up recipients are refused"
	case d.Reason == verdict.MailboxAccepted && f.AcceptAll == verdict.True:
		return "deliverable in a domain that is known to accept everyone"
	}
	return ""
}

// lawOfHabit: what is learned of a domain's habit was seen, at a host that speaks for the domain.
func lawOfHabit(f *Facts, d Decision) string {
	if !d.Learned {
		return ""
	}
	made := []*Finding{&f.Control, &f.Fresh, &f.Second}
	accepted := 0
	seen := f.Target.Refused() && !f.Target.Fallback && !f.Wavering
	for _, g := range made {
		if g.Accepted() && !g.Fallback {
			accepted++
		}
		seen = seen || g.Refused() && !g.Fallback
	}
	need := 1
	if f.Doubted || f.AcceptAll == verdict.False {
		need = 2
	}
	switch {
	case d.CatchAll == verdict.False && !seen:
		return "learned without seeing it that a domain refuses made-up recipients"
	case d.CatchAll == verdict.True && accepted < need:
		return "a domain is called accept-all on too few words"
	case d.CatchAll == verdict.Undetermined:
		return "learned nothing"
	case d.CatchAll == verdict.True && f.Suspected && !f.RefusedSince && !f.Elsewhere.Refused():
		return "a domain is called accept-all on a path that may have stopped telling the truth"
	}
	return ""
}

// lawOfUniform: a refusal is set aside only where a made-up recipient and postmaster got the same words.
func lawOfUniform(f *Facts, d Decision) string {
	if d.Reason != verdict.UniformRefusal {
		return ""
	}
	same := f.Target.Words == f.Control.Words && f.Target.Words == f.Postmaster.Words
	if !f.Alike || !same || f.Control.Accepted() || f.Postmaster.Accepted() || f.Target.Code/100 != 5 {
		return "refused alike though it was not"
	}
	return ""
}
