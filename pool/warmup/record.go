package warmup

import (
	"cmp"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/verimails/verimaild/internal/wire"
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
	dst = wire.AppendBools(append(dst, version), r.State.Over, r.Drained)
	dst = binary.BigEndian.AppendUint64(dst, r.Identity)
	s := &r.State
	for _, n := range []int{int(s.Day), s.Level, s.Bad, s.Asked, s.Dead, s.Refusals, s.Before, r.Leased, len(r.Providers)} {
		dst = wire.AppendCount(dst, n)
	}
	for _, p := range r.Providers {
		dst = wire.AppendCount(wire.AppendText(dst, p.Provider), p.Asked)
	}
	return dst
}

// Decode reads what Append wrote. Its error is [ErrRecord].
func Decode(b []byte) (Record, error) {
	in := wire.NewReader(b)
	var r Record
	s := &r.State
	in.Version(version)
	in.Bools(&s.Over, &r.Drained)
	r.Identity = in.Uint64()
	s.Day = Day(in.UpTo(1 << 30)) //nolint:gosec // G115: bounded.
	for _, at := range []*int{&s.Level, &s.Bad, &s.Asked, &s.Dead, &s.Refusals, &s.Before, &r.Leased} {
		*at = int(in.UpTo(most)) //nolint:gosec // G115: bounded.
	}
	for range in.UpTo(providers) {
		r.Providers = append(r.Providers, Share{in.Text(), int(in.UpTo(most))}) //nolint:gosec // G115: bounded.
	}
	if !in.Done() || s.Level > Unlimited || r.Leased < s.Asked || !r.tidy() {
		return Record{}, ErrRecord
	}
	return r, nil
}

// tidy reports whether the providers are sorted, each there once, and have names.
func (r *Record) tidy() bool {
	nameless := func(p Share) bool { return p.Provider == "" || len(p.Provider) > idLength }
	return !slices.ContainsFunc(r.Providers, nameless) && slices.IsSortedFunc(r.Providers, func(a, b Share) int {
		return cmp.Or(cmp.Compare(a.Provider, b.Provider), -1) // The same one twice is not sorted.
	})
}
