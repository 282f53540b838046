package table

import "github.com/verimails/verimaild/verify/verdict"

// neverBounceNames are columns that NeverBounce can append to an uploaded file: email_status, which it does unasked, and
// of the others those that we have an answer to.
func neverBounceNames() []string {
	return []string{
		"email_status", "email_status_int", "bad_syntax", "free_email_host", "role_account", "addr", "host", "has_dns_info",
		"has_mail_server", "mail_server_reachable",
	}
}

func neverBounceCells(cells []string, row *Row, o *Outcome) []string {
	if !o.Done() {
		return blank(cells, len(neverBounceNames()))
	}
	t := neverBounceTerm(o.Reason)
	_, host := splitAddress(row.Email)
	bad := o.Reason == verdict.InvalidSyntax
	dns := !bad && o.Reason != verdict.DomainNotFound && o.Reason != verdict.DNSTimeout && o.Reason != verdict.DNSFailure
	return append(cells, t.status, t.detail,
		bit(bad), bit(o.Flags.FreeProvider == verdict.True), bit(o.Flags.Role == verdict.True), row.Email, host, bit(dns),
		bit(hasMailHost(o) == verdict.True), bit(o.SMTPCode != 0))
}

// bit is a flag as NeverBounce writes it unless told otherwise.
func bit(b bool) string {
	if b {
		return "1"
	}
	return "0"
}

// neverBounceTerm is what NeverBounce says for a reason, in words and as a number.
func neverBounceTerm(r verdict.Reason) term {
	switch r {
	case verdict.MailboxAccepted, verdict.MailboxBusy, verdict.RoleAddress, verdict.PrivacyRelay:
		return term{"valid", "0"}
	case verdict.Disposable:
		return term{"disposable", "2"}
	case verdict.AcceptedCatchAll, verdict.AcceptedUntested, verdict.ProviderUnverifiable:
		return term{"catchall", "3"}
	case verdict.MailboxFull:
		return term{"invalid", "1"}
	}
	if r.Verdict() == verdict.Undeliverable {
		return term{"invalid", "1"}
	}
	return term{"unknown", "4"}
}
