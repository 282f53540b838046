package mailworld_test

import (
	"bufio"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/verimails/verimaild/internal/mailworld"
)

// BenchmarkRecipients measures how fast one client is answered that writes transactions of five recipients in one
// segment each, with client and server sharing the processor.
func BenchmarkRecipients(b *testing.B) {
	for name, run := range map[string]func(mailworld.Spec) (*mailworld.World, error){
		"memory": mailworld.StartMemory, "sockets": mailworld.Start,
	} {
		for _, counters := range []bool{true, false} {
			b.Run(fmt.Sprintf("%s/counters=%t", name, counters), func(b *testing.B) {
				s := spec()
				s.CountersOnly = counters
				w, err := run(s)
				if err != nil {
					b.Fatal(err)
				}
				benchmarkSession(b, w)
				if err := w.Close(); err != nil {
					b.Error(err)
				}
			})
		}
	}
}

func benchmarkSession(b *testing.B, w *mailworld.World) {
	c, err := w.Dial(b.Context(), netip.AddrPort{}, w.HostAddr(host))
	if err != nil {
		b.Fatal(err)
	}
	r := bufio.NewReader(c)
	talk(b, c, r, "", 1)
	talk(b, c, r, "EHLO client.egress.test\r\n", 6)
	const recipients = 5
	flight := "MAIL FROM:<" + sender + ">\r\n" + strings.Repeat(rcpt("ada")+"\r\n", recipients) + "RSET\r\n"
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		talk(b, c, r, flight, recipients+2)
		n += recipients
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "recipients/s")
	talk(b, c, r, "QUIT\r\n", 1)
	if err := c.Close(); err != nil {
		b.Fatal(err)
	}
}

// talk writes s and reads lines.
func talk(b *testing.B, c net.Conn, r *bufio.Reader, s string, lines int) {
	b.Helper()
	if _, err := c.Write([]byte(s)); err != nil {
		b.Fatal(err)
	}
	for range lines {
		if _, err := r.ReadSlice('\n'); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSession measures a whole session of one recipient.
func BenchmarkSession(b *testing.B) {
	s := spec()
	s.CountersOnly = true
	w, err := mailworld.Start(s)
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := w.Close(); err != nil {
			b.Error(err)
		}
	}()
	b.ReportAllocs()
	for b.Loop() {
		c, err := w.Dial(b.Context(), netip.AddrPort{}, w.HostAddr(host))
		if err != nil {
			b.Fatal(err)
		}
		r := bufio.NewReader(c)
		talk(b, c, r, "", 1)
		talk(b, c, r, "EHLO client.egress.test\r\n", 6)
		talk(b, c, r, "MAIL FROM:<"+sender+">\r\n"+rcpt("ada")+"\r\nRSET\r\n", 3)
		talk(b, c, r, "QUIT\r\n", 1)
		if err := c.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
