package table

import (
	"bytes"
	"io"
)

// A window is the part of a text that has been read and not yet used: at least the rest of one row, never more than the
// limit for a row.
type window struct {
	r          io.Reader
	buf        []byte
	start, end int
	max        int
	err        error // Sticky; io.EOF at the end of the text.
	offset     int64 // Of buf[start] in the text.
}

// windowSize is what a window starts with; most rows never need more.
const windowSize = 64 << 10

func newWindow(r io.Reader, limit int) *window {
	return &window{r: r, buf: make([]byte, min(windowSize, limit)), max: limit}
}

func (w *window) data() []byte { return w.buf[w.start:w.end] }

// final reports whether data is all there is.
func (w *window) final() bool { return w.err == io.EOF }

// full reports whether the window holds as much as a row may have.
func (w *window) full() bool { return w.end-w.start >= w.max }

// use drops the first n bytes.
func (w *window) use(n int) {
	w.start += n
	w.offset += int64(n)
}

// more reads as much as there is room for, and reports whether there is anything new: more bytes, or the end. It must not
// be called on a full window. Filling the room keeps what is looked at twice to the size of a row.
func (w *window) more() bool {
	if w.err != nil {
		return false
	}
	w.makeRoom()
	had, idle := w.end, 0
	for w.end < len(w.buf) && w.err == nil {
		n, err := w.r.Read(w.buf[w.end:])
		w.end += n
		w.err = err
		if n > 0 {
			idle = 0
		} else if idle++; idle == 100 && err == nil {
			w.err = io.ErrNoProgress
		}
	}
	return w.end > had || w.err == io.EOF
}

// makeRoom leaves free space behind the data: by moving it to the front, or in a larger buffer.
func (w *window) makeRoom() {
	if w.start > 0 {
		w.end = copy(w.buf, w.data())
		w.start = 0
	}
	if w.end == len(w.buf) {
		grown := make([]byte, min(2*len(w.buf), w.max))
		w.end = copy(grown, w.buf)
		w.buf = grown
	}
}

// line is the first line of the window with its end, or false if that is not in it yet.
func (w *window) line(eol byte) (line []byte, ok bool) {
	b := w.data()
	if i := bytes.IndexByte(b, eol); i >= 0 {
		return b[:i+1], true
	}
	return b, w.final() && len(b) > 0
}

// discardLine drops the rest of a line and its end, and is the number of bytes dropped before that end.
func (w *window) discardLine(eol byte) int64 {
	var dropped int64
	for {
		b := w.data()
		if i := bytes.IndexByte(b, eol); i >= 0 {
			w.use(i + 1)
			return dropped + int64(i)
		}
		dropped += int64(len(b))
		w.use(len(b))
		if w.err != nil || !w.more() {
			return dropped
		}
	}
}
