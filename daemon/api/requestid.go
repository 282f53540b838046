package api

import (
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"strconv"
	"sync/atomic"
)

// requestIDs names requests: by the client's X-Request-Id if it is fit for a log, else by a name of our own.
type requestIDs struct {
	prefix string // Tells this process from the one before it.
	last   atomic.Uint64
}

func newRequestIDs() *requestIDs {
	b := make([]byte, 5)
	_, _ = rand.Read(b) // Never fails: crypto/rand ends the process instead.
	return &requestIDs{prefix: hex.EncodeToString(b) + "-"}
}

func (ids *requestIDs) of(r *http.Request) string {
	if id := r.Header.Get("X-Request-Id"); fitID(id) {
		return id
	}
	return ids.next()
}

// next is a name of our own.
func (ids *requestIDs) next() string { return ids.prefix + strconv.FormatUint(ids.last.Add(1), 36) }

// fitID reports whether a client's id can stand in a log and a header as it is.
func fitID(id string) bool {
	if id == "" || len(id) > 64 {
		return false
	}
	for _, c := range []byte(id) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}
