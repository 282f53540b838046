package mailworld

import (
	"crypto/tls"
	"strings"
	"time"
)

// say answers the current command (or, without one, says r unasked), keeps the record, and reports whether
// the session goes on.
func (s *session) say(verb string, r Reply) bool {
	if d := s.delay(verb, r); d > 0 && !s.sleep(d) {
		return false
	}
	s.counts.replies++
	if len(s.b.Glitches) > 0 {
		if g := s.nextGlitch(verb); g != nil {
			return s.glitch(g, r)
		}
	}
	s.write(r)
	return s.after(r)
}

// write puts a reply into the buffer and into the record.
func (s *session) write(r Reply) {
	text := expand(r.Text, s.placeholder)
	if r.Code > 0 {
		s.out = appendReply(s.out, r.Code, text, s.b.lineEnd())
		s.release()
	} else {
		s.excused = true // A command without an answer.
	}
	s.current.Code, s.current.Reply = r.Code, text
	s.keep()
	s.last = edge{state: queued}
	if r.Code == 421 {
		s.goodbye = edge{state: queued}
	}
	if r.Code >= 400 {
		s.counts.errors++
	}
}

// after does what follows a reply.
func (s *session) after(r Reply) bool {
	switch {
	case r.Then == Hang:
		s.sink()
		return false
	case r.Then != Continue:
		return s.close(r.Then)
	case r.Code == 421:
		return s.close(Close)
	}
	s.breakPipelining()
	if len(s.out) > flushAt {
		return s.flush() == nil
	}
	return true
}

// delay is how late the reply to verb is: its own delay, that of the verb, and the tarpit's.
func (s *session) delay(verb string, r Reply) time.Duration {
	d := r.Delay
	if len(s.b.Slow) > 0 {
		if v, ok := s.b.Slow[verb]; ok {
			d += v
		} else {
			d += s.b.Slow["*"]
		}
	}
	l := &s.b.Limits
	if l.SoftErrors > 0 && s.counts.errors >= l.SoftErrors {
		late := orDuration(l.ErrorDelay, time.Second) + time.Duration(s.counts.late)*l.ErrorGrowth
		d += min(late, orDuration(l.MaxErrorDelay, time.Minute))
		s.counts.late++
	}
	return d
}

func orDuration(d, other time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return other
}

// flush writes what is in the buffer.
func (s *session) flush() error {
	if len(s.out) == 0 {
		return nil
	}
	wire := &s.b.Wire
	if wire.Hold > 0 && !s.w.sleep(wire.Hold) {
		return errClosed
	}
	size := len(s.out)
	if wire.Segment > 0 {
		size = wire.Segment
	}
	for rest := s.out; len(rest) > 0; {
		n := min(size, len(rest))
		if _, err := s.conn.Write(rest[:n]); err != nil {
			s.out = s.out[:0]
			return err
		}
		rest = rest[n:]
		if wire.Gap > 0 && len(rest) > 0 && !s.w.sleep(wire.Gap) {
			return errClosed
		}
	}
	s.out = s.out[:0]
	at := s.tr.sent()
	s.banner.wrote(at)
	s.last.wrote(at)
	s.refusal.wrote(at)
	s.goodbye.wrote(at)
	return nil
}

// close ends the session: what is in the buffer is sent, then the end; false, for the caller to return.
// After a proper close the client's bytes are read for a while: data left unread would turn it into a reset.
func (s *session) close(how Then) bool {
	if how != Reset {
		_ = s.flush() // Whether or not the client still hears it, the session is over.
	}
	s.ended = true
	if how == Reset {
		s.tr.reset()
		return false
	}
	if s.endStream() == nil {
		s.drain()
	}
	return false
}

// drain reads what the client says after the end of the session.
func (s *session) drain() {
	until := time.Now().Add(linger + s.w.spec.RTT)
	if s.conn.SetReadDeadline(until) != nil {
		return
	}
	for {
		n, _ := s.r.Peek(1)
		if len(n) == 0 {
			return
		}
		chunk, _ := s.r.Peek(s.r.Buffered())
		s.talkedOn(chunk, s.tr.seen())
		_, _ = s.r.Discard(len(chunk)) // They are buffered.
	}
}

