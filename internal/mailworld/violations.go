package mailworld

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// TB is the part of testing.TB that Check needs, so that this package does not import testing.
type TB interface {
	Helper()
	Errorf(format string, args ...any)
}

// Violations returns what clients did that a prober must never do, oldest first:
//
//   - DATA, BDAT, VRFY, EXPN, NOOP, TURN, AUTH or any other command but EHLO, HELO, STARTTLS, MAIL, RCPT, RSET and QUIT;
//   - MAIL FROM:<>, or an EHLO or HELO name of one label;
//   - SMTPUTF8 where it was not offered;
//   - two domains in one transaction;
//   - a RCPT after a MAIL known to be refused (one in the same flight is fine);
//   - anything after 421 or QUIT;
//   - a command before the banner was complete, or before the reply to EHLO, HELO or STARTTLS was seen;
//   - a command before the reply to the last one, where PIPELINING is not offered;
//   - a line without CRLF at its end, or longer than 4096 bytes;
//   - a session that ends without QUIT, unless the host said 421, closed it, broke the protocol, or left the client
//     waiting for a reply.
//
// A session knows exactly what its client had seen in memory; on sockets it knows what had arrived before a reply was
// sent, so a client must write a flight of commands in one piece to be judged rightly, and what follows a farewell that
// was no reply is let pass.
// The list is cut off after 1000 entries.
func (w *World) Violations() []string {
	w.rec.mu.Lock()
	defer w.rec.mu.Unlock()
	out := slices.Clone(w.rec.violations)
	if w.rec.dropped > 0 {
		out = append(out, fmt.Sprintf("and %d more", w.rec.dropped))
	}
	return out
}

// Check fails the test for each violation.
func (w *World) Check(t TB) {
	t.Helper()
	for _, v := range w.Violations() {
		t.Errorf("mailworld: %s", v)
	}
}

// Excuse lets clients leave without QUIT until end is called: they are about to be killed. [World.Settle] says when
// those that were have gone.
func (w *World) Excuse() (end func()) {
	w.excusing.Add(1)
	return sync.OnceFunc(func() { w.excusing.Add(-1) })
}

func (r *record) violation(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.violations) >= maxViolations {
		r.dropped++
		return
	}
	r.violations = append(r.violations, text)
}

// violate keeps a violation of this session's client.
func (s *session) violate(format string, args ...any) {
	where := fmt.Sprintf("%s: session %d from %s: ", s.h.name, s.rec.s.ID, s.source.Addr())
	s.w.rec.violation(where + fmt.Sprintf(format, args...))
}

// inspect looks for what a client must never do in a command.
func (s *session) inspect(c command, seen int64) {
	s.w.rec.tally(c.verb)
	if !s.banner.known(seen) && s.banner.state != unsaid && s.counts.commands == 1 {
		s.talkedEarly()
	}
	if s.current.Pipelined && !s.excused {
		s.inspectPipelining(c)
	}
	s.previous = c.verb
	switch c.verb {
	case "EHLO", "HELO":
		if !qualified(c.arg) {
			s.violate("%s with a name of one label: %q", c.verb, c.arg)
		}
	case "MAIL":
		if path, _, err := parsePath(c.arg, "FROM"); err == nil && path == "" {
			s.violate("null reverse-path: MAIL %s", c.arg)
		}
	case "RCPT", "RSET", "QUIT", "STARTTLS":
	default:
		s.violate("%s is not a prober's command", c.verb)
	}
}

// inspectPipelining judges a command that was sent before the last reply was seen.
func (s *session) inspectPipelining(c command) {
	switch {
	case s.previous == "EHLO", s.previous == "HELO", s.previous == "STARTTLS":
		s.violate("%s sent before the reply to %s", c.verb, s.previous)
	case s.previous != "" && !(s.esmtp && s.b.pipelining(s.tls)):
		s.violate("%s sent before the reply to %s, without PIPELINING", c.verb, s.previous)
	}
}

// qualified reports whether an EHLO argument is a name of two labels or more, or an address literal.
func qualified(name string) bool {
	if strings.HasPrefix(name, "[") {
		_, err := netip.ParseAddr(strings.TrimPrefix(strings.Trim(name, "[]"), "IPv6:"))
		return err == nil
	}
	labels := strings.Split(strings.TrimSuffix(name, "."), ".")
	return len(labels) > 1 && !slices.Contains(labels, "")
}

// talkedEarly keeps that the client spoke before the banner, once.
func (s *session) talkedEarly() {
	if s.early {
		return
	}
	s.early = true
	s.violate("talked before the banner was complete")
}

// sameDomain keeps that a transaction has recipients of two domains.
func (s *session) sameDomain(domain string) {
	if s.tx.domain == "" {
		s.tx.domain = domain
		return
	}
	if s.tx.domain != domain {
		s.violate("two domains in one transaction: %s and %s", s.tx.domain, domain)
	}
}

// talkedOn judges what the client said after the end of the session.
func (s *session) talkedOn(chunk []byte, seen int64) {
	if len(chunk) > 80 {
		chunk = chunk[:80]
	}
	switch {
	case s.quit:
		s.violate("talked on after QUIT: %q", chunk)
	case !s.goodbye.known(seen):
	case s.unasked && s.inexact(): // It may have written before it saw the farewell.
	default:
		s.violate("talked on after 421: %q", chunk)
	}
}

// inexact reports whether what the client has seen is only known roughly.
func (s *session) inexact() bool {
	_, socket := s.tr.(*tcpConn)
	return socket || !s.w.memory
}

// gone judges a client that closed the connection. A socket is reset when it is closed with replies unread.
func (s *session) gone(err error) {
	switch {
	case s.quit, s.ended, s.excused, !s.w.running(), s.w.excusing.Load() > 0:
	case !s.last.known(s.tr.seen()), s.inexact() && errors.Is(err, syscall.ECONNRESET): // It gave up waiting for us.
	default:
		s.violate("closed the connection without QUIT")
	}
}
