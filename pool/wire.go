package pool

import (
	"encoding/binary"
	"errors"
	"math"
	"time"
)

// errRecord says that bytes are no record.
var errRecord = errors.New("pool: not a record")

// A wireReader reads what the append functions below wrote. After the first fault it reads zeros.
type wireReader struct {
	b   []byte
	bad bool
}

func appendInt(b []byte, n int) []byte { return binary.AppendVarint(b, int64(n)) }

func (r *wireReader) int() int {
	v, n := binary.Varint(r.b)
	if n <= 0 || v > math.MaxInt32 || v < math.MinInt32 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return int(v)
}

func (r *wireReader) fail() { r.b, r.bad = nil, true }

// Times are kept to the millisecond.
func appendDuration(b []byte, d time.Duration) []byte {
	return binary.AppendVarint(b, int64(d/time.Millisecond))
}

func (r *wireReader) duration() time.Duration {
	const most = int64(100 * 365 * 24 * time.Hour / time.Millisecond)
	v, n := binary.Varint(r.b)
	if n <= 0 || v > most || v < -most {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return time.Duration(v) * time.Millisecond
}

func appendTime(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return binary.AppendVarint(b, 0)
	}
	return binary.AppendVarint(b, t.UnixMilli())
}

func (r *wireReader) time() time.Time {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.fail()
		return time.Time{}
	}
	r.b = r.b[n:]
	if v == 0 {
		return time.Time{}
	}
	return time.UnixMilli(v)
}

func appendFloat(b []byte, f float64) []byte {
	return binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(f)))
}

// float reads a number that is finite and not negative.
func (r *wireReader) float() float64 {
	if len(r.b) < 4 {
		r.fail()
		return 0
	}
	f := float64(math.Float32frombits(binary.LittleEndian.Uint32(r.b)))
	r.b = r.b[4:]
	if math.IsNaN(f) || math.IsInf(f, 0) || f < 0 {
		r.fail()
		return 0
	}
	return f
}

func appendString(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

func (r *wireReader) string() string {
	n, used := binary.Uvarint(r.b)
	if used <= 0 || n > uint64(len(r.b)-used) {
		r.fail()
		return ""
	}
	s := string(r.b[used : used+int(n)])
	r.b = r.b[used+int(n):]
	return s
}

func appendBools(b []byte, v ...bool) []byte {
	var bits byte
	for i, set := range v {
		if set {
			bits |= 1 << i
		}
	}
	return append(b, bits)
}

func (r *wireReader) bools(v ...*bool) {
	if len(r.b) == 0 {
		r.fail()
		return
	}
	for i := range v {
		*v[i] = r.b[0]&(1<<i) != 0
	}
	r.b = r.b[1:]
}

// appendAll appends how many there are of all, and each with one.
func appendAll[T any](b []byte, all []T, one func([]byte, *T) []byte) []byte {
	b = appendInt(b, len(all))
	for i := range all {
		b = one(b, &all[i])
	}
	return b
}

// readAll reads what appendAll wrote; each of them takes an octet at least, so no count can ask for more than is there.
func readAll[T any](r *wireReader, one func(*wireReader) T) []T {
	n := r.int()
	if n < 0 || n > len(r.b) {
		r.fail()
		return nil
	}
	var out []T
	for range n {
		if r.bad {
			return nil
		}
		out = append(out, one(r))
	}
	return out
}
