package table

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/verimails/verimaild/verify/verdict"
)

// campaign is a list of n rows as a campaign has it.
func campaign(n int) string {
	var b strings.Builder
	b.WriteString("id;name;email;company;note\r\n")
	for i := range n {
		fmt.Fprintf(&b, "%d;\"Lovelace, Ada %d\";ada%d@dom%d.example.com;Analytical Engines;\"says \"\"hi\"\"\"\r\n", i, i, i, i%97)
	}
	return b.String()
}

func BenchmarkInspect(b *testing.B) {
	list := campaign(50_000)
	b.SetBytes(int64(len(list)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Inspect(strings.NewReader(list), Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	list := campaign(50_000)
	l, _ := readAll(b, list, Options{})
	b.SetBytes(int64(len(list)))
	b.ReportAllocs()
	for b.Loop() {
		rd := NewReader(strings.NewReader(list), l)
		n := 0
		for ; ; n++ {
			if _, err := rd.Next(); err != nil {
				break
			}
		}
		if n != 50_000 {
			b.Fatal(n)
		}
	}
}

func BenchmarkReadNDJSON(b *testing.B) {
	var list strings.Builder
	for i := range 50_000 {
		fmt.Fprintf(&list, "{\"id\":%d,\"name\":\"Ada \\\"L\\\"\",\"email\":\"ada%d@example.com\",\"tags\":[\"a\",\"b\"]}\n", i, i)
	}
	l, _ := readAll(b, list.String(), Options{})
	b.SetBytes(int64(list.Len()))
	b.ReportAllocs()
	for b.Loop() {
		rd := NewReader(strings.NewReader(list.String()), l)
		for {
			if _, err := rd.Next(); err != nil {
				break
			}
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	l, rows := readAll(b, campaign(1000), Options{})
	out := Outcome{
		Reason: verdict.MailboxAccepted, MX: "mx.example.com", SMTPCode: 250, SMTPText: "2.1.5 Ok",
		CheckedAt: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC), Flags: verdict.Flags{CatchAll: verdict.False},
	}
	for _, shape := range Shapes() {
		b.Run(string(shape), func(b *testing.B) {
			w, err := NewWriter(io.Discard, l, WriteOptions{Shape: shape})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if err := w.Write(rows[i%len(rows)], out); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
