package bulk

import (
	"encoding/hex"
	"reflect"
	"testing"
	"time"

	"github.com/verimails/verimaild/verify/verdict"
)

func fullOutcome() Outcome {
	return Outcome{
		Reason: verdict.MailboxNotFound, Explanation: "why",
		Flags:      verdict.Flags{Disposable: verdict.False, Role: verdict.True, SMTPUTF8: verdict.False},
		DidYouMean: "ada@b.test", Provider: "google", MX: "mx.a.test", Code: 550, Enhanced: "5.1.1", Text: "no such user",
		CheckedAt: time.UnixMilli(1_790_000_000_123).UTC(), RetryAt: time.UnixMilli(1_790_000_000_456).UTC(), domain: 300, rows: 2,
	}
}

// TestRecordsOnDisk: jobs outlive the program that began them, so records are read and written to the octet as ever.
func TestRecordsOnDisk(t *testing.T) {
	const outcome = "01ac0202d63da604fbd8c1a28c34c8dbc1a28c34116d61696c626f785f6e6f745f666f756e64037768790a61646140622e74657374" +
		"06676f6f676c65096d782e612e7465737405352e312e310c6e6f20737563682075736572"
	o := fullOutcome()
	onDisk(t, "outcome", outcome, o, encodeOutcome, decodeOutcome)
	onDisk(t, "wait", "0101808040030a61646140612e746573740795dec1a28c3404"+outcome, wait{
		question: question{kind: notAddress, row: 1 << 20, rows: 3, text: "ada@a.test"}, domain: 7,
		first: time.UnixMilli(1_790_000_000_789).UTC(), failures: 4, outcome: o,
	}, encodeWait, decodeWait)
	onDisk(t, "block", "010c2c020705666972737480804000",
		block{[]packed{{7, []byte("first")}, {1 << 20, []byte{}}}}, encodeBlock, decodeBlock)
}

func onDisk[T any](t *testing.T, name, onDisk string, v T, encode func([]byte, T) []byte, decode func([]byte) (T, error)) {
	t.Helper()
	b, err := hex.DecodeString(onDisk)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := decode(b); err != nil || !reflect.DeepEqual(got, v) {
		t.Errorf("%s: decode = %+v, %v, want %+v", name, got, err, v)
	}
	if got := encode(nil, v); hex.EncodeToString(got) != onDisk {
		t.Errorf("%s: encode = %x, want %s", name, got, onDisk)
	}
	for n := range b {
		if got, err := decode(b[:n]); err == nil {
			t.Errorf("%s: decode of the first %d octets = %+v, want an error", name, n, got)
		}
	}
	if got, err := decode(append(b, 0)); err == nil {
		t.Errorf("%s: decode of an octet more = %+v, want an error", name, got)
	}
}
