package smtp

import "time"

// fly writes what is in the buffer, which holds n commands from at on, and waits until each has its reply. It reports
// whether a MAIL was refused in the transaction it ended in.
//
// The reader works all the while: a server that will not read before it has been read cannot block us (RFC 2920 §3.1
// puts that on the client).
func (s *Session) fly(at cursor, n int) (refused bool, failure *Error) {
	if e := s.launch(at, n); e != nil {
		return false, e
	}
	wrote, err := s.conn.Write(s.out)
	if err != nil {
		s.writeFailed(err)
	}
	select {
	case <-s.settled:
	case <-s.done:
	}
	return s.land(wrote > 0)
}

// land is the outcome of a flight that has ended, with the session or without it. If the last reply came first, what
// ended the session after it takes nothing back, unless it put the replies in doubt.
func (s *Session) land(sent bool) (refused bool, failure *Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil && (!s.flight.complete || s.err.Doubtful) {
		return false, s.err.sent(sent)
	}
	return s.flight.refused, nil
}

// launch makes n replies due from now on, unless the session has died meanwhile.
func (s *Session) launch(at cursor, n int) *Error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	if s.unread {
		return &Error{Kind: KindProtocol, Err: errUnasked, Doubtful: true}
	}
	f := &s.flight
	f.start(at, n, time.Now(), &s.timeouts)
	f.armed = f.deadline
	s.guard.setRead(f.deadline)
	s.asked = true
	return nil
}

// writeFailed grants a last moment to read what the server said before it closed; a 421 explains more than a reset.
func (s *Session) writeFailed(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cut = true
	f := &s.flight
	f.failing = err
	f.deadline = time.Now().Add(s.timeouts.QUIT)
	f.armed = f.deadline
	s.guard.setRead(f.deadline)
}

// sent is e with Sent set; e itself may be in other hands.
func (e *Error) sent(sent bool) *Error {
	c := *e
	c.Sent = c.Sent || sent
	return &c
}
