package mailworld

import (
	"strings"
	"time"
)

// A Reply is what a server says, and how. The zero Reply stands for the server's normal one.
type Reply struct {
	// Code is the reply code. With 0 nothing is said: the command stays without an answer. 421 closes the session.
	Code int
	// Text is the text after the code, the enhanced status code included. Line feeds make it a multi-line reply.
	// {rcpt}, {local}, {domain}, {sender}, {ip}, {helo} and {host} are replaced by the forward-path, its two parts, the
	// reverse-path, the client's address, the name in its EHLO and the server's name; those that are not known yet by nothing.
	Text string
	// Delay passes before the reply is sent, and before the commands behind it are read.
	Delay time.Duration
	// Greylist is for how long a client network (/24 or /64) is put off with 450, counted from its first
	// attempt with this sender and recipient. Only in replies to RCPT.
	Greylist time.Duration
	// Then is what happens after the reply.
	Then Then
}

// Then is what a server does after a reply.
type Then uint8

// What may follow a reply.
const (
	Continue Then = iota // The session goes on. 421 means Close, though.
	Close                // The connection is closed.
	Reset                // The connection is closed with a TCP reset.
	Hang                 // Nothing is answered any more; the connection stays open until the client closes it.
)

// Say returns the reply of this code and text.
func Say(code int, text string) Reply { return Reply{Code: code, Text: text} }

// After returns r delayed by d.
func (r Reply) After(d time.Duration) Reply {
	r.Delay = d
	return r
}

// AndThen returns r followed by t.
func (r Reply) AndThen(t Then) Reply {
	r.Then = t
	return r
}

// isZero reports whether r stands for the normal reply.
func (r Reply) isZero() bool { return r == Reply{} }

// or returns r, or other if r is the zero Reply.
func (r Reply) or(other Reply) Reply {
	if r.isZero() {
		return other
	}
	return r
}

// positive reports whether r is a 2yz or 3yz reply.
func (r Reply) positive() bool { return r.Code >= 200 && r.Code < 400 }

// appendReply appends the lines of a reply with this code to b, each with eol at its end.
func appendReply(b []byte, code int, text, eol string) []byte {
	digits := [3]byte{byte('0' + code/100%10), byte('0' + code/10%10), byte('0' + code%10)}
	for {
		line, rest, more := strings.Cut(text, "\n")
		b = append(b, digits[:]...)
		switch {
		case more:
			b = append(b, '-')
		case line != "":
			b = append(b, ' ')
		}
		b = append(b, line...)
		b = append(b, eol...)
		if !more {
			return b
		}
		text = rest
	}
}

// expand replaces the placeholders of text; value returns what stands for one, and ok if it is one.
func expand(text string, value func(name string) (string, bool)) string {
	if strings.IndexByte(text, '{') < 0 {
		return text
	}
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(text, "{")
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		name, after, closed := strings.Cut(rest, "}")
		v, known := "", false
		if closed {
			v, known = value(name)
		}
		if !known {
			b.WriteByte('{')
			text = rest
			continue
		}
		b.WriteString(v)
		text = after
	}
}
