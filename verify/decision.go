package verify

import (
	"fmt"

	"github.com/verimails/verimaild/pool/provider"
	"github.com/verimails/verimaild/pool/smtp"
	"github.com/verimails/verimaild/verify/verdict"
)

// The rules that settle an answer, by the names that a trace gives them. Those from ruleNoReply on are the judgement's, in
// its order of precedence: see package judge.
const (
	ruleSyntax     = "syntax"
	ruleDepth      = "depth"
	ruleSuppressed = "suppressed"
	ruleDNS        = "dns"
	ruleReport     = "report"
	ruleLocal      = "this_host"
	ruleNoReply    = "no_reply"
	ruleBeforeRCPT = "before_rcpt"
	ruleUniform    = "uniform_refusal"
	ruleRCPT       = "reply_at_rcpt"
	ruleProvider   = "provider_mode"
	ruleAcceptance = "acceptance"
	ruleSilenced   = "silent_acceptance"
	ruleListed     = "listed_name"
)

// decisionOf says which rule settled an answer. It is pure.
func decisionOf(ans *verdict.Answer) verdict.Decision {
	target, control := heard(ans.Evidence)
	if rule, says := beforeAsking(ans); rule != "" {
		return verdict.Decision{Rule: rule, Says: says}
	}
	switch {
	case target == nil && ans.Reason == verdict.AcceptedCatchAll:
		return verdict.Decision{Rule: ruleAcceptance, Says: "The domain is known to accept made-up recipients; asking about this one too would show nothing, so it was not."}
	case target == nil:
		return verdict.Decision{Rule: ruleLocal, Says: "Nobody was asked, so nothing is known of the address: " + ans.Explain()}
	case target.Code == 0:
		return verdict.Decision{Rule: ruleNoReply, Says: "Without a reply there is evidence about this host, the network or the mail server, never about the address."}
	case target.Stage != string(smtp.StageRCPT):
		return verdict.Decision{Rule: ruleBeforeRCPT, Says: "The reply came before the recipient was named (at " + target.Stage +
			"), so it is about whoever asked or about the mail server, whatever its words are."}
	case target.Code/100 != 2:
		return refusalDecision(ans, target)
	default:
		return acceptanceDecision(ans, target, control)
	}
}

// heard is the last that was heard about the address itself, and about a made-up recipient.
func heard(evidence []verdict.Evidence) (target, control *verdict.Evidence) {
	for i := range evidence {
		switch e := &evidence[i]; {
		case e.Stage == verdict.StageReport:
		case e.Control:
			control = e
		default:
			target = e
		}
	}
	return target, control
}

// beforeAsking is the rule for an answer that no dialogue settled; "" if one did.
func beforeAsking(ans *verdict.Answer) (rule, says string) {
	if r := verdict.Reported(ans.Evidence); r != nil && ans.Reason != verdict.MailboxFull {
		return ruleReport, "What a real message met outranks what a server says to a question: the sender of that message reported it."
	}
	switch ans.Reason {
	case verdict.InvalidSyntax:
		return ruleSyntax, "What no server could be asked about cannot receive mail (RFC 5321 §4.1.2, RFC 6531)."
	case verdict.NotProbed:
		return ruleDepth, "The caller wanted no more than depth " + ans.Stage + "; a verdict would need the mail server's word."
	case verdict.ProbeSuppressed:
		return ruleSuppressed, "Policy comes before curiosity: an address that is not to be asked about stays unknown."
	case verdict.DomainNotFound, verdict.NullMX, verdict.MXUnroutable, verdict.DNSTimeout, verdict.DNSFailure, verdict.NoMailHost:
		if ans.Reason == verdict.NoMailHost && len(ans.Evidence) > 0 {
			return ruleBeforeRCPT, "The host says of itself that it takes no mail (RFC 7504); that holds for every recipient."
		}
		return ruleDNS, "The DNS settles it before any mail server is asked" + certainty(ans.Reason)
	case verdict.ProviderUnverifiable:
		return ruleProvider, "At a provider that accepts recipients who do not exist (mode " + ans.ProviderMode + "), an acceptance proves nothing."
	case verdict.EgressBlocked, verdict.DeadlineExceeded, verdict.BudgetExhausted, verdict.ShuttingDown, verdict.InternalError:
		return ruleLocal, "What keeps this host from asking is no evidence about the address."
	}
	return "", ""
}

