package smtp

import "time"

// Quit takes leave: it sends QUIT, waits for the reply, and closes. It takes no longer than Timeouts.QUIT. If the
// server has said 421, is gone, or could not tell QUIT from the rest of an earlier command, it only closes. During a
// Run it does what Close does. It returns when the session's goroutine has ended; further calls do nothing.
//
// RFC 5321 §4.1.1.10: a client must not close before it has sent QUIT, whatever the replies were.
func (s *Session) Quit() {
	watchdog := time.AfterFunc(s.timeouts.QUIT, func() { _ = s.guard.conn.Close() })
	defer watchdog.Stop()

	if polite, alive := s.leave(); polite {
		_, err := s.conn.Write([]byte("QUIT\r\n"))
		if err == nil && alive {
			<-s.done // The reply, the end of the connection, or the watchdog.
		}
		_ = s.conn.Close() // Under TLS with a close_notify, so that the peer's log stays clean.
	}
	s.Close()
}

// leave makes the session dead to everyone else. It reports whether QUIT may be sent, and whether its reply can be
// read.
func (s *Session) leave() (polite, alive bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.leaving || s.running {
		return false, false
	}
	s.leaving = true
	alive = s.err == nil
	if s.cut || !alive && s.err.final() {
		return false, false
	}
	// A session that died had its deadlines moved to the past; the watchdog is the only limit now.
	_ = s.guard.conn.SetDeadline(time.Time{})
	return true, alive
}

// Close ends the session at once, without QUIT; a Run that is going on fails with KindClosed. It returns when the
// session's goroutine has ended; further calls do nothing.
func (s *Session) Close() {
	s.mu.Lock()
	if s.err == nil && !s.leaving {
		s.dieLocked(&Error{Stage: s.flight.stage(), Kind: KindClosed})
	}
	s.leaving = true
	s.mu.Unlock()
	_ = s.guard.conn.Close()
	s.reader.Wait()
}

// final reports whether nothing may be said any more after e: the peer is gone, or has taken leave.
func (e *Error) final() bool {
	switch e.Kind {
	case KindDisconnected, KindClosed:
		return true
	case KindReply:
		return farewell(e.Reply)
	default:
		return false
	}
}
