package verdict

import "time"

// A Freshness says how far what is remembered may be relied on. The zero Freshness is Missing.
type Freshness uint8

// The values of a Freshness.
const (
	Missing Freshness = iota // Nothing is remembered, or it is past its hard age.
	Stale                    // Past the soft age: good for an answer now, and to be asked again behind it.
	Fresh                    // Good for an answer.
)

func (f Freshness) String() string {
	switch f {
	case Stale:
		return "stale"
	case Fresh:
		return "fresh"
	default:
		return "missing"
	}
}

// A Mailbox is what is remembered of one mailbox: an answer that was about it, with its evidence. Those who read one
// from memory share its slices and must not change them.
type Mailbox struct {
	Reason Reason // One for which OfMailbox holds.

	AcceptAll  AcceptAll // What was known of the domain's habit when the answer was given.
	ImplicitMX Tri
	Provider   string // "" if none was known.
	MX         []MX   // The domain's mail hosts at the time.
	Evidence   []Evidence

	CheckedAt time.Time // When the mail server was asked.
	ExpiresAt time.Time // When it is forgotten. Set by memory, ignored when storing.

	// RetryAt is from when asking about a made-up recipient can show what an acceptance is worth; zero if it cannot.
	RetryAt time.Time
}

// A DomainFact is what is remembered of a domain's mail server: its habit towards made-up recipients, or an answer that
// holds for each of its recipients. Those who read one from memory share its slices and must not change them.
type DomainFact struct {
	Domain     string // A-labels. Set by memory, ignored when storing.
	AcceptsAll Tri    // Whether it accepts made-up recipients.
	Accepted   bool   // It has accepted a recipient that was no made-up one.
	Reason     Reason // "", or one for which OfDomain holds: the answer for every recipient.
	Evidence   []Evidence

	CheckedAt time.Time // When the mail server was asked.
	ExpiresAt time.Time // When it is forgotten. Set by memory, ignored when storing.

	// ContradictedAt is when a fact about the domain was last found wrong; zero if that is not on record. It is set by
	// memory, also where nothing else is remembered: such a domain is worth a second control.
	ContradictedAt time.Time
}

// OfMailbox reports whether r may be remembered of a mailbox. It is a closed list: nothing about a source, a sender, a
// session, a mail server or this host is on it, so that no fault of ours can become a property of somebody's mailbox.
//
// What the lists say of an address (role_address and its like) is not on it either: lists change, and the answer that
// the mail server gave is mailbox_accepted. Nor are the answers that greylist tickets stand for.
func (r Reason) OfMailbox() bool {
	switch r {
	case MailboxAccepted, MailboxBusy, AcceptedCatchAll, AcceptedUntested, MailboxFull,
		MailboxNotFound, MailboxDisabled, MailboxMoved, RecipientRefused, SMTPUTF8Unsupported:
		return true
	default:
		return false
	}
}

// OfDomain reports whether r may be remembered as the answer for every recipient of a domain: its mail host says that
// it takes no mail (521, 556), or it refuses all alike. What the DNS says is remembered as mail hosts.
func (r Reason) OfDomain() bool { return r == NoMailHost || r == UniformRefusal }

// IsAcceptance reports whether r says that the mail server took the recipient.
func (r Reason) IsAcceptance() bool {
	switch r {
	case MailboxAccepted, MailboxBusy, AcceptedCatchAll, AcceptedUntested:
		return true
	default:
		return false
	}
}

// IsRefusal reports whether r says that the mail server refused the recipient for good, for what it is.
func (r Reason) IsRefusal() bool {
	switch r {
	case MailboxNotFound, MailboxDisabled, MailboxMoved, RecipientRefused, SMTPUTF8Unsupported:
		return true
	default:
		return false
	}
}
