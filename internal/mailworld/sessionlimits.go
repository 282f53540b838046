package mailworld

import "time"

// overLimit is the objection to a command of any kind, and whether there is one.
func (s *session) overLimit(verb string) (Reply, bool) {
	if verb == "QUIT" {
		return Reply{}, false
	}
	if r, spoilt := s.spoilFlight(); spoilt {
		return r, true
	}
	l, n := &s.b.Limits, &s.counts
	if l.HardErrors.N > 0 && n.errors >= l.HardErrors.N {
		return l.HardErrors.Reply.or(s.b.texts.tooManyErrors), true
	}
	s.countIdleTalk(verb)
	switch {
	case l.Total > 0 && time.Since(s.began) >= l.Total:
		return s.b.expiry(), true
	case l.Commands.passed(n.commands):
		return l.Commands.Reply.or(Say(421, "4.7.0 {host} Too many commands, closing connection")), true
	case l.NonMail.passed(n.nonMail):
		return l.NonMail.Reply.or(Say(554, "Too many nonmail commands").AndThen(Close)), true
	}
	return Reply{}, false
}

// spoilFlight is what a host with no or broken pipelining says to all but the first command of a flight.
func (s *session) spoilFlight() (Reply, bool) {
	if !s.current.Pipelined || s.counts.commands == 1 {
		return Reply{}, false
	}
	switch s.b.Pipelining {
	case PipeliningCloses:
		return Say(500, "5.5.1 Invalid command: Pipelining not supported").AndThen(Close), true
	case PipeliningConfused:
		s.excused = true
		return Say(500, "5.5.1 Command unrecognized"), true
	default:
		return Reply{}, false
	}
}

// countIdleTalk counts the commands that bring no mail nearer.
func (s *session) countIdleTalk(verb string) {
	n := &s.counts
	switch verb {
	case "RSET", "NOOP", "VRFY", "EXPN", "HELP":
		n.nonMail++
		n.junk++
		if s.b.Limits.Junk > 0 && n.junk > s.b.Limits.Junk {
			n.errors++
		}
	case "EHLO", "HELO":
		if s.hello {
			n.nonMail++
		}
	}
}
