package mailworld

import (
	"net/netip"
	"time"
)

// A Host is a mail host and its behaviour. The zero behaviour is that of a small Postfix: PIPELINING, 8BITMIME, SIZE,
// DSN and ENHANCEDSTATUSCODES, no STARTTLS, recipients of the domains whose MX it is, no limits.
// [Postfix], [Exim] and others return hosts with the limits that these programs have by default.
type Host struct {
	// Name is the name in its greeting and in its A record.
	Name string
	// Style is whose texts it uses.
	Style Style

	// Network is how connections to it fare.
	Network Network
	// Addresses is how many addresses it has; 0 means one.
	Addresses int
	// DeadAddresses are listed before them in the DNS, and refuse connections.
	DeadAddresses int
	// IPv6 gives it an AAAA record: on sockets ::1, for one host of the world; in memory one of its own.
	IPv6 bool
	// DeadIPv6 gives it an AAAA record at which nothing listens.
	DeadIPv6 bool
	// NoIPv4 leaves out the A records.
	NoIPv4 bool
	// Window replaces Spec.Window for its connections, in memory.
	Window int

	Greeting   Greeting
	EHLO       EHLO
	TLS        TLS
	Pipelining Pipelining
	// SMTPUTF8 offers and takes the extension, RFC 6531.
	SMTPUTF8 bool

	// Senders are replies to MAIL by reverse-path, by "@domain", or by "*" for any; in lower case.
	Senders map[string]Reply
	// NoSender is what RCPT is answered with outside a transaction. The zero Reply means 503.
	NoSender Reply
	// Rcpt is asked before the domain about its recipients. The zero Reply leaves it to the domain.
	// It must be safe for concurrent use.
	Rcpt func(path string) Reply
	// Unknown is what recipients are told that are unknown in their domain. The zero Reply means a text of the Style.
	Unknown Reply
	// Relay accepts recipients of domains that it is no MX of, if the world knows the domain.
	Relay bool
	// NoRelay is what recipients of other domains are told. The zero Reply means 554 5.7.1, relay access denied.
	NoRelay Reply
	// Greylist puts off every recipient; see Reply.Greylist.
	Greylist time.Duration
	// Greylisted is what is said to who is put off, by whatever greylist. The zero Reply means 450 4.2.0 and the delay.
	Greylisted Reply

	// Replies replaces replies by verb ("RSET", "QUIT", …). For "RCPT" it comes after limits and blocks,
	// for "DATA" the violation is kept all the same.
	Replies map[string]Reply
	// Slow delays replies by verb, in addition to Reply.Delay; "*" is for all others.
	Slow map[string]time.Duration
	// Blocks refuse sources.
	Blocks []Block
	// Limits are what it bears.
	Limits Limits
	// Harvest is its defence against directory harvesting.
	Harvest Harvest
	// Glitches are what goes wrong in its sessions.
	Glitches []Glitch
	// Wire is how its bytes travel.
	Wire Wire
	// Vary, unless it is nil, changes the behaviour of the n-th session since the world began, n from 1 on, for that session
	// alone: it is given a copy, whose maps and slices are the host's own. Name, addresses, DNS and whether anything
	// listens stay. It must be safe for concurrent use.
	Vary func(n int, h *Host)
	// Script, if there is one, replaces all of the above but Network, Window and TLS: the steps are played in each connection.
	Script []Step
}

// Network is how connections to a host fare.
type Network uint8

// The ways.
const (
	Listening     Network = iota
	RefuseConnect         // Nothing listens: connection refused.
	BlackHole             // Connections are never established.
	Mute                  // Connections are established; nothing is ever said.
	CloseOnAccept         // Connections are closed at once.
	ResetOnAccept         // Connections are reset at once.
)

// Greeting is how a session begins.
type Greeting struct {
	// Teaser is sent first, as a line of a multi-line reply ("220-…"), the way postscreen does. Only its Delay and Text count.
	Teaser Reply
	// Reply is the (rest of the) greeting; its Delay counts from the accept. The zero Reply means 220 at once.
	Reply Reply
	// EarlyTalker is said instead to a client that talks before the greeting is complete. The zero Reply lets it pass;
	// a violation is kept in any case.
	EarlyTalker Reply
}

// EHLO is how a host answers EHLO.
type EHLO struct {
	// Reply replaces the list of keywords: a refusal. It does not concern HELO.
	Reply Reply
	// HELO replaces the reply to HELO.
	HELO Reply
	// Keywords replaces the lines after the first; as they are, so "pipelining" and "AUTH=LOGIN" are possible.
	// They are what is printed; what works is said by the other fields.
	Keywords []string
	// TLSKeywords is Keywords once TLS is on. Nil means the same as in clear, without STARTTLS.
	TLSKeywords []string
	// More are lines added to the usual ones.
	More []string
	// Once refuses a second EHLO with 503, as OpenSMTPD does.
	Once bool
}

// Pipelining is what a host makes of several commands in one flight, RFC 2920.
type Pipelining uint8

// The kinds.
const (
	PipeliningOn        Pipelining = iota
	PipeliningOff                  // Not offered; commands are answered all the same, and a violation is kept.
	PipeliningCloses               // Not offered; a command sent too early gets 500 5.5.1, and the session is closed.
	PipeliningSwallows             // Offered, and broken: what arrived with the first command of a flight is lost.
	PipeliningConfused             // Offered, and broken: all but the first command of a flight get 500.
	PipeliningBeforeTLS            // Offered and working until TLS is on.
	PipeliningAfterTLS             // Offered and working once TLS is on.
)

// TLS is what a host makes of STARTTLS.
type TLS struct {
	Mode TLSMode
	// Required answers MAIL in clear with 530 5.7.0.
	Required bool
	// Inject is sent in the same segment as the 220 of TLSInject.
	Inject string
}

// TLSMode is what happens at STARTTLS.
type TLSMode uint8

// The modes.
const (
	NoTLS       TLSMode = iota // Not offered; 502 if asked.
	TLSOn                      // Works, with a self-signed certificate.
	TLSTempFail                // Offered; answered with 454.
	TLSRefused                 // Offered; answered with 502.
	TLSGarbage                 // The handshake is answered with plain text.
	TLSAbort                   // The connection is closed at the ClientHello.
	TLSHang                    // The handshake is never answered.
	TLSInject                  // TLS.Inject follows the 220 in the same segment; then the handshake is tried.
	TLSOld                     // TLS 1.0 only.
	TLSExpired                 // Works, with an expired certificate.
)

// Block refuses clients by their address.
type Block struct {
	// At is where the refusal is said.
	At Stage
	// Sources are numbers of source addresses ([World.SourceAddr]), Prefixes networks. With neither it holds for everyone.
	Sources  []int
	Prefixes []netip.Prefix
	// Reply is what is said. The zero Reply means a 554 that names the client's address.
	Reply Reply
}

// Stage is a step of the dialogue.
type Stage uint8

// The stages at which a Block may act.
const (
	AtConnect Stage = iota
	AtEHLO
	AtMAIL
	AtRCPT
)

// Wire is how the bytes of a host's replies travel.
type Wire struct {
	// LineEnd ends reply lines. "" means CRLF.
	LineEnd string
	// Segment is how many bytes are written at once; 0 means as many as there are.
	Segment int
	// Gap is the pause between segments.
	Gap time.Duration
	// Hold keeps replies back until this much time has passed, so that several arrive in one segment.
	Hold time.Duration
}
