package cache

import (
	"time"

	"github.com/verimails/verimaild/verify/verdict"
)

// mailboxRecord is a mailbox as it is stored.
type mailboxRecord struct {
	verdict.Mailbox

	// epoch is the domain's when the record was made: see epochs.go.
	epoch uint32

	// refusal and refusedAt note the first refusal of a mailbox whose acceptance is younger than its soft age. A
	// second one replaces the acceptance.
	refusal   verdict.Reason
	refusedAt time.Time
}

// refused reports whether a refusal waits for a second one.
func (r *mailboxRecord) refused() bool { return r.refusal != "" }

// Bits of a mailbox record.
const (
	bitImplicit    = 1 << iota // ImplicitMX is true.
	bitNotImplicit             // It is false.
	bitRefused                 // A refusal is noted.
	bitEpoch                   // The epoch is not 0.
	bitRetry                   // There is a time to ask again.
)

func (r *mailboxRecord) encode(e *encoder, red *redactor) {
	var bits byte
	switch r.ImplicitMX {
	case verdict.True:
		bits |= bitImplicit
	case verdict.False:
		bits |= bitNotImplicit
	}
	if r.refused() {
		bits |= bitRefused
	}
	if r.epoch != 0 {
		bits |= bitEpoch
	}
	if !r.RetryAt.IsZero() {
		bits |= bitRetry
	}
	e.byte(bits)
	e.string(string(r.Reason))
	e.time(r.CheckedAt)
	if r.epoch != 0 {
		e.uint(uint64(r.epoch))
	}
	if !r.RetryAt.IsZero() {
		e.time(r.RetryAt)
	}
	if r.refused() {
		e.string(string(r.refusal))
		e.time(r.refusedAt)
	}
	e.string(string(r.AcceptAll))
	e.string(r.Provider)
	e.count(len(r.MX))
	for _, mx := range r.MX {
		e.string(mx.Host)
		e.uint(uint64(mx.Preference))
	}
	encodeEvidence(e, red, r.Evidence, r.CheckedAt)
}

func decodeMailbox(d *decoder, red *redactor) (r mailboxRecord) {
	bits := d.byte()
	switch bits & (bitImplicit | bitNotImplicit) {
	case bitImplicit:
		r.ImplicitMX = verdict.True
	case bitNotImplicit:
		r.ImplicitMX = verdict.False
	}
	r.Reason = verdict.Reason(d.string())
	r.CheckedAt = d.time()
	if bits&bitEpoch != 0 {
		r.epoch = uint32(d.small(1<<32 - 1)) //nolint:gosec // G115: bounded.
	}
	if bits&bitRetry != 0 {
		r.RetryAt = d.time()
	}
	if bits&bitRefused != 0 {
		r.refusal = verdict.Reason(d.string())
		r.refusedAt = d.time()
	}
	r.AcceptAll = verdict.AcceptAll(d.string())
	r.Provider = d.string()
	if n := d.count(); n > 0 {
		r.MX = make([]verdict.MX, n)
		for i := range r.MX {
			r.MX[i] = verdict.MX{Host: d.string(), Preference: uint16(d.small(1<<16 - 1))} //nolint:gosec // G115: bounded.
		}
	}
	r.Evidence = decodeEvidence(d, red, r.CheckedAt)
	// A reason that may not be remembered of a mailbox is not let in by the back door either.
	if !r.Reason.OfMailbox() || r.refused() && !r.refusal.IsRefusal() {
		d.fail()
	}
	return r
}
