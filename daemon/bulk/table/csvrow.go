package table

import (
	"bytes"
	"strings"
)

// csvRow reads a CSV record from the window, see fromWindow.
func (r *Reader) csvRow() (done, blank bool) {
	b := r.w.data()
	n, state := r.split.record(b, r.w.final())
	if state == splitMore && !r.w.full() {
		return false, false
	}
	if state != splitDone {
		return r.oddLine(), false
	}
	text := r.begin(b[:n])
	if r.split.n == 1 && strings.TrimFunc(text, invisible) == "" {
		r.take(n)
		return true, true
	}
	r.csvFields(text)
	r.take(n)
	return true, false
}

// oddLine makes a row of the first line in the window, the quotes of which are not in order. So one stray quote costs
// one line, not the rest of the file. It is false if the line does not end in the window.
func (r *Reader) oddLine() bool {
	line, ok := r.w.line(r.eol)
	if !ok {
		return false
	}
	text := r.begin(line)
	switch {
	case r.split.loose(line, len(r.l.Columns)):
		r.csvFields(text)
	case bytes.Count(line, []byte{'"'})%2 != 0:
		r.bad("a quote is opened and not closed")
	default:
		r.bad("the quotes are not in order")
	}
	r.take(len(line))
	return true
}

// csvFields fills the row from the cells that the splitter found in its text.
func (r *Reader) csvFields(text string) {
	cells := r.split.cells
	if r.split.n > r.split.max {
		r.bad("the row has %s cells, more than the %s allowed", thousands(int64(r.split.n)), thousands(int64(r.split.max)))
		return
	}
	width := len(r.fields)
	clear(r.fields)
	for i, c := range cells[:min(len(cells), width)] {
		r.fields[i] = c.text(text)
	}
	if len(cells) > width {
		r.surplus(text, cells)
	}
	r.row.Fields = r.fields
	r.address(r.fields[r.l.Column])
	// A row of another length may have its address elsewhere; then what stands in its place is no address.
	if len(cells) != width && !strings.Contains(r.row.Email, "@") {
		r.row.Problem = count(len(cells), "cell") + " instead of " + thousands(int64(width))
	}
}

// surplus joins the cells that are too many to the last column, as they were written. Empty ones at the end are dropped:
// a delimiter at the end of each row is a habit of some programs.
func (r *Reader) surplus(text string, cells []cell) {
	last := len(r.fields) - 1
	n := len(cells)
	for n > last+1 && strings.TrimSpace(cells[n-1].text(text)) == "" {
		n--
	}
	if n == last+1 {
		return
	}
	var b strings.Builder
	for i, c := range cells[last:n] {
		if i > 0 {
			b.WriteString(r.l.Delimiter)
		}
		b.WriteString(c.text(text))
	}
	r.fields[last] = b.String()
}
