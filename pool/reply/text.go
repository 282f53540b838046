package reply

import (
	"bytes"

	"github.com/verimails/verimaild/pool/smtp"
)

// fold stands where two lines of a reply were joined. It separates words, but not the parts of an address or a
// host name: servers fold at any column.
const fold = 0x01

// appendLines joins the lines of a reply.
func (t *Table) appendLines(b []byte, lines []string) []byte {
	for i, line := range lines {
		if i > 0 && !t.cutInWord(b, line) {
			b = append(b, fold)
		}
		if len(b)+len(line) > maxText {
			return append(b, line[:max(0, maxText-len(b))]...)
		}
		b = append(b, line...)
	}
	return b
}

// cutInWord reports whether the line end between b and next cuts a word, a number or a URL in two, rather than
// standing in place of a space.
func (t *Table) cutInWord(b []byte, next string) bool {
	if next == "" || len(b) == 0 {
		return false
	}
	left := lastRun(b)
	switch {
	case len(b) > 1 && b[len(b)-1] == '.' && isDigit(b[len(b)-2]) && isDigit(next[0]):
		return true // An address or a code such as 192.0.2.1: no sentence ends in a number here.
	case len(left) == 0:
		return false
	case kinds[next[0]] != isOther && cutsURL(b), cutsNumber(left, next):
		return true
	default:
		return t.cutsWord(left, next)
	}
}

// cutsURL reports whether b ends within a URL.
func cutsURL(b []byte) bool {
	space := bytes.LastIndexAny(b, " \x01<>()\"")
	return bytes.Contains(b[space+1:], []byte("://"))
}

// cutsNumber reports whether left and next are the halves of a number, dotted or not.
func cutsNumber(left []byte, next string) bool {
	if !isDigit(left[len(left)-1]) || len(left) == 3 && len(next) > 1 && next[1] == '.' { // A reply code before an enhanced one.
		return false
	}
	return isDigit(next[0]) || next[0] == '.' && len(next) > 1 && isDigit(next[1])
}

// cutsWord reports whether left and next are the halves of a word that the rules know: "rejec" and "ted" belong
// together.
func (t *Table) cutsWord(left []byte, next string) bool {
	n := 0
	for n < len(next) && kinds[next[n]] == isLetter {
		n++
	}
	if n == 0 || len(left)+n > maxWord {
		return false
	}
	var buf [maxWord]byte
	word := appendLower(appendLower(buf[:0], left), []byte(next[:n]))
	if t.words[string(word)] {
		return true
	}
	return isDigit(next[0]) && t.openWords[string(word[:len(left)])]
}

// maxWord is the longest word that is put together again.
const maxWord = 32

// lastRun is the run of letters and digits at the end of b.
func lastRun(b []byte) []byte {
	i := len(b)
	for i > 0 && kinds[b[i-1]] == isLetter {
		i--
	}
	return b[i:]
}

// byteKind sorts the bytes of a text.
type byteKind uint8

const (
	isOther  byteKind = iota
	isLetter          // Part of a word.
	isJoin            // May join words to an address, a host name or a URL.
)

var kinds = func() (k [256]byteKind) {
	for c := range k {
		switch {
		case '0' <= c && c <= '9', 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', c >= 0x80:
			k[c] = isLetter
		}
	}
	for _, c := range ".-_@+=:/%?&~#" {
		k[c] = isJoin
	}
	k[fold] = isJoin
	return k
}()

// lower gives the lower case of ASCII letters.
var lower = func() (t [256]byte) {
	for c := range t {
		t[c] = byte(c)
		if 'A' <= c && c <= 'Z' {
			t[c] += 'a' - 'A'
		}
	}
	return t
}()

