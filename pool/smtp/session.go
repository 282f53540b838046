package smtp

import (
	"net"
	"sync"
)

// A Session is one SMTP session that got as far as a reply to EHLO. Open makes it; Quit or Close must end it, also
// after it has died by itself.
//
// One goroutine at a time may use Run and Quit. All other methods may be called at any time from any goroutine, but
// Run, Quit and Close not from the function given to Run.
//
// A goroutine of the session reads for as long as it lives, and so notices at once when the server closes or speaks
// unasked. It costs no time while the session is idle.
type Session struct {
	conn       net.Conn // What is spoken on: the TLS layer, if there is one, of guard.conn.
	guard      guard
	in         replyReader // The reader's own once Open has returned.
	timeouts   Timeouts
	pipelining bool // Offered and wanted.

	ext        Extensions
	tlsVersion string // Such as "TLS1.3"; "" in clear.
	opening    []Line

	reader  sync.WaitGroup
	done    chan struct{} // Closed by the reader when it ends; err is set by then.
	settled chan struct{} // Holds one token: the reader has matched the last reply that was due.
	out     []byte        // The buffer of Run's writes; kept if it is small.

	// mu guards what follows: what is due, on which Run and the reader must agree. It is never held while
	// reading, writing or calling back.
	mu      sync.Mutex
	err     *Error // Why the session is dead; nil while it lives.
	running bool
	run     uint64 // Counts Runs, so that a late cancellation cannot hit the next one.
	flight  flight
	unread  bool // Octets came that no command had asked for.
	cut     bool // A write was cut short: a further command would be read as its rest.
	leaving bool // QUIT was sent, or is about to be.
	asked   bool // Some command of a transaction was sent.
}

// Extensions are those of the last EHLO reply; under TLS, of the one that came under TLS.
func (s *Session) Extensions() Extensions { return s.ext }

// Opening is the dialogue from the greeting to the last EHLO, at most 64 lines and 8 KiB. It is shared and must not
// be changed.
func (s *Session) Opening() []Line { return s.opening }

// TLSVersion is the version of TLS in use, such as "TLS1.3"; "" in clear.
func (s *Session) TLSVersion() string { return s.tlsVersion }

// Done is closed when the session is dead: nothing can be asked on it, and Err says why.
func (s *Session) Done() <-chan struct{} { return s.done }

// Err says why the session is dead, as an *Error; nil while it lives. The session was idle if its Stage is "".
func (s *Session) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		return nil
	}
	return s.err
}

// Usable is nil if Run may be called: no reply is due, none came unasked, the last RSET was done, the server has not
// closed and no 421 was seen. Otherwise it is ErrBusy, or an *Error that says what is wrong. It takes no round trip.
func (s *Session) Usable() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.usableLocked()
}

func (s *Session) usableLocked() error {
	switch {
	case s.err != nil:
		return s.err
	case s.running:
		return ErrBusy
	case s.leaving:
		return &Error{Kind: KindClosed}
	case s.unread:
		return &Error{Kind: KindProtocol, Err: errUnasked}
	default:
		return nil
	}
}

// dieLocked makes e the reason for the session's death, unless it is dead, and ends what is being read or written.
func (s *Session) dieLocked(e *Error) {
	if s.err == nil {
		e.Due = s.flight.due
		s.err = e
	}
	s.guard.trip()
}
