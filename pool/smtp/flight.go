package smtp

import (
	"slices"
	"strings"
	"time"
)

// A flight is what has been written, or is being written, and still waits for replies. The list of transactions and
// a cursor are the queue of expected replies: nothing is stored for each command. The zero flight is none.
type flight struct {
	txs      []Transaction
	on       func(Event)
	at       cursor // The oldest command without a reply.
	due      int    // How many commands have none.
	burst    bool   // More than one command was written at once.
	complete bool   // The last reply that was due has come, and was handed on.
	refused  bool   // The MAIL of the transaction at the cursor was refused.
	reported int    // Replies to RCPT that were handed on, in the whole Run.

	written  time.Time     // When the write began.
	deadline time.Time     // When it ends; zero waits for ever.
	armed    time.Time     // The read deadline that is in force.
	refusal  time.Duration // How long the last reply took, if it refused a recipient; else 0.
	failing  error         // The write failed: what has arrived is read, nothing more is waited for.
}

// stage is the step whose reply is due; "" if none is.
func (f *flight) stage() Stage {
	if f.due == 0 {
		return ""
	}
	return f.at.stage(f.txs)
}

// start begins the wait for the replies to n commands from at on.
func (f *flight) start(at cursor, n int, now time.Time, timeouts *Timeouts) {
	f.at, f.due, f.burst, f.complete = at, n, n > 1, false
	f.written = now
	f.deadline = now.Add(timeouts.of(f.stage()))
}

// advance takes the oldest command out of the queue; its reply was read at now.
func (f *flight) advance(now time.Time, timeouts *Timeouts) {
	f.at = f.at.next(f.txs)
	f.due--
	if f.due > 0 && f.failing == nil {
		f.deadline = now.Add(timeouts.of(f.stage()))
	}
}

// names reports whether reply names a recipient of the transaction at the cursor.
func (f *flight) names(reply Reply) bool {
	text := reply.Text()
	return strings.Contains(text, "@") &&
		slices.ContainsFunc(f.txs[f.at.tx].Recipients, func(path string) bool { return strings.Contains(text, path) })
}

// An Event is a reply to MAIL or to one RCPT.
type Event struct {
	Tx     int // Index of the transaction.
	Rcpt   int // Index of the recipient; -1 for MAIL.
	Reply  Reply
	SentAt time.Time // When the write of the command, or of the flight it was in, began.
}
