package table

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
)

// The charsets that are found without being told.
const (
	utf8Name    = "utf-8"
	utf16leName = "utf-16le"
	utf16beName = "utf-16be"
	latinName   = "windows-1252"
)

// charsets are the single-byte charsets that can be told by name. Multi-byte ones of East Asia are not among them: their
// second bytes look like quotes and delimiters to everything else.
func charsets() map[string]*charmap.Charmap {
	return map[string]*charmap.Charmap{
		latinName: charmap.Windows1252, "windows-1250": charmap.Windows1250, "windows-1251": charmap.Windows1251,
		"windows-1253": charmap.Windows1253, "windows-1254": charmap.Windows1254, "windows-1255": charmap.Windows1255,
		"windows-1256": charmap.Windows1256, "windows-1257": charmap.Windows1257, "windows-1258": charmap.Windows1258,
		"iso-8859-2": charmap.ISO8859_2, "iso-8859-5": charmap.ISO8859_5, "iso-8859-7": charmap.ISO8859_7,
		"iso-8859-9": charmap.ISO8859_9, "iso-8859-15": charmap.ISO8859_15, "koi8-r": charmap.KOI8R,
		"koi8-u": charmap.KOI8U, "macintosh": charmap.Macintosh, "cp437": charmap.CodePage437, "cp850": charmap.CodePage850,
	}
}

// charsetByName is our name of a charset. Latin-1 is read as Windows-1252, of which it is the printable part.
func charsetByName(name string) (string, error) {
	s := strings.ToLower(strings.TrimSpace(name))
	switch s {
	case "utf-8", "utf8", "us-ascii", "ascii":
		return utf8Name, nil
	case "utf-16", "utf16", "utf-16le", "utf16le":
		return utf16leName, nil
	case "utf-16be", "utf16be":
		return utf16beName, nil
	case "iso-8859-1", "iso8859-1", "latin-1", "latin1", "cp1252":
		return latinName, nil
	}
	if _, ok := charsets()[s]; ok {
		return s, nil
	}
	return "", &OptionError{fmt.Sprintf("charset %q is not supported; convert the file to UTF-8, as with iconv", name)}
}

// charsetTitle is a charset's name as people write it.
func charsetTitle(name string) string {
	switch name {
	case latinName:
		return "Windows-1252 (Latin-1)"
	case utf16leName:
		return "UTF-16 (little-endian)"
	case utf16beName:
		return "UTF-16 (big-endian)"
	default:
		return strings.ToUpper(name)
	}
}

// bomOf is the charset that a byte order mark at the start of b names, and the mark's length.
func bomOf(b []byte) (charset string, length int) {
	switch {
	case bytes.HasPrefix(b, []byte{0xef, 0xbb, 0xbf}):
		return utf8Name, 3
	case bytes.HasPrefix(b, []byte{0xff, 0xfe}):
		return utf16leName, 2
	case bytes.HasPrefix(b, []byte{0xfe, 0xff}):
		return utf16beName, 2
	}
	return "", 0
}

// utf16Of is the kind of UTF-16 that b seems to be without saying so: Latin text has a zero in nearly every other byte.
func utf16Of(b []byte) string {
	b = b[:min(len(b), 4096)&^1]
	if len(b) < 4 {
		return ""
	}
	var zeros [2]int
	for i, c := range b {
		if c == 0 {
			zeros[i&1]++
		}
	}
	half := len(b) / 2
	switch {
	case zeros[1] > half*7/10 && zeros[0] <= half/10:
		return utf16leName
	case zeros[0] > half*7/10 && zeros[1] <= half/10:
		return utf16beName
	}
	return ""
}

// decoded turns bytes in a charset into UTF-8. UTF-8 itself is passed on as it is, valid or not.
func decoded(r io.Reader, charset string) io.Reader {
	switch charset {
	case utf8Name:
		return r
	case utf16leName:
		return utf16Reader(r, unicode.LittleEndian)
	case utf16beName:
		return utf16Reader(r, unicode.BigEndian)
	default:
		return charsets()[charset].NewDecoder().Reader(r)
	}
}

func utf16Reader(r io.Reader, order unicode.Endianness) io.Reader {
	return unicode.UTF16(order, unicode.IgnoreBOM).NewDecoder().Reader(&pairReader{r: r})
}

// A pairReader fails with ErrTruncated if its input ends after an odd number of bytes.
type pairReader struct {
	r   io.Reader
	odd bool
}

func (p *pairReader) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	p.odd = p.odd != (n&1 == 1)
	if err == io.EOF && p.odd {
		return n, fmt.Errorf("%w: it ends inside a UTF-16 character", ErrTruncated)
	}
	return n, err
}

// A tally counts what speaks for and against UTF-8 in a stream. The zero tally is ready for use.
type tally struct {
	valid, invalid int64 // Multi-byte sequences, and bytes that are part of none.
	rest           [utf8.UTFMax]byte
	n              int // Bytes of rest: a sequence that the last write cut.
}

// Write counts the bytes of b. It never fails.
func (t *tally) Write(b []byte) (int, error) {
	written := len(b)
	if t.n > 0 {
		b = t.finish(b)
	}
	for len(b) > 0 {
		b = b[asciiPrefix(b):]
		if len(b) == 0 {
			break
		}
		if !utf8.FullRune(b) {
			t.n = copy(t.rest[:], b)
			break
		}
		b = b[t.count(b):]
	}
	return written, nil
}

// finish completes the sequence that the write before cut, and is what b has beyond it.
func (t *tally) finish(b []byte) []byte {
	had := t.n
	t.n += copy(t.rest[had:], b)
	seq := t.rest[:t.n]
	if !utf8.FullRune(seq) {
		return nil
	}
	t.n = 0
	size := t.count(seq)
	if size < had { // An invalid start: the other bytes of rest are its own followers at most, none of them valid alone.
		t.invalid += int64(had - size)
		size = had
	}
	return b[size-had:]
}

// count counts the sequence at the start of b and is its length.
func (t *tally) count(b []byte) int {
	r, size := utf8.DecodeRune(b)
	if r == utf8.RuneError && size == 1 {
		t.invalid++
	} else {
		t.valid++
	}
	return size
}

// charset is what the stream is: UTF-8 unless more speaks against it than for it. A few stray bytes in a UTF-8 file are
// then bad rows, while text in Latin-1, where valid sequences come about by accident only, is read as a whole.
func (t *tally) charset() string {
	if t.invalid+int64(t.n) > t.valid {
		return latinName
	}
	return utf8Name
}

// asciiPrefix is the number of ASCII bytes that b starts with.
func asciiPrefix(b []byte) int {
	i := 0
	for i+8 <= len(b) && binary.LittleEndian.Uint64(b[i:])&0x8080808080808080 == 0 {
		i += 8
	}
	for i < len(b) && b[i] < utf8.RuneSelf {
		i++
	}
	return i
}

// repaired is s with each byte that is not UTF-8 read as Windows-1252: rows of another charset get into files by pasting.
func repaired(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			r = charmap.Windows1252.DecodeByte(s[i])
		}
		b.WriteRune(r)
		i += size
	}
	return b.String()
}
