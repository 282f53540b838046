package smtp

import (
	"strconv"
	"strings"
	"time"
)

// A Stage is the step of the dialogue that a reply or a failure belongs to.
type Stage string

// The stages, in the order in which a session goes through them.
const (
	StageConnect  Stage = "connect" // Dialling and the greeting.
	StageEHLO     Stage = "ehlo"
	StageSTARTTLS Stage = "starttls"
	StageMAIL     Stage = "mail"
	StageRCPT     Stage = "rcpt"
	StageRSET     Stage = "rset"
	StageQUIT     Stage = "quit"
)

// An EnhancedCode is an enhanced mail system status code, RFC 3463. The zero value means that there was none.
type EnhancedCode struct{ Class, Subject, Detail uint16 }

// A Reply is one complete SMTP reply, RFC 5321 §4.2. The zero Reply means that none came.
type Reply struct {
	Code     int           // 200 to 599; 0 if no reply came.
	Enhanced EnhancedCode  // Zero if the server sent none.
	Lines    []string      // Text without code, enhanced code and CRLF; printable; at least one; shared, not to be changed.
	At       time.Time     // When its last line was read.
	Took     time.Duration // From the write of its command (or of the flight it was in) to its last line.
}

// Positive reports whether r is a 2yz: the command was done.
func (r Reply) Positive() bool { return r.Code/100 == 2 }

// Transient reports whether r is a 4yz: the command failed for now.
func (r Reply) Transient() bool { return r.Code/100 == 4 }

// Permanent reports whether r is a 5yz: the command failed, and would fail again.
func (r Reply) Permanent() bool { return r.Code/100 == 5 }

// Text is the reply's text as one line: servers fold sentences at any column, so the lines are joined by a space.
func (r Reply) Text() string {
	if len(r.Lines) == 1 {
		return r.Lines[0]
	}
	return strings.Join(r.Lines, " ")
}

// String is the reply as one line, such as "550 5.1.1 No such user"; "" for the zero Reply.
func (r Reply) String() string {
	if r.Code == 0 {
		return ""
	}
	s := strconv.Itoa(r.Code)
	if r.Enhanced != (EnhancedCode{}) {
		s += " " + r.Enhanced.String()
	}
	if text := r.Text(); text != "" {
		s += " " + text
	}
	return s
}