// certainty says whether what the DNS said is about the domain, or about the DNS.
func certainty(r verdict.Reason) string {
	if r.Verdict() == verdict.Unknown {
		return "; that it fails to answer says nothing of the domain, so the address stays unknown."
	}
	return "; what it says of the domain holds for all its addresses."
}

// refusalDecision is the rule for a reply to RCPT that is no acceptance.
func refusalDecision(ans *verdict.Answer, target *verdict.Evidence) verdict.Decision {
	if ans.Reason == verdict.UniformRefusal {
		return verdict.Decision{Rule: ruleUniform, Says: "Every recipient that was tried is refused in the same words, a made-up one and postmaster too: the words are about all of them, or about us."}
	}
	d := verdict.Decision{Rule: ruleRCPT}
	switch {
	case ans.Reason == verdict.MailboxBusy, ans.Reason == verdict.MailboxFull:
		d.Says = "The reply names the state of a mailbox, so there is one."
	case ans.Reason.Verdict() == verdict.Undeliverable:
		d.Says = fmt.Sprintf("The mail server refused this recipient itself, for good (%d), and its words are about the %s: that decides, whatever else is known of the domain.",
			target.Code, target.Scope)
	case target.Code/100 == 4:
		d.Says = "A 4yz puts off; it never says that an address is dead, whatever its words are."
	default:
		d.Says = fmt.Sprintf("The refusal is about the %s, not about the mailbox: it is no evidence against the address.", scopeInWords(target.Scope))
	}
	return d
}

// acceptanceDecision is the rule for an accepted recipient.
func acceptanceDecision(ans *verdict.Answer, target, control *verdict.Evidence) verdict.Decision {
	d := verdict.Decision{Rule: ruleAcceptance}
	switch ans.Reason {
	case verdict.AcceptSuspect:
		d.Rule, d.Says = ruleSilenced, "The server had refused many of this source's recipients, and then accepted one that nobody could know: it tells this source no more who is there."
	case verdict.AcceptedCatchAll:
		d.Says = "The recipient was accepted, and so was a made-up one: the acceptance is about the domain."
	case verdict.AcceptedUntested:
		d.Says = untested(control)
	case verdict.RoleAddress, verdict.Disposable, verdict.PrivacyRelay:
		d.Rule, d.Says = ruleListed, "The server accepts this recipient and refuses made-up ones; the configured policy calls listed names like this one risky."
	default:
		d.Says = deliverable(ans, target, control)
	}
	return d
}

// untested says why it is not known what an acceptance is worth.
func untested(control *verdict.Evidence) string {
	switch {
	case control == nil:
		return "The recipient was accepted; no made-up one was asked about, so it is not known what that is worth."
	case control.Code == 0:
		return "The recipient was accepted; the made-up one got no reply, so it is not known what that is worth."
	default:
		return fmt.Sprintf("The recipient was accepted; the reply to the made-up one (%d, %s) does not show whether the domain accepts everyone.", control.Code, control.Class)
	}
}

// deliverable says why an acceptance is believed.
func deliverable(ans *verdict.Answer, target, control *verdict.Evidence) string {
	switch {
	case control != nil && control.Code/100 == 5:
		return fmt.Sprintf("The recipient was accepted (%d) and a made-up one of the same domain refused (%d): the server tells them apart.", target.Code, control.Code)
	case provider.RefusesUnknown(ans.Domain):
		return "The recipient was accepted, and this domain's provider is known to refuse recipients that do not exist; a made-up one would show nothing new."
	default:
		return "The recipient was accepted, and the domain is known to refuse recipients that do not exist; it was not asked again."
	}
}

func scopeInWords(scope string) string {
	switch scope {
	case "source_site":
		return "source address that asked, at this server"
	case "source":
		return "source address that asked"
	case "sender":
		return "sender that it was asked with"
	case "site":
		return "mail server itself"
	case "route":
		return "way to this server"
	default:
		return scope
	}
}

// unseen is what asking cannot show of an address with this answer.
func unseen(r verdict.Reason) []string {
	switch r {
	case verdict.MailboxAccepted, verdict.MailboxBusy, verdict.AcceptedCatchAll, verdict.AcceptedUntested,
		verdict.RoleAddress, verdict.Disposable, verdict.PrivacyRelay:
	default:
		return nil
	}
	out := []string{
		"A spam trap answers like any other mailbox; nothing at RCPT tells one.",
		"A server may accept the recipient and bounce or drop the message later; only a real message shows that, and feedback reports it.",
	}
	if r == verdict.AcceptedCatchAll {
		out = append(out, "Whether anybody reads mail to this name is not to be had from a server that takes every name.")
	}
	return out
}