// sink reads and drops what the client says, until it goes away or the world is closed.
func (s *session) sink() {
	s.excused = true
	if s.flush() != nil || s.conn.SetReadDeadline(time.Time{}) != nil {
		return
	}
	for {
		if _, err := s.r.Peek(1); err != nil {
			return
		}
		_, _ = s.r.Discard(s.r.Buffered()) // They are buffered.
	}
}

// breakPipelining loses or spoils what arrived with the command just answered, where the host is broken that way.
func (s *session) breakPipelining() {
	if s.b.Pipelining != PipeliningSwallows || s.current.Pipelined {
		return
	}
	if n := s.r.Buffered(); n > 0 {
		s.excused = true
		_, _ = s.r.Discard(n) // They are buffered.
	}
}

// keep puts the current command into the record.
func (s *session) keep() {
	if s.current.Line == "" && s.current.Verb == "" {
		return
	}
	s.rec.add(s.current, s.w.spec.CountersOnly)
}

// placeholder is the value of a placeholder in a text.
func (s *session) placeholder(name string) (string, bool) {
	local, domain := splitPath(s.tx.path)
	switch name {
	case "rcpt":
		return s.tx.path, true
	case "local":
		return local, true
	case "domain":
		return domain, true
	case "sender":
		return s.tx.sender, true
	case "ip":
		return s.source.Addr().String(), true
	case "helo":
		return s.helo, true
	case "host":
		return s.b.Name, true
	default:
		return "", false
	}
}

// nextGlitch counts the reply to verb and returns the glitch that is due at it.
func (s *session) nextGlitch(verb string) *Glitch {
	if s.counts.byVerb == nil {
		s.counts.byVerb = make(map[string]int)
	}
	s.counts.byVerb[verb]++
	return s.b.glitchAt(verb, s.counts.byVerb[verb], s.counts.replies)
}

// glitch does what g says in place of the reply r.
func (s *session) glitch(g *Glitch, r Reply) bool {
	s.excused = true
	text := expand(g.Text, s.placeholder)
	if g.First || g.Do == DoExtra {
		s.write(r)
	} else if g.Do != DoDrop && g.Do != DoSwap {
		s.keep()
	}
	switch g.Do {
	case DoSwap:
		s.hold(r)
		return true
	case DoClose:
		return s.close(Close)
	case DoReset:
		if g.First {
			_ = s.flush() // The reset follows whether or not this arrives.
		}
		return s.close(Reset)
	case DoHang:
		s.sink()
		return false
	case DoDrop:
		s.short = true
		s.keep()
		return true
	case DoEndless:
		s.out = append(s.out, "250-"...)
		s.flood(strings.Repeat("x", 1024))
		return false
	case DoFlood:
		s.flood(text)
		return false
	case DoHalfClose:
		s.halfClose()
		return false
	case DoSay:
		s.out = append(s.out, text...)
		s.goodbye = edge{state: queued}
		return s.close(Close)
	default:
		s.out = append(s.out, text...)
		s.last = edge{state: queued}
		return true
	}
}

// hold keeps a reply back, to be said behind the next one.
func (s *session) hold(r Reply) {
	n := len(s.out)
	s.write(r)
	s.held = append(s.held, s.out[n:]...)
	s.out = s.out[:n]
}

// release says what was kept back.
func (s *session) release() {
	s.out = append(s.out, s.held...)
	s.held = s.held[:0]
}

// flood sends text over and over, until the client is gone or the world is closed.
func (s *session) flood(text string) {
	for text != "" && s.w.running() {
		s.out = append(s.out, text...)
		if s.flush() != nil {
			return
		}
	}
}

// halfClose ends our direction of the connection, and lets the client talk.
func (s *session) halfClose() {
	if s.flush() != nil || s.endStream() != nil {
		return
	}
	s.sink()
}

// endStream tells the client that nothing more is said.
func (s *session) endStream() error {
	if c, ok := s.conn.(*tls.Conn); ok {
		_ = c.CloseWrite() // The farewell of TLS; without it the end below is one all the same.
	}
	return s.tr.CloseWrite()
}
