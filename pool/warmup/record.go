package warmup

import (
	"encoding/binary"
	"errors"
	"slices"
)

// A Record is what is kept of a source over a restart.
type Record struct {
	Identity uint64 // Of its addresses; under the same name, others are another source.
	State    State
	// Leased is how many recipients it may have asked about since: what was asked after the record was written counts up to
	// here. At least State.Asked.
	Leased    int
	Providers []Share // Sorted by provider.
	Drained   bool    // By the operator.
}

// A Share is how many recipients of one provider were asked about on the state's day.
type Share struct {
	Provider string
	Asked    int
}

const (
	version   = 1
	most      = 1 << 40 // No count of a day is larger.
	providers = 1000    // Nor are there more of them.
	idLength  = 64      // Nor are their names longer.
)

// ErrRecord is what a record that cannot be read is.
var ErrRecord = errors.New("warmup: not a record of this version")

// Append appends the record's bytes to dst.
func (r *Record) Append(dst []byte) []byte {
	dst = append(dst, version, flags(r.State.Over, r.Drained))
	dst = binary.BigEndian.AppendUint64(dst, r.Identity)
	s := &r.State
	for _, n := range []int{int(s.Day), s.Level, s.Bad, s.Asked, s.Dead, s.Refusals, s.Before, r.Leased, len(r.Providers)} {
		dst = binary.AppendUvarint(dst, uint64(max(0, n)))
	}
	for _, p := range r.Providers {
		dst = binary.AppendUvarint(dst, uint64(len(p.Provider)))
		dst = append(dst, p.Provider...)
		dst = binary.AppendUvarint(dst, uint64(max(0, p.Asked)))
	}
	return dst
}

func flags(over, drained bool) byte {
	var b byte
	if over {
		b |= 1
	}
	if drained {
		b |= 2
	}
	return b
}

// Decode reads what Append wrote. Its error is [ErrRecord].
func Decode(b []byte) (Record, error) {
	const head = 2 + 8
	if len(b) < head || b[0] != version || b[1] > 3 {
		return Record{}, ErrRecord
	}
	r := Record{Identity: binary.BigEndian.Uint64(b[2:]), Drained: b[1]&2 != 0}
	d := decoder{b: b[head:]}
	s := &r.State
	s.Over = b[1]&1 != 0
	s.Day = Day(d.number(1 << 30))
	for _, at := range []*int{&s.Level, &s.Bad, &s.Asked, &s.Dead, &s.Refusals, &s.Before, &r.Leased} {
		*at = d.number(most)
	}
	for range d.number(providers) {
		r.Providers = append(r.Providers, Share{d.text(), d.number(most)})
	}
	sorted := slices.IsSortedFunc(r.Providers, func(a, b Share) int {
		if a.Provider < b.Provider {
			return -1
		}
		return 1 // The same one twice is not sorted.
	})
	if d.bad || len(d.b) > 0 || r.Leased < s.Asked || !sorted {
		return Record{}, ErrRecord
	}
	return r, nil
}

// A decoder takes values off the front of bytes, and goes on with zeros once there was a wrong one.
type decoder struct {
	b   []byte
	bad bool
}

// number is the next number, which may be no larger than most.
func (d *decoder) number(most uint64) int {
	n, size := binary.Uvarint(d.b)
	if size <= 0 || n > most {
		d.bad, d.b = true, nil
		return 0
	}
	d.b = d.b[size:]
	return int(n)
}

func (d *decoder) text() string {
	n := d.number(idLength)
	if n == 0 || n > len(d.b) {
		d.bad, d.b = true, nil
		return ""
	}
	s := string(d.b[:n])
	d.b = d.b[n:]
	return s
}
