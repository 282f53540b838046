package client

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

// FuzzReadResults reads anything in place of what the daemon says in a stream and in a job's results: there are results and
// at most one error behind them, and each result came from a line.
func FuzzReadResults(f *testing.F) {
	for _, in := range []string{
		`{"id":"1","line":1,"email":"a@b.c","verdict":"deliverable","reason":"mailbox_accepted"}` + "\n" + `{"id":null,"line":2,"error":{"code":"quota_exceeded","message":"no"}}` + "\n",
		`{"id":7}`, `{"id":{}}`, "\n\n", "null", `{"evidence":[{"dialogue":[{}]}]}`, `{"verdict":"risky","verimaild_verdict":"unknown","smtp_code":"x"}`, `{"verimaild_smtp_code":550,"mx":["x"]}`,
	} {
		f.Add(in)
	}
	f.Fuzz(func(t *testing.T, in string) {
		n := 0
		err := readResults(strings.NewReader(in), func(r Result, err error) bool {
			if err != nil {
				t.Errorf("a result with the error %v", err)
			}
			n++
			return n < 3
		})
		if n == 3 && !errors.Is(err, errLeft) {
			t.Errorf("the loop was left, and readResults() = %v", err)
		}
		if n > strings.Count(in, "\n")+1 {
			t.Errorf("%d results of %q", n, in)
		}
		row, err := readJobRow([]byte(in))
		if string(row.Row) != in {
			t.Errorf("the row of %q = %q", in, row.Row)
		}
		if err == nil && !json.Valid([]byte(in)) {
			t.Errorf("%q was read as a row", in)
		}
	})
}
