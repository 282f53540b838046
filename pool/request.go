package pool

import (
	"iter"
	"net/netip"
	"strconv"
	"time"

	"github.com/verimails/verimaild/pool/reply"
	"github.com/verimails/verimaild/pool/smtp"
)

// A Class says how urgent a probe is.
type Class uint8

// The classes.
const (
	Interactive Class = iota // Somebody waits for the answer; goes before bulk, but for one transaction in five.
	Bulk                     // A row of a list.
	classes
)

// A Host is a mail host of a domain, with the addresses that its name resolved to.
type Host struct {
	Name       string // Lower case, no trailing dot.
	Preference uint16
	Addrs      []netip.Addr
}

// A Recipient is one forward-path to ask about. The same path always belongs to the same domain.
type Recipient struct {
	Path     string // As in RCPT TO:<Path>, RFC 5321 §4.1.2; quoted where needed, domain in A-labels.
	SMTPUTF8 bool   // The local-part is not ASCII, RFC 6531.
	Control  bool   // Made up, to show whether the domain accepts everything.
}

// A Request is an ordered group of recipients of one domain.
type Request struct {
	Domain     string // A-labels, lower case.
	Hosts      []Host // The domain's mail hosts, best preference first.
	Recipients []Recipient
	App        string // The application that asks; applications share a path by turns.
	Weight     int    // Of the application: how many turns it has for one of another's. 0 means 1.
	Class      Class
	Source     string // Asks from this source only, as a greylisted retry must; "" lets the pool choose.

	// Along says that the recipients after the first are worth asking about only if that is accepted: if it is not, those
	// that did not go with it in one write are dropped with FailCanceled.
	Along bool

	// Awaited tells how many more questions to the same hosts have waited for a recipient's outcome, and are about to come
	// now that it is there: until they have, sessions there keep their place for a moment, however many others want one. It
	// is called under the pool's lock, must not call the pool nor block, and may be nil: nothing waits.
	Awaited func(o *Outcome) int

	// Deadline is when the caller has to have its outcomes. What allowances and queues let nobody answer until then is
	// answered at once with FailBudget. Zero waits for as long as it takes.
	Deadline time.Time
}

// A Failure says why a recipient got no reply. The zero Failure means that it got one.
type Failure string

// The failures.
const (
	FailNone           Failure = ""
	FailConnectTimeout Failure = "connect_timeout" // No host answered in time.
	FailConnectRefused Failure = "connect_refused" // No host could be connected to.
	FailTLS            Failure = "tls_failure"     // TLS was tried and failed, in clear too.
	FailTLSRequired    Failure = "tls_required"    // Configured as required, and not offered.
	FailProtocol       Failure = "protocol_error"  // What came is not SMTP.
	FailDisconnected   Failure = "disconnected"    // The session ended before the reply.
	FailTimeout        Failure = "timeout"         // The session was open; the reply did not come in time.
	FailUnroutable     Failure = "unroutable"      // The guard let no address of any host be dialled.
	FailNoSMTPUTF8     Failure = "smtputf8"        // The local-part needs SMTPUTF8 and the host does not offer it.
	FailNoSource       Failure = "no_source"       // No usable source; the fault is on this host.
	FailBudget         Failure = "budget"          // An allowance is spent; RetryAt says until when.
	FailCanceled       Failure = "canceled"        // Dropped from the queue, because nobody wanted it any more.
	FailClosed         Failure = "closed"          // The pool is stopping.
	FailInternal       Failure = "internal"        // A fault of this program.
)

// An Outcome is what came of one recipient.
// Either Reply is set, and Meaning is what it was read as, or Failure is.
// A reply at a stage before RCPT is about the session, and therefore about every recipient that waited for it.
type Outcome struct {
	Recipient Recipient
	Stage     smtp.Stage // The stage of the reply or the failure.
	Reply     smtp.Reply
	Meaning   reply.Meaning
	Failure   Failure
	Detail    string // What went wrong, for a person, where Failure is set.

	Provider string     // The provider that the hosts belong to; "" if none is known.
	Source   string     // The source that asked; "" if none did.
	Host     string     // The mail host that answered, or the last one tried.
	Fallback bool       // Host is not of the domain's best preference.
	IP       netip.Addr // Zero if no address was dialled.
	TLS      string     // "" in clear, else such as "TLS1.3".
	At       time.Time

	// RetryAt is when asking again can bring something new, where the pool knows it; else zero.
	RetryAt time.Time

	// PathRefusals is how many dead recipients the site has told this network prefix of within the last hour, this one
	// included. Harvest defences go by it: past their limit some accept everything.
	PathRefusals int

	sender  string      // The reverse-path of its transaction.
	opening []smtp.Line // Shared by all outcomes of a session.
	mail    command     // MAIL of its transaction.
	rcptAt  time.Time   // When its RCPT was written; zero if it was not.
	utf8    bool        // MAIL carried SMTPUTF8.

	// Remembered says that nothing was asked: the reply was given earlier, at At, and for as long as RetryAt nothing is
	// asked from this source.
	Remembered bool
}

// A command is when it was written, and the reply to it. Both may be missing.
type command struct {
	at    time.Time
	reply smtp.Reply
}

// sent notes in o the transaction that its recipient was part of.
func (o *Outcome) sent(f *flight, b *batch) {
	o.sender, o.utf8 = f.sender, b.utf8()
	o.mail = command{b.mail.at, b.mail.reply}
}

// Dialogue is the outcome's part of the session: its opening, MAIL, and this recipient's RCPT.
// Other recipients of the same transaction are not in it.
func (o *Outcome) Dialogue() iter.Seq[smtp.Line] {
	return func(yield func(smtp.Line) bool) {
		if o.Remembered {
			replyLines(&o.Reply, yield)
			return
		}
		for _, l := range o.opening {
			if !yield(l) {
				return
			}
		}
		if o.mailLines(yield) {
			o.rcptLines(yield)
		}
	}
}

// mailLines yields what was said about MAIL, if anything was. It reports whether to go on, like the others here.
func (o *Outcome) mailLines(yield func(smtp.Line) bool) bool {
	if o.mail.at.IsZero() {
		return true
	}
	text := "MAIL FROM:<" + o.sender + ">"
	if o.utf8 {
		text += " SMTPUTF8"
	}
	return yield(smtp.Line{At: o.mail.at, Client: true, Text: text}) && replyLines(&o.mail.reply, yield)
}

// rcptLines yields what was said about RCPT, if anything was.
func (o *Outcome) rcptLines(yield func(smtp.Line) bool) bool {
	if o.rcptAt.IsZero() {
		return true
	}
	said := yield(smtp.Line{At: o.rcptAt, Client: true, Text: "RCPT TO:<" + o.Recipient.Path + ">"})
	return said && (o.Stage != smtp.StageRCPT || replyLines(&o.Reply, yield))
}

// replyLines yields a reply line by line, code and all.
func replyLines(r *smtp.Reply, yield func(smtp.Line) bool) bool {
	code, enhanced := strconv.Itoa(r.Code), r.Enhanced.String()
	if enhanced != "" {
		enhanced += " "
	}
	for i, text := range r.Lines {
		sep := "-"
		if i == len(r.Lines)-1 {
			sep = " "
		}
		if !yield(smtp.Line{At: r.At, Text: code + sep + enhanced + text}) {
			return false
		}
	}
	return true
}
