package mailworld

import "time"

// Limits are what a host bears before it objects. In each, 0 means no limit, and the zero Reply a usual text.
type Limits struct {
	// SoftErrors is the number of refused commands in a session from which on every reply is late by ErrorDelay (0: 1s);
	// each further reply by ErrorGrowth more, at most MaxErrorDelay (0: 1 min).
	SoftErrors    int
	ErrorDelay    time.Duration
	ErrorGrowth   time.Duration
	MaxErrorDelay time.Duration
	// HardErrors is the number of refused commands after which the next command gets 421. RSET forgives nothing.
	HardErrors Limit
	// Junk is how many RSET, NOOP, VRFY and the like are free; each further one counts as an error (Postfix: 100).
	Junk int
	// NonMail is how many RSET, NOOP, VRFY and repeated EHLO are borne; the next gets 554 and is the last (Exim).
	NonMail Limit
	// FailedRecipients is how many refused recipients a session bears; the next gets 421 (cPanel: 4).
	FailedRecipients Limit

	// Recipients is how many recipients a transaction may name, accepted or not; more get 452 4.5.3.
	Recipients Limit
	// SessionRecipients is how many RCPT a session may have; the next gets 421.
	SessionRecipients Limit
	// Transactions is how many MAIL a session may have; the next gets 421.
	Transactions Limit
	// Commands is how many commands a session may have; the next gets 421.
	Commands Limit
	// OneDomain refuses recipients of a second domain in a transaction, with 451 4.3.0 (Google).
	OneDomain bool
	// Advertise lists the limits in the LIMITS keyword, RFC 9422.
	Advertise bool

	// Sessions is how many sessions a client address may have at once; more get 421 4.7.0 as their greeting.
	Sessions Limit
	// SessionRate is how many sessions a client address may begin in a while; more get 421 4.7.0 as their greeting.
	SessionRate Rate
	// RecipientRate is how many RCPT a client address may send in a while; more get 450 4.7.1.
	RecipientRate Rate

	// Idle closes a session that sends no command for this long, with 421 4.4.2, or with Silent without a word.
	Idle time.Duration
	// Total closes a session that is this old, busy or not, in the same way.
	Total time.Duration
	// Silent leaves out the 421 of Idle and Total.
	Silent bool
}

// A Limit is a number and what is said beyond it.
type Limit struct {
	N     int
	Reply Reply
}

// passed reports whether n is beyond the limit.
func (l Limit) passed(n int) bool { return l.N > 0 && n > l.N }

// A Rate is a number in any span of time and what is said beyond it.
type Rate struct {
	N     int
	Per   time.Duration
	Reply Reply
}
