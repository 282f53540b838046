package mailworld

import (
	"net/netip"
	"sync"
	"time"
)

// A Command is one line of a client and the reply to it.
type Command struct {
	At        time.Time      // When it was read.
	Host      string         // The host it was said to.
	Source    netip.AddrPort // Who said it.
	Session   int            // The number of the session in the world, from 1 on.
	Line      string         // As it came, without the line end.
	Verb      string         // Upper case.
	Code      int            // Of the reply; 0 if none was sent.
	Reply     string         // Its text, after the code.
	Pipelined bool           // Sent before the reply to the command before it was seen.
	TLS       bool
}

// A Session is one connection to a host.
type Session struct {
	ID     int
	Host   string
	Source netip.AddrPort
	At     time.Time // When it was accepted.
	Ended  time.Time // Zero while it is open.
	TLS    bool
	EHLO   string // The name that the client gave.
	Quit   bool   // The client said QUIT.
	Odd    bool   // The host broke the protocol, so that its client owed it no manners. Set when it has ended.
	// Greeted, Transactions and Recipients count the greetings (EHLO and HELO), MAIL and RCPT.
	Greeted, Transactions, Recipients int
	// Flights is how many times the client waited for replies before it wrote on.
	Flights int
	// Commands are what was said, unless Spec.CountersOnly is set.
	Commands []Command
}

// A sessionRecord is the record of one session while it runs. The session's goroutine writes it under the mutex.
type sessionRecord struct {
	mu sync.Mutex
	s  Session
}

// greeted notes the name that the client gives.
func (r *sessionRecord) greeted(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.s.EHLO = name
	r.s.Greeted++
}

// began counts a transaction.
func (r *sessionRecord) began() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.s.Transactions++
}

// asked counts a recipient.
func (r *sessionRecord) asked() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.s.Recipients++
}

// encrypted notes that TLS is on.
func (r *sessionRecord) encrypted() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.s.TLS = true
}

// quit notes that the client said so.
func (r *sessionRecord) quit() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.s.Quit = true
}

// end notes the end of the session, and whether the host broke the protocol in it.
func (r *sessionRecord) end(now time.Time, odd bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.s.Ended, r.s.Odd = now, odd
}

// add keeps a command, or only that there was one.
func (r *sessionRecord) add(c Command, countOnly bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !c.Pipelined {
		r.s.Flights++
	}
	if !countOnly {
		r.s.Commands = append(r.s.Commands, c)
	}
}