// read scans a text: words go to the automaton; addresses, host names and numbers of hosts do not, so that who
// the two parties are never changes the reading.
func (s *scan) read(text []byte) {
	for i := 0; i < len(text); {
		c := text[i]
		switch {
		case c == '<':
			if n := bareName(text[i:]); n > 0 {
				s.raise(s.t.signs[signAddress])
				i += n
				continue
			}
			i++
		case c == '[':
			if n := bracketed(text[i:]); n > 0 {
				s.raise(s.t.signs[signIP])
				i += n
				continue
			}
			i++
		case c == '"':
			i += max(quotedLocalPart(text[i:]), 1)
		case kinds[c] == isOther:
			i++
		default:
			j, joined := i, false
			for j < len(text) && kinds[text[j]] != isOther {
				joined = joined || kinds[text[j]] == isJoin
				j++
			}
			s.chunk(text, i, j, joined)
			i = j
		}
	}
}

// chunk reads text[i:j], a run of letters, digits and what may join them.
func (s *scan) chunk(text []byte, i, j int, joined bool) {
	switch {
	case j < len(text) && text[j] == '[' && text[j-1] != fold && bracketed(text[j:]) > 0:
		return // The name of a client beside its address, as in mail[192.0.2.1].
	case joined:
		s.joined(text[i:j], i == 0)
	default:
		s.plain(text[i:j])
	}
}

// plain reads one word that is no part of a name. Reply codes of ours repeated in the text say nothing new.
func (s *scan) plain(w []byte) {
	if len(w) == 3 && codePattern(w) == s.code {
		return
	}
	if s.said && len(w) == 3 && isDigit(w[1]) && isDigit(w[2]) {
		s.quotedCode(w[0])
	}
	if len(w) == 4 && bytes.EqualFold(w, []byte("said")) {
		s.said = true
	}
	s.word(w)
}

// quotedCode notes the class of a reply that this one quotes.
func (s *scan) quotedCode(first byte) {
	switch first {
	case '4':
		s.raise(s.t.signs[signSaid4])
	case '5':
		s.raise(s.t.signs[signSaid5])
	}
}

// bareName is the length of a name in angle brackets at the start of b that has no @ and no dot, or 0.
func bareName(b []byte) int {
	for i := 1; i < len(b) && i < 80; i++ {
		switch c := b[i]; {
		case c == '>':
			return i + 1
		case kinds[c] != isLetter && c != '-' && c != '_' && c != '+' && c != fold:
			return 0
		}
	}
	return 0
}

// quotedLocalPart is the length of a quoted local-part at the start of b, up to its @, or 0.
func quotedLocalPart(b []byte) int {
	end := bytes.Index(b[:min(len(b), 70)], []byte("\"@"))
	if end < 1 || bytes.IndexByte(b[1:end], '"') >= 0 {
		return 0
	}
	return end + 1
}

// bracketed is the length of an address literal at the start of b, or 0.
func bracketed(b []byte) int {
	end := bytes.IndexByte(b[:min(len(b), 64)], ']')
	if end < 0 {
		return 0
	}
	inner := b[1:end]
	if port := bytes.LastIndexByte(inner, ']'); port >= 0 {
		inner = inner[:port]
	}
	if len(inner) > 5 && bytes.EqualFold(inner[:5], []byte("IPv6:")) {
		inner = inner[5:]
	}
	if isIPv4(inner) || isIPv6(inner) {
		return end + 1
	}
	return 0
}

// enhancedCode reads an enhanced code that stands alone in the text. The first of the reply's own class counts,
// unless the reply had one in its place.
func (s *scan) enhancedCode(w []byte) bool {
	var e smtp.EnhancedCode
	n := [3]*uint16{&e.Class, &e.Subject, &e.Detail}
	k, digits := 0, 0
	for _, c := range w {
		switch {
		case isDigit(c) && digits < 3:
			*n[k] = *n[k]*10 + uint16(c-'0')
			digits++
		case c == '.' && digits > 0 && k < 2:
			k++
			digits = 0
		default:
			return false
		}
	}
	if k != 2 || digits == 0 || e.Class != 2 && e.Class != 4 && e.Class != 5 {
		return false
	}
	if s.enhanced.Class == 0 && !s.said && byte(e.Class)+'0' == s.code[0] { //nolint:gosec // G115: 2 to 5.
		s.enhanced = e
	}
	return true
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
