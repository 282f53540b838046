package pool

import (
	"errors"
	"fmt"

	"github.com/verimails/verimaild/pool/smtp"
)

// failures is what the ways in which a session fails are to those who waited for it.
var failures = map[smtp.Kind]Failure{
	smtp.KindReply:        FailDisconnected,
	smtp.KindDisconnected: FailDisconnected,
	smtp.KindTimeout:      FailTimeout,
	smtp.KindProtocol:     FailProtocol,
	smtp.KindTLS:          FailTLS,
	smtp.KindInjection:    FailTLS,
	smtp.KindTLSRequired:  FailTLSRequired,
	smtp.KindCanceled:     FailClosed,
	smtp.KindClosed:       FailClosed,
	smtp.KindArgument:     FailInternal,
}

// end sets in o what ended its session before there was a reply to its recipient.
//
// A reply is quoted only if it was about the session. One that answered some other recipient's RCPT, or nobody knows
// whose, is not this recipient's to see: neither as evidence, nor as text in which the other's address may stand.
func (o *Outcome) end(err error, r reader) {
	e, ok := errors.AsType[*smtp.Error](err)
	if !ok || e == nil {
		o.Failure, o.Detail = FailDisconnected, "the session ended before the reply"
		return
	}
	own := e.Stage != smtp.StageRCPT
	switch {
	case e.Kind != smtp.KindReply:
		o.Failure = failures[e.Kind]
		o.Detail = fmt.Sprintf("the session ended before the reply: %s", e.Kind)
		if own && !e.Doubtful && e.Reply.Code == 0 {
			o.Detail = e.Error()
		}
	case own && e.Reply.Code >= 400:
		o.Stage, o.Reply, o.At = e.Stage, e.Reply, e.Reply.At
		if o.Stage == "" { // It came while the session was idle; MAIL is what would have come next.
			o.Stage = smtp.StageMAIL
		}
		o.Meaning = r.read(o.Stage, &o.Reply)
	default:
		o.Failure = FailDisconnected
		o.Detail = fmt.Sprintf("the server ended the session with %d in answer to another command", e.Reply.Code)
	}
}
