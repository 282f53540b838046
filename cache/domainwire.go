package cache

import "github.com/verimails/verimaild/verify/verdict"

// Bits of a fact record.
const (
	bitAcceptsAll = 1 << iota
	bitRefusesMadeUp
	bitFactEpoch
	bitAccepted
)

func encodeFact(r *factRecord) []byte {
	var bits byte
	switch r.AcceptsAll {
	case verdict.True:
		bits = bitAcceptsAll
	case verdict.False:
		bits = bitRefusesMadeUp
	}
	if r.epoch != 0 {
		bits |= bitFactEpoch
	}
	if r.Accepted {
		bits |= bitAccepted
	}
	return encoded(func(e *encoder) {
		e.byte(bits)
		e.string(r.Domain)
		e.string(string(r.Reason))
		e.time(r.CheckedAt)
		if r.epoch != 0 {
			e.uint(uint64(r.epoch))
		}
		encodeEvidence(e, &redactor{}, r.Evidence, r.CheckedAt)
	})
}

func decodeFact(body []byte) (*factRecord, error) {
	d := decoder{s: string(body)}
	var r factRecord
	bits := d.byte()
	switch bits & (bitAcceptsAll | bitRefusesMadeUp) {
	case bitAcceptsAll:
		r.AcceptsAll = verdict.True
	case bitRefusesMadeUp:
		r.AcceptsAll = verdict.False
	}
	r.Accepted = bits&bitAccepted != 0
	r.Domain = d.string()
	r.Reason = verdict.Reason(d.string())
	r.CheckedAt = d.time()
	if bits&bitFactEpoch != 0 {
		r.epoch = uint32(d.small(1<<32 - 1)) //nolint:gosec // G115: bounded.
	}
	r.Evidence = decodeEvidence(&d, &redactor{}, r.CheckedAt)
	if r.Reason != "" && !r.Reason.OfDomain() {
		d.fail()
	}
	return &r, d.end()
}
