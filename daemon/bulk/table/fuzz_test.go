package table

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/verimails/verimaild/verify/verdict"
)

// FuzzReader reads anything. Whatever it is, it is refused as a whole, or each of its rows is read, in order, none is lost,
// and each is written.
func FuzzReader(f *testing.F) {
	lists, err := filepath.Glob("testdata/lists/*")
	if err != nil {
		f.Fatal(err)
	}
	for i, name := range lists {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, uint8(i))
	}
	f.Add([]byte(zipped(f, "a@b.com\nc@d.com\n")), uint8(0))
	f.Add([]byte("a,\"b\n\"c,\"\"\n \"x\" ,y\n,\"\"\"\n"), uint8(1))
	f.Fuzz(func(t *testing.T, input []byte, how uint8) {
		o := Options{Limits: Limits{Row: 200, Columns: 20, Bytes: 1 << 20}}
		o.Format = []Format{"", CSV, NDJSON, Lines}[how&3]
		o.Delimiter = []string{"", ",", ";", "\t"}[how>>2&3]
		if how&16 != 0 {
			o.Column = "1"
		}
		l, err := Inspect(bytes.NewReader(input), o)
		if err != nil {
			if _, err := Inspect(bytes.NewReader(input), o); err == nil {
				t.Fatal("Inspect refuses an input and then takes it")
			}
			return
		}
		rows := rowsOf(t, string(input), l)
		checkRows(t, l, rows)
		checkNothingLost(t, l, input)
		checkWritten(t, l, rows)
	})
}

// checkRows holds rows to what is promised of them.
func checkRows(t *testing.T, l Layout, rows []Row) {
	line := int64(0)
	for i, r := range rows {
		switch {
		case r.Number != int64(i):
			t.Fatalf("row %d has the number %d", i, r.Number)
		case r.Line <= line:
			t.Fatalf("row %d is in line %d, after line %d", i, r.Line, line)
		case r.Fields != nil && len(r.Fields) != len(l.Columns):
			t.Fatalf("row %d has %d fields for %d columns", i, len(r.Fields), len(l.Columns))
		case r.Fields == nil && r.Problem == "":
			t.Fatalf("row %d has neither fields nor a problem", i)
		case r.Problem == "" && r.Email == "":
			t.Fatalf("row %d has neither an address nor a problem", i)
		case !utf8.ValidString(r.Raw) || !utf8.ValidString(r.Email) || !utf8.ValidString(strings.Join(r.Fields, "")):
			t.Fatalf("row %d is not UTF-8: %+v", i, r)
		}
		line = r.Line
	}
}

// checkNothingLost compares the text of all rows, the header's too, with the text of the input: but for white space, it is
// the same. Where a row is too long or not UTF-8, its text is not what stands in the input.
func checkNothingLost(t *testing.T, l Layout, input []byte) {
	text, err := textOf(bytes.NewReader(input), l)
	if err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(text)
	if err != nil || !utf8.Valid(all) {
		return
	}
	l.Header, l.SepLine = false, false
	var got strings.Builder
	rd := NewReader(bytes.NewReader(input), l)
	for {
		row, err := rd.Next()
		if err != nil {
			break
		}
		if strings.HasPrefix(row.Problem, "the line has ") {
			return
		}
		got.WriteString(row.Raw)
	}
	squeeze := func(s string) string {
		return strings.Map(func(r rune) rune {
			if invisible(r) {
				return -1
			}
			return r
		}, s)
	}
	if got, want := squeeze(got.String()), squeeze(string(all)); got != want {
		t.Fatalf("the rows have the text\n%q, the input\n%q", got, want)
	}
}

