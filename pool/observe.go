package pool

import (
	"time"

	"github.com/verimails/verimaild/pool/reply"
)

// A Phase is a part of a question's way whose length is worth knowing.
type Phase uint8

// The phases.
const (
	PhaseQueue    Phase = iota // From the arrival of a recipient to its RCPT.
	PhaseConnect               // Until a connection stood; failed attempts are not counted.
	PhaseGreeting              // From there to the end of the opening: greeting, EHLO and TLS.
	PhaseReply                 // From RCPT to its reply.
)

// An Observer is told what happens, as it does. Its methods are called concurrently, with the pool's lock held: they
// must not block, nor call the pool.
type Observer interface {
	// Took says how long one phase of one question took.
	Took(p Phase, d time.Duration)

	// Replied says how a reply to RCPT was read, and whose it is; provider is "" if none is known.
	Replied(provider string, class reply.Class)
}

// took tells the observer, if there is one, of a phase that ends now.
func (o *Options) took(p Phase, since time.Time) {
	if o.Observer != nil {
		o.Observer.Took(p, time.Since(since))
	}
}

// observe tells the observer, if there is one, of an answered RCPT.
func (s *site) observe(pr *probe, r *sentReply) {
	o := s.pool.opts.Observer
	if o == nil {
		return
	}
	o.Took(PhaseQueue, r.at.Sub(pr.queued))
	o.Took(PhaseReply, r.reply.At.Sub(r.at))
	o.Replied(s.providerID(), r.meaning.Class)
}
