package api

import (
	"errors"
	"time"

	"github.com/verimails/verimaild/internal/store"
	"github.com/verimails/verimaild/internal/wire"
	"github.com/verimails/verimaild/verify/verdict"
)

// A day is a day in UTC, counted from 1970-01-01.
type day int32

func dayOf(t time.Time) day { return day(t.Unix() / (24 * 60 * 60)) } //nolint:gosec // G115: for the next five million years.

// start is the day's midnight.
func (d day) start() time.Time { return time.Unix(int64(d)*24*60*60, 0).UTC() }

// String is the day as in RFC 3339.
func (d day) String() string { return d.start().Format(time.DateOnly) }

// firstOfMonth is the first day of d's month.
func (d day) firstOfMonth() day {
	y, m, _ := d.start().Date()
	return dayOf(time.Date(y, m, 1, 0, 0, 0, 0, time.UTC))
}

// nextMonth is the first day of the month after d's.
func (d day) nextMonth() day { return (d.firstOfMonth() + 31).firstOfMonth() }

// verdicts is how many verdicts there are.
const verdicts = 4

// A dayCount is what one application did in a day.
type dayCount struct {
	Charged uint64
	Refused uint64           // By a quota.
	Asked   [verdicts]uint64 // Answers for which somebody was asked, or that needed nobody, by verdict.
	Cached  [verdicts]uint64 // Answers from memory.
}

// verdictIndex is the place of a verdict in a dayCount. It is part of the form on disk.
func verdictIndex(v verdict.Verdict) int {
	switch v {
	case verdict.Deliverable:
		return 0
	case verdict.Risky:
		return 1
	case verdict.Undeliverable:
		return 2
	default:
		return 3
	}
}

// add adds o to c.
func (c *dayCount) add(o *dayCount) {
	c.Charged += o.Charged
	c.Refused += o.Refused
	for i := range verdicts {
		c.Asked[i] += o.Asked[i]
		c.Cached[i] += o.Cached[i]
	}
}

// dayCountVersion is the first octet of a stored count.
const dayCountVersion = 1

var errDayCount = errors.New("api: not a day's count")

// dayCodec stores a count as its version and ten varints.
var dayCodec = store.Codec[dayCount]{
	Encode: func(b []byte, c dayCount) []byte {
		b = append(b, dayCountVersion)
		for _, p := range c.numbers() {
			b = wire.AppendUint(b, *p)
		}
		return b
	},
	Decode: func(b []byte) (c dayCount, err error) {
		r := wire.NewReader(b)
		r.Version(dayCountVersion)
		for _, p := range c.numbers() {
			*p = r.Uint()
		}
		if !r.Done() {
			return dayCount{}, errDayCount
		}
		return c, nil
	},
}

// numbers are the fields in their order on disk.
func (c *dayCount) numbers() []*uint64 {
	out := []*uint64{&c.Charged, &c.Refused}
	for i := range verdicts {
		out = append(out, &c.Asked[i], &c.Cached[i])
	}
	return out
}
