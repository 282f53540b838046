package pool

import (
	"encoding/hex"
	"reflect"
	"testing"
	"time"
)

func fullSender() senderRecord {
	return senderRecord{Identity: 1 << 63, Until: time.UnixMilli(1_790_000_000_000), Source: "a", Provider: "google", Refusal: fullRecord().Paths[0].Refusal}
}

// What is kept of a reverse-path stays readable, to the octet.
func TestSenderRecordOnDisk(t *testing.T) {
	for name, test := range map[string]struct {
		record senderRecord
		want   string
	}{
		"refused": {fullSender(), "018080808080808080800180b083c59868016106676f6f676c65046d61696c07676f20617761790e736f757263655f626c6f636b65640b736f757263655f736974650001720000096d782e612e7465737406544c53312e33093139322e302e322e31d4080a0e0280b083c5986880eabac89868"},
		"taken":   {senderRecord{Identity: 5}, "010500"},
	} {
		b := appendSender(nil, test.record)
		if got := hex.EncodeToString(b); got != test.want {
			t.Errorf("%s: appendSender = %s, want %s", name, got, test.want)
		}
		if got, err := readSender(b); err != nil || !reflect.DeepEqual(got, test.record) {
			t.Errorf("%s: read back %+v, %v, want %+v", name, got, err, test.record)
		}
		for n := range b {
			if r, err := readSender(b[:n]); err == nil {
				t.Errorf("%s: readSender of the first %d octets = %+v, want an error", name, n, r)
			}
		}
	}
}

// A record of any bytes is refused, or puts off the test by no more than an hour.
func FuzzSenderRecord(f *testing.F) {
	f.Add(appendSender(nil, fullSender()))
	f.Add(appendSender(nil, senderRecord{Identity: 5}))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := readSender(b)
		if err != nil {
			return
		}
		p := bare()
		p.sender.of = "probe@a.test"
		r.Identity = p.sender.identity()
		if p.restoreSender(&r); p.sender.until-p.now() > senderRest {
			t.Errorf("nothing is asked for %v", p.sender.until-p.now())
		}
		if again, err := readSender(appendSender(nil, p.sender.record(p))); err != nil {
			t.Errorf("what was restored cannot be written again: %v, %+v", err, again)
		}
	})
}
