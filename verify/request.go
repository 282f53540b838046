package verify

import (
	"context"
	"time"
)

// A Depth says how far an address is checked.
type Depth string

// The depths, each including the one before it.
const (
	DepthSyntax Depth = "syntax" // Syntax and lists only; no packet is sent.
	DepthDNS    Depth = "dns"    // Mail hosts are looked up as well.
	DepthSMTP   Depth = "smtp"   // The mail host is asked. The zero Depth means this.
)

// A Class says how urgent a request is.
type Class uint8

// The classes.
const (
	Interactive Class = iota // Somebody waits for the answer.
	Bulk                     // A row of a list.
)

// defaultApp is who asks where nobody says so.
const defaultApp = "default"

// A Request is one question.
type Request struct {
	Email string

	// Deadline bounds how long the caller waits. 0 means 30 s; at most 10 min.
	Deadline time.Duration

	// MaxAge is the oldest remembered answer that the caller takes.
	// Negative means any that memory still vouches for; 0 means to ask afresh.
	MaxAge time.Duration

	Depth Depth
	Wait  bool // Wait out greylisting up to the deadline.
	Trace bool // The answer comes with its Trace.

	ID     string // Names the request in the log; may be "".
	App    string // The application that asks; "" means "default".
	Weight int    // Of the application: how many turns it has for one of another's. 0 means 1.
	Class  Class

	// Admit, if it is set, is called once syntax and memory have not answered, before anybody is asked; the time that it
	// takes is not counted against Deadline. Its error ends the request and is Verify's.
	Admit func(context.Context) error

	seen sight
}
