package mailworld

import (
	"bufio"
	"bytes"
	"errors"
	"net"
	"net/netip"
	"os"
	"time"
)

const (
	// linger is how long a session that we have ended stays half-open, to see whether the client talks on.
	linger = time.Second
	// flushAt is how many bytes of replies are kept at most while the client's flight is not read to its end.
	flushAt = 32 << 10
)

// A session is one connection to a host, served by one goroutine. Replies are kept until the commands that have
// arrived are read, and then written in one piece.
type session struct {
	w   *World
	h   *host
	b   *behaviour // What the host was when the session began.
	rec *sessionRecord

	tr     transport
	conn   net.Conn // tr, or TLS over it.
	r      *bufio.Reader
	out    []byte
	held   []byte // What DoSwap keeps back.
	began  time.Time
	source netip.AddrPort

	helo     string // The name given last, taken or not.
	hello    bool   // EHLO or HELO was taken.
	esmtp    bool   // By EHLO.
	tls      bool
	tx       transaction
	counts   sessionCounts
	current  Command // The command being answered.
	previous string  // The verb before it.

	banner, last, refusal, goodbye edge

	excused bool // The session went so oddly that the client owes us no manners.
	ended   bool // We have ended it.
	quit    bool
	early   bool // It talked before the banner.
	unasked bool // The end was not a reply to a command.
	short   bool // It has left out a reply.

	crowd      Reply      // What to greet a client with that has too many sessions.
	interrupts chan Reply // Of one: what World.Interrupt wants to be said.
}

// sessionCounts are what limits are compared with.
type sessionCounts struct {
	commands, errors, junk, nonMail, failed, mails, recipients int

	late    int            // Replies that the tarpit has delayed.
	replies int            // Sent, the greeting included.
	byVerb  map[string]int // Replies by verb, if the host has glitches.
}

// An edge is the end of a reply in the stream of bytes to the client, once it has been written.
type edge struct {
	state edgeState
	at    int64
}

type edgeState uint8

const (
	unsaid edgeState = iota
	queued
	written
)

// known reports whether a client that had seen this many bytes knew the reply.
func (e *edge) known(seen int64) bool { return e.state == written && seen >= e.at }

func (e *edge) wrote(at int64) {
	if e.state == queued {
		e.state, e.at = written, at
	}
}

// run serves the session to its end.
func (s *session) run() {
	if !s.greet() {
		return
	}
	s.converse()
}

// converse answers commands until the session is over.
func (s *session) converse() {
	for s.step() {
	}
}

// step reads and answers one command; false means that the session is over.
func (s *session) step() bool {
	line, err := s.readLine()
	switch {
	case err == nil:
		return s.handle(line)
	case errors.Is(err, bufio.ErrBufferFull):
		s.current = Command{}
		s.violate("line of more than %d bytes", maxLine)
		return s.say("", Say(500, "5.5.2 Error: line too long"))
	case errors.Is(err, os.ErrDeadlineExceeded):
		return s.outOfTime()
	default:
		s.gone(err)
		return false
	}
}

// readLine returns the next line without its end. Before it waits it sends what there is to say.
func (s *session) readLine() ([]byte, error) {
	if buffered, _ := s.r.Peek(s.r.Buffered()); bytes.IndexByte(buffered, '\n') < 0 {
		s.release() // Its flight is over.
		if err := s.flush(); err != nil {
			return nil, err
		}
		if err := s.conn.SetReadDeadline(s.deadline()); err != nil {
			return nil, err
		}
		if len(s.interrupts) > 0 { // It came before the deadline was set, which would have undone its effect.
			return nil, os.ErrDeadlineExceeded
		}
	}
	line, err := s.r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = s.r.ReadSlice('\n')
		}
		if err == nil {
			err = bufio.ErrBufferFull
		}
	}
	if err != nil {
		return nil, err
	}
	line = line[:len(line)-1]
	if n := len(line); n > 0 && line[n-1] == '\r' {
		return line[:n-1], nil
	}
	s.violate("line %q does not end in CRLF", line)
	return line, nil
}

// deadline is when the idle or the total limit strikes; the zero time if neither is set.
func (s *session) deadline() time.Time {
	l := &s.b.Limits
	var at time.Time
	if l.Idle > 0 {
		at = time.Now().Add(l.Idle)
	}
	if l.Total > 0 {
		if t := s.began.Add(l.Total); at.IsZero() || t.Before(at) {
			at = t
		}
	}
	return at
}

// outOfTime ends an idle or too old session, or says what Interrupt wants.
func (s *session) outOfTime() bool {
	s.current, s.unasked = Command{}, true
	select {
	case r := <-s.interrupts:
		if s.short && r.Code > 0 {
			r = Reply{Then: Close}
		}
		return s.say("", r)
	default:
	}
	return s.say("", s.b.expiry())
}

// expiry is what ends a session that is idle or too old.
func (b *behaviour) expiry() Reply {
	if b.Limits.Silent {
		return Reply{Then: Close}
	}
	return b.texts.idle
}

// handle answers one line.
func (s *session) handle(line []byte) bool {
	text := string(line)
	c := parseCommand(text)
	seen := s.tr.seen()
	s.current = Command{
		At: time.Now(), Host: s.h.name, Source: s.source, Session: s.rec.s.ID,
		Line: text, Verb: c.verb, Pipelined: !s.last.known(seen), TLS: s.tls,
	}
	s.counts.commands++
	s.inspect(c, seen)
	if r, over := s.overLimit(c.verb); over {
		return s.say(c.verb, r)
	}
	return s.dispatch(c, seen)
}

// dispatch calls the handler of the verb.
func (s *session) dispatch(c command, seen int64) bool {
	switch c.verb {
	case "MAIL":
		return s.mail(c)
	case "RCPT":
		return s.rcpt(c, seen)
	case "RSET":
		s.tx = transaction{}
		return s.say(c.verb, s.b.replyTo(c.verb, s.b.texts.reset))
	case "EHLO":
		return s.ehlo(c)
	case "HELO":
		return s.heloCommand(c)
	case "STARTTLS":
		return s.startTLS(c)
	case "QUIT":
		s.quit = true
		s.rec.quit()
		s.say(c.verb, s.b.replyTo(c.verb, s.b.texts.bye))
		return s.close(Close)
	case "DATA", "BDAT":
		return s.say(c.verb, s.b.replyTo(c.verb, Say(502, "5.5.1 This host takes no messages")))
	default:
		return s.say(c.verb, s.b.replyTo(c.verb, s.b.texts.unknownVerb(c.verb)))
	}
}

// sleep sends what there is to say and waits. False means that the world is being closed.
func (s *session) sleep(d time.Duration) bool {
	if s.flush() != nil {
		return false
	}
	return s.w.sleep(d)
}

// finish gives back what the session holds.
func (s *session) finish() {
	_ = s.flush() // The client may be gone; nothing depends on it.
	_ = s.conn.Close()
	_ = s.tr.Close()
	s.h.clients.end(s.source.Addr())
	s.h.drop(s)
	s.rec.end(time.Now(), s.excused)
}
