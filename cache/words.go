package cache

// words are strings that records are full of. A record holds their index: the list may grow at its end, never change
// otherwise, as long as the version of the records stays the same.
var words = []string{
	"",
	// Stages.
	"connect", "ehlo", "starttls", "mail", "rcpt", "rset", "quit",
	// Classes.
	"accepted", "no_such_mailbox", "mailbox_disabled", "mailbox_full", "domain_not_here", "greylisted", "rate_limited",
	"temporary_failure", "source_blocked", "sender_refused", "policy_refused", "address_syntax", "cannot_verify", "other",
	// Scopes.
	"mailbox", "domain", "sender", "session", "route", "source_site", "source", "site",
	// TLS.
	"TLS1.3", "TLS1.2", "TLS1.1", "TLS1.0",
	// States of accept-all.
	"tested", "inconclusive", "not_tested",
	// States of mail hosts.
	"found", "null_mx", "no_mail_host", "domain_not_found", "no_data", "unroutable", "timeout", "failure",
	// Enhanced codes.
	"2.0.0", "2.1.0", "2.1.5", "4.1.1", "4.2.0", "4.2.1", "4.2.2", "4.3.0", "4.7.0", "4.7.1", "5.0.0", "5.1.0", "5.1.1",
	"5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.0", "5.2.1", "5.2.2", "5.4.1", "5.5.0", "5.7.0", "5.7.1",
	// Texts of replies.
	"OK", "Ok", "Accepted", "recipient ok", "Recipient OK", "accepted", "User unknown", "No such user",
	"No such user here", "Unknown user", "User not found", "Mailbox not found", "Recipient ok", "Recipient address accepted",
	// Reasons.
	"mailbox_accepted", "mailbox_busy", "accepted_catch_all", "accepted_untested", "mailbox_not_found", "mailbox_moved",
	"recipient_refused", "smtputf8_unsupported", "uniform_refusal",
	// Providers.
	"google", "microsoft_365", "microsoft_consumer", "yahoo", "apple", "gmx_webde", "ironport", "mimecast", "proofpoint",
	"barracuda", "zoho", "fastmail", "mailru", "yandex", "ovh", "ionos", "strato", "qq", "netease",
	// Mail hosts.
	"gmail-smtp-in.l.google.com", "alt1.gmail-smtp-in.l.google.com", "alt2.gmail-smtp-in.l.google.com",
	"alt3.gmail-smtp-in.l.google.com", "alt4.gmail-smtp-in.l.google.com", "aspmx.l.google.com", "alt1.aspmx.l.google.com",
	"alt2.aspmx.l.google.com", "alt3.aspmx.l.google.com", "alt4.aspmx.l.google.com", "smtp.google.com",
	"mx1.mail.icloud.com", "mx2.mail.icloud.com", "mx.zoho.com", "mx2.zoho.com", "mx3.zoho.com", "mx.yandex.net",
	"mxs.mail.ru", "in1-smtp.messagingengine.com", "in2-smtp.messagingengine.com", "mx00.ionos.de", "mx01.ionos.de",
	"mx00.gmx.net", "mx01.gmx.net", "mx-ha02.web.de", "mx-ha03.web.de",
}

// wordIndex is where a word stands in words.
var wordIndex = func() map[string]int {
	m := make(map[string]int, len(words))
	for i, w := range words {
		m[w] = i
	}
	return m
}()
