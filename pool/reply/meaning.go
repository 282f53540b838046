// Package reply reads an SMTP reply as a meaning and the scope it is about, from an ordered table of rules.
//
// The rules are data: rules/*.yaml, in the order of the files and of the rules in them; the first rule that is met
// decides. 00-words.yaml holds the words that rules ask for, 10-protocol.yaml what a code alone settles,
// 20-providers.yaml what providers and products say, 40-words.yaml what anyone may say, and 90-codes.yaml what is left
// when no words were understood. An operator's rules come before all of them. docs/adr/0007-reading-replies.md says why.
package reply

import "time"

// A Class is what a reply means.
type Class string

// The classes.
const (
	Accepted         Class = "accepted"
	NoSuchMailbox    Class = "no_such_mailbox"
	MailboxDisabled  Class = "mailbox_disabled"
	MailboxFull      Class = "mailbox_full"
	DomainNotHere    Class = "domain_not_here"
	Greylisted       Class = "greylisted"
	RateLimited      Class = "rate_limited"
	TemporaryFailure Class = "temporary_failure"
	SourceBlocked    Class = "source_blocked"
	SenderRefused    Class = "sender_refused"
	PolicyRefused    Class = "policy_refused"
	AddressSyntax    Class = "address_syntax"
	CannotVerify     Class = "cannot_verify"
	Other            Class = "other"
)

// A Scope is whom a reply is about.
type Scope string

// The scopes.
const (
	ScopeMailbox    Scope = "mailbox"
	ScopeDomain     Scope = "domain"
	ScopeSender     Scope = "sender"
	ScopeSession    Scope = "session"
	ScopeRoute      Scope = "route"
	ScopeSourceSite Scope = "source_site"
	ScopeSource     Scope = "source"
	ScopeSite       Scope = "site"
)

// A Detail narrows a class where the answer has a finer reason for it. The zero Detail adds nothing.
type Detail string

// The details.
const (
	DetailNoPTR          Detail = "no_ptr"            // sender_refused, scope source: the source's reverse DNS is at fault.
	DetailHarvest        Detail = "harvest"           // source_blocked, rate_limited: too many unknown recipients.
	DetailHELO           Detail = "helo"              // sender_refused: the EHLO name is at fault.
	DetailMoved          Detail = "moved"             // no_such_mailbox: 551, the mailbox has moved.
	DetailTooManyRcpts   Detail = "too_many_rcpts"    // rate_limited, scope session: too many recipients in this transaction.
	DetailMixedDomains   Detail = "mixed_domains"     // temporary_failure, scope session: several domains in one transaction.
	DetailTLSRequired    Detail = "tls_required"      // sender_refused, scope site: the server insists on STARTTLS.
	DetailIdle           Detail = "idle"              // 421: the session was idle for too long.
	DetailVerifying      Detail = "verifying"         // temporary_failure, greylisted: the server is asking elsewhere, ask again soon.
	DetailNoMail         Detail = "no_mail"           // domain_not_here: 521 or 556, the host or domain takes no mail at all.
	DetailBlockListed    Detail = "block_listed"      // source_blocked: a block list is named, by its own name.
	DetailTooManySession Detail = "too_many_sessions" // rate_limited: too many sessions at once or in a while.
	DetailReversePath    Detail = "reverse_path"      // sender_refused, scope sender: the reverse-path or its domain is at fault, whoever asks.
)

// A Meaning is what one reply was read as. It is a value, and may be copied.
type Meaning struct {
	Class  Class
	Scope  Scope
	Detail Detail
	Rule   string        // The name of the rule that decided.
	Retry  time.Duration // When asking again may help, from the reply; 0 if the reply says nothing.
}
