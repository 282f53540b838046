package table

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestInspect(t *testing.T) {
	for _, tt := range []struct {
		name, input string
		o           Options
		want        string // The layout's sentence.
		emails      string
	}{
		{"commas", "email,name\na@b.com,A\n", Options{}, `CSV separated by commas, UTF-8, with a header; 2 columns; the addresses are in column 1, "email" (found by name).`, "a@b.com"},
		{"semicolons with commas in the text", "n;mail\nx, y, z;a@b.com\nq, r, s;c@d.com\n", Options{}, `CSV separated by semicolons, UTF-8, with a header; 2 columns; the addresses are in column 2, "mail" (found by name).`, "a@b.com c@d.com"},
		{"a name that we don't know", "who,wo\nx,a@b.com\n", Options{}, `CSV separated by commas, UTF-8, with a header; 2 columns; the addresses are in column 2, "wo" (found by content).`, "a@b.com"},
		{"a name that lies", "Email,Contact\nyes,a@b.com\nno,c@d.com\n", Options{}, `CSV separated by commas, UTF-8, with a header; 2 columns; the addresses are in column 2, "Contact" (found by content).`, "a@b.com c@d.com"},
		{"the better name", "owner_email,email\no@b.com,a@b.com\no@b.com,\no@b.com,c@d.com\n", Options{}, `CSV separated by commas, UTF-8, with a header; 2 columns; the addresses are in column 2, "email" (found by name).`, "a@b.com  c@d.com"},
		{"a name without addresses", "email,name\n,A\n,B\n", Options{}, `CSV separated by commas, UTF-8, with a header; 2 columns; the addresses are in column 1, "email" (found by name).`, " "},
		{"header only", "name,email\n", Options{}, `CSV separated by commas, UTF-8, with a header; 2 columns; the addresses are in column 2, "email" (found by name).`, ""},
		{"one row without a header", "A,a@b.com", Options{}, `CSV separated by commas, UTF-8, without a header; 2 columns; the addresses are in column 2 (found by content).`, "a@b.com"},
		{"a given name", "a1,a2\nx@b.com,y@b.com\n", Options{Column: "A2", Header: "present"}, `CSV separated by commas, UTF-8, with a header; 2 columns; the addresses are in column 2, "a2".`, "y@b.com"},
		{"a given name shows the header", "a1,a2\nx,y\n", Options{Column: "a2"}, `CSV separated by commas, UTF-8, with a header; 2 columns; the addresses are in column 2, "a2".`, "y"},
		{"a given number", "a,b,c\nx@b.com,y@b.com,1\n", Options{Column: "2"}, `CSV separated by commas, UTF-8, with a header; 3 columns; the addresses are in column 2, "b".`, "y@b.com"},
		{"a number that is a name", "2,1\nx@b.com,y@b.com\n", Options{Column: "2", Header: "present"}, `CSV separated by commas, UTF-8, with a header; 2 columns; the addresses are in column 1, "2".`, "x@b.com"},
		{"a header that is none", "email,name\na@b.com,A\n", Options{Header: "absent"}, `CSV separated by commas, UTF-8, without a header; 2 columns; the addresses are in column 1 (found by content).`, "email a@b.com"},
		{"a given delimiter", "name#mail\nA#a@b.com\n", Options{Delimiter: "#"}, `CSV separated by "#", UTF-8, with a header; 2 columns; the addresses are in column 2, "mail" (found by name).`, "a@b.com"},
		{"one a line", "a@b.com\nc@d.com", Options{}, `One address a line, UTF-8.`, "a@b.com c@d.com"},
		{"one, told as CSV", "a@b.com\n", Options{ContentType: "text/csv"}, `CSV separated by commas, UTF-8, without a header; 1 column; the addresses are in column 1.`, "a@b.com"},
		{"lines, told so", "email,a\na@b.com,b\n", Options{Format: Lines}, `One address a line, UTF-8.`, "email,a a@b.com,b"},
		{"a misspelt first address", "plainaddress\na@b.com\nc@d.com\n", Options{}, `One address a line, UTF-8.`, "plainaddress a@b.com c@d.com"},
		{"no address at all", "foo\nbar\n", Options{}, `One address a line, UTF-8.`, "foo bar"},
		{"Latin-1 at the very end", "n,email\n" + strings.Repeat("x,a@b.com\n", 200_000) + "M\xfcller,m@b.com\n", Options{}, `CSV separated by commas, Windows-1252 (Latin-1), with a header; 2 columns; the addresses are in column 2, "email" (found by name).`, "-"},
		{"UTF-8 at the very end", "n,email\n" + strings.Repeat("x,a@b.com\n", 200_000) + "M\u00fcller,m@b.com\n", Options{}, `CSV separated by commas, UTF-8, with a header; 2 columns; the addresses are in column 2, "email" (found by name).`, "-"},
		{"a told charset", "n,email\n\xd8\xee,a@b.com\n", Options{ContentType: "text/csv; charset=windows-1251; header=present"}, `CSV separated by commas, WINDOWS-1251, with a header; 2 columns; the addresses are in column 2, "email" (found by name).`, "a@b.com"},
		{"a charset that nobody knows", "n,email\nx,a@b.com\n", Options{ContentType: "text/csv; charset=x-klingon"}, `CSV separated by commas, UTF-8, with a header; 2 columns; the addresses are in column 2, "email" (found by name).`, "a@b.com"},
		{"tabs, by name", "mail\tn\na@b.com\tx,y\n", Options{Name: "Export.TSV.gz"}, `CSV separated by tabs, UTF-8, with a header; 2 columns; the addresses are in column 1, "mail" (found by name).`, "a@b.com"},
		{"NDJSON", "{\"a\":1,\"e\":\"a@b.com\"}\n", Options{}, `NDJSON, UTF-8; the addresses are in "e" (found by content).`, "a@b.com"},
		{"NDJSON with a mark", "\ufeff{\"e\":\"a@b.com\"}\n", Options{}, `NDJSON, UTF-8; the addresses are in "e" (found by content).`, "a@b.com"},
		{"NDJSON, a given key", "{\"x\":\"a@b.com\",\"y\":\"c@d.com\"}\n", Options{Column: "Y"}, `NDJSON, UTF-8; the addresses are in "y".`, "c@d.com"},
		{"NDJSON, a given path", "{\"x\":\"a@b.com\",\"y\":{\"z\":\"c@d.com\"}}\n", Options{Column: "y.z"}, `NDJSON, UTF-8; the addresses are in "y.z".`, "c@d.com"},
		{"NDJSON, a key with a dot", "{\"y.z\":\"a@b.com\",\"y\":{\"z\":\"c@d.com\"}}\n", Options{Column: "y.z"}, `NDJSON, UTF-8; the addresses are in "y.z".`, "a@b.com"},
		{"NDJSON, the better name", "{\"from\":\"a@b.com\",\"email\":\"c@d.com\"}\n", Options{}, `NDJSON, UTF-8; the addresses are in "email" (found by name).`, "c@d.com"},
		{"NDJSON strings, told so", "\"a@b.com\"\n\"c@d.com\"\n", Options{ContentType: "application/x-ndjson"}, `NDJSON, UTF-8; the addresses are in "email".`, "a@b.com c@d.com"},
		{"quoted lines", "\"a@b.com\"\n\"c@d.com\"\n", Options{}, `CSV separated by commas, UTF-8, without a header; 1 column; the addresses are in column 1.`, "a@b.com c@d.com"},
		{"an old Mac's, with a line feed at the end", "email,n\ra@b.com,x\r\n", Options{}, `CSV separated by commas, UTF-8, with a header; 2 columns; the addresses are in column 1, "email" (found by name).`, "a@b.com"},
		{"curl's default type", "email;n\na@b.com;x\n", Options{ContentType: "application/x-www-form-urlencoded"}, `CSV separated by semicolons, UTF-8, with a header; 2 columns; the addresses are in column 1, "email" (found by name).`, "a@b.com"},
		{"a title line", "Report of 2026-11-23\n\nname,email\nA,a@b.com\nB,c@d.com\nC,e@f.com\n", Options{}, `CSV separated by commas, UTF-8, without a header; 2 columns; the addresses are in column 2 (found by content).`, " email a@b.com c@d.com e@f.com"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l, rows := readAll(t, tt.input, tt.o)
			if got := l.String(); got != tt.want {
				t.Errorf("Inspect(%.60q) = %s\nwant %s", tt.input, got, tt.want)
			}
			var emails []string
			for _, r := range rows {
				emails = append(emails, r.Email)
			}
			if got := strings.Join(emails, " "); got != tt.emails && tt.emails != "-" {
				t.Errorf("addresses of %.60q = %q, want %q", tt.input, got, tt.emails)
			}
		})
	}
}

