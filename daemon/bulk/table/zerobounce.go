package table

import (
	"strings"

	"github.com/verimails/verimaild/verify/verdict"
)

// zeroBounceNames are the columns that ZeroBounce puts behind those of an uploaded file.
func zeroBounceNames() []string {
	return []string{
		"ZB Status", "ZB Sub Status", "ZB Account", "ZB Domain", "ZB First Name", "ZB Last Name", "ZB Gender", "ZB Free Email",
		"ZB MX Found", "ZB MX Record", "ZB SMTP Provider", "ZB Did You Mean",
	}
}

// zeroBounceCells leaves the name and gender of a person empty: ZeroBounce guesses them, we don't.
func zeroBounceCells(cells []string, row *Row, o *Outcome) []string {
	if !o.Done() {
		return blank(cells, len(zeroBounceNames()))
	}
	t := zeroBounceTerm(o)
	local, domain := splitAddress(row.Email)
	return append(cells, t.status, t.detail, local, strings.ToLower(domain), "", "", "",
		flagText(o.Flags.FreeProvider, "True", "False"), flagText(hasMailHost(o), "true", "false"),
		o.MX, o.Provider, o.DidYouMean)
}

// zeroBounceTerm is what ZeroBounce says for an answer.
func zeroBounceTerm(o *Outcome) term {
	t := zeroBounceReason(o.Reason)
	if t.status == "catch-all" && o.Flags.Role == verdict.True {
		return term{"do_not_mail", "role_based_catch_all"}
	}
	return t
}

func zeroBounceReason(r verdict.Reason) term {
	if t, ok := zeroBounceUnknown(r); ok {
		return t
	}
	switch r {
	case verdict.MailboxAccepted, verdict.MailboxBusy:
		return term{"valid", ""}
	case verdict.PrivacyRelay:
		return term{"valid", "alias_address"}
	case verdict.AcceptedCatchAll, verdict.ProviderUnverifiable:
		return term{"catch-all", ""}
	case verdict.RoleAddress:
		return term{"do_not_mail", "role_based"}
	case verdict.Disposable:
		return term{"do_not_mail", "disposable"}
	case verdict.ProbeSuppressed:
		return term{"do_not_mail", "global_suppression"}
	case verdict.MailboxFull:
		return term{"invalid", "mailbox_quota_exceeded"}
	case verdict.InvalidSyntax:
		return term{"invalid", "failed_syntax_check"}
	case verdict.DomainNotFound, verdict.NoMailHost:
		return term{"invalid", "no_dns_entries"}
	case verdict.NullMX, verdict.SMTPUTF8Unsupported:
		return term{"invalid", "does_not_accept_mail"}
	case verdict.MXUnroutable:
		return term{"invalid", "unroutable_ip_address"}
	case verdict.MailboxNotFound, verdict.MailboxDisabled, verdict.MailboxMoved, verdict.RecipientRefused:
		return term{"invalid", "mailbox_not_found"}
	default:
		return term{"unknown", "exception_occurred"}
	}
}

// zeroBounceUnknown is the sub-statuses of what could not be found out.
func zeroBounceUnknown(r verdict.Reason) (term, bool) {
	switch r {
	case verdict.Greylisted:
		return term{"unknown", "greylisted"}, true
	case verdict.AcceptedUntested, verdict.DeadlineExceeded, verdict.BudgetExhausted:
		return term{"unknown", "timeout_exceeded"}, true
	case verdict.PersistentTempfail, verdict.ServerTempfail, verdict.ServerBusy, verdict.RelayDenied, verdict.SessionLimited:
		return term{"unknown", "mail_server_temporary_error"}, true
	case verdict.ConnectTimeout:
		return term{"unknown", "mail_server_did_not_respond"}, true
	case verdict.ConnectRefused, verdict.TLSFailure, verdict.TLSRequired, verdict.EgressBlocked:
		return term{"unknown", "failed_smtp_connection"}, true
	case verdict.Disconnected, verdict.ProtocolError:
		return term{"unknown", "forcible_disconnect"}, true
	case verdict.SourceBlocked, verdict.SourceNoPTR, verdict.SourceRateLimited, verdict.HarvestLimited, verdict.AcceptSuspect,
		verdict.SenderRefused, verdict.HELORefused, verdict.UniformRefusal:
		return term{"unknown", "antispam_system"}, true
	}
	return term{}, false
}
