package table

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

const (
	sampleSize = 1 << 20 // Bytes that are looked at to find out what a list is.
	sampleRows = 500     // Rows of the sample that are looked at.
)

// Inspect reads an input to its end and says what it is. It can read from the side while the input is stored:
//
//	layout, err := table.Inspect(io.TeeReader(body, file), options)
//
// Errors are ErrTruncated, ErrCorrupt, ErrTooLarge, ErrEmpty, *UnsupportedError and *ColumnError, possibly wrapped, what
// is wrong with the options, and those of r. It keeps at most one MiB of the input in memory, and of NDJSON the keys.
func Inspect(r io.Reader, o Options) (Layout, error) {
	o, err := o.known()
	if err != nil {
		return Layout{}, err
	}
	src, err := newSource(r, o.Limits)
	if err != nil {
		return Layout{}, err
	}
	in := &inspection{o: o, src: src, l: Layout{Gzip: src.packed(), Limits: o.Limits}}
	if err := in.run(); err != nil {
		return Layout{}, err
	}
	return in.l, nil
}

// An inspection is one call of Inspect.
type inspection struct {
	o      Options
	src    *source
	tally  tally
	sample []byte // The first bytes, without the byte order mark.
	whole  bool   // The sample is all there is.
	l      Layout
}

func (in *inspection) run() error {
	if err := in.readSample(); err != nil {
		return err
	}
	if err := refused(in.sample); err != nil {
		return err
	}
	if err := in.charset(); err != nil {
		return err
	}
	text, err := in.sampleText()
	if err != nil {
		return err
	}
	if in.isJSON(text) {
		return in.ndjson(text)
	}
	// The sample alone can't tell the charset: a list may have its first umlaut at the very end.
	if err := in.drain(); err != nil {
		return err
	}
	if in.l.Charset == "" {
		in.l.Charset = in.tally.charset()
		if text, err = in.sampleText(); err != nil {
			return err
		}
	}
	return in.text(text)
}

func (in *inspection) readSample() error {
	in.sample = make([]byte, sampleSize)
	n, err := io.ReadFull(in.src, in.sample)
	in.sample = in.sample[:n]
	in.whole = err != nil
	if err != nil && in.src.err != io.EOF {
		return cutShort(in.src.err)
	}
	return nil
}

// charset finds the charset if the start of the input tells it.
func (in *inspection) charset() error {
	if name, length := bomOf(in.sample); length > 0 {
		in.l.Charset, in.l.BOM = name, true
		in.sample = in.sample[length:]
		return nil
	}
	if in.o.Charset != "" {
		name, err := charsetByName(in.o.Charset)
		in.l.Charset = name
		return err
	}
	in.l.Charset = utf16Of(in.sample)
	return nil
}

// sampleText is the sample in UTF-8, as far as it can be decoded: the end of the sample may cut a character.
func (in *inspection) sampleText() ([]byte, error) {
	charset := in.l.Charset
	if charset == "" || charset == utf8Name {
		return in.sample, nil
	}
	b := in.sample
	if !in.whole {
		b = b[:len(b)&^1]
	}
	return io.ReadAll(decoded(bytes.NewReader(b), charset))
}

// drain reads the rest of the input: for the charset, and to know that it is whole.
func (in *inspection) drain() error {
	if _, err := in.tally.Write(in.sample); err != nil {
		return err
	}
	if in.whole {
		return nil
	}
	rest := io.TeeReader(in.src, &in.tally)
	if in.l.Charset == utf16leName || in.l.Charset == utf16beName {
		rest = &pairReader{r: rest}
	}
	_, err := io.Copy(io.Discard, rest)
	return cutShort(err)
}

// isJSON reports whether the input is NDJSON: told so, or starting as an object does.
func (in *inspection) isJSON(text []byte) bool {
	if in.o.Format != "" {
		return in.o.Format == NDJSON
	}
	b := bytes.TrimLeft(text, " \t\r\n")
	return len(b) > 0 && b[0] == '{' && jsonStart(b)
}

// jsonStart reports whether a text that starts with a brace goes on as JSON does.
func jsonStart(b []byte) bool {
	b = bytes.TrimLeft(b[1:], " \t\r\n")
	return len(b) == 0 || b[0] == '"' || b[0] == '}'
}

