package verdict

import (
	"fmt"
	"slices"
)

// A Verdict is the answer in one word.
type Verdict string

// The four verdicts.
const (
	Deliverable   Verdict = "deliverable"
	Undeliverable Verdict = "undeliverable"
	Risky         Verdict = "risky"
	Unknown       Verdict = "unknown"
)

// Verdicts lists every verdict, in the order in which tables show them.
func Verdicts() []Verdict { return []Verdict{Deliverable, Risky, Undeliverable, Unknown} }

// A Subject says whom the evidence behind an answer is about.
type Subject string

// The subjects.
const (
	SubjectAddress Subject = "address"
	SubjectDomain  Subject = "domain"
	SubjectMX      Subject = "mx"
	SubjectSource  Subject = "source"
	SubjectSender  Subject = "sender"
	SubjectSession Subject = "session"
	SubjectLocal   Subject = "local"
)

// A Reason is one closed code that says why. A reason determines its verdict and its subject:
// there is no way to say "undeliverable" for a reason that is about this host, a source or a mail server.
// The zero Reason is not a reason; its verdict is Unknown.
type Reason string

// The reasons, grouped by verdict.
const (
	MailboxAccepted Reason = "mailbox_accepted"
	MailboxBusy     Reason = "mailbox_busy"

	AcceptedCatchAll Reason = "accepted_catch_all"
	AcceptedUntested Reason = "accepted_untested"
	MailboxFull      Reason = "mailbox_full"
	RoleAddress      Reason = "role_address"
	Disposable       Reason = "disposable"
	PrivacyRelay     Reason = "privacy_relay"

	InvalidSyntax       Reason = "invalid_syntax"
	MailboxNotFound     Reason = "mailbox_not_found"
	MailboxDisabled     Reason = "mailbox_disabled"
	MailboxMoved        Reason = "mailbox_moved"
	RecipientRefused    Reason = "recipient_refused"
	SMTPUTF8Unsupported Reason = "smtputf8_unsupported"
	DomainNotFound      Reason = "domain_not_found"
	NoMailHost          Reason = "no_mail_host"
	NullMX              Reason = "null_mx"
	MXUnroutable        Reason = "mx_unroutable"

	Greylisted           Reason = "greylisted"
	PersistentTempfail   Reason = "persistent_tempfail"
	ProviderUnverifiable Reason = "provider_unverifiable"
	UniformRefusal       Reason = "uniform_refusal"
	DNSTimeout           Reason = "dns_timeout"
	DNSFailure           Reason = "dns_failure"
	NotProbed            Reason = "not_probed"
	ServerTempfail       Reason = "server_tempfail"
	ServerBusy           Reason = "server_busy"
	RelayDenied          Reason = "relay_denied"
	ConnectTimeout       Reason = "connect_timeout"
	ConnectRefused       Reason = "connect_refused"
	TLSFailure           Reason = "tls_failure"
	TLSRequired          Reason = "tls_required"
	ProtocolError        Reason = "protocol_error"
	Disconnected         Reason = "disconnected"
	SourceBlocked        Reason = "source_blocked"
	SourceNoPTR          Reason = "source_no_ptr"
	SourceRateLimited    Reason = "source_rate_limited"
	HarvestLimited       Reason = "harvest_limited"
	AcceptSuspect        Reason = "accept_suspect"
	SenderRefused        Reason = "sender_refused"
	HELORefused          Reason = "helo_refused"
	SessionLimited       Reason = "session_limited"
	EgressBlocked        Reason = "egress_blocked"
	DeadlineExceeded     Reason = "deadline_exceeded"
	BudgetExhausted      Reason = "budget_exhausted"
	ProbeSuppressed      Reason = "probe_suppressed"
	ShuttingDown         Reason = "shutting_down"
	InternalError        Reason = "internal_error"
)

// meaning is what a reason implies.
type meaning struct {
	verdict Verdict
	subject Subject
	explain string
}

