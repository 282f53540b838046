package table

import (
	"strings"
	"unicode"
)

// trimAddress is the address in a cell: without white space (the invisible kinds too), "mailto:", and the name and angle
// brackets of "Ada <ada@example.com>". Anything else is left for the parser of addresses to judge.
func trimAddress(cell string) string {
	s := strings.TrimFunc(cell, invisible)
	if inner, ok := inBrackets(s); ok {
		s = strings.TrimFunc(inner, invisible)
	}
	if len(s) > 7 && strings.EqualFold(s[:7], "mailto:") {
		s = s[7:]
	}
	return s
}

// inBrackets is the part of s between the angle brackets at its end, if there is an "@" in it.
func inBrackets(s string) (string, bool) {
	if !strings.HasSuffix(s, ">") {
		return "", false
	}
	i := strings.LastIndexByte(s, '<')
	if i < 0 || strings.IndexByte(s[i:], '@') < 0 {
		return "", false
	}
	return s[i+1 : len(s)-1], true
}

// invisible reports whether r is white space, or one of the characters without width that come with copied text.
func invisible(r rune) bool {
	if r < 0x80 {
		return r == ' ' || r >= '\t' && r <= '\r'
	}
	switch r {
	case '\u200b', '\u200c', '\u200d', '\u200e', '\u200f', '\u2060', '\ufeff', '\u00ad':
		return true
	}
	return unicode.IsSpace(r)
}

// looksLikeAddress reports whether a cell is likely an address. It is for finding the column, not for judging addresses.
func looksLikeAddress(cell string) bool {
	s := trimAddress(cell)
	at := strings.LastIndexByte(s, '@')
	if at < 1 || at == len(s)-1 || len(s) > 320 {
		return false
	}
	if s[0] != '"' && strings.ContainsAny(s[:at], " \t,;|<>\n@") {
		return false
	}
	return !strings.ContainsAny(s[at:], " \t,;|<>\n\"") && strings.ContainsAny(s[at:], ".[")
}
