// Package table reads a list of addresses as people have it, and writes it back with an answer beside each row.
//
// A list is read twice. [Inspect] goes through the whole input once, finds out what it is (format, compression, charset,
// delimiter, header, the column with the addresses) and fails if the input is cut short or broken as a whole. A [Reader]
// with the [Layout] that Inspect found then gives the rows, the same ones each time. Both stream: memory is bounded by
// the limits of the layout, not by the size of the input.
//
// Nothing that the input holds is lost: a row that cannot be read is a [Row] too, with its text, its line and what is
// wrong with it. A [Writer] puts the rows back in order, with an [Outcome] beside each.
//
// The package starts no goroutines and does no I/O but on the readers and writers that it is given. Functions are safe
// for concurrent use; a Reader or Writer belongs to one goroutine at a time.
package table

import (
	"errors"
	"fmt"
	"mime"
	"path"
	"strings"
)

// A Format is the form of an input.
type Format string

// The formats.
const (
	CSV    Format = "csv"    // Rows of cells, RFC 4180 and what passes for it.
	NDJSON Format = "ndjson" // One JSON object or string a line.
	Lines  Format = "lines"  // One address a line, nothing else.
)

// Errors about a list as a whole.
var (
	// ErrTruncated says that the input ends in the middle: a cut gzip stream, half a UTF-16 character, or an
	// io.ErrUnexpectedEOF from below, as an aborted upload gives.
	ErrTruncated = errors.New("table: the input is cut short")
	// ErrEmpty says that the input has no rows at all.
	ErrEmpty = errors.New("table: the input has no rows")
	// ErrTooLarge says that the input unpacks to more than the limits allow.
	ErrTooLarge = errors.New("table: the input is too large")
	// ErrCorrupt says that a gzip stream is damaged.
	ErrCorrupt = errors.New("table: the gzip stream is damaged")
)

// An UnsupportedError says that the input is not a list in any format that can be read.
type UnsupportedError struct {
	What string // What it is, such as "a zip archive or an Excel workbook".
	Hint string // What to do about it.
}

func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("table: the input is %s; %s", e.What, e.Hint)
}

// A ColumnError says that the column of the addresses was not found.
type ColumnError struct {
	Wanted  string   // As given by Options.Column; "" if none was.
	Columns []string // What there is: the first 20 names.
}

func (e *ColumnError) Error() string {
	what := "no column holds addresses"
	if e.Wanted != "" {
		what = fmt.Sprintf("there is no column %q", e.Wanted)
	}
	return fmt.Sprintf("table: %s; the columns are: %s", what, strings.Join(e.Columns, ", "))
}

// Options say what is known of an input beforehand. The zero Options find out everything.
type Options struct {
	Name        string // The file's name, for its extension.
	ContentType string // A media type; its charset and header parameters count, RFC 4180 §3.
	Format      Format // "" for what name, type or content say.
	Delimiter   string // Of CSV: one ASCII character; "" to find it.
	Charset     string // A name such as "utf-8" or "iso-8859-1"; "" to find it. A byte order mark wins.
	Header      string // Of CSV: "present", "absent", or "" to find out.

	// Column is the column with the addresses: its name, whatever the case, or its number from 1; for NDJSON a key, or
	// keys joined by dots. "" to find it.
	Column string

	Limits Limits
}

// Limits bound what one list may cost. They are part of the layout, so that a list is read the same way for ever.
type Limits struct {
	Row     int   `json:"row"`     // Bytes of one row; a longer one is kept as a bad row. 0 means 1 MiB.
	Columns int   `json:"columns"` // Columns of one row. 0 means 16,384, what a spreadsheet can have.
	Bytes   int64 `json:"bytes"`   // Bytes of the unpacked input. 0 means 64 GiB.
	Ratio   int64 `json:"ratio"`   // How far gzip may inflate, judged past 16 MiB. 0 means 250; lists reach 30.
}

func (l Limits) filled() Limits {
	if l.Row <= 0 {
		l.Row = 1 << 20
	}
	if l.Columns <= 0 {
		l.Columns = 16384
	}
	if l.Bytes <= 0 {
		l.Bytes = 64 << 30
	}
	if l.Ratio <= 0 {
		l.Ratio = 250
	}
	return l
}

// An OptionError says which option cannot be followed, or not for this input.
type OptionError struct{ Problem string }

func (e *OptionError) Error() string { return "table: " + e.Problem }

// known fills what name and media type say into the options that are not set, and checks them all.
func (o Options) known() (Options, error) {
	o.Limits = o.Limits.filled()
	o = o.fromType()
	o = o.fromName()
	switch o.Format {
	case "", CSV, NDJSON, Lines:
	default:
		return o, &OptionError{fmt.Sprintf("unknown format %q: want csv, ndjson or lines", o.Format)}
	}
	switch o.Header {
	case "", "present", "absent":
	default:
		return o, &OptionError{fmt.Sprintf("header %q: want present or absent", o.Header)}
	}
	if d := o.Delimiter; d != "" && (len(d) != 1 || d[0] >= 0x80 || strings.Contains("\"\r\n\x00", d)) {
		return o, &OptionError{fmt.Sprintf("delimiter %q: want one ASCII character other than a quote or line break", d)}
	}
	if o.Charset != "" {
		if _, err := charsetByName(o.Charset); err != nil {
			return o, err
		}
	}
	return o, nil
}

// fromType takes what the media type says. Types that clients send by default, such as curl's
// application/x-www-form-urlencoded, say nothing; text/plain says nothing of commas.
func (o Options) fromType() Options {
	media, params, err := mime.ParseMediaType(o.ContentType)
	if err != nil {
		return o
	}
	switch media {
	case "text/csv", "application/csv":
		o.Format = either(o.Format, CSV)
	case "text/tab-separated-values":
		o.Format = either(o.Format, CSV)
		o.Delimiter = either(o.Delimiter, "\t")
	case "application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines", "application/json-lines":
		o.Format = either(o.Format, NDJSON)
	}
	// A charset that is not known is no reason to refuse what may well be readable.
	if _, err := charsetByName(params["charset"]); err == nil {
		o.Charset = either(o.Charset, params["charset"])
	}
	if h := strings.ToLower(params["header"]); h == "present" || h == "absent" {
		o.Header = either(o.Header, h)
	}
	return o
}

// fromName takes what the file's extension says. ".csv" and ".txt" are not to be trusted with the delimiter.
func (o Options) fromName() Options {
	name := strings.TrimSuffix(strings.ToLower(o.Name), ".gz")
	switch path.Ext(name) {
	case ".csv":
		o.Format = either(o.Format, CSV)
	case ".tsv", ".tab":
		o.Format = either(o.Format, CSV)
		o.Delimiter = either(o.Delimiter, "\t")
	case ".ndjson", ".jsonl":
		o.Format = either(o.Format, NDJSON)
	}
	return o
}

// either is a, or b if a is empty.
func either[T ~string](a, b T) T {
	if a != "" {
		return a
	}
	return b
}
