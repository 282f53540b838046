package table

import (
	"bytes"
	"io"
	"strings"
	"testing"
)

// readAll inspects and reads a list.
func readAll(t testing.TB, input string, o Options) (Layout, []Row) {
	t.Helper()
	l, err := Inspect(strings.NewReader(input), o)
	if err != nil {
		t.Fatalf("Inspect(%.60q) = %v", input, err)
	}
	return l, rowsOf(t, input, l)
}

func rowsOf(t testing.TB, input string, l Layout) []Row {
	t.Helper()
	var rows []Row
	rd := NewReader(strings.NewReader(input), l)
	for {
		row, err := rd.Next()
		if err == io.EOF {
			return rows
		}
		if err != nil {
			t.Fatalf("Next after %d rows of %.60q = %v", len(rows), input, err)
		}
		row.Fields = append([]string(nil), row.Fields...)
		rows = append(rows, row)
	}
}

// written is a list with no answers, as o writes it.
func written(t testing.TB, l Layout, rows []Row, o WriteOptions) string {
	t.Helper()
	var b bytes.Buffer
	w, err := NewWriter(&b, l, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if err := w.Write(row, Outcome{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