// checkWritten writes rows in all shapes, and counts them by other means.
func checkWritten(t *testing.T, l Layout, rows []Row) {
	for _, shape := range Shapes() {
		var b bytes.Buffer
		w, err := NewWriter(&b, l, WriteOptions{Shape: shape})
		if err != nil {
			t.Fatal(err)
		}
		for i, row := range rows {
			out := Outcome{}
			if i%2 == 0 {
				out = answered(verdict.MailboxFull)
			}
			if err := w.Write(row, out); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		if shape == ShapeNDJSON {
			if n := strings.Count(b.String(), "\n"); n != len(rows) || !allJSON(b.String()) {
				t.Fatalf("%d rows are written as %d lines: %q", len(rows), n, b.String())
			}
			continue
		}
		records, err := csv.NewReader(&b).ReadAll()
		if err != nil || len(records) != len(rows)+1 {
			t.Fatalf("%s: %d rows are written as %d records, %v", shape, len(rows), len(records), err)
		}
	}
}

// FuzzRoundTrip writes any cells as CSV and reads them again.
func FuzzRoundTrip(f *testing.F) {
	f.Add("a@b.com|Ada, \"L\"|x\ny|b@c.com||", uint8(3), uint8(0))
	f.Add(" |\"|\"\"|\r\n|\t|;| \"x\" |", uint8(2), uint8(1))
	f.Add("|||", uint8(1), uint8(2))
	f.Fuzz(func(t *testing.T, text string, width, delimiter uint8) {
		if !utf8.ValidString(text) {
			return
		}
		l := Layout{Format: CSV, Header: true, Columns: make([]string, width%5+1)}
		for i := range l.Columns {
			l.Columns[i] = "column " + string(rune('a'+i))
		}
		var rows [][]string
		for cells := range slices.Chunk(strings.Split(text, "|"), len(l.Columns)) {
			if len(cells) == len(l.Columns) {
				rows = append(rows, cells)
			}
		}
		d := []string{",", ";", "\t", "|"}[delimiter%4]
		e := newCellEncoder(l, WriteOptions{Delimiter: d, RawFormulas: true})
		b := e.line(nil, l.Columns)
		for _, cells := range rows {
			b = e.line(b, cells)
		}
		o := Options{Format: CSV, Delimiter: d, Header: "present", Column: "1", Charset: "utf-8"}
		got, err := Inspect(bytes.NewReader(b), o)
		if err != nil {
			t.Fatalf("Inspect(%q) = %v", b, err)
		}
		if !slices.Equal(got.Columns, l.Columns) {
			t.Fatalf("%q has the columns %q, want %q", b, got.Columns, l.Columns)
		}
		read := rowsOf(t, string(b), got)
		if len(read) != len(rows) {
			t.Fatalf("%q has %d rows, want %d", b, len(read), len(rows))
		}
		for i, cells := range rows {
			if !slices.Equal(read[i].Fields, cells) {
				t.Fatalf("row %d of %q = %q, want %q", i, b, read[i].Fields, cells)
			}
		}
	})
}

// FuzzJSON goes through any JSON value by hand, and compares with what the standard library finds in it.
func FuzzJSON(f *testing.F) {
	f.Add(`{"a": "b\"c", "d" : [1, {"e": "]"}], "f":null,"g":{"h":{}}}`)
	f.Add(`{}`)
	f.Fuzz(func(t *testing.T, line string) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "{") || !allJSON(line) || strings.Contains(line, "\n") {
			return
		}
		for key, value := range members(line) {
			if !allJSON(value) {
				t.Fatalf("the member %q of %q = %q", key, line, value)
			}
			again, ok := lookup(line, []string{key})
			if !ok || !allJSON(again) {
				t.Fatalf("lookup(%q, %q) = %q, %v", line, key, again, ok)
			}
		}
		if _, err := Inspect(strings.NewReader(line), Options{Format: NDJSON}); err != nil {
			if _, ok := errors.AsType[*ColumnError](err); !ok && !errors.Is(err, ErrTooLarge) {
				t.Fatalf("Inspect(%q) = %v", line, err)
			}
		}
	})
}

// FuzzStrict holds the splitter to the standard library's reading of whatever that finds well formed.
func FuzzStrict(f *testing.F) {
	f.Add("a,\"b\nc\",\"\"\"d\"\"\"\n\n,,\nx\n")
	f.Add("\"\"\n\",\",\"\n\n\"")
	f.Fuzz(func(t *testing.T, text string) {
		rd := csv.NewReader(strings.NewReader(text))
		rd.FieldsPerRecord = -1
		want, err := rd.ReadAll()
		if err != nil || strings.Contains(text, "\r") {
			return
		}
		s := splitter{delim: ',', eol: '\n', max: 1000}
		i := 0
		for b := []byte(text); len(b) > 0; {
			n, state := s.record(b, true)
			if state != splitDone {
				t.Fatalf("record(%q) = %d, %v", b, n, state)
			}
			if got := cellTexts(string(b[:n]), s.cells); string(b[:n]) != "\n" {
				if i == len(want) || !slices.Equal(got, want[i]) {
					t.Fatalf("record %d of %q = %q, want %q", i, text, got, want[min(i, len(want)-1)])
				}
				i++
			}
			b = b[n:]
		}
		if i != len(want) {
			t.Fatalf("%q has %d records, want %d", text, i, len(want))
		}
	})
}
