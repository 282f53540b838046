package table

import (
	"bytes"
	"strings"
)

// A cell is the part of a record that one cell's text is in.
type cell struct {
	from, to int
	doubled  bool // It has doubled quotes, each of which stands for one.
}

func (c cell) text(record string) string {
	s := record[c.from:c.to]
	if c.doubled {
		s = strings.ReplaceAll(s, `""`, `"`)
	}
	return s
}

// A splitter splits text into records of cells as RFC 4180 says, with LF, CRLF or lone CR at the end of a line. Blanks
// around a quoted cell are not part of it. A splitter is reused from record to record.
type splitter struct {
	delim, eol byte
	max        int // Cells; more are counted, not kept.
	cells      []cell
	n          int // Cells, kept or not.
}

// A splitState says how far a splitter got.
type splitState uint8

const (
	splitDone   splitState = iota
	splitMore              // The record goes on beyond the text.
	splitBroken            // A quote is not closed, or something other than a delimiter follows the closing one.
)

func (s *splitter) add(c cell) {
	if s.n++; s.n <= s.max {
		s.cells = append(s.cells, c)
	}
}

// record splits the first record of b, which must not be empty, and is its length with the line's end. final says that
// there is no text beyond b.
func (s *splitter) record(b []byte, final bool) (int, splitState) {
	s.cells, s.n = s.cells[:0], 0
	for i := 0; ; i++ {
		end, state := s.cell(b, i, final)
		switch {
		case state != splitDone:
			return 0, state
		case end == len(b):
			return end, splitDone
		case b[end] == s.eol:
			return end + 1, splitDone
		}
		i = end
	}
}

// cell splits off the cell at b[i:] and is where it ends: at a delimiter, at a line's end or at the end of the text.
func (s *splitter) cell(b []byte, i int, final bool) (int, splitState) {
	if i < len(b) && b[i] == '"' {
		return s.quoted(b, i, final)
	}
	if end, state := s.padded(b, i, final); state != splitBroken {
		return end, state
	}
	end := i
	for end < len(b) && b[end] != s.delim && b[end] != s.eol {
		end++
	}
	if end == len(b) && !final {
		return 0, splitMore
	}
	to := end
	if s.eol == '\n' && (end == len(b) || b[end] == '\n') {
		for to > i && b[to-1] == '\r' {
			to--
		}
	}
	s.add(cell{from: i, to: to})
	return end, splitDone
}

// padded splits off a quoted cell that starts with blanks, as in: 1, "Lovelace, Ada". It has to end on its line; otherwise
// the quote is a character like others, and this is splitBroken.
func (s *splitter) padded(b []byte, i int, final bool) (int, splitState) {
	open := s.skipBlanks(b, i)
	if open == len(b) && !final {
		return 0, splitMore
	}
	if open == len(b) || b[open] != '"' {
		return 0, splitBroken
	}
	line := b
	if k := bytes.IndexByte(b[open:], s.eol); k >= 0 {
		line = b[:open+k]
	} else if !final {
		return 0, splitMore
	}
	return s.quoted(line, open, true)
}

// quoted splits off the cell whose opening quote is b[open].
func (s *splitter) quoted(b []byte, open int, final bool) (int, splitState) {
	doubled := false
	for j := open + 1; ; {
		k := bytes.IndexByte(b[j:], '"')
		if k < 0 {
			return s.cut(final)
		}
		k += j
		if k+1 < len(b) && b[k+1] == '"' {
			doubled = true
			j = k + 2
			continue
		}
		end := s.skipBlanks(b, k+1)
		switch {
		case end == len(b) && !final:
			return 0, splitMore
		case end == len(b), b[end] == s.delim, b[end] == s.eol:
			s.add(cell{from: open + 1, to: k, doubled: doubled})
			return end, splitDone
		default:
			return 0, splitBroken
		}
	}
}

func (s *splitter) cut(final bool) (int, splitState) {
	if final {
		return 0, splitBroken
	}
	return 0, splitMore
}

// skipBlanks is the index of the first byte from i on that is no blank, and no carriage return before a line feed.
func (s *splitter) skipBlanks(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\r') && b[i] != s.delim && b[i] != s.eol {
		i++
	}
	return i
}

// loose splits a line (without its end) whose quotes are not as RFC 4180 wants them, if there is one way to read it that
// gives the number of cells wanted (0: any). First with quotes that are neither doubled nor next to a delimiter taken as
// characters: "Ada "the Countess" L.",ada@example.com. Then with all quotes as characters, if they come in pairs:
// "ada l"@example.com. A line in which a quote was opened and not closed is not guessed at.
func (s *splitter) loose(line []byte, want int) bool {
	line = bytes.TrimRight(line, "\r\n")
	if s.looseQuotes(line) && (want == 0 || s.n == want) {
		return true
	}
	if bytes.Count(line, []byte{'"'})%2 != 0 {
		return false
	}
	s.cells, s.n = s.cells[:0], 0
	for i := 0; ; {
		end := s.plainEnd(line, i)
		s.add(cell{from: i, to: end})
		if end == len(line) {
			break
		}
		i = end + 1
	}
	return want == 0 || s.n == want
}

// looseQuotes splits a line in which a quoted cell ends only with a quote before a delimiter or the line's end.
func (s *splitter) looseQuotes(line []byte) bool {
	s.cells, s.n = s.cells[:0], 0
	for i := 0; ; {
		end := s.plainEnd(line, i)
		if open := s.skipBlanks(line, i); open < len(line) && line[open] == '"' {
			shut, after := s.looseEnd(line, open+1)
			if shut < 0 {
				return false
			}
			s.add(cell{from: open + 1, to: shut, doubled: true})
			end = after
		} else {
			s.add(cell{from: i, to: end})
		}
		if end == len(line) {
			return true
		}
		i = end + 1
	}
}

// looseEnd is the index of the quote that closes a loosely quoted cell, and of the delimiter or end behind it.
func (s *splitter) looseEnd(line []byte, from int) (shut, after int) {
	for j := from; ; {
		k := bytes.IndexByte(line[j:], '"')
		if k < 0 {
			return -1, -1
		}
		k += j
		if end := s.skipBlanks(line, k+1); end == len(line) || line[end] == s.delim {
			return k, end
		}
		if line[k+1] == '"' {
			k++ // A doubled quote is none that closes, also before a delimiter.
		}
		j = k + 1
	}
}

func (s *splitter) plainEnd(line []byte, i int) int {
	if k := bytes.IndexByte(line[i:], s.delim); k >= 0 {
		return i + k
	}
	return len(line)
}
