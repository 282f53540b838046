package smtp

import (
	"errors"
	"io"
	"net"
	"time"
)

// lingering is how long the rest of something that came unasked is waited for: a 421 is worth reading to its end.
const lingering = time.Second

// readLoop reads replies until the session is dead. It is the session's only reader after Open.
func (s *Session) readLoop() {
	defer close(s.done)
	for {
		reply, err := s.in.readReply()
		if err != nil {
			s.readFailed(err)
			return
		}
		if !s.take(reply) {
			return
		}
	}
}

// A wire is the session as the reply reader reads it: each read has the deadline of the reply that is due, and what
// comes while none is due marks the session before anyone can use it.
type wire Session

// Read implements io.Reader.
func (w *wire) Read(p []byte) (int, error) {
	s := (*Session)(w)
	s.arm()
	n, err := s.conn.Read(p)
	if n > 0 {
		s.notice()
	}
	return n, err
}

// arm puts the deadline of the oldest reply that is due in force.
func (s *Session) arm() {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := &s.flight
	if f.due > 0 && !f.deadline.Equal(f.armed) {
		f.armed = f.deadline
		s.guard.setRead(f.deadline)
	}
}

// notice marks the session if octets have come while no reply was due.
func (s *Session) notice() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.flight.due == 0 && !s.leaving {
		s.strayLocked()
	}
}

// strayLocked marks the session as having been told something it did not ask for.
func (s *Session) strayLocked() {
	if !s.unread {
		s.unread = true
		s.guard.setRead(time.Now().Add(lingering))
	}
}

// take matches a reply with the command it answers, and reports whether the session goes on.
func (s *Session) take(reply Reply) bool {
	s.mu.Lock()
	if s.flight.due == 0 {
		s.dieLocked(s.strayReplyLocked(reply))
		s.mu.Unlock()
		return false
	}
	if s.in.surplus(s.flight.due - 1) {
		// Known before any of them is handed on, as servers answer a pipelined group in one segment.
		s.dieLocked(&Error{Stage: s.flight.stage(), Kind: KindProtocol, Reply: reply, Doubtful: true, Err: errSurplus})
		s.mu.Unlock()
		return false
	}
	event, report := s.matchLocked(reply)
	on := s.flight.on
	s.mu.Unlock()

	if report && on != nil {
		on(event)
	}
	return s.settle()
}

// settle wakes Run if the last reply has been matched, and reports whether the session goes on. What came behind that
// reply answers nothing; then Run is left to wait until it is known what it was.
func (s *Session) settle() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return false
	}
	if s.flight.due > 0 {
		return true
	}
	s.flight.complete = true
	if s.in.buffered() > 0 {
		s.strayLocked()
		return true
	}
	s.settled <- struct{}{} // Never blocks: Run takes each token before it makes replies due again.
	return true
}

// strayReplyLocked is the failure of a session that was told something unasked. Unless it is a farewell, some command
// had two replies, and then nobody can say which was which.
func (s *Session) strayReplyLocked(reply Reply) *Error {
	switch {
	case s.leaving:
		return &Error{Kind: KindClosed, Reply: reply}
	case farewell(reply):
		return &Error{Kind: KindReply, Reply: reply}
	default:
		return &Error{
			Kind: KindProtocol, Reply: reply, Doubtful: s.asked,
			Err: errSurplus,
		}
	}
}

// farewell reports whether a reply that was not asked for is the server taking leave: 421 (RFC 5321 §3.8), 221, or a
// timeout in words of its own ("451 4.4.2 Timeout - closing connection").
func farewell(reply Reply) bool {
	return reply.Code == 421 || reply.Code == 221 || reply.Enhanced.Subject == 4 && reply.Enhanced.Detail == 2
}

// matchLocked gives reply to the oldest command without one. It reports whether the reply is to be handed on.
func (s *Session) matchLocked(reply Reply) (event Event, report bool) {
	f := &s.flight
	stage := f.stage()
	reply.Took = reply.At.Sub(f.written)
	event = Event{Tx: f.at.tx, Rcpt: f.at.cmd, Reply: reply, SentAt: f.written}
	report = s.judgeLocked(stage, reply)
	f.advance(reply.At, &s.timeouts)
	return event, report
}

// judgeLocked decides what a reply does to the session, and whether it is to be handed on.
func (s *Session) judgeLocked(stage Stage, reply Reply) (report bool) {
	if e := s.outOfPlaceLocked(stage, reply); e != nil {
		s.dieLocked(e)
		return false
	}
	f := &s.flight
	f.refusal = 0
	switch stage {
	case StageMAIL:
		f.refused = !reply.Positive()
		report = true
	case StageRCPT:
		if !reply.Positive() {
			f.refusal = reply.Took
		}
		if report = !f.refused; report {
			f.reported++
		}
	}
	if reply.Code == 421 || stage == StageRSET && !reply.Positive() {
		s.dieLocked(&Error{Stage: stage, Kind: KindReply, Reply: reply})
	}
	return report
}

// outOfPlaceLocked is the failure of a session in which reply cannot be the answer to a command of this stage, nil if
// it can. RFC 5321 §4.2.1: 3yz asks for more, and nothing of ours has more; x2y is about the connection, not about a
// path; x50 to x53 are about a mailbox, and a RSET that seems to get one has got its neighbour's, as has one whose reply
// names a recipient.
func (s *Session) outOfPlaceLocked(stage Stage, reply Reply) *Error {
	asks := reply.Code/100 == 3
	other := stage != StageRSET && reply.Positive() && reply.Code/10 != 25
	neighbours := s.flight.burst && stage == StageRSET && reply.Code != 421 &&
		(!reply.Positive() && reply.Code%100 >= 50 && reply.Code%100 <= 53 || s.flight.names(reply))
	switch {
	case reply.Code == 221:
		return &Error{Stage: stage, Kind: KindReply, Reply: reply}
	case asks, other, neighbours:
		return &Error{
			Stage: stage, Kind: KindProtocol, Reply: reply, Doubtful: s.flight.burst,
			Err: protocolError("reply out of place"),
		}
	default:
		return nil
	}
}

// readFailed ends the session because no reply could be read.
func (s *Session) readFailed(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := &s.flight
	e := readError(f.stage(), err)
	switch {
	case s.leaving:
		e = &Error{Kind: KindClosed, Err: err}
	case f.failing != nil && e.Kind == KindTimeout:
		e.Kind, e.Err = KindDisconnected, f.failing
	case f.due == 0 && e.Kind != KindDisconnected:
		e.Kind, e.Doubtful = KindProtocol, s.asked
	case e.Kind == KindTimeout:
		// Fewer replies than commands: if the server has left one out, each later one went to the wrong
		// command.
		e.Doubtful = f.burst && f.reported > 0
	}
	s.dieLocked(e)
}

// readError says in which way reading a reply failed.
func readError(stage Stage, err error) *Error {
	e := &Error{Stage: stage, Kind: KindDisconnected, Err: err}
	var timeout net.Error
	switch _, malformed := errors.AsType[protocolError](err); {
	case malformed:
		e.Kind = KindProtocol
	case errors.As(err, &timeout) && timeout.Timeout():
		e.Kind = KindTimeout
	case errors.Is(err, io.ErrNoProgress):
		e.Kind = KindProtocol
	}
	return e
}
