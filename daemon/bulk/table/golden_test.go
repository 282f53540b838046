package table

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestLists reads lists as people have them. The golden file of each says what was found, each row with its line, its
// address and its problem, and the list as it is written back.
func TestLists(t *testing.T) {
	lists, err := filepath.Glob("testdata/lists/*")
	if err != nil || len(lists) < 20 {
		t.Fatalf("Glob = %d lists, %v", len(lists), err)
	}
	for _, name := range lists {
		t.Run(filepath.Base(name), func(t *testing.T) {
			input, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			got := described(t, string(input), Options{Name: name})
			golden := filepath.Join("testdata/golden", filepath.Base(name)+".txt")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("%s reads as\n%s\nwant\n%s", name, got, want)
			}
		})
	}
}

// described is all that is read from an input, for people.
func described(t *testing.T, input string, o Options) string {
	t.Helper()
	l, rows := readAll(t, input, o)
	var b strings.Builder
	fmt.Fprintln(&b, l)
	for _, r := range rows {
		fmt.Fprintf(&b, "%d line %d <%s>", r.Number, r.Line, r.Email)
		if r.Problem != "" {
			fmt.Fprintf(&b, " %s", r.Problem)
		}
		fmt.Fprintf(&b, " %q\n", r.Fields)
	}
	for _, shape := range []Shape{ShapeCSV, ShapeNDJSON} {
		fmt.Fprintf(&b, "\n%s:\n%s", shape, strings.ReplaceAll(written(t, l, rows, WriteOptions{Shape: shape}), "\r\n", "\n"))
	}
	return b.String()
}
