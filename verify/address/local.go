package address

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// scanLocal reads the local-part at the start of s, RFC 5321 §4.1.2 with the UTF-8 of RFC 6531 §3.3.
// It returns what the local-part means, that is, without quotes, and the offset of the "@" that ends it.
func scanLocal(s string) (local string, at int, f *fault) {
	if s[0] == '"' {
		local, at, f = scanQuoted(s)
	} else {
		at, f = scanDotString(s)
		if f == nil {
			local = s[:at]
		}
	}
	if f != nil {
		return "", 0, f
	}
	if at > maxLocal { // The quotes count: RFC 5321 limits what is sent.
		return "", 0, &fault{maxLocal, fmt.Sprintf("the local part has %d octets; at most %d are allowed", at, maxLocal)}
	}
	return nfc(local), at, nil
}

// scanDotString reads Dot-string = Atom *("." Atom) up to the "@".
func scanDotString(s string) (int, *fault) {
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '@':
			return i, checkDotStringEnd(s, i)
		case c == '.' && i == 0:
			return 0, &fault{0, "the local part starts with a dot"}
		case c == '.' && s[i-1] == '.':
			return 0, &fault{i, "two dots follow each other in the local part"}
		case c == '.' || isAtext(c):
			i++
		case c >= utf8.RuneSelf:
			r, n := utf8.DecodeRuneInString(s[i:])
			if !isUTF8Text(r) {
				return 0, &fault{i, describe(r) + " is not allowed in the local part"}
			}
			i += n
		default:
			return 0, unexpectedInLocal(s, i)
		}
	}
	return 0, &fault{len(s), "there is no @"}
}

func checkDotStringEnd(s string, at int) *fault {
	switch {
	case at == 0:
		return &fault{0, "nothing stands before the @"}
	case s[at-1] == '.':
		return &fault{at - 1, "the local part ends with a dot"}
	}
	return nil
}

// unexpectedInLocal says why the ASCII character at s[i] cannot stand in a Dot-string.
func unexpectedInLocal(s string, i int) *fault {
	switch c := s[i]; {
	case c < ' ' || c == 0x7f:
		return &fault{i, describe(rune(c)) + " is not allowed in an address"}
	case c == '<' || c == '>' || c == ' ' && strings.Contains(s[i:], "<"):
		return &fault{i, "only the bare address is wanted, without a display name or angle brackets"}
	case c == '(' || c == ')':
		return &fault{i, "a comment in parentheses is not part of an address"}
	case c == '"':
		return &fault{i, "a quotation mark inside the local part; either all of it is quoted or nothing"}
	default:
		return &fault{i, describe(rune(c)) + " is not allowed in the local part outside quotation marks"}
	}
}

// scanQuoted reads Quoted-string = DQUOTE *QcontentSMTP DQUOTE and the "@" behind it.
func scanQuoted(s string) (local string, at int, f *fault) {
	var b strings.Builder
	for i := 1; i < len(s); {
		switch c := s[i]; {
		case c == '"':
			f = checkAfterQuote(s, i+1)
			return b.String(), i + 1, f
		case c == '\\':
			// quoted-pairSMTP = %d92 %d32-126: UTF-8 cannot be escaped, and needs it never.
			if i+1 < len(s) && (s[i+1] < ' ' || s[i+1] > '~') {
				r, _ := utf8.DecodeRuneInString(s[i+1:])
				return "", 0, &fault{i + 1, describe(r) + " is not allowed after a backslash"}
			}
			if i+1 < len(s) {
				b.WriteByte(s[i+1])
			}
			i += 2
		case c < ' ' || c == 0x7f:
			return "", 0, &fault{i, describe(rune(c)) + " is not allowed in an address, not even in quotation marks"}
		case c < utf8.RuneSelf:
			b.WriteByte(c)
			i++
		default:
			r, n := utf8.DecodeRuneInString(s[i:])
			if !isUTF8Text(r) {
				return "", 0, &fault{i, describe(r) + " is not allowed in the local part"}
			}
			b.WriteString(s[i : i+n])
			i += n
		}
	}
	return "", 0, &fault{0, "the quotation mark is never closed"}
}

// checkAfterQuote wants the "@" at s[i], right after the closing quotation mark.
func checkAfterQuote(s string, i int) *fault {
	switch {
	case i == len(s):
		return &fault{i, "there is no @"}
	case s[i] == '@':
		return nil
	case strings.Contains(s[i:], "<"):
		return &fault{i, "only the bare address is wanted, without a display name or angle brackets"}
	default:
		// "a".b@c is obs-local-part of RFC 5322 §4.4; RFC 5321 has no such form.
		return &fault{i, "only the @ may follow the closing quotation mark"}
	}
}

// writeLocal is the shortest way to write a local-part. RFC 5321 §4.1.2: quotes should be used only where they are needed,
// and a recipient with needless quotes is the same as one without.
func writeLocal(local string) string {
	if isDotString(local) {
		return local
	}
	var b strings.Builder
	b.Grow(len(local) + 4)
	b.WriteByte('"')
	for i := range len(local) {
		if c := local[i]; c == '"' || c == '\\' {
			b.WriteByte('\\')
		}
		b.WriteByte(local[i])
	}
	b.WriteByte('"')
	return b.String()
}

// isDotString reports whether a local-part that was accepted can go without quotes.
func isDotString(local string) bool {
	if local == "" || local[len(local)-1] == '.' {
		return false
	}
	dot := true // As if one stood before the start.
	for i := range len(local) {
		c := local[i]
		if c == '.' && dot || c != '.' && c < utf8.RuneSelf && !isAtext(c) {
			return false
		}
		dot = c == '.'
	}
	return true
}

// isAtext is atext of RFC 5322 §3.2.3.
func isAtext(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	return c < utf8.RuneSelf && strings.IndexByte("!#$%&'*+-/=?^_`{|}~", c) >= 0
}

// isUTF8Text reports whether a character beyond ASCII may stand in a local-part. The grammar of RFC 6531 §3.3 allows all of them.
// Nobody's mailbox holds one that cannot be seen or that changes the order of what stands around it, but text that was
// pasted or forged does: controls, white space, format characters other than the two joiners that some scripts need,
// private use, and the mark of a failed decoding.
func isUTF8Text(r rune) bool {
	const zwnj, zwj = 0x200c, 0x200d
	switch {
	case r == zwnj || r == zwj:
		return true
	case r == utf8.RuneError, r&0xfffe == 0xfffe, 0xfdd0 <= r && r <= 0xfdef: // The last two: noncharacters.
		return false
	}
	return !unicode.In(r, unicode.C, unicode.Z)
}
