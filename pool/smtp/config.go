package smtp

import "time"

// A TLSPolicy says what becomes of a server's offer of STARTTLS, RFC 3207.
type TLSPolicy uint8

// The TLS policies.
const (
	// TLSOpportunistic takes the offer and goes on in clear without one, RFC 7435. It is the zero value.
	TLSOpportunistic TLSPolicy = iota
	// TLSNever ignores the offer.
	TLSNever
	// TLSRequired ends the session if there is no offer or the server takes it back. It asks for encryption and no
	// more: the certificate is not verified, for the names of mail hosts come from DNS, which is not authenticated
	// either.
	TLSRequired
)

// Timeouts bound how long each reply is waited for. A zero field means its default.
//
// In a pipelined flight the clock starts anew with every reply, so a server that takes 20 seconds over each recipient
// is waited out. RFC 5321 §4.5.3.2 asks for five minutes where mail is at stake; who only asks loses nothing by giving
// up earlier.
type Timeouts struct {
	Greeting time.Duration // Default 60s.
	EHLO     time.Duration // Default 30s; HELO too.
	STARTTLS time.Duration // Default 30s.
	TLS      time.Duration // The whole handshake. Default 30s.
	MAIL     time.Duration // Default 30s.
	RCPT     time.Duration // Default 60s.
	RSET     time.Duration // Default 20s.
	QUIT     time.Duration // How long Quit takes at most. Default 1s.
}

// withDefaults is t with its zero fields filled in.
func (t Timeouts) withDefaults() Timeouts {
	for _, f := range []struct {
		field *time.Duration
		def   time.Duration
	}{
		{&t.Greeting, 60 * time.Second},
		{&t.EHLO, 30 * time.Second},
		{&t.STARTTLS, 30 * time.Second},
		{&t.TLS, 30 * time.Second},
		{&t.MAIL, 30 * time.Second},
		{&t.RCPT, 60 * time.Second},
		{&t.RSET, 20 * time.Second},
		{&t.QUIT, time.Second},
	} {
		if *f.field == 0 {
			*f.field = f.def
		}
	}
	return t
}

// of is how long the reply to a command of a transaction is waited for.
func (t *Timeouts) of(stage Stage) time.Duration {
	switch stage {
	case StageMAIL:
		return t.MAIL
	case StageRCPT:
		return t.RCPT
	default:
		return t.RSET
	}
}

// A Config says how to open a session.
type Config struct {
	// LocalName is the argument of EHLO: a host name of at least two labels, or an address literal.
	LocalName string
	// ServerName is the mail host's name, for SNI. Empty sends no SNI.
	ServerName string
	// TLS is the policy for STARTTLS. The zero value is TLSOpportunistic.
	TLS TLSPolicy
	// Timeouts bound the waiting. The zero value means the defaults.
	Timeouts Timeouts
	// NoPipelining sends one command at a time whatever the server offers.
	NoPipelining bool
}