// refused reports what certainly is no list, by its first bytes.
func refused(b []byte) error {
	const export = "save the list as CSV and send that"
	for _, kind := range []struct{ magic, what, hint string }{
		{"PK\x03\x04", "a zip archive or an Excel workbook", export},
		{"\xd0\xcf\x11\xe0", "an old Excel workbook", export},
		{"%PDF-", "a PDF document", export},
		{"\x28\xb5\x2f\xfd", "compressed with zstd", "use gzip or none"},
		{"BZh", "compressed with bzip2", "use gzip or none"},
		{"\xfd7zXZ\x00", "compressed with xz", "use gzip or none"},
		{"\x1f\x8b", "compressed twice", "compress it once"},
	} {
		if bytes.HasPrefix(b, []byte(kind.magic)) {
			return &UnsupportedError{What: kind.what, Hint: kind.hint}
		}
	}
	return nil
}

// text finds out about a list that is not NDJSON.
func (in *inspection) text(text []byte) error {
	lines := bytes.TrimFunc(text, invisible)
	if len(lines) == 0 {
		return ErrEmpty
	}
	in.l.CR = bytes.IndexByte(lines, '\n') < 0 && bytes.IndexByte(lines, '\r') >= 0
	if in.o.Format != Lines {
		text = in.sepLine(text)
	}
	sh := shape{text: text, cr: in.l.CR, final: in.whole, columns: in.o.Limits.Columns}
	found := sh.find(in.o)
	in.l.Format, in.l.Delimiter = found.format, found.delimiter
	if len(found.rows) == 0 {
		return ErrEmpty
	}
	if in.l.Format == Lines {
		in.l.Columns, in.l.ColumnBy = []string{"email"}, ByDefault
		return nil
	}
	return in.columns(found.rows)
}

// sepLine takes Excel's first line "sep=;" off the text, and its word for it.
func (in *inspection) sepLine(text []byte) []byte {
	eol := byte('\n')
	if in.l.CR {
		eol = '\r'
	}
	i := bytes.IndexByte(text, eol)
	if i < 0 {
		return text
	}
	line := strings.TrimRight(string(text[:i]), "\r")
	d, ok := strings.CutPrefix(strings.ToLower(strings.Trim(line, `"`)), "sep=")
	if !ok || len(d) != 1 {
		return text
	}
	in.l.SepLine = true
	in.o.Format = CSV
	in.o.Delimiter = either(in.o.Delimiter, d)
	return text[i+1:]
}

// columns finds header, columns and the column of the addresses of a CSV list.
func (in *inspection) columns(rows [][]string) error {
	if len(rows[0]) > in.o.Limits.Columns {
		return fmt.Errorf("%w: more than %s columns", ErrTooLarge, thousands(int64(in.o.Limits.Columns)))
	}
	in.l.Header = in.hasHeader(rows)
	body, names := rows, []string(nil)
	if in.l.Header {
		names, body = rows[0], rows[1:]
	}
	in.l.Columns = columnNames(names, body)
	var err error
	in.l.Column, in.l.ColumnBy, err = in.pick(body)
	return err
}

// hasHeader reports whether the first row is a header: as told, or if it has no address and either a name that we know
// or, beside other columns, words where the other rows have addresses. A list of one column needs a name that we know:
// otherwise its first entry may be an address that somebody has misspelt.
func (in *inspection) hasHeader(rows [][]string) bool {
	if in.o.Header != "" {
		return in.o.Header == "present"
	}
	known := false
	for _, cell := range rows[0] {
		if looksLikeAddress(cell) {
			return false
		}
		known = known || nameRank(cell) > 0 || in.o.Column != "" && strings.EqualFold(strings.TrimSpace(cell), in.o.Column)
	}
	if known || len(rows[0]) == 1 || len(rows) == 1 {
		return known
	}
	best := bestColumn(rows[1:])
	return best.share >= 0.5 && best.index < len(rows[0]) && isWord(rows[0][best.index])
}

// errNoNames says that a column was asked for by name in a list without names.
var errNoNames = &OptionError{"the list has no header, so a column can only be given by its number"}
