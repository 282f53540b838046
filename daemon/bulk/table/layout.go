package table

import (
	"fmt"
	"strconv"
	"strings"
)

// How the column of the addresses was found, as in Layout.ColumnBy.
const (
	ByOption  = "option"  // As the options said.
	ByName    = "name"    // By the name in the header.
	ByContent = "content" // By the addresses in it.
	ByDefault = "only"    // There is no other.
)

// A Layout is what Inspect found out about an input. It is made only by Inspect, can be stored as JSON, and makes a
// Reader give the same rows each time.
type Layout struct {
	Format    Format   `json:"format"`
	Gzip      bool     `json:"gzip,omitempty"`
	Charset   string   `json:"charset"`             // Such as "utf-8", "utf-16le" or "windows-1252".
	BOM       bool     `json:"bom,omitempty"`       // The input starts with a byte order mark.
	Delimiter string   `json:"delimiter,omitempty"` // Of CSV.
	CR        bool     `json:"cr,omitempty"`        // Lines end with a lone carriage return, as on old Macs.
	SepLine   bool     `json:"sep_line,omitempty"`  // The first line is Excel's "sep=;".
	Header    bool     `json:"header,omitempty"`    // Of CSV: the first row is the columns' names.
	Columns   []string `json:"columns"`             // Names as in the header, "" where there is none; or keys.
	Column    int      `json:"column"`              // The index in Columns of the column with the addresses.
	ColumnBy  string   `json:"column_by"`           // How that was found: ByOption, ByName, ByContent or ByDefault.
	Key       []string `json:"key,omitempty"`       // Of NDJSON: the path of keys to the address.
	More      bool     `json:"more,omitempty"`      // Of NDJSON: there are more keys than columns are allowed.
	Limits    Limits   `json:"limits"`
}

// String says in one sentence what was found.
func (l Layout) String() string {
	var b strings.Builder
	switch l.Format {
	case CSV:
		fmt.Fprintf(&b, "CSV separated by %s", delimiterName(l.Delimiter))
	case NDJSON:
		b.WriteString("NDJSON")
	default:
		b.WriteString("One address a line")
	}
	b.WriteString(", " + charsetTitle(l.Charset))
	if l.Gzip {
		b.WriteString(", gzip")
	}
	switch l.Format {
	case CSV:
		header := "without a header"
		if l.Header {
			header = "with a header"
		}
		fmt.Fprintf(&b, ", %s; %s; the addresses are in column %d%s%s",
			header, count(len(l.Columns), "column"), l.Column+1, quotedName(l.Columns[l.Column]), l.how())
	case NDJSON:
		fmt.Fprintf(&b, "; the addresses are in %q%s", strings.Join(l.Key, "."), l.how())
	}
	b.WriteString(".")
	return b.String()
}

// how says how the column was found, where that is a guess.
func (l Layout) how() string {
	switch l.ColumnBy {
	case ByName:
		return " (found by name)"
	case ByContent:
		return " (found by content)"
	default:
		return ""
	}
}

func delimiterName(d string) string {
	switch d {
	case ",":
		return "commas"
	case ";":
		return "semicolons"
	case "\t":
		return "tabs"
	case "|":
		return "bars"
	default:
		return strconv.Quote(d)
	}
}

func quotedName(s string) string {
	if s == "" {
		return ""
	}
	return fmt.Sprintf(", %q", s)
}

// count is a number with its noun, such as "1 column" and "12,345 columns".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return thousands(int64(n)) + " " + noun + "s"
}

// thousands is a number with commas, for people.
func thousands(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
