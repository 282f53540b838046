// Package wire appends and reads the fields of the small records that are kept on disk: one after the other, without
// names, most of them varints.
//
// What is read may be any bytes. A [Reader] fails once and reads zeros from there on, so that whoever reads a record
// asks only at its end whether it was one.
package wire

import (
	"encoding/binary"
	"math"
	"time"
)

// AppendUint appends v as a varint.
func AppendUint(b []byte, v uint64) []byte { return binary.AppendUvarint(b, v) }

// AppendCount appends a number that is never negative, as AppendUint does. A negative one is appended as 0.
func AppendCount(b []byte, n int) []byte { return binary.AppendUvarint(b, uint64(max(0, n))) }

// AppendInt appends n as a zig-zag varint.
func AppendInt(b []byte, n int) []byte { return binary.AppendVarint(b, int64(n)) }

// AppendDuration appends d in milliseconds, as AppendInt does.
func AppendDuration(b []byte, d time.Duration) []byte {
	return binary.AppendVarint(b, d.Milliseconds())
}

// AppendTime appends t in milliseconds since 1970, as AppendInt does; the zero time as 0.
func AppendTime(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(b, 0)
	}
	return binary.AppendVarint(b, t.UnixMilli())
}

// AppendFloat appends f in four octets, which are precise to seven digits.
func AppendFloat(b []byte, f float64) []byte {
	return binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(f)))
}

// AppendText appends s with its length before it.
func AppendText[S string | []byte](b []byte, s S) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// AppendBools appends up to eight bits in one octet, the first in the lowest.
func AppendBools(b []byte, bits ...bool) []byte {
	var octet byte
	for i, set := range bits {
		if set {
			octet |= 1 << i
		}
	}
	return append(b, octet)
}

// AppendList appends how many there are of list, as AppendInt does, and each with one.
func AppendList[T any](b []byte, list []T, one func([]byte, *T) []byte) []byte {
	b = AppendInt(b, len(list))
	for i := range list {
		b = one(b, &list[i])
	}
	return b
}