func TestInspectRefuses(t *testing.T) {
	for _, tt := range []struct {
		name, input string
		o           Options
		want        string
		as          func(error) bool
	}{
		{"nothing", "", Options{}, "table: the input has no rows", isA(ErrEmpty)},
		{"blank lines", "\n\r\n \n", Options{}, "table: the input has no rows", isA(ErrEmpty)},
		{"blank NDJSON", "\n", Options{Format: NDJSON}, "table: the input has no rows", isA(ErrEmpty)},
		{"a workbook", "PK\x03\x04....", Options{Name: "list.xlsx"}, "table: the input is a zip archive or an Excel workbook; save the list as CSV and send that", isType[*UnsupportedError]},
		{"a packed workbook", zipped(t, "PK\x03\x04...."), Options{}, "table: the input is a zip archive or an Excel workbook; save the list as CSV and send that", isType[*UnsupportedError]},
		{"packed twice", zipped(t, zipped(t, "a@b.com")), Options{}, "table: the input is compressed twice; compress it once", isType[*UnsupportedError]},
		{"a JSON array", "[\n{\"email\":\"a@b.com\"}\n]", Options{Format: NDJSON}, "table: the input is a JSON array; write one value a line, as with: jq -c '.[]'", isType[*UnsupportedError]},
		{"JSON over lines", "{\n\"email\":\n\"a@b.com\"}\n", Options{}, "", isType[*UnsupportedError]},
		{"no addresses", "a,b\n1,2\n3,4\n", Options{}, "table: no column holds addresses; the columns are: column 1, column 2", isType[*ColumnError]},
		{"no such column", "email,b\na@b.com,2\n", Options{Column: "mail"}, `table: there is no column "mail"; the columns are: email, b`, isType[*ColumnError]},
		{"no such number", "email,b\na@b.com,2\n", Options{Column: "3"}, `table: there is no column "3"; the columns are: email, b`, isType[*ColumnError]},
		{"a name without a header", "a@b.com,2\nc@d.com,3\n", Options{Column: "mail"}, "table: the list has no header, so a column can only be given by its number", nil},
		{"no such key", "{\"a\":1}\n", Options{Column: "mail"}, `table: there is no column "mail"; the columns are: a`, isType[*ColumnError]},
		{"no key with addresses", "{\"a\":1}\n", Options{}, `table: no column holds addresses; the columns are: a`, isType[*ColumnError]},
		{"a format that we don't know", "x", Options{Format: "xml"}, `table: unknown format "xml": want csv, ndjson or lines`, nil},
		{"a charset that we don't know", "x", Options{Charset: "shift_jis"}, `table: charset "shift_jis" is not supported; convert the file to UTF-8, as with iconv`, nil},
		{"a delimiter that can't be", "x", Options{Delimiter: "||"}, `table: delimiter "||": want one ASCII character other than a quote or line break`, nil},
		{"a header that can't be", "x", Options{Header: "maybe"}, `table: header "maybe": want present or absent`, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Inspect(strings.NewReader(tt.input), tt.o)
			if err == nil || tt.want != "" && err.Error() != tt.want || tt.as != nil && !tt.as(err) {
				t.Errorf("Inspect(%q) = %v, want %s", tt.input, err, tt.want)
			}
		})
	}
}

