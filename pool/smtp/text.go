package smtp

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// The bounds of what is kept of one reply's text; a reply may be longer on the wire.
const (
	keptLine  = 1 << 10 // Octets of one line.
	keptReply = 8 << 10 // Octets of all lines.
)

// printable makes text of what a server sent: no more than limit octets, no control characters, valid UTF-8. White
// space becomes a space, whatever else cannot be shown becomes U+FFFD.
func printable[T []byte | string](b T, limit int) string {
	if len(b) > limit {
		b = b[:limit]
	}
	if plain(b) {
		return string(b)
	}
	s := strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsPrint(r):
			return r
		default:
			return utf8.RuneError
		}
	}, strings.ToValidUTF8(string(b), string(utf8.RuneError)))
	return cutText(s, limit)
}

// cutText is the longest head of s that has at most limit octets and whole runes only.
func cutText(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}

// plain reports whether b is printable ASCII throughout, as nearly all of what servers say is.
func plain[T []byte | string](b T) bool {
	for i := range len(b) {
		if b[i] < ' ' || b[i] > '~' {
			return false
		}
	}
	return true
}
