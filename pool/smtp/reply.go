package smtp

import "time"

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
	Lines    []string      // Text without code, enhanced code and CRLF; printable; at least one.
	At       time.Time     // When its last line was read.
	Took     time.Duration // From the write of its command (or of the flight it was in) to its last line.
}
