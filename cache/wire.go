package cache

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// The wire form of a record is a version byte, then what pack.go makes of a body. A body is a sequence of fields
// without names: unsigned and zig-zag varints, bytes, and strings. A string is a varint k, then
//
//	k = 0         a new string: its length as a varint, its bytes;
//	k ≤ len(words)  words[k-1];
//	k beyond      the (k-len(words))th new string of this record, once more.
//
// Times are milliseconds since base.

var errWire = errors.New("cache: not a record")

// base keeps the times of records short.
var base = time.Date(2020, time.January, 1, 0, 0, 0, 0, time.UTC)

// encoder appends fields to b.
type encoder struct {
	b    []byte
	seen []string // The new strings so far.
}

// encoders are kept for the room that they have made.
var encoders = sync.Pool{New: func() any { return new(encoder) }}

// encoded is the body that write makes.
func encoded(write func(e *encoder)) []byte {
	e, _ := encoders.Get().(*encoder)
	write(e)
	body := slices.Clone(e.b)
	clear(e.seen)
	e.b, e.seen = e.b[:0], e.seen[:0]
	encoders.Put(e)
	return body
}

func (e *encoder) byte(v byte)      { e.b = append(e.b, v) }
func (e *encoder) uint(v uint64)    { e.b = binary.AppendUvarint(e.b, v) }
func (e *encoder) int(v int64)      { e.b = binary.AppendVarint(e.b, v) }
func (e *encoder) count(n int)      { e.uint(uint64(n)) } //nolint:gosec // G115: a length.
func (e *encoder) time(t time.Time) { e.int(t.Sub(base).Milliseconds()) }

func (e *encoder) string(s string) {
	if i, ok := wordIndex[s]; ok {
		e.count(i + 1)
		return
	}
	for i, have := range e.seen {
		if have == s {
			e.count(len(words) + 1 + i)
			return
		}
	}
	e.seen = append(e.seen, s)
	e.text(s)
}

// text is string for what hardly comes twice: it costs no search.
func (e *encoder) text(s string) {
	e.count(0)
	e.count(len(s))
	e.b = append(e.b, s...)
}

func (e *encoder) addr(a netip.Addr) {
	b := a.AsSlice()
	e.byte(byte(len(b))) //nolint:gosec // G115: 4 or 16.
	e.b = append(e.b, b...)
}

// decoder reads the fields of s. After the first error every field is zero. Strings are parts of s.
type decoder struct {
	s    string
	seen []string
	bad  bool
}

func (d *decoder) fail() {
	d.bad, d.s = true, ""
}

// end is the error of all reads: bytes left over are one too.
func (d *decoder) end() error {
	if d.bad || d.s != "" {
		return errWire
	}
	return nil
}

func (d *decoder) byte() byte {
	if d.s == "" {
		d.fail()
		return 0
	}
	v := d.s[0]
	d.s = d.s[1:]
	return v
}

func (d *decoder) uint() uint64 {
	var v uint64
	for i := 0; i < len(d.s) && i < binary.MaxVarintLen64; i++ {
		c := d.s[i]
		v |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			d.s = d.s[i+1:]
			return v
		}
	}
	d.fail()
	return 0
}

func (d *decoder) int() int64 {
	v := d.uint()
	return int64(v>>1) ^ -int64(v&1) //nolint:gosec // G115: zig-zag.
}

// count reads a number of things that take at least one byte each.
func (d *decoder) count() int {
	v := d.uint()
	if v > uint64(len(d.s)) {
		d.fail()
		return 0
	}
	return int(v) //nolint:gosec // G115: at most len(d.s).
}

// small reads a number up to limit.
func (d *decoder) small(limit uint64) uint64 {
	v := d.uint()
	if v > limit {
		d.fail()
		return 0
	}
	return v
}

func (d *decoder) take(n int) string {
	v := d.s[:n]
	d.s = d.s[n:]
	return v
}

func (d *decoder) bytes() string { return d.take(d.count()) }

func (d *decoder) string() string {
	k := d.uint()
	switch n := uint64(len(words)); {
	case k == 0:
		s := d.bytes()
		d.seen = append(d.seen, s)
		return s
	case k <= n:
		return words[k-1]
	case k-n <= uint64(len(d.seen)):
		return d.seen[k-n-1]
	default:
		d.fail()
		return ""
	}
}

// text reads what encoder.text wrote.
func (d *decoder) text() string {
	if d.uint() != 0 {
		d.fail()
	}
	return d.bytes()
}

// maxTime bounds times so that sums with ages stay in range: the year 2289 or so.
const maxTime = int64(270 * 365 * 24 * time.Hour / time.Millisecond)

func (d *decoder) time() time.Time {
	ms := d.int()
	if ms > maxTime || ms < -maxTime {
		d.fail()
	}
	return base.Add(time.Duration(ms) * time.Millisecond)
}

func (d *decoder) addr() netip.Addr {
	n := d.byte()
	if int(n) > len(d.s) {
		d.fail()
		return netip.Addr{}
	}
	b := d.take(int(n))
	if n == 0 {
		return netip.Addr{}
	}
	a, ok := netip.AddrFromSlice([]byte(b))
	if !ok {
		d.fail()
	}
	return a
}
