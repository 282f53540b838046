package smtp

import (
	"bytes"
	"io"
	"net"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"
)

// An instantConn is a server without cost: a Write leaves the replies to its commands for Read to find.
type instantConn struct {
	unique bool // No two replies to RCPT are alike.

	mu     sync.Mutex
	cond   *sync.Cond
	buf    []byte
	n      int
	closed bool
}

func newInstantConn(unique bool) *instantConn {
	c := &instantConn{unique: unique, buf: make([]byte, 0, 64<<10)}
	c.cond = sync.NewCond(&c.mu)
	c.buf = append(c.buf, "220 mx.example.net ESMTP\r\n"...)
	return c
}

func (c *instantConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for rest := p; len(rest) > 0; {
		i := bytes.IndexByte(rest, '\n')
		c.answer(rest[:i])
		rest = rest[i+1:]
	}
	c.cond.Signal()
	return len(p), nil
}

func (c *instantConn) answer(line []byte) {
	switch line[0] {
	case 'E':
		c.buf = append(c.buf, "250-mx.example.net\r\n250-PIPELINING\r\n250 ENHANCEDSTATUSCODES\r\n"...)
	case 'M':
		c.buf = append(c.buf, "250 2.1.0 Ok\r\n"...)
	case 'R':
		switch {
		case line[1] == 'S':
			c.buf = append(c.buf, "250 2.0.0 Ok\r\n"...)
		case c.unique:
			c.n++
			c.buf = append(strconv.AppendInt(append(c.buf, "250 2.1.5 OK d9443c01a7336-"...), int64(c.n), 10), " - gsmtp\r\n"...)
		default:
			c.buf = append(c.buf, "250 2.1.5 Ok\r\n"...)
		}
	default:
		c.buf = append(c.buf, "221 2.0.0 Bye\r\n"...)
	}
}

func (c *instantConn) Read(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.buf) == 0 {
		if c.closed {
			return 0, io.EOF
		}
		c.cond.Wait()
	}
	n := copy(p, c.buf)
	c.buf = c.buf[:copy(c.buf, c.buf[n:])]
	return n, nil
}

func (c *instantConn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	c.cond.Signal()
	return nil
}

func (c *instantConn) LocalAddr() net.Addr              { return memAddr{} }
func (c *instantConn) RemoteAddr() net.Addr             { return memAddr{} }
func (c *instantConn) SetDeadline(time.Time) error      { return nil }
func (c *instantConn) SetReadDeadline(time.Time) error  { return nil }
func (c *instantConn) SetWriteDeadline(time.Time) error { return nil }

// BenchmarkRun measures what one recipient costs the client; the server costs next to nothing.
func BenchmarkRun(b *testing.B) {
	for _, bm := range []runBenchmark{
		{"1x1", 1, 1, false},
		{"2x1", 2, 1, false},
		{"1x5", 1, 5, false},
		{"1x5unique", 1, 5, true},
		{"1x100", 1, 100, false},
	} {
		b.Run(bm.name, bm.run)
	}
}

// A runBenchmark runs so many transactions of so many recipients at once.
type runBenchmark struct {
	name       string
	txs, rcpts int
	unique     bool // No two replies to RCPT are alike.
}

func (bm *runBenchmark) run(b *testing.B) {
	s, err := Open(b.Context(), newInstantConn(bm.unique), config())
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	txs := slices.Repeat([]Transaction{tx(slices.Repeat([]string{ada}, bm.rcpts)...)}, bm.txs)
	runs, accepted := 0, 0
	on := func(e Event) {
		if e.Rcpt >= 0 && e.Reply.Positive() {
			accepted++
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Run(b.Context(), txs, on); err != nil {
			b.Fatal(err)
		}
		runs++
	}
	if want := runs * bm.txs * bm.rcpts; accepted != want {
		b.Fatalf("accepted = %d, want %d", accepted, want)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(accepted), "ns/rcpt")
}
