package table

import "github.com/verimails/verimaild/verify/verdict"

// kickboxNames are the fields of a Kickbox verification, in the order of its documentation.
func kickboxNames() []string {
	return []string{
		"result", "reason", "role", "free", "disposable", "accept_all", "did_you_mean", "sendex", "email", "user", "domain",
	}
}

func kickboxCells(cells []string, row *Row, o *Outcome) []string {
	if !o.Done() {
		return blank(cells, len(kickboxNames()))
	}
	t := kickboxTerm(o.Reason)
	local, domain := splitAddress(row.Email)
	all := verdict.TriOf(acceptsAll(o))
	return append(cells, t.status, t.detail,
		flagText(o.Flags.Role, "true", "false"), flagText(o.Flags.FreeProvider, "true", "false"),
		flagText(o.Flags.Disposable, "true", "false"), flagText(all, "true", "false"),
		o.DidYouMean, kickboxSendex(t.status), row.Email, local, domain)
}

// kickboxSendex stands in for Kickbox's score of quality, which is its own: it says no more than the result does.
func kickboxSendex(result string) string {
	switch result {
	case "deliverable":
		return "1"
	case "risky":
		return "0.5"
	default:
		return "0"
	}
}

// kickboxTerm is what Kickbox says for a reason.
func kickboxTerm(r verdict.Reason) term {
	switch r {
	case verdict.MailboxAccepted, verdict.MailboxBusy:
		return term{"deliverable", "accepted_email"}
	case verdict.AcceptedCatchAll, verdict.AcceptedUntested, verdict.ProviderUnverifiable, verdict.MailboxFull:
		return term{"risky", "low_deliverability"}
	case verdict.Disposable, verdict.RoleAddress, verdict.PrivacyRelay:
		return term{"risky", "low_quality"}
	case verdict.InvalidSyntax:
		return term{"undeliverable", "invalid_email"}
	case verdict.DomainNotFound, verdict.NoMailHost, verdict.NullMX, verdict.MXUnroutable:
		return term{"undeliverable", "invalid_domain"}
	case verdict.MailboxNotFound, verdict.MailboxDisabled, verdict.MailboxMoved, verdict.RecipientRefused, verdict.SMTPUTF8Unsupported:
		return term{"undeliverable", "rejected_email"}
	case verdict.ConnectTimeout, verdict.ConnectRefused, verdict.EgressBlocked:
		return term{"unknown", "no_connect"}
	case verdict.Greylisted, verdict.DNSTimeout, verdict.DNSFailure, verdict.DeadlineExceeded, verdict.BudgetExhausted:
		return term{"unknown", "timeout"}
	case verdict.ProtocolError, verdict.Disconnected, verdict.TLSFailure:
		return term{"unknown", "invalid_smtp"}
	case verdict.InternalError, verdict.ShuttingDown, verdict.ProbeSuppressed, verdict.NotProbed:
		return term{"unknown", "unexpected_error"}
	default: // Whatever a server, or our standing with it, put in the way.
		return term{"unknown", "unavailable_smtp"}
	}
}
