package table

import (
	"strings"
	"unicode/utf8"
)

// isFormula reports whether a spreadsheet may take a cell for a formula: it starts, behind blanks, with = + - @ or one of
// their fullwidth forms, or with a tab or a line break. What a plus or minus starts is none if it is nothing but digits
// and the punctuation of numbers, dates and telephone numbers: there is nothing to call or to refer to, and a list with
// all its telephone numbers marked as text would be of little use.
func isFormula(s string) bool {
	if s == "" {
		return false
	}
	if c := s[0]; c > '@' && c < utf8.RuneSelf {
		return false // The usual case: a letter.
	}
	switch s[0] {
	case '\t', '\r', '\n':
		return true
	}
	t := strings.TrimLeftFunc(s, invisible)
	r, size := utf8.DecodeRuneInString(t)
	switch r {
	case '=', '@', '＝', '＠':
		return true
	case '+', '-', '＋', '－':
		return !isNumeric(t[size:])
	}
	return false
}

// isNumeric reports whether s is only digits and what is written between them.
func isNumeric(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && strings.IndexByte(" .,-/()%:", c) < 0 {
			return false
		}
	}
	return true
}
