package api

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"sync/atomic"
)

// The bounds of what is read ahead of the answers.
const (
	spoolChunk = 64 << 10

	// maxSpool is what one stream may have spooled, and maxSpools what all may have together; each may have leastSpool.
	maxSpool, maxSpools, leastSpool = 64 << 20, 256 << 20, 1 << 20
)

// A spool holds lines that were read and not answered yet, in chunks of whole lines.
type spool struct {
	all *atomic.Int64 // Bytes in all spools.

	mu     sync.Mutex // Guards all below.
	room   sync.Cond  // Signalled when something is taken, or the spool is closed.
	chunks []chunk
	bytes  int64
	count  int // Lines.
	number int // Of the last line that was taken, from 1.
	closed bool
}

// A chunk is whole lines without the first ones, which have been taken.
type chunk struct {
	rest []byte
	size int64 // Of all its lines.
}

func (s *spool) init(all *atomic.Int64) {
	s.all = all
	s.room.L = &s.mu
}

// lines is how many lines there are.
func (s *spool) lines() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count
}

// take removes the first line, without its newline, and returns it with its number. It does not wait: false means that
// there is none now.
func (s *spool) take() (line []byte, number int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.count == 0 {
		return nil, 0, false
	}
	c := &s.chunks[0]
	end := bytes.IndexByte(c.rest, '\n')
	line, c.rest = c.rest[:end], c.rest[end+1:]
	s.count--
	s.number++
	if len(c.rest) == 0 {
		s.bytes -= c.size
		s.all.Add(-c.size)
		s.chunks[0] = chunk{}
		s.chunks = s.chunks[1:]
		s.room.Signal()
	}
	return line, s.number, true
}

// put adds whole lines. It waits while the spool is full; false means that it is closed.
func (s *spool) put(lines []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for !s.closed && s.bytes >= leastSpool && (s.bytes >= maxSpool || s.all.Load() >= maxSpools) {
		s.room.Wait()
	}
	if s.closed {
		return false
	}
	size := int64(len(lines))
	s.chunks = append(s.chunks, chunk{lines, size})
	s.bytes += size
	s.all.Add(size)
	s.count += bytes.Count(lines, newline)
	return true
}

var newline = []byte{'\n'}

// close drops what is in the spool; nothing goes in any more.
func (s *spool) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.all.Add(-s.bytes)
	s.chunks, s.bytes, s.count = nil, 0, 0
	s.room.Broadcast()
}

// errSpoolClosed is why fill ended before the body did.
var errSpoolClosed = errors.New("api: a stream that is over")

// fill reads r to its end; came is called when lines have come. A line that is too long is cut behind maxLine, so that it is
// refused, and not held. A last line needs no newline.
func (s *spool) fill(r io.Reader, came func()) error {
	buf := make([]byte, 0, 2*spoolChunk)
	long := false // The line in buf has been cut; what is left of it is skipped.
	for {
		n, err := r.Read(buf[len(buf):cap(buf)])
		fresh := buf[len(buf) : len(buf)+n]
		if long {
			fresh = fresh[skipLine(fresh, &long):]
			buf = append(buf[:0], fresh...)
		} else {
			buf = buf[:len(buf)+n]
		}
		if err != nil && len(buf) > 0 {
			buf = append(buf, '\n')
		}
		if !s.move(&buf, &long) {
			return errSpoolClosed
		}
		came()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// skipLine is where the line after the one in b begins; long stays true if that is not in b.
func skipLine(b []byte, long *bool) int {
	end := bytes.IndexByte(b, '\n')
	if end < 0 {
		return len(b)
	}
	*long = false
	return end + 1
}

// move puts the whole lines of buf into the spool and leaves the beginning of the next one in it.
func (s *spool) move(buf *[]byte, long *bool) bool {
	end := bytes.LastIndexByte(*buf, '\n') + 1
	whole, rest := (*buf)[:end], (*buf)[end:]
	if len(rest) > maxLine {
		// Cut, but still too long: the worker that gets it says so.
		whole, rest, *long = append(bytes.Clone(*buf), '\n'), nil, true
	}
	if len(whole) < spoolChunk/4 { // A copy is cheaper than giving the buffer away.
		whole = bytes.Clone(whole)
		*buf = append((*buf)[:0], rest...)
	} else {
		*buf = append(make([]byte, 0, len(rest)+spoolChunk), rest...)
	}
	if cap(*buf)-len(*buf) < spoolChunk/4 {
		*buf = append(make([]byte, 0, len(*buf)+spoolChunk), *buf...)
	}
	return len(whole) == 0 || s.put(whole)
}
