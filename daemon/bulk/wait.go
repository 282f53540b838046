package bulk

import (
	"encoding/binary"
	"time"
)

// A wait is a question that was put off, and is asked again.
type wait struct {
	question question
	domain   uint32
	first    time.Time // When the mail server first put it off.
	tries    int       // How often it was asked about.
	outcome  Outcome   // What it has if it is not asked again.
	due      time.Time // Part of the key.
}

// encodeWait appends all of w but its due time.
func encodeWait(dst []byte, w wait) []byte {
	dst = append(dst, outcomeVersion)
	dst = w.question.append(dst)
	dst = binary.AppendUvarint(dst, uint64(w.domain))
	dst = appendTime(dst, w.first)
	dst = binary.AppendUvarint(dst, uint64(max(w.tries, 0)))
	return encodeOutcome(dst, w.outcome)
}

// decodeWait reads what encodeWait wrote.
func decodeWait(b []byte) (w wait, err error) {
	if len(b) == 0 || b[0] != outcomeVersion {
		return w, errDecode
	}
	n := 0
	if w.question, n, err = readQuestion(b[1:], maxRows); err != nil {
		return w, errDecode
	}
	d := decoder{b: b[1+n:]}
	w.domain = uint32(d.below(1 << 32))
	w.first = d.time()
	w.tries = int(d.below(1 << 31))
	if d.bad {
		return w, errDecode
	}
	w.outcome, err = decodeOutcome(d.b)
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
	return time.UnixMilli(int64(binary.BigEndian.Uint64(key[idLength:])))
}

// rowOfWait is the row in a key that waitKey made.
func rowOfWait(key []byte) uint64 {
	if len(key) != idLength+16 {
		return 0
	}
	return binary.BigEndian.Uint64(key[idLength+8:])
}
