package bulk

import (
	"bytes"
	"errors"
	"reflect"
	"testing"

	"github.com/verimails/verimaild/verify/verdict"
)

// FuzzDecodeJob decodes any bytes as a job and its counts: they are refused, or they can be gone on with and written again.
func FuzzDecodeJob(f *testing.F) {
	var c Counts
	c.add(&question{row: 1, rows: 2}, &Outcome{Reason: verdict.MailboxNotFound, Provider: "google"})
	f.Add(encodeCounts(nil, c))
	f.Add(encodeCounts(nil, Counts{}))
	f.Add(encodeRecord(nil, record{ID: "06h0jhcs5pf2hdny8b4b", State: Preparing, Spec: Spec{Name: "l.csv"}, Of: []verdict.Verdict{verdict.Risky}}))
	f.Add([]byte(`{"Reasons":{"nonsense":-1},"Providers":null}`))
	f.Add([]byte(`{"id":"06h0jhcs5pf2hdny8b4b","order":{},"layout":{"column":-1},"summary":null,"delivery":{}}`))
	f.Add([]byte("null"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := decodeRecord(b); err == nil {
			wire := encodeRecord(nil, r)
			again, err := decodeRecord(wire)
			if err != nil || !bytes.Equal(encodeRecord(nil, again), wire) {
				t.Errorf("decodeRecord(%q) = %+v, again %+v, %v", b, r, again, err)
			}
		} else if !errors.Is(err, errDecode) {
			t.Errorf("decodeRecord(%q) = %v, want %v", b, err, errDecode)
		}
		c, err := decodeCounts(b)
		if err != nil {
			if !errors.Is(err, errDecode) {
				t.Errorf("decodeCounts(%q) = %v, want %v", b, err, errDecode)
			}
			return
		}
		if again, err := decodeCounts(encodeCounts(nil, c)); err != nil || !reflect.DeepEqual(again, c) {
			t.Errorf("decodeCounts(%q) = %+v, again %+v, %v", b, c, again, err)
		}
		before := c.Verdicts().Total()
		c.add(&question{row: 1, rows: 3}, &Outcome{Reason: verdict.Greylisted})
		if got := c.Verdicts().Total(); got != before+3 {
			t.Errorf("with three more rows, %d become %d", before, got)
		}
	})
}
