package table

import (
	"strings"
	"unicode"
)

// A shape finds out how the text of a list is divided, by trying.
type shape struct {
	text    []byte
	cr      bool
	final   bool // The text is all there is.
	columns int  // The limit.
}

// A reading is the text divided in one way.
type reading struct {
	format    Format
	delimiter string
	rows      [][]string
	width     int     // The commonest number of cells.
	even      float64 // The share of rows that have it.
	addresses float64 // The share of addresses in the column that has most.
}

// find is the best reading: the one that shows the most addresses; among those, one with columns.
func (s shape) find(o Options) reading {
	if o.Format == Lines {
		return s.lines()
	}
	if o.Delimiter != "" {
		return s.csv(o.Delimiter)
	}
	lines := s.lines()
	best := reading{}
	for _, d := range []string{",", ";", "\t", "|"} {
		if r := s.csv(d); r.better(best) {
			best = r
		}
	}
	if best.beats(lines) {
		return best
	}
	if o.Format == CSV || o.Header == "present" || oneColumn(lines.rows) {
		return s.csv(",")
	}
	return lines
}

// better reports whether r is a better way to divide rows into cells than b.
func (r reading) better(b reading) bool {
	if r.width < 2 {
		return false
	}
	if b.width < 2 {
		return true
	}
	return r.even+2*r.addresses+float64(min(r.width, 10))/100 > b.even+2*b.addresses+float64(min(b.width, 10))/100
}

// beats reports whether r is better than no division at all.
func (r reading) beats(lines reading) bool {
	switch {
	case r.width < 2:
		return false
	case r.addresses != lines.addresses:
		return r.addresses > lines.addresses
	case r.addresses > 0:
		return r.even >= 0.5
	default: // No addresses anywhere: only what clearly is a table is one.
		return r.even >= 0.9
	}
}

// oneColumn reports whether lines are CSV with one column: with a header that we know, or with quotes around cells.
func oneColumn(rows [][]string) bool {
	if len(rows) == 0 {
		return false
	}
	quoted := 0
	for _, row := range rows {
		if s := strings.TrimSpace(row[0]); len(s) > 1 && s[0] == '"' && s[len(s)-1] == '"' {
			quoted++
		}
	}
	return nameRank(strings.Trim(rows[0][0], "\" \t")) > 0 || quoted > len(rows)/2
}

func (s shape) eol() byte {
	if s.cr {
		return '\r'
	}
	return '\n'
}

// lines is the text as one address a line.
func (s shape) lines() reading {
	r := reading{format: Lines, width: 1, even: 1}
	for line := range strings.SplitSeq(string(s.text), string(s.eol())) {
		if len(r.rows) == sampleRows {
			break
		}
		if strings.TrimFunc(line, invisible) != "" {
			r.rows = append(r.rows, []string{strings.TrimRight(line, "\r")})
		}
	}
	r.addresses = bestColumn(r.rows).share
	return r
}

// csv is the text as cells between delimiters.
func (s shape) csv(delimiter string) reading {
	r := reading{format: CSV, delimiter: delimiter}
	sp := splitter{delim: delimiter[0], eol: s.eol(), max: s.columns + 1}
	for b := s.text; len(b) > 0 && len(r.rows) < sampleRows; {
		n, state := sp.record(b, s.final)
		if state == splitMore {
			break
		}
		if state == splitBroken {
			line := firstLine(b, s.eol())
			n = len(line)
			if !sp.loose(line, 0) {
				sp.cells = append(sp.cells[:0], cell{to: n}) // A bad row, and a row all the same.
			}
		}
		if row := cellTexts(string(b[:n]), sp.cells); len(row) > 1 || strings.TrimFunc(row[0], invisible) != "" {
			r.rows = append(r.rows, row)
		}
		b = b[n:]
	}
	r.width, r.even = commonWidth(r.rows)
	r.addresses = bestColumn(r.rows).share
	return r
}

func cellTexts(record string, cells []cell) []string {
	row := make([]string, len(cells))
	for i, c := range cells {
		row[i] = c.text(record)
	}
	return row
}

func firstLine(b []byte, eol byte) []byte {
	for i, c := range b {
		if c == eol {
			return b[:i+1]
		}
	}
	return b
}

// commonWidth is the commonest number of cells in a row (the larger of two), and the share of rows that have it.
func commonWidth(rows [][]string) (width int, share float64) {
	if len(rows) == 0 {
		return 0, 0
	}
	counts := map[int]int{}
	for _, row := range rows {
		counts[len(row)]++
	}
	for w, n := range counts {
		if n > counts[width] || n == counts[width] && w > width {
			width = w
		}
	}
	return width, float64(counts[width]) / float64(len(rows))
}

// isWord reports whether a cell can be a column's name: it has letters and is not long.
func isWord(cell string) bool {
	return len(cell) <= 100 && strings.ContainsFunc(cell, unicode.IsLetter)
}
