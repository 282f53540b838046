package table

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// A Row is one row of a list.
type Row struct {
	Number int64 // From 0, the header not counted: the row's place in the list.
	Line   int64 // Where it starts in the (unpacked) file, from 1.

	// Fields has one entry for each column of the layout: cells that are missing are "", and cells that are too many stand
	// in the last column as they were written, delimiters included. It is nil for a row that could not be split. Next
	// overwrites it; its strings are the caller's.
	Fields []string

	Email   string // The address as written, without white space, "mailto:" and angle brackets; not parsed.
	Raw     string // The row's text in UTF-8, without the line's end; the first KiB of a row that is too long.
	Problem string // Why there is no address to be had from this row; "" if there is one.
}

// rawKept is how much of a row is kept that is longer than allowed.
const rawKept = 1 << 10

// A Reader gives the rows of a list, in order.
type Reader struct {
	l      Layout
	w      *window
	eol    byte
	split  splitter
	number int64
	line   int64
	row    Row
	fields []string
	keys   map[string]int // Of NDJSON: where a key's value goes.
}

// NewReader returns a Reader of the input that l was found in, which must be read from its first byte on. What is wrong
// with the input as a whole is an error of Next.
func NewReader(r io.Reader, l Layout) *Reader {
	text, err := textOf(r, l)
	if err != nil {
		text = failing{err}
	}
	return newTextReader(text, l)
}

// newTextReader reads text that is unpacked and decoded, without the byte order mark.
func newTextReader(text io.Reader, l Layout) *Reader {
	l.Limits = l.Limits.filled()
	rd := &Reader{l: l, w: newWindow(text, l.Limits.Row), eol: '\n', line: 1}
	if l.CR {
		rd.eol = '\r'
	}
	rd.split = splitter{eol: rd.eol, max: l.Limits.Columns}
	if l.Delimiter != "" {
		rd.split.delim = l.Delimiter[0]
	}
	rd.fields = make([]string, max(len(l.Columns), 1)) // One also while the columns are still being found.
	if l.Format == NDJSON {
		rd.keys = make(map[string]int, len(l.Columns))
		for i, c := range l.Columns {
			rd.keys[c] = i
		}
	}
	return rd
}

// textOf is the text of an input: unpacked, decoded, without the byte order mark.
func textOf(r io.Reader, l Layout) (io.Reader, error) {
	src, err := newSource(r, l.Limits.filled())
	if err != nil {
		return nil, err
	}
	if l.BOM {
		mark := 2
		if l.Charset == utf8Name {
			mark = 3
		}
		if _, err := io.CopyN(io.Discard, src, int64(mark)); err != nil {
			return nil, err
		}
	}
	return decoded(src, l.Charset), nil
}

// failing is a reader that only fails.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// Next reads the next row. A row that cannot be read is a row with a Problem, not an error. Errors are io.EOF behind the
// last row, ErrTruncated, ErrCorrupt and ErrTooLarge, wrapped, and those of the reader below; after an error there are no
// more rows.
func (r *Reader) Next() (Row, error) {
	if r.line == 1 && r.w.offset == 0 {
		if err := r.skipHead(); err != nil {
			return Row{}, err
		}
	}
	if err := r.next(); err != nil {
		return Row{}, err
	}
	r.row.Number = r.number
	r.number++
	return r.row, nil
}

// skipHead passes over what stands before the first row: Excel's line about the delimiter, and the header.
func (r *Reader) skipHead() error {
	if r.l.SepLine {
		for {
			if line, ok := r.w.line(r.eol); ok {
				r.take(len(line))
				break
			}
			if r.w.full() || !r.w.more() {
				break
			}
		}
	}
	if r.l.Header {
		return r.next()
	}
	return nil
}

// next reads a row into r.row, all but its number.
func (r *Reader) next() error {
	for {
		if len(r.w.data()) > 0 {
			switch done, blank := r.fromWindow(); {
			case done && !blank:
				return nil
			case done:
				continue
			}
		}
		if r.w.final() {
			return io.EOF
		}
		if r.w.full() {
			r.tooLong()
			return nil
		}
		if !r.w.more() {
			return cutShort(r.w.err)
		}
	}
}

// fromWindow reads a row from what is in the window. done is false if more text is needed for that; a blank line is
// passed over.
func (r *Reader) fromWindow() (done, blank bool) {
	if r.l.Format == CSV {
		return r.csvRow()
	}
	line, ok := r.w.line(r.eol)
	if !ok {
		return false, false
	}
	text := r.begin(line)
	if strings.TrimFunc(text, invisible) == "" {
		r.take(len(line))
		return true, true
	}
	if r.l.Format == NDJSON {
		r.jsonRow(text)
	} else {
		r.fields[0] = text
		r.row.Fields = r.fields
		r.address(text)
	}
	r.take(len(line))
	return true, false
}

// begin starts a row with the text b, which may have a line's end.
func (r *Reader) begin(b []byte) string {
	for len(b) > 0 && (b[len(b)-1] == r.eol || b[len(b)-1] == '\r') {
		b = b[:len(b)-1]
	}
	r.row = Row{Line: r.line, Raw: string(b)}
	return r.row.Raw
}

// take drops n bytes of the window and counts their lines.
func (r *Reader) take(n int) {
	r.line += int64(bytes.Count(r.w.data()[:n], []byte{r.eol}))
	r.w.use(n)
}

// address fills in the address from its cell.
func (r *Reader) address(cell string) {
	r.row.Email = trimAddress(cell)
	switch {
	case r.row.Email == "":
		r.row.Problem = "no address"
	case !utf8.ValidString(r.row.Email):
		r.row.Problem = "the address is not valid UTF-8"
	}
	if !utf8.ValidString(r.row.Raw) {
		r.repair()
	}
}

// repair makes a row valid UTF-8, so that what is written is that everywhere.
func (r *Reader) repair() {
	r.row.Raw = repaired(r.row.Raw)
	r.row.Email = repaired(r.row.Email)
	for i, f := range r.row.Fields {
		r.row.Fields[i] = repaired(f)
	}
}

// bad makes the row one that could not be read.
func (r *Reader) bad(format string, args ...any) {
	r.row.Fields = nil
	r.row.Email = ""
	r.row.Problem = fmt.Sprintf(format, args...)
	if !utf8.ValidString(r.row.Raw) {
		r.repair()
	}
}

// tooLong makes a row of a line that does not fit the window, and passes over the rest of it.
func (r *Reader) tooLong() {
	kept := r.w.data()[:min(rawKept, r.l.Limits.Row)]
	r.begin(kept)
	size := r.w.discardLine(r.eol)
	r.line++
	r.bad("the line has %s bytes, more than the %s allowed", thousands(size), thousands(int64(r.l.Limits.Row)))
}