// meanings is the one place where a reason gets its verdict, its subject and its sentence.
var meanings = map[Reason]meaning{
	MailboxAccepted: {Deliverable, SubjectAddress, "The mail server accepted this recipient and refused a made-up one."},
	MailboxBusy:     {Deliverable, SubjectAddress, "The mail server says that this mailbox exists and receives too much mail just now; send later."},

	AcceptedCatchAll: {Risky, SubjectDomain, "The mail server accepts every recipient of this domain, so that it accepted this one proves nothing; only a message shows whether somebody is there."},
	AcceptedUntested: {Risky, SubjectAddress, "The mail server accepted this recipient; whether it accepts made-up ones too is not known."},
	MailboxFull:      {Risky, SubjectAddress, "The mailbox exists and is over its quota; mail to it is refused until its owner makes room."},
	RoleAddress:      {Risky, SubjectLocal, "The mail server accepts this recipient; its name is that of a role (such as info or admin), not of a person who asked for mail."},
	Disposable:       {Risky, SubjectLocal, "The mail server accepts this recipient; its domain hands out throw-away addresses, so expect it to stop working."},
	PrivacyRelay:     {Risky, SubjectLocal, "The mail server accepts this recipient; its domain forwards to an address that its owner keeps private and may cut off."},

	InvalidSyntax:       {Undeliverable, SubjectAddress, "This is not a valid e-mail address."},
	MailboxNotFound:     {Undeliverable, SubjectAddress, "The mail server says that there is no such mailbox; mail to it bounces."},
	MailboxDisabled:     {Undeliverable, SubjectAddress, "The mail server says that this mailbox is disabled or inactive; mail to it bounces for as long as it is."},
	MailboxMoved:        {Undeliverable, SubjectAddress, "The mail server says that this mailbox has moved elsewhere; its reply may say where to."},
	RecipientRefused:    {Undeliverable, SubjectAddress, "The mail server refuses mail to this recipient from outside, as it does for internal and members-only addresses."},
	SMTPUTF8Unsupported: {Undeliverable, SubjectDomain, "The local part needs SMTPUTF8 (RFC 6531), and the domain's mail servers do not offer it, so no mail can be addressed to it."},
	DomainNotFound:      {Undeliverable, SubjectDomain, "The domain does not exist; look for a typing error."},
	NoMailHost:          {Undeliverable, SubjectDomain, "The domain exists and has no mail host: neither MX nor address records, or its host says that it takes no mail."},
	NullMX:              {Undeliverable, SubjectDomain, "The domain declares that it accepts no mail (null MX, RFC 7505)."},
	MXUnroutable:        {Undeliverable, SubjectDomain, "The domain's mail hosts lead only to addresses that cannot be reached from the public Internet."},

	Greylisted:           {Unknown, SubjectAddress, "The mail server puts off whom it does not know (greylisting); it is asked again from the same source, so ask for the answer later."},
	PersistentTempfail:   {Unknown, SubjectAddress, "The mail server has put off this recipient at every visit of the whole retry schedule, and does not say whether it exists."},
	ProviderUnverifiable: {Unknown, SubjectDomain, "This provider's acceptance proves nothing: it accepts recipients that do not exist, so only a message tells them apart."},
	UniformRefusal:       {Unknown, SubjectDomain, "The mail server refuses every recipient of this domain in the same words, even postmaster; that says nothing about this one."},
	DNSTimeout:           {Unknown, SubjectDomain, "The DNS did not answer in time; that says nothing about the address, so ask again later."},
	DNSFailure:           {Unknown, SubjectDomain, "The DNS failed to answer for this domain, which is for its owner or the resolver to mend; ask again later."},
	NotProbed:            {Unknown, SubjectDomain, "The domain has mail hosts; they were not asked, because only DNS checks were wanted."},
	ServerTempfail:       {Unknown, SubjectMX, "The mail server has a temporary problem and does not say whether the recipient exists; ask again later."},
	ServerBusy:           {Unknown, SubjectMX, "The mail server is too busy to answer; ask again later."},
	RelayDenied:          {Unknown, SubjectMX, "The mail server that the DNS names says that it does not handle this domain: a fault of its setup, and no word about the mailbox."},
	ConnectTimeout:       {Unknown, SubjectMX, "No mail server of the domain could be reached in time; it may be down, or not reachable from this host."},
	ConnectRefused:       {Unknown, SubjectMX, "The domain's mail servers refuse connections or cannot be reached from this host; ask again later."},
	TLSFailure:           {Unknown, SubjectMX, "TLS with the mail server failed, so it could not be asked."},
	TLSRequired:          {Unknown, SubjectMX, "TLS is required for this mail server and could not be had, so it could not be asked."},
	ProtocolError:        {Unknown, SubjectMX, "The mail server's answer makes no sense under the SMTP protocol or to this program; the evidence has its words."},
	Disconnected:         {Unknown, SubjectMX, "The mail server closed the session before it answered; ask again later."},
	SourceBlocked:        {Unknown, SubjectSource, "The mail server blocks the source address that asked; that says nothing about the mailbox, and is for the operator of this host to mend."},
	SourceNoPTR:          {Unknown, SubjectSource, "The mail server refuses the source address because of its reverse DNS; the operator of this host has to give it a PTR record that leads back to it."},
	SourceRateLimited:    {Unknown, SubjectSource, "The mail server asks the source address to slow down, which it does; ask again later."},
	HarvestLimited:       {Unknown, SubjectSource, "The mail server has seen too many unknown recipients from the source address and has stopped answering it; ask again in some hours."},
	AcceptSuspect:        {Unknown, SubjectSource, "The mail server accepted this recipient after refusing many; it may have stopped telling the truth to this source."},
	SenderRefused:        {Unknown, SubjectSender, "The mail server refuses the sender that the question was asked with; the operator of this host should see that it exists and that its SPF record covers the sources."},
	HELORefused:          {Unknown, SubjectSender, "The mail server refuses the name that the source introduced itself with; the operator of this host should see that it resolves to the source and back."},
	SessionLimited:       {Unknown, SubjectSession, "The session's limits were reached before this recipient was answered; ask again in a minute."},
	EgressBlocked:        {Unknown, SubjectLocal, "This host cannot ask mail servers now."},
	DeadlineExceeded:     {Unknown, SubjectLocal, "The answer did not come before the caller's deadline."},
	BudgetExhausted:      {Unknown, SubjectLocal, "The allowance of questions to this mail server is spent for now, so that this host stays welcome there; ask again later."},
	ProbeSuppressed:      {Unknown, SubjectLocal, "By policy this address is not asked about."},
	ShuttingDown:         {Unknown, SubjectLocal, "The daemon is stopping; ask again once it is back."},
	InternalError:        {Unknown, SubjectLocal, "An internal error; the log has the details."},
}

// Reasons lists every reason, sorted by name.
func Reasons() []Reason {
	out := make([]Reason, 0, len(meanings))
	for r := range meanings {
		out = append(out, r)
	}
	slices.Sort(out)
	return out
}

// ParseReason returns the reason called s.
func ParseReason(s string) (Reason, error) {
	if _, ok := meanings[Reason(s)]; !ok {
		return "", fmt.Errorf("unknown reason %q", s)
	}
	return Reason(s), nil
}

// Verdict is the one verdict that r allows.
func (r Reason) Verdict() Verdict {
	if m, ok := meanings[r]; ok {
		return m.verdict
	}
	return Unknown
}

// Subject says whom the evidence behind r is about.
func (r Reason) Subject() Subject {
	if m, ok := meanings[r]; ok {
		return m.subject
	}
	return SubjectLocal
}

// Explanation is one sentence for a person.
func (r Reason) Explanation() string { return meanings[r].explain }
