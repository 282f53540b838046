package smtp

import (
	"bytes"
	"fmt"
	"io"
	"sync/atomic"
	"time"
)

// The bounds of one reply on the wire. RFC 5321 §4.5.3.1.5 allows lines of 512 octets; servers exceed it.
const (
	maxLine  = 4096 // Octets of a line without its end.
	maxLines = 100
	maxReply = 64 << 10
)

// The read buffer starts small, for an idle session holds it, and grows when replies fill it or a line needs it.
const (
	smallBuffer = 1 << 10
	largeBuffer = maxLine + len("\r\n")
)

// A protocolError says why what came is not a reply.
type protocolError string

func (e protocolError) Error() string { return string(e) }

// A replyReader cuts a stream of octets into replies, in bounded memory. It is used by one goroutine at a time.
type replyReader struct {
	src   io.Reader
	buf   []byte
	r, w  int       // What was read and not yet used is buf[r:w].
	full  bool      // The last read filled the buffer: more was waiting.
	at    time.Time // When the newest octets were read.
	heard func(at time.Time, line []byte)

	// common holds the Lines of recent short replies of one line. Most servers answer alike again and again,
	// and a match costs no memory.
	common [4][]string
	oldest int

	bareLF atomic.Bool // A line ended without CR. Atomic, for the session's owner may ask at any time.
}

// buffered is how many octets were read and belong to no reply yet.
func (r *replyReader) buffered() int { return r.w - r.r }

// readReply reads one whole reply, RFC 5321 §4.2. The error is a protocolError, or what the source returned.
// Took is left to the caller.
func (r *replyReader) readReply() (Reply, error) {
	var reply Reply
	var octets, kept int
	for n := 1; ; n++ {
		line, err := r.readLine()
		if err != nil {
			return Reply{}, err
		}
		if octets += len(line); octets > maxReply || n > maxLines {
			return Reply{}, protocolError("reply too long")
		}
		code, more, text, ok := cutLine(line)
		if !ok {
			return Reply{}, protocolError(fmt.Sprintf("not a reply: %q", printable(line, 80)))
		}
		if n > 1 && code != reply.Code {
			return Reply{}, protocolError(fmt.Sprintf("one reply with two codes, %d and %d", reply.Code, code))
		}
		reply.Code = code
		c, text := cutEnhanced(text, code/100)
		if c != (EnhancedCode{}) {
			reply.Enhanced = c
		}
		if n == 1 && !more {
			reply.Lines = r.share(text)
			reply.At = r.at
			return reply, nil
		}
		kept = keepLine(&reply, text, kept)
		if !more {
			reply.At = r.at
			return reply, nil
		}
	}
}

// share is the Lines of a reply of one line, without a new copy if a recent reply said the same.
func (r *replyReader) share(text []byte) []string {
	const short = 80
	for _, lines := range r.common {
		if lines != nil && lines[0] == string(text) {
			return lines
		}
	}
	lines := []string{printable(text, keptLine)}
	if len(text) <= short {
		r.common[r.oldest] = lines
		r.oldest = (r.oldest + 1) % len(r.common)
	}
	return lines
}

// readLine reads up to the next LF and returns the line without its end; it is valid until the next call. A bare LF
// ends a line here, since servers that send it exist and reading can be lenient, but it is remembered. A bare CR is
// text.
func (r *replyReader) readLine() ([]byte, error) {
	scanned := 0
	for {
		if i := bytes.IndexByte(r.buf[r.r+scanned:r.w], '\n'); i >= 0 {
			line := r.buf[r.r : r.r+scanned+i]
			r.r += scanned + i + 1
			if n := len(line); n > 0 && line[n-1] == '\r' {
				line = line[:n-1]
			} else {
				r.bareLF.Store(true)
			}
			if len(line) > maxLine {
				return nil, protocolError("reply line too long")
			}
			if r.heard != nil {
				r.heard(r.at, line)
			}
			return line, nil
		}
		if scanned = r.buffered(); scanned >= largeBuffer {
			return nil, protocolError("reply line too long")
		}
		if err := r.fill(); err != nil {
			return nil, err
		}
	}
}

// fill reads what is there, at least one octet, and makes room for it first.
func (r *replyReader) fill() error {
	r.makeRoom()
	for range 100 {
		n, err := r.src.Read(r.buf[r.w:])
		if n > 0 {
			r.w += n
			r.full = r.w == len(r.buf)
			r.at = time.Now()
			return nil // An error that came with octets comes again.
		}
		if err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}

// makeRoom moves what is unused to the front, in a larger buffer if the last read filled this one.
func (r *replyReader) makeRoom() {
	switch {
	case r.buf == nil:
		r.buf = make([]byte, smallBuffer)
	case r.full && len(r.buf) < largeBuffer:
		large := make([]byte, largeBuffer)
		r.w = copy(large, r.buf[r.r:r.w])
		r.r, r.buf = 0, large
	case r.r > 0:
		r.w = copy(r.buf, r.buf[r.r:r.w])
		r.r = 0
	}
}
