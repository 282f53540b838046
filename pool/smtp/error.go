package smtp

import (
	"errors"
	"strings"
)

var (
	// ErrUnsafeArgument is returned, before anything is sent, for a path or name that would not stay one argument
	// of its command: control characters, unquoted spaces or angle brackets, unannounced UTF-8, excess length.
	ErrUnsafeArgument = errors.New("smtp: unsafe argument")
	// ErrNullReversePath is returned, before anything is sent, for a transaction without a reverse-path. Servers
	// treat the null reverse-path as a bounce, and list who probes with it.
	ErrNullReversePath = errors.New("smtp: null reverse-path")
	// ErrNoSMTPUTF8 is returned, before anything is sent, for a transaction that needs SMTPUTF8 on a session whose
	// server did not offer it, RFC 6531 §3.1.
	ErrNoSMTPUTF8 = errors.New("smtp: the server does not offer SMTPUTF8")
	// ErrBusy is returned by Run and Usable while another Run has the session.
	ErrBusy = errors.New("smtp: session is busy")
)

// A Kind says in which way a session failed.
type Kind string

// The kinds.
const (
	KindReply        Kind = "reply"         // A complete reply ended it: a refusal, or a 421 at any time; Error.Reply has it.
	KindTimeout      Kind = "timeout"       // No reply, or no whole reply, in time.
	KindDisconnected Kind = "disconnected"  // The connection was closed or reset by the peer or by the network.
	KindProtocol     Kind = "protocol"      // What came is no SMTP reply, exceeds a limit, or answers no command.
	KindTLS          Kind = "tls"           // STARTTLS was granted and the handshake failed.
	KindInjection    Kind = "tls_injection" // Octets followed the 220 of STARTTLS in clear: someone is in between.
	KindTLSRequired  Kind = "tls_required"  // The policy is TLSRequired and the server gave none; Reply is its refusal, if any.
	KindCanceled     Kind = "canceled"      // The caller's context ended.
	KindClosed       Kind = "closed"        // We closed it: Quit or Close.
	KindArgument     Kind = "argument"      // The Config cannot be used; nothing was sent.
)

// An Error says how a session ended, or why it could not be opened.
type Error struct {
	Stage Stage // The step whose reply was due; "" if none was: the session was idle.
	Kind  Kind
	Reply Reply // The reply that ended the session; the zero Reply if none did.
	// Sent reports whether anything of a transaction left us in this Run. If not, the same recipients can be
	// asked about on another session as if nothing had happened. It is always false from Open.
	Sent bool
	// Doubtful reports that replies and commands are out of step, so that answers which the last Run reported may
	// belong to other recipients. None of them may be believed.
	Doubtful bool
	// Due is how many commands that had left us were without a reply when the session ended; the one that Reply
	// answers is among them.
	Due int
	// Opening is the dialogue so far if the session could not be opened.
	Opening []Line
	Err     error // What went wrong beneath; nil if the reply says it all.
}

// Error is the failure in words, with the reply if there was one.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("smtp: ")
	if e.Stage != "" {
		b.WriteString(string(e.Stage))
		b.WriteString(": ")
	}
	b.WriteString(string(e.Kind))
	if e.Reply.Code != 0 {
		b.WriteString(": ")
		b.WriteString(e.Reply.String())
	}
	if e.Err != nil {
		b.WriteString(": ")
		b.WriteString(e.Err.Error())
	}
	return b.String()
}

// Unwrap is the error beneath, such as os.ErrDeadlineExceeded or the cause of a canceled context.
func (e *Error) Unwrap() error { return e.Err }