func isA(want error) func(error) bool { return func(err error) bool { return errors.Is(err, want) } }

func isType[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

func TestTrimAddress(t *testing.T) {
	for cell, want := range map[string]string{
		" a@b.com\t":                   "a@b.com",
		"\ufeffa@b.com\u00a0":          "a@b.com",
		"Ada <a@b.com>":                "a@b.com",
		"\"Ada, L.\" < a@b.com > ":     "a@b.com",
		"<a@b.com>":                    "a@b.com",
		"MailTo:a@b.com":               "a@b.com",
		"<mailto:a@b.com>":             "a@b.com",
		"\"a<b\"@b.com":                "\"a<b\"@b.com",
		"<no address>":                 "<no address>",
		"a@b.com>":                     "a@b.com>",
		"a@b.com, c@d.com":             "a@b.com, c@d.com",
		"\u200e \u200f":                "",
		"\"  \"@b.com":                 "\"  \"@b.com",
		"Ada <x@y.com> <ada@home.com>": "ada@home.com",
	} {
		if got := trimAddress(cell); got != want {
			t.Errorf("trimAddress(%q) = %q, want %q", cell, got, want)
		}
	}
}

func TestTally(t *testing.T) {
	for _, tt := range []struct {
		text           string
		valid, invalid int64
	}{
		{"ascii only, and quite a bit of it", 0, 0},
		{"Zoë, Łódź, 日本, 😀", 7, 0},
		{"M\xfcller \xe9\xe8 x", 0, 3},
		{"caf\xc3", 0, 1},
		{"\xe2\x82x\xf0\x9f", 0, 3},
	} {
		for size := 1; size <= len(tt.text); size++ {
			var ta tally
			for piece := range slices.Chunk([]byte(tt.text), size) {
				if _, err := ta.Write(piece); err != nil {
					t.Fatal(err)
				}
			}
			invalid := ta.invalid
			if ta.n > 0 {
				invalid++
			}
			// How an invalid sequence is counted depends on where it is cut; that it is one doesn't.
			if ta.valid != tt.valid || (invalid > 0) != (tt.invalid > 0) {
				t.Errorf("%q in pieces of %d: %d valid and %d invalid, want %d and %d", tt.text, size, ta.valid, invalid, tt.valid, tt.invalid)
			}
		}
	}
}
