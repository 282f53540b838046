package table

import (
	"strings"
)

// A cellEncoder writes rows as CSV, RFC 4180: the input's columns, then those of the shape. Lines end with CRLF.
type cellEncoder struct {
	o        WriteOptions
	delim    byte
	special  [256]bool // Bytes for which a cell is quoted.
	columns  int       // Of the input.
	names    []string  // All columns.
	result   func(cells []string, row *Row, o *Outcome) []string
	more     int // The index of the column for members beyond the columns; -1 if there is none.
	overflow func(raw string) string
	cells    []string
}

func newCellEncoder(l Layout, o WriteOptions) *cellEncoder {
	e := &cellEncoder{o: o, delim: either(o.Delimiter, ",")[0], columns: len(l.Columns), more: -1}
	// Delimiters of others than ours count too, for readers that guess.
	for _, c := range []byte("\",;\t|\r\n" + string(rune(e.delim))) {
		e.special[c] = true
	}
	v := vendorOf(o.Shape)
	names := headerNames(l, v.email)
	if l.More {
		e.more = len(names)
		e.overflow = moreMembers(l)
		names = append(names, freeNames(names, []string{Prefix + "more"})...)
	}
	e.names = append(names, freeNames(names, v.names)...)
	e.result = v.cells
	return e
}

func (e *cellEncoder) header(b []byte) []byte {
	if e.o.BOM {
		b = append(b, "\ufeff"...)
	}
	if e.o.NoHeader {
		return b
	}
	return e.line(b, e.names)
}

func (e *cellEncoder) row(b []byte, row *Row, out *Outcome) []byte {
	cells := append(e.cells[:0], row.Fields...)
	if row.Fields == nil { // It could not be split: its text stands in the first column.
		cells = append(cells, row.Raw)
	}
	for len(cells) < e.columns {
		cells = append(cells, "")
	}
	if e.more >= 0 {
		cells = append(cells, e.overflow(row.Raw))
	}
	cells = e.result(cells, row, out)
	e.cells = cells
	return e.line(b, cells)
}

func (e *cellEncoder) line(b []byte, cells []string) []byte {
	for i, c := range cells {
		if i > 0 {
			b = append(b, e.delim)
		}
		b = e.cell(b, c, len(cells) == 1)
	}
	return append(b, "\r\n"...)
}

// needsQuotes reports whether a reader may need quotes around a cell. A lone blank cell is quoted, because a blank line is
// no row.
func (e *cellEncoder) needsQuotes(s string, alone bool) bool {
	switch {
	case alone && strings.TrimFunc(s, invisible) == "":
		return true
	case s == "":
		return false
	}
	for i := range len(s) {
		if e.special[s[i]] {
			return true
		}
	}
	return s[0] == ' ' || s[len(s)-1] == ' '
}

// cell writes one cell.
func (e *cellEncoder) cell(b []byte, s string, alone bool) []byte {
	if !e.o.RawFormulas && isFormula(s) {
		s = "'" + s
	}
	if !e.needsQuotes(s, alone) {
		return append(b, s...)
	}
	b = append(b, '"')
	for {
		i := strings.IndexByte(s, '"')
		if i < 0 {
			break
		}
		b = append(b, s[:i+1]...)
		b = append(b, '"')
		s = s[i+1:]
	}
	b = append(b, s...)
	return append(b, '"')
}
