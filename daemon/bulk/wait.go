package bulk

import (
	"encoding/binary"
	"math"
	"time"

	"github.com/verimails/verimaild/internal/wire"
)

// A wait is a question that was put off, and is asked again.
type wait struct {
	question question
	domain   uint32
	first    time.Time // When it was first put off.
	failures int       // How often for a passing failure.
	outcome  Outcome   // What it has if it is not asked again.
	due      time.Time // Part of the key.
}

// encodeWait appends all of w but its due time.
func encodeWait(dst []byte, w wait) []byte {
	dst = append(dst, outcomeVersion)
	dst = w.question.append(dst)
	dst = wire.AppendUint(dst, uint64(w.domain))
	dst = appendTime(dst, w.first)
	dst = wire.AppendCount(dst, w.failures)
	return encodeOutcome(dst, w.outcome)
}

// decodeWait reads what encodeWait wrote.
func decodeWait(b []byte) (w wait, err error) {
	r := wire.NewReader(b)
	r.Version(outcomeVersion)
	w.question = readQuestion(&r, maxRows)
	w.domain = uint32(r.UpTo(math.MaxUint32)) //nolint:gosec // G115: bounded.
	w.first = readTime(&r)
	w.failures = int(r.UpTo(math.MaxInt32))  //nolint:gosec // G115: bounded.
	w.outcome, err = decodeOutcome(r.Rest()) // After a failure, that is nothing.
	return w, err
}

// Keys: a job's id; and behind it the number of a block, or a time and a row.

func blockKey(id string, n uint64) []byte {
	return binary.BigEndian.AppendUint64(append(make([]byte, 0, idLength+8), id...), n)
}

// numberOfKey is the number in a key that blockKey made.
func numberOfKey(key []byte) uint64 {
	if len(key) != idLength+8 {
		return 0
	}
	return binary.BigEndian.Uint64(key[idLength:])
}

func waitKey(id string, due time.Time, row uint64) []byte {
	b := append(make([]byte, 0, idLength+16), id...)
	b = binary.BigEndian.AppendUint64(b, uint64(due.UnixMilli()))
	return binary.BigEndian.AppendUint64(b, row)
}

// dueOfKey is the time in a key that waitKey made.
func dueOfKey(key []byte) time.Time {
	if len(key) != idLength+16 {
		return time.Time{}
	}
	return time.UnixMilli(int64(binary.BigEndian.Uint64(key[idLength:]))) //nolint:gosec // G115: our own milliseconds; any others are a time, too.
}

// rowOfWait is the row in a key that waitKey made.
func rowOfWait(key []byte) uint64 {
	if len(key) != idLength+16 {
		return 0
	}
	return binary.BigEndian.Uint64(key[idLength+8:])
}
