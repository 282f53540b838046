package mailworld

import (
	"strings"
	"time"
)

// A Step is one step of a host that follows a script: what no knob can say. [Send], [Expect], [Read] and so on make them.
// When the steps are over the session is closed.
type Step struct {
	do   stepKind
	text string
	wait time.Duration
	n    int
}

type stepKind uint8

const (
	stepSend stepKind = iota
	stepExpect
	stepRead
	stepPause
	stepClose
	stepReset
	stepSilence
	stepServe
)

// Send sends bytes as they are; {ip}, {host} and so on are replaced. Line ends must be written out.
func Send(text string) Step { return Step{do: stepSend, text: text} }

// Expect reads a line, which must begin with prefix in any case; another line is kept as a violation and ends the script.
func Expect(prefix string) Step { return Step{do: stepExpect, text: prefix} }

// Read reads n lines, whatever they are.
func Read(n int) Step { return Step{do: stepRead, n: n} }

// Pause waits.
func Pause(d time.Duration) Step { return Step{do: stepPause, wait: d} }

// HangUp closes the connection.
func HangUp() Step { return Step{do: stepClose} }

// Abort closes the connection with a TCP reset.
func Abort() Step { return Step{do: stepReset} }

// Silence reads what comes and says nothing any more, until the client is gone.
func Silence() Step { return Step{do: stepSilence} }

// Serve goes on as a host without a script would after its greeting.
func Serve() Step { return Step{do: stepServe} }

// play follows the host's script. What it does is no reason to expect manners of the client.
func (s *session) play() {
	s.excused = true
	for _, step := range s.b.Script {
		if !s.playStep(step) {
			return
		}
	}
	s.close(Close)
}

// playStep does one step; false ends the script.
func (s *session) playStep(step Step) bool {
	switch step.do {
	case stepSend:
		s.out = append(s.out, expand(step.text, s.placeholder)...)
		return s.flush() == nil
	case stepExpect:
		return s.expect(step.text)
	case stepRead:
		for range step.n {
			if !s.expect("") {
				return false
			}
		}
		return true
	case stepPause:
		return s.sleep(step.wait)
	case stepClose:
		return s.close(Close)
	case stepReset:
		return s.close(Reset)
	case stepSilence:
		s.sink()
		return false
	default:
		s.converse()
		return false
	}
}

// expect reads a line that begins with prefix.
func (s *session) expect(prefix string) bool {
	line, err := s.readLine()
	if err != nil {
		return false
	}
	c := parseCommand(string(line))
	s.current = Command{
		At: time.Now(), Host: s.h.name, Source: s.source, Session: s.rec.s.ID, Line: string(line), Verb: c.verb, TLS: s.tls,
	}
	s.counts.commands++
	s.inspect(c, s.tr.seen())
	s.keep()
	if len(line) < len(prefix) || !strings.EqualFold(string(line[:len(prefix)]), prefix) {
		s.violate("script: got %q, want %q", line, prefix)
		return false
	}
	return true
}
