package apitype

import "time"

// The four verdicts, the values of [Answer.Verdict].
const (
	Deliverable   = "deliverable"   // Mail to this address arrives.
	Undeliverable = "undeliverable" // Mail to this address bounces.
	Risky         = "risky"         // Mail is accepted, or was, and something stands against relying on it.
	Unknown       = "unknown"       // It could not be found out; Reason says why, RetryAt when to ask again.
)

// An Answer says whether one address can receive mail, and how that is known.
// The body of a 200 reply of /v1/verify is one Answer.
type Answer struct {
	Email       string `json:"email"`       // As asked.
	Normalized  string `json:"normalized"`  // Local-part as given, domain in lower-case A-labels; null if the syntax is invalid.
	Verdict     string `json:"verdict"`     // One of the four verdicts.
	Reason      string `json:"reason"`      // One closed code; it determines Verdict and Subject.
	Subject     string `json:"subject"`     // Whom the evidence is about: address, domain, mx, source, sender, session, local.
	Explanation string `json:"explanation"` // One sentence for a person.
	Flags       Flags  `json:"flags"`

	DidYouMean string  `json:"did_you_mean"` // A likelier spelling, never applied; null if there is none.
	Provider   string  `json:"provider"`     // The provider's id; null if none is known.
	Domain     *Domain `json:"domain"`       // null if the syntax is invalid.

	Evidence []Evidence `json:"evidence"` // In the order in which it came.

	Cached    bool      `json:"cached"`     // The answer was remembered; no mail server was asked for it now.
	CheckedAt time.Time `json:"checked_at"` // When the evidence was gathered.
	ExpiresAt time.Time `json:"expires_at"` // Until when it is remembered, in whole seconds; null if it is not.
	RetryAt   time.Time `json:"retry_at"`   // From when asking again can change the answer, in whole seconds; null if time alone does not.
	TookMS    int64     `json:"took_ms"`    // How long this request took, in milliseconds.

	AcceptAll    string `json:"accept_all"`    // Whether made-up recipients were tried: tested, inconclusive, not_tested; null if that does not apply.
	Stage        string `json:"stage"`         // The last stage reached: syntax, dns, connect, ehlo, starttls, mail, rcpt.
	ProviderMode string `json:"provider_mode"` // How far the provider can be asked: probe, weak, no_signal, skip; null if no provider is known.
	ProviderNote string `json:"provider_note"` // The observation behind ProviderMode, with its date; null if there is none.

	Trace *Trace `json:"trace"` // The way to the answer; null unless it was asked for (VerifyRequest.Explain).
}

// Flags are properties of an address that stand beside its verdict. nil means not determined.
type Flags struct {
	CatchAll     *bool `json:"catch_all"`     // The domain accepts made-up recipients.
	Disposable   *bool `json:"disposable"`    // The domain hands out throw-away addresses.
	PrivacyRelay *bool `json:"privacy_relay"` // The domain forwards to an address that its owner keeps private.
	Role         *bool `json:"role"`          // The local-part names a role, not a person.
	FreeProvider *bool `json:"free_provider"` // Anybody can get an address at this domain for nothing.
	NoReply      *bool `json:"no_reply"`      // The local-part says that nobody reads it.
	Subaddress   *bool `json:"subaddress"`    // The local-part carries a +tag.
	SMTPUTF8     *bool `json:"smtputf8"`      // The local-part is not ASCII, RFC 6531.
	ImplicitMX   *bool `json:"implicit_mx"`   // The domain has no MX; its own address is its mail host, RFC 5321 §5.1.
}

// A Domain is what the DNS says of an address's domain.
type Domain struct {
	ASCII string `json:"ascii"` // A-labels.
	MX    []MX   `json:"mx"`    // Empty if there is none or it was not looked up; Answer.Stage tells which.
}

// An MX is one mail host of a domain.
type MX struct {
	Host       string `json:"host"`
	Preference uint16 `json:"preference"` // The lowest is tried first.
}

// Evidence is one thing that a mail server said, or failed to say.
type Evidence struct {
	Stage    string    `json:"stage"`    // Of the SMTP dialogue: connect, ehlo, starttls, mail, rcpt; or report.
	Control  bool      `json:"control"`  // About a made-up recipient of the same domain.
	MX       string    `json:"mx"`       // The mail host; null if none was reached.
	IP       string    `json:"ip"`       // Its address; null if none was reached.
	Source   string    `json:"source"`   // The name of the source address that asked; of a report, the application. null if none did.
	TLS      string    `json:"tls"`      // Such as "TLS1.3"; null in clear.
	Code     int       `json:"code"`     // The reply code; null if no reply came.
	Enhanced string    `json:"enhanced"` // The enhanced status code, RFC 3463; null if the reply had none.
	Text     string    `json:"text"`     // The reply's text, or what went wrong instead of a reply.
	Class    string    `json:"class"`    // What the reply was read as; null if no reply came.
	Scope    string    `json:"scope"`    // Whom the reply is about: mailbox, domain, sender, session, route, source_site, source, site; null if no reply came.
	At       time.Time `json:"at"`
	Rule     string    `json:"rule"`     // The name of the rule that read the reply; null if none did.
	Dialogue []Line    `json:"dialogue"` // What was said up to here; empty if it was not kept.
}

// StageReport is the stage of evidence that is no dialogue: an application reported what became of a message that it
// sent. Source is the application, Text the bounce or "delivered".
const StageReport = "report"

// The values of [Line.From].
const (
	FromClient = "client" // Said by verimaild.
	FromServer = "server" // Said by the mail server.
)

// A Line is one line of an SMTP dialogue, without its CRLF.
type Line struct {
	At   time.Time `json:"at"`
	From string    `json:"from"` // client or server.
	Text string    `json:"text"`
}
