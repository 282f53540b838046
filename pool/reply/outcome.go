package reply

// Outcome is what a final reply with this code and meaning makes of the question, as the name of a reason; the
// table stands in docs/adr/0007-reading-replies.md. An acceptance is only half an answer, the control says the
// rest: it is "accepted_untested" here. What a 4yz says may change with a retry.
//
// Only a 5yz about the mailbox becomes a reason that calls an address undeliverable.
func Outcome(m Meaning, code int) string {
	if m.Detail != "" {
		if r := outcomeOfDetail(m, code); r != "" {
			return r
		}
	}
	permanent := code >= 500
	switch m.Class {
	case Accepted, CannotVerify:
		return "accepted_untested"
	case NoSuchMailbox, MailboxDisabled, AddressSyntax:
		return outcomeOfMailbox(m, permanent)
	case MailboxFull:
		return "mailbox_full"
	case DomainNotHere:
		if code == 521 || code == 556 { // RFC 7504: the host, or the domain, takes no mail.
			return "no_mail_host"
		}
		return "relay_denied"
	case Greylisted:
		return "greylisted"
	case RateLimited:
		return outcomeOfRate(m)
	case SourceBlocked:
		return "source_blocked"
	case SenderRefused:
		return "sender_refused"
	case PolicyRefused:
		return outcomeOfPolicy(m, permanent)
	case Other:
		if permanent {
			return "protocol_error"
		}
	}
	return "server_tempfail"
}

// outcomeOfDetail gives the finer reasons; "" if the detail has none.
func outcomeOfDetail(m Meaning, code int) string {
	switch m.Detail {
	case DetailNoPTR:
		return "source_no_ptr"
	case DetailHarvest:
		return "harvest_limited"
	case DetailHELO:
		return "helo_refused"
	case DetailTLSRequired:
		return "tls_required"
	case DetailTooManyRcpts, DetailMixedDomains, DetailIdle:
		return "session_limited"
	case DetailNoMail:
		if code == 521 || code == 556 {
			return "no_mail_host"
		}
	case DetailMoved:
		if code >= 500 {
			return "mailbox_moved"
		}
	}
	return ""
}

func outcomeOfMailbox(m Meaning, permanent bool) string {
	switch {
	case !permanent:
		return "server_tempfail"
	case m.Class == MailboxDisabled:
		return "mailbox_disabled"
	case m.Class == AddressSyntax:
		return "recipient_refused"
	}
	return "mailbox_not_found"
}

func outcomeOfRate(m Meaning) string {
	switch m.Scope {
	case ScopeMailbox:
		return "mailbox_busy"
	case ScopeSession:
		return "session_limited"
	}
	return "source_rate_limited"
}

func outcomeOfPolicy(m Meaning, permanent bool) string {
	switch {
	case !permanent:
		return "server_tempfail"
	case m.Scope == ScopeMailbox:
		return "recipient_refused"
	case m.Scope == ScopeSender:
		return "sender_refused"
	}
	return "source_blocked"
}

// verdictOf is the verdict that a reason returned by Outcome stands for. Package verdict has the word for every reason; this
// package stands below it.
func verdictOf(reason string) string {
	switch reason {
	case "mailbox_busy":
		return "deliverable"
	case "mailbox_full", "accepted_untested":
		return "risky"
	case "mailbox_not_found", "mailbox_disabled", "mailbox_moved", "recipient_refused", "no_mail_host":
		return "undeliverable"
	}
	return "unknown"
}
