package mailworld

import (
	"net/netip"
	"time"
)

// A Domain is a name in the DNS and, if mail hosts serve it, its recipients. Names that only have records
// (the target of a CNAME, an MX with a private address) are domains as well. Hosts and sources publish their own
// addresses and need no Domain.
type Domain struct {
	// Name is the domain, in A-labels.
	Name string

	// MX are its mail hosts. With neither MX nor Host nor Addrs the domain exists and has no mail.
	MX []MX
	// Host makes the name itself an address of this host: an implicit MX if there is no other.
	Host string
	// Addrs are the A and AAAA records, in this order.
	Addrs []netip.Addr
	// ThenAddrs replaces Addrs from the second query on (a name that rebinds).
	ThenAddrs []netip.Addr
	// CNAME makes the name an alias: no other record is served.
	CNAME string
	// TXT are TXT records. {sources} is replaced by an SPF term for each of the first 8 sources.
	TXT []string
	// TTL is that of every record; 0 means five minutes.
	TTL time.Duration
	// Fault spoils the answer to every query for the name.
	Fault Fault
	// Faults spoils answers by record type ("MX", "A", "AAAA", "TXT"), where it differs from Fault.
	Faults map[string]Fault
	// Vary, unless it is nil, spoils the n-th query for the name, n from 1 on, beyond what Fault and Faults say; kind is the
	// record type, network "udp" or "tcp". It cannot say NXDomain. It must be safe for concurrent use.
	Vary func(n int, kind, network string) Fault
	// Slow delays every answer.
	Slow time.Duration

	// Mailboxes are the local-parts that are accepted, in any case. postmaster always is, unless Replies says otherwise.
	Mailboxes []string
	// Replies are replies to RCPT by local-part, in lower case.
	Replies map[string]Reply
	// Rcpt decides about recipients that neither names: it is given the forward-path; the zero Reply means unknown.
	// It must be safe for concurrent use.
	Rcpt func(path string) Reply
	// CatchAll accepts whatever is unknown.
	CatchAll bool
	// Unknown is what is said to unknown recipients. The zero Reply means the host's way of saying so.
	Unknown Reply
	// Greylist puts off every recipient; see Reply.Greylist.
	Greylist time.Duration
}

// An MX is an MX record. Host "." makes it a null MX, RFC 7505.
type MX struct {
	Preference uint16
	Host       string
}

// MXs returns MX records for hosts, with preferences 10, 20, …
func MXs(hosts ...string) []MX {
	out := make([]MX, len(hosts))
	for i, h := range hosts {
		out[i] = MX{Preference: uint16(10 * (i + 1)), Host: h}
	}
	return out
}

// NullMX returns the one MX record of a domain that takes no mail.
func NullMX() []MX { return []MX{{Preference: 0, Host: "."}} }

// A Fault is a way for the name server to fail. The zero Fault is to answer.
type Fault uint8

// The faults.
const (
	Answer       Fault = iota
	NXDomain           // The name does not exist.
	ServFail           // SERVFAIL.
	Refused            // REFUSED.
	NoAnswer           // Nothing is sent, over TCP neither.
	NoAnswerUDP        // Nothing is sent over UDP.
	Truncate           // Over UDP the answer is empty and has TC set; over TCP it is whole.
	TruncateMute       // As Truncate, and the query over TCP stays unanswered.
	FormatError        // FORMERR to a query with EDNS; without EDNS it is answered.
	WrongID            // The answer has another query's ID.
	Garbage            // The answer is not a DNS message.
	Lame               // No data, not authoritative and without an SOA.
)
