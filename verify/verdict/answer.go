// Package verdict holds the words for an answer: verdict, reason, subject, flags and evidence.
package verdict

import (
	"net/netip"
	"time"
)

// A Tri is a flag that may be undetermined. The zero Tri is undetermined.
type Tri int8

// The values of a Tri.
const (
	Undetermined Tri = 0
	True         Tri = 1
	False        Tri = -1
)

// TriOf turns a determined flag into a Tri.
func TriOf(b bool) Tri {
	if b {
		return True
	}
	return False
}

// Ptr is the JSON form of t: nil if undetermined.
func (t Tri) Ptr() *bool {
	if t == Undetermined {
		return nil
	}
	b := t == True
	return &b
}

// Flags are properties of an address that stand beside its verdict.
type Flags struct {
	CatchAll     Tri // The domain accepts made-up recipients.
	Disposable   Tri // The domain hands out throw-away addresses.
	PrivacyRelay Tri // The domain forwards to an address its owner keeps private.
	Role         Tri // The local-part names a role, not a person.
	FreeProvider Tri // The domain is a public mail provider.
	NoReply      Tri // The local-part says that nobody reads it.
	Subaddress   Tri // The local-part carries a +tag.
	SMTPUTF8     Tri // The local-part is not ASCII.
	ImplicitMX   Tri // The domain has no MX; its address record is used, RFC 5321 §5.1.
}

// AcceptAll says what is known of a domain's habit of accepting made-up recipients.
type AcceptAll string

// The values of AcceptAll.
const (
	AcceptAllTested       AcceptAll = "tested"
	AcceptAllInconclusive AcceptAll = "inconclusive"
	AcceptAllNotTested    AcceptAll = "not_tested"
)

// A Line is one line of the SMTP dialogue.
type Line struct {
	At     time.Time
	Client bool   // Ours; otherwise the server's.
	Text   string // Without CRLF.
}

// Evidence is one thing that a mail server said, or failed to say, to us.
type Evidence struct {
	Stage    string // Of the dialogue: connect, ehlo, starttls, mail, rcpt.
	Control  bool   // About a made-up recipient.
	MX       string
	IP       netip.Addr // Zero if no address was reached.
	Source   string     // The name of the source that asked.
	TLS      string     // "" in clear, else such as "TLS1.3".
	Code     int        // 0 if no reply came.
	Enhanced string     // "" if the reply had none.
	Text     string     // The reply's text, or what went wrong instead of a reply.
	Class    string     // As what the reply was read, see pool/reply; "" if no reply came.
	Scope    string     // Whom it is about.
	Rule     string     // The rule that read the reply.
	At       time.Time
	Dialogue []Line
}

// An MX is one mail host of a domain.
type MX struct {
	Host       string
	Preference uint16
}

// An Answer is all that is said about one address.
type Answer struct {
	Email        string // As asked.
	Normalized   string // Local-part as given, domain in lower case; "" if the syntax is invalid.
	Reason       Reason // Determines verdict and subject.
	Explanation  string // "" means the reason's own sentence.
	Flags        Flags
	DidYouMean   string
	Provider     string // "" if none is known.
	ProviderMode string
	ModeNote     string // The observation behind ProviderMode, with its date.
	Domain       string // A-labels.
	MX           []MX
	Evidence     []Evidence
	AcceptAll    AcceptAll
	Stage        string // The last stage reached: syntax, dns, or one of the dialogue.
	Cached       bool
	CheckedAt    time.Time
	ExpiresAt    time.Time // Zero if not remembered.
	RetryAt      time.Time // Zero if asking again cannot change the answer.
	Took         time.Duration
	Trace        *Trace // The way to the answer, if that was asked for.
}

// Explain is the answer's sentence for a person.
func (a *Answer) Explain() string {
	if a.Explanation != "" {
		return a.Explanation
	}
	return a.Reason.Explanation()
}
