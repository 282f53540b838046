package bulk

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"time"
)

// idLength is that of a job's id, in characters.
const idLength = 20

// alphabet keeps the order of what it encodes, so that ids sort by age.
const alphabet = "0123456789abcdefghjkmnpqrstvwxyz"

// newID makes the id of a job: 48 bits of the time in milliseconds, 52 that nobody can guess.
func newID(now time.Time) string {
	var b [13]byte
	binary.BigEndian.PutUint64(b[:], uint64(now.UnixMilli())<<16)
	_, _ = rand.Read(b[6:]) // Never fails.
	return base32.NewEncoding(alphabet).WithPadding(base32.NoPadding).EncodeToString(b[:])[:idLength]
}

// isID reports whether s has the form of an id.
func isID(s string) bool {
	if len(s) != idLength {
		return false
	}
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}
