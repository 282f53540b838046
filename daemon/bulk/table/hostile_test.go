package table

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
)

// zipped is s as a gzip member.
func zipped(t testing.TB, s string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.WriteString(w, s); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// A repeat reads as head, n times body, and tail, without holding that.
type repeat struct {
	head, body, tail string
	n                int
	rest             string
}

func (r *repeat) Read(b []byte) (int, error) {
	for r.rest == "" {
		switch {
		case r.head != "":
			r.rest, r.head = r.head, ""
		case r.n > 0:
			r.rest = r.body
			r.n--
		case r.tail != "":
			r.rest, r.tail = r.tail, ""
		default:
			return 0, io.EOF
		}
	}
	n := copy(b, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

func TestHugeRow(t *testing.T) {
	const huge = 32 << 20
	for _, tt := range []struct {
		name, head, unit, tail string
		wantRows               int
		wantProblem            string
	}{
		{"a line without end", "email,name\na@example.com,A\n", strings.Repeat("x", 1<<16), "", 2, "the line has 33,554,432 bytes, more than the 1,048,576 allowed"},
		{"a line", "email,name\na@example.com,A\n", strings.Repeat("x", 1<<16), "\nb@example.com,B\n", 3, "the line has 33,554,432 bytes, more than the 1,048,576 allowed"},
		{"commas", "email,name\na@example.com,A\n", strings.Repeat(",", 1<<16), "\nb@example.com,B\n", 3, "the line has 33,554,432 bytes, more than the 1,048,576 allowed"},
		{"a quoted cell on one line", "email,name\na@example.com,A\n\"", strings.Repeat("x", 1<<16), "\"\nb@example.com,B\n", 3, "the line has 33,554,434 bytes, more than the 1,048,576 allowed"},
		{"NDJSON", "{\"email\":\"a@example.com\"}\n\"", strings.Repeat("x", 1<<16), "\"\n\"b@example.com\"\n", 3, "the line has 33,554,434 bytes, more than the 1,048,576 allowed"},
		{"lines", "a@example.com\n", strings.Repeat("x", 1<<16), "\nb@example.com\n", 3, "the line has 33,554,432 bytes, more than the 1,048,576 allowed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			open := func() io.Reader { return &repeat{head: tt.head, body: tt.unit, tail: tt.tail, n: huge >> 16} }
			l, err := Inspect(open(), Options{})
			if err != nil {
				t.Fatal(err)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			rd := NewReader(open(), l)
			var rows []Row
			for {
				row, err := rd.Next()
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				rows = append(rows, row)
			}
			runtime.ReadMemStats(&after)
			if got := after.TotalAlloc - before.TotalAlloc; got > 8<<20 {
				t.Errorf("reading took %d bytes of memory, want less than 8 MiB", got)
			}
			if len(rows) != tt.wantRows || rows[1].Problem != tt.wantProblem || len(rows[1].Raw) > rawKept {
				t.Errorf("got %d rows, the second with %d bytes of text and %q; want %d rows and %q",
					len(rows), len(rows[1].Raw), rows[1].Problem, tt.wantRows, tt.wantProblem)
			}
			if last := rows[len(rows)-1]; tt.wantRows == 3 && (last.Email != "b@example.com" || last.Problem != "") {
				t.Errorf("the row behind is %+v", last)
			}
		})
	}
}

// TestStrayQuote has one quote that is never closed, in the middle of many rows: it costs one row.
func TestStrayQuote(t *testing.T) {
	const rows = 200_000
	input := &repeat{head: "email,name\n\"open,quote\n", body: "a@example.com,A\n", n: rows}
	l := Layout{Format: CSV, Charset: utf8Name, Delimiter: ",", Header: true, Columns: []string{"email", "name"}}
	rd := NewReader(input, l)
	good, bad := 0, 0
	for {
		row, err := rd.Next()
		if err != nil {
			break
		}
		if row.Problem != "" {
			bad++
		} else {
			good++
		}
	}
	if good != rows || bad != 1 {
		t.Errorf("%d good rows and %d bad ones, want %d and 1", good, bad, rows)
	}
}

func TestManyColumns(t *testing.T) {
	wide := strings.Repeat("x,", 100_000) + "a@example.com"
	if _, err := Inspect(strings.NewReader(wide+"\n"), Options{}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("Inspect of a list with 100,001 columns = %v, want ErrTooLarge", err)
	}
	_, rows := readAll(t, "email,name\na@example.com,A\n"+wide+"\nb@example.com,B\n", Options{})
	if len(rows) != 3 || rows[1].Problem != "the row has 100,001 cells, more than the 16,384 allowed" || rows[1].Raw != wide {
		t.Errorf("got %d rows, the second with problem %q", len(rows), rows[1].Problem)
	}
	var keys strings.Builder
	keys.WriteString(`{"email":"a@example.com"`)
	for i := range 1000 {
		fmt.Fprintf(&keys, `,"k%d":%d`, i, i)
	}
	keys.WriteString(`,"Verdict":1}`)
	l, rows := readAll(t, keys.String(), Options{Limits: Limits{Columns: 100}})
	if len(l.Columns) != 101 || !l.More || rows[0].Email != "a@example.com" {
		t.Fatalf("an object of 1,002 keys has %d columns, more: %v", len(l.Columns), l.More)
	}
	out := written(t, l, rows, WriteOptions{})
	if !strings.Contains(out, ",Verdict,verimaild_more,verimaild_verdict,") || !strings.Contains(out, `""k999"":999}"`) {
		t.Errorf("members beyond the limit are lost: %.300s…", out)
	}
}

func TestBytesAnywhere(t *testing.T) {
	for name, input := range map[string]string{
		"NUL in a cell":    "email,name\na@example.com,A\x00B\n",
		"NUL in addresses": "a\x00@example.com\nb@example.com\n",
		"a lone quote":     "\"",
		"lone delimiters":  ",,,\n,,,\n",
		"a lone CR":        "a@example.com\r",
		"a BOM in a row":   "email\n\ufeffa@example.com\n",
		"binary":           "\x01\x02\xff\xfe\xfd@\x80.\x00\n\xc3\x28,\n",
	} {
		t.Run(name, func(t *testing.T) {
			l, err := Inspect(strings.NewReader(input), Options{Column: "1", Header: "absent"})
			if err != nil {
				t.Fatal(err)
			}
			rows := rowsOf(t, input, l)
			if len(rows) == 0 {
				t.Errorf("%q has no rows", input)
			}
			written(t, l, rows, WriteOptions{})
			if out := written(t, l, rows, WriteOptions{Shape: ShapeNDJSON}); !allJSON(out) {
				t.Errorf("%q is written as %q", input, out)
			}
		})
	}
}

func allJSON(out string) bool {
	for line := range strings.Lines(out) {
		if !json.Valid([]byte(line)) {
			return false
		}
	}
	return true
}

func TestGzip(t *testing.T) {
	const list = "email\na@example.com\nb@example.com\n"
	whole := zipped(t, list)
	damaged := []byte(whole)
	damaged[len(damaged)-6] ^= 1 // In the checksum.
	for _, tt := range []struct {
		name, input string
		rows        int
		err         error
	}{
		{"one member", whole, 2, nil},
		{"two members", whole + zipped(t, "c@example.com\n"), 3, nil},
		{"an empty member", whole + zipped(t, "") + zipped(t, "c@example.com\n"), 3, nil},
		{"padded with zeros", whole + strings.Repeat("\x00", 700), 2, nil},
		{"cut in the header", whole[:5], 0, ErrTruncated},
		{"cut after the magic", whole[:2], 0, ErrTruncated},
		{"cut in the data", whole[:len(whole)/2], 0, ErrTruncated},
		{"cut in the checksum", whole[:len(whole)-4], 0, ErrTruncated},
		{"cut in the last byte", whole[:len(whole)-1], 0, ErrTruncated},
		{"cut in the second member", whole + whole[:len(whole)-9], 0, ErrTruncated},
		{"cut in the second header", whole + whole[:4], 0, ErrTruncated},
		{"damaged", string(damaged), 0, ErrCorrupt},
		{"rubbish behind", whole + "rubbish, and more of it", 0, ErrCorrupt},
		{"not deflate", "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xff\xff\xff\xff\xff", 0, ErrCorrupt},
		{"a length that deflate does not have", "\x1f\x8b\x08\x000000\x30\x30\xec\xc0\x31\x01\x00\x00\x00\xc2\x20\xfb\xa7\x36\xc5\x1e\x18\x27\x30\x00\x00\x30\x30\x30\x30\x30\x30\x30\x30\x30", 0, ErrCorrupt},
		{"nothing", zipped(t, ""), 0, ErrEmpty},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l, err := Inspect(strings.NewReader(tt.input), Options{})
			if !errors.Is(err, tt.err) {
				t.Fatalf("Inspect = %v, want %v", err, tt.err)
			}
			if err == nil {
				if rows := rowsOf(t, tt.input, l); len(rows) != tt.rows {
					t.Errorf("got %d rows, want %d", len(rows), tt.rows)
				}
			}
		})
	}
}

func TestGzipBomb(t *testing.T) {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.Copy(w, io.LimitReader(&repeat{body: strings.Repeat("\n", 1<<20), n: 20}, 20<<20)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Inspect(&b, Options{}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("Inspect of a gzip bomb = %v, want ErrTooLarge", err)
	}
	plain := strings.Repeat("a@example.com\n", 1000)
	if _, err := Inspect(strings.NewReader(plain), Options{Limits: Limits{Bytes: 5000}}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("Inspect beyond the limit of bytes = %v, want ErrTooLarge", err)
	}
}

func TestTruncated(t *testing.T) {
	cut := io.MultiReader(strings.NewReader("email\na@example.com\nb@exam"), iotest.ErrReader(io.ErrUnexpectedEOF))
	if _, err := Inspect(cut, Options{}); !errors.Is(err, ErrTruncated) {
		t.Errorf("Inspect of an aborted upload = %v, want ErrTruncated", err)
	}
	rd := NewReader(io.MultiReader(strings.NewReader("a@example.com\nb@exam"), iotest.ErrReader(io.ErrUnexpectedEOF)),
		Layout{Format: Lines, Charset: utf8Name, Columns: []string{"email"}})
	if row, err := rd.Next(); err != nil || row.Email != "a@example.com" {
		t.Errorf("Next = %v, %v", row, err)
	}
	for range 2 {
		if row, err := rd.Next(); !errors.Is(err, ErrTruncated) {
			t.Errorf("Next behind the cut = %v, %v, want ErrTruncated", row, err)
		}
	}
	for name, odd := range map[string]string{
		"with a mark":    "\xff\xfea\x00@\x00b\x00.\x00c\x00\n",
		"without a mark": "a\x00@\x00b\x00.\x00c\x00\n",
	} {
		if _, err := Inspect(strings.NewReader(odd), Options{}); !errors.Is(err, ErrTruncated) {
			t.Errorf("Inspect of half a UTF-16 character, %s = %v, want ErrTruncated", name, err)
		}
	}
	broken := errors.New("disk on fire")
	if _, err := Inspect(io.MultiReader(strings.NewReader("a@b.c\n"), iotest.ErrReader(broken)), Options{}); !errors.Is(err, broken) {
		t.Errorf("Inspect = %v, want the reader's own error", err)
	}
}

// TestAgain reads a list in pieces of all sizes, with a layout that was stored: the rows are the same.
func TestAgain(t *testing.T) {
	input := campaign(3000) + "\"open;x\nx;\"y\nz\";z@example.com;\n" + strings.Repeat("long ", 40_000) + "\n"
	l, want := readAll(t, input, Options{})
	stored, err := json.Marshal(l)
	if err != nil {
		t.Fatal(err)
	}
	var again Layout
	if err := json.Unmarshal(stored, &again); err != nil || !reflect.DeepEqual(l, again) {
		t.Fatalf("the layout is stored as %s, %v", stored, err)
	}
	packed := zipped(t, input)
	for name, r := range map[string]io.Reader{
		"at once":      strings.NewReader(input),
		"halves":       iotest.HalfReader(strings.NewReader(input)),
		"data and EOF": iotest.DataErrReader(strings.NewReader(input)),
		"single bytes": iotest.OneByteReader(strings.NewReader(input)),
	} {
		rd := NewReader(r, again)
		for i := range want {
			row, err := rd.Next()
			if err != nil || !reflect.DeepEqual(append([]string(nil), row.Fields...), want[i].Fields) || row.Line != want[i].Line || row.Raw != want[i].Raw {
				t.Fatalf("%s: row %d = %+v, %v, want %+v", name, i, row, err, want[i])
			}
		}
		if _, err := rd.Next(); err != io.EOF {
			t.Errorf("%s: Next behind the last row = %v", name, err)
		}
	}
	if l2, rows := readAll(t, packed, Options{}); !l2.Gzip || len(rows) != len(want) {
		t.Errorf("packed: %d rows, want %d", len(rows), len(want))
	}
}
