package wire

import (
	"encoding/binary"
	"math"
	"time"
)

// A Reader takes fields off the front of a record. It is not safe for concurrent use. The zero Reader is at the end of an
// empty record.
type Reader struct {
	b   []byte
	bad bool
}

// NewReader reads b, which must not change meanwhile.
func NewReader(b []byte) Reader { return Reader{b: b} }

// Fail makes the reader fail, for whoever read what cannot be.
func (r *Reader) Fail() { r.b, r.bad = nil, true }

// Failed reports whether something was read that was not there, or was out of its bounds.
func (r *Reader) Failed() bool { return r.bad }

// Done reports whether all of the record has been read, and nothing of it failed.
func (r *Reader) Done() bool { return !r.bad && len(r.b) == 0 }

// Rest is what has not been read yet; nothing after a failure.
func (r *Reader) Rest() []byte { return r.b }

// Version reads an octet that must be v: the version that a record begins with.
func (r *Reader) Version(v byte) {
	if r.Byte() != v {
		r.Fail()
	}
}

// Byte reads one octet.
func (r *Reader) Byte() byte {
	if len(r.b) == 0 {
		r.Fail()
		return 0
	}
	v := r.b[0]
	r.b = r.b[1:]
	return v
}

// Uint reads what AppendUint appended.
func (r *Reader) Uint() uint64 { return r.UpTo(math.MaxUint64) }

// UpTo reads a number as Uint does, and fails if it is larger than most.
func (r *Reader) UpTo(most uint64) uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 || v > most {
		r.Fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

// Int reads what AppendInt appended, and fails if it does not fit into 32 bits.
func (r *Reader) Int() int { return int(r.within(math.MinInt32, math.MaxInt32)) }

// within reads a zig-zag varint that must lie between two others, or be one of them.
func (r *Reader) within(least, most int64) int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 || v < least || v > most {
		r.Fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

// century is longer than any duration in a record; sums of a few are durations still.
const century = 100 * 365 * 24 * time.Hour

// Duration reads what AppendDuration appended, and fails if it is longer than a century.
func (r *Reader) Duration() time.Duration {
	const most = int64(century / time.Millisecond)
	return time.Duration(r.within(-most, most)) * time.Millisecond
}

// Time reads what AppendTime appended, whole milliseconds of the local time.
func (r *Reader) Time() time.Time {
	ms := r.within(math.MinInt64, math.MaxInt64)
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

// Float reads what AppendFloat appended, and fails unless it is finite and not negative.
func (r *Reader) Float() float64 {
	b := r.take(4)
	if b == nil {
		return 0
	}
	f := float64(math.Float32frombits(binary.LittleEndian.Uint32(b)))
	if math.IsNaN(f) || math.IsInf(f, 0) || f < 0 {
		r.Fail()
		return 0
	}
	return f
}

// Uint64 reads eight octets, the most significant first.
func (r *Reader) Uint64() uint64 {
	b := r.take(8)
	if b == nil {
		return 0
	}
	return binary.BigEndian.Uint64(b)
}

// Bytes reads what AppendText appended, as a part of the record.
func (r *Reader) Bytes() []byte { return r.take(r.Uint()) }

// Text reads what AppendText appended.
func (r *Reader) Text() string { return string(r.Bytes()) }

// take takes n octets; nil if there are fewer.
func (r *Reader) take(n uint64) []byte {
	if r.bad || n > uint64(len(r.b)) {
		r.Fail()
		return nil
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}

// Bools reads what AppendBools appended, and fails if there are other bits too.
func (r *Reader) Bools(bits ...*bool) {
	octet := r.Byte()
	for i := range bits {
		*bits[i] = octet&(1<<i) != 0
	}
	if octet>>len(bits) != 0 {
		r.Fail()
	}
}

// List reads what AppendList appended. Each of the list takes an octet at least, so that no count can ask for more than
// the record could hold.
func List[T any](r *Reader, one func(*Reader) T) []T {
	n := r.Int()
	if n < 0 || n > len(r.b) {
		r.Fail()
	}
	var list []T
	for range n {
		if r.bad {
			return nil
		}
		list = append(list, one(r))
	}
	return list
}
