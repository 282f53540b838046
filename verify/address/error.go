package address

import (
	"fmt"
	"strconv"
	"unicode"
	"unicode/utf8"
)

// A SyntaxError says where an address or a domain breaks the rules, and why.
// It is short whatever the input was, and holds no control character.
type SyntaxError struct {
	What   string // What was parsed: "address" or "domain".
	Offset int    // In octets, from 0. It is the input's length if something is missing at the end.
	Column int    // In characters, from 1.
	Msg    string // Why, for a person.
	Near   string // What stands around Offset, at most a few characters, escaped and in quotes; "" if the input was empty.
}

func (e *SyntaxError) Error() string {
	s := fmt.Sprintf("invalid %s, column %d: %s", e.What, e.Column, e.Msg)
	if e.Near != "" {
		s += " (near " + e.Near + ")"
	}
	return s
}

// A fault is a SyntaxError in the making: an octet offset and a reason.
type fault struct {
	off int
	msg string
}

// shift moves a fault that was found in a part of the input by that part's offset.
func (f *fault) shift(by int) *fault { return &fault{f.off + by, f.msg} }

func newSyntaxError(what, s string, f *fault) *SyntaxError {
	off := min(f.off, len(s))
	return &SyntaxError{
		What:   what,
		Offset: off,
		Column: utf8.RuneCountInString(s[:off]) + 1,
		Msg:    f.msg,
		Near:   near(s, off),
	}
}

// near quotes a little of s on both sides of off.
func near(s string, off int) string {
	const before, after = 16, 16
	if s == "" {
		return ""
	}
	from, to := max(off-before, 0), min(off+after, len(s))
	for from > max(off-before-utf8.UTFMax, 0) && !utf8.RuneStart(s[from]) {
		from--
	}
	for to < min(off+after+utf8.UTFMax, len(s)) && !utf8.RuneStart(s[to]) {
		to++
	}
	q := strconv.Quote(s[from:to])
	if from > 0 {
		q = "…" + q
	}
	if to < len(s) {
		q += "…"
	}
	return q
}

// describe names a character for a person, without ever printing one that cannot be seen.
func describe(r rune) string {
	switch {
	case r == ' ':
		return "a space"
	case r == '\t':
		return "a tab"
	case r == '\r' || r == '\n':
		return "a line break"
	case unicode.IsControl(r):
		return fmt.Sprintf("the control character U+%04X", r)
	case r == utf8.RuneError:
		return "the replacement character U+FFFD, the mark of text that was decoded wrongly,"
	case unicode.IsSpace(r):
		return fmt.Sprintf("the space U+%04X", r)
	case r < utf8.RuneSelf:
		return fmt.Sprintf("%q", r)
	case unicode.IsPrint(r):
		return fmt.Sprintf("%q (U+%04X)", r, r)
	default:
		return fmt.Sprintf("the invisible character U+%04X", r)
	}
}
