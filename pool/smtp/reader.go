package smtp

import (
	"bytes"
	"fmt"
	"io"
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

const (
	errLineTooLong = protocolError("reply line too long")
	errUnasked     = protocolError("octets that answer no command")
	errSurplus     = protocolError("more replies than commands")
)

// A replyReader cuts a stream of octets into replies, in bounded memory. It is used by one goroutine at a time.
type replyReader struct {
	src   io.Reader
	buf   []byte
	r, w  int                             // What was read and not yet used is buf[r:w].
	full  bool                            // The last read filled the buffer: more was waiting.
	fresh bool                            // Octets were read since surplus was last asked.
	at    time.Time                       // When the newest octets were read.
	heard func(at time.Time, line []byte) // Is shown each line; nil if nobody listens.

	// common holds the Lines of recent short replies of one line. Most servers answer alike again and again,
	// and a match costs no memory.
	common [4][]string
	oldest int
}

// buffered is how many octets were read and belong to no reply yet.
func (r *replyReader) buffered() int { return r.w - r.r }

// surplus reports whether more than n whole replies lie in the buffer. It looks once at what each read has brought.
// A farewell (421, 221) is not counted: servers may send one beyond the replies they owe.
func (r *replyReader) surplus(n int) bool {
	if !r.fresh {
		return false
	}
	r.fresh = false
	rest := r.buf[r.r:r.w]
	for n >= 0 {
		i := bytes.IndexByte(rest, '\n')
		if i < 0 {
			return false
		}
		code, more, _, ok := cutLine(rest[:i])
		if ok && !more && code != 421 && code != 221 {
			n--
		}
		rest = rest[i+1:]
	}
	return true
}

// readReply reads one whole reply, RFC 5321 §4.2. The error is a protocolError, or what the source returned.
// Took is left to the caller.
func (r *replyReader) readReply() (Reply, error) {
	var a assembly
	for {
		line, err := r.readLine()
		if err != nil {
			return Reply{}, err
		}
		text, more, err := a.add(line)
		if err != nil {
			return Reply{}, err
		}
		if a.lines == 1 && !more {
			a.reply.Lines = r.share(text)
		} else {
			a.kept = keepLine(&a.reply, text, a.kept)
		}
		if !more {
			a.reply.At = r.at
			return a.reply, nil
		}
	}
}

// An assembly is a reply of which some lines have been read. The zero assembly has none.
type assembly struct {
	reply         Reply
	lines, octets int // On the wire.
	kept          int // Octets in reply.Lines.
}

// add judges the next line. It returns the line's text, and whether the reply has another line.
func (a *assembly) add(line []byte) (text []byte, more bool, err error) {
	a.lines++
	a.octets += len(line)
	if a.lines > maxLines || a.octets > maxReply {
		return nil, false, protocolError("reply too long")
	}
	code, more, text, ok := cutLine(line)
	switch {
	case !ok:
		return nil, false, protocolError(fmt.Sprintf("not a reply: %q", printable(line, 80)))
	case a.lines > 1 && code != a.reply.Code:
		return nil, false, protocolError(fmt.Sprintf("one reply with two codes, %d and %d", a.reply.Code, code))
	}
	a.reply.Code = code
	enhanced, text := cutEnhanced(text, code/100)
	if enhanced != (EnhancedCode{}) {
		a.reply.Enhanced = enhanced // The last one counts.
	}
	return text, more, nil
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

// readLine reads up to the next LF and returns the line without its end; it is valid until the next call.
func (r *replyReader) readLine() ([]byte, error) {
	for scanned := 0; ; {
		if i := bytes.IndexByte(r.buf[r.r+scanned:r.w], '\n'); i >= 0 {
			return r.cutLine(scanned + i)
		}
		if scanned = r.buffered(); scanned >= largeBuffer {
			return nil, errLineTooLong
		}
		if err := r.fill(); err != nil {
			return nil, err
		}
	}
}

// cutLine takes the line that ends in the LF at n out of the buffer. A bare LF ends a line too, for servers that send
// it exist and reading can be lenient (RFC 5321 §2.3.8 forbids it). A bare CR is text.
func (r *replyReader) cutLine(n int) ([]byte, error) {
	line := r.buf[r.r : r.r+n]
	r.r += n + 1
	if n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	if len(line) > maxLine {
		return nil, errLineTooLong
	}
	if r.heard != nil {
		r.heard(r.at, line)
	}
	return line, nil
}

// fill reads what is there, at least one octet, and makes room for it first.
func (r *replyReader) fill() error {
	r.makeRoom()
	for range 100 {
		n, err := r.src.Read(r.buf[r.w:])
		if n > 0 {
			r.w += n
			r.full, r.fresh = r.w == len(r.buf), true
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
