package mailworld_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/verimails/verimaild/internal/mailworld"
)

// TestPipeBytes sends random pieces both ways at once through windows and delays of all kinds.
func TestPipeBytes(t *testing.T) {
	tests := map[string]mailworld.PipeOptions{
		"plain":         {},
		"tiny window":   {Window: 1},
		"odd window":    {Window: 777},
		"delay":         {Delay: 30 * time.Millisecond},
		"delay, window": {Delay: 30 * time.Millisecond, Window: 1000},
	}
	for name, o := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, s := mailworld.NewPipe(o)
				var wg sync.WaitGroup
				for i, ends := range [][2]*mailworld.Conn{{c, s}, {s, c}} {
					sent := randomBytes(20000, uint64(i))
					wg.Go(func() { writePieces(t, ends[0], sent) })
					wg.Go(func() {
						got, err := io.ReadAll(ends[1])
						if err != nil || !bytes.Equal(got, sent) {
							t.Errorf("read %d bytes, %v, want the %d that were sent", len(got), err, len(sent))
						}
					})
				}
				wg.Wait()
				closeBoth(t, c, s)
			})
		})
	}
}

// writePieces writes b in pieces of random size, and half-closes.
func writePieces(t *testing.T, c *mailworld.Conn, b []byte) {
	rnd := rand.New(rand.NewPCG(7, uint64(b[0])))
	for len(b) > 0 {
		n := min(len(b), 1+rnd.IntN(900))
		if _, err := c.Write(b[:n]); err != nil {
			t.Errorf("write: %v", err)
		}
		b = b[n:]
	}
	if err := c.CloseWrite(); err != nil {
		t.Error(err)
	}
}

func randomBytes(n int, seed uint64) []byte {
	rnd := rand.New(rand.NewPCG(seed, 1))
	out := make([]byte, n)
	for i := range out {
		out[i] = byte(rnd.Uint32())
	}
	return out
}

func closeBoth(t *testing.T, c, s net.Conn) {
	t.Helper()
	if err := errors.Join(c.Close(), s.Close()); err != nil {
		t.Error(err)
	}
}

func mustWrite(t *testing.T, c net.Conn, s string) {
	t.Helper()
	if n, err := c.Write([]byte(s)); n != len(s) || err != nil {
		t.Fatalf("Write(%q) = %d, %v", s, n, err)
	}
}

// wantRead reads once.
func wantRead(t *testing.T, c net.Conn, want string, wantErr error) {
	t.Helper()
	buf := make([]byte, 100)
	n, err := c.Read(buf)
	if got := string(buf[:n]); got != want || !errors.Is(err, wantErr) {
		t.Errorf("Read() = %q, %v, want %q, %v", got, err, want, wantErr)
	}
}

func TestPipeEnds(t *testing.T) {
	tests := []struct {
		name string
		end  func(c *mailworld.Conn) error
		read error
		then error // Of a write afterwards, by the peer.
	}{
		{"close", (*mailworld.Conn).Close, io.EOF, syscall.EPIPE},
		{"half-close", (*mailworld.Conn).CloseWrite, io.EOF, nil},
		{"reset", func(c *mailworld.Conn) error { c.Reset(); return nil }, syscall.ECONNRESET, syscall.ECONNRESET},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, s := mailworld.NewPipe(mailworld.PipeOptions{})
				mustWrite(t, c, "last words")
				if err := tt.end(c); err != nil {
					t.Fatal(err)
				}
				wantRead(t, s, "last words", nil)
				wantRead(t, s, "", tt.read)
				if _, err := s.Write([]byte("x")); !errors.Is(err, tt.then) {
					t.Errorf("Write() to the other end = %v, want %v", err, tt.then)
				}
				if _, err := c.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
					t.Errorf("Write() to the own end = %v, want %v", err, net.ErrClosed)
				}
				closeBoth(t, c, s)
				wantRead(t, c, "", net.ErrClosed)
				wantRead(t, s, "", net.ErrClosed)
			})
		})
	}
}

// TestPipeWakes checks that whoever waits is woken by each way in which a connection can end.
func TestPipeWakes(t *testing.T) {
	ends := map[string]func(c, s *mailworld.Conn){
		"own close":      func(c, _ *mailworld.Conn) { _ = c.Close() },
		"peer's close":   func(_, s *mailworld.Conn) { _ = s.Close() },
		"peer's reset":   func(_, s *mailworld.Conn) { s.Reset() },
		"past deadline":  func(c, _ *mailworld.Conn) { _ = c.SetDeadline(time.Unix(1, 0)) },
		"later deadline": func(c, _ *mailworld.Conn) { _ = c.SetDeadline(time.Now().Add(time.Minute)) },
	}
	for name, end := range ends {
		for _, delay := range []time.Duration{0, time.Second} {
			t.Run(name+" "+delay.String(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					c, s := mailworld.NewPipe(mailworld.PipeOptions{Window: 10, Delay: delay})
					var wg sync.WaitGroup
					wg.Go(func() {
						if _, err := c.Read(make([]byte, 1)); err == nil {
							t.Error("Read() succeeded, want an error")
						}
					})
					wg.Go(func() {
						if _, err := c.Write(make([]byte, 100)); err == nil {
							t.Error("Write() of more than the window succeeded, want an error")
						}
					})
					synctest.Wait()
					end(c, s)
					wg.Wait()
					closeBoth(t, c, s)
				})
			})
		}
	}
}

func TestPipeDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := mailworld.Pipe()
		defer closeBoth(t, c, s)
		begin := time.Now()
		if err := c.SetReadDeadline(begin.Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		wantRead(t, c, "", os.ErrDeadlineExceeded)
		if got := time.Since(begin); got != time.Minute {
			t.Errorf("the deadline struck after %v, want 1m", got)
		}
		mustWrite(t, s, "in time")
		wantRead(t, c, "", os.ErrDeadlineExceeded) // It stays.
		if err := c.SetReadDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		wantRead(t, c, "in time", nil)
		var ne net.Error
		if err := c.SetDeadline(time.Now()); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write([]byte("x")); !errors.As(err, &ne) || !ne.Timeout() {
			t.Errorf("Write() past the deadline = %v, want a timeout", err)
		}
	})
}

func TestPipeDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := mailworld.NewPipe(mailworld.PipeOptions{Delay: time.Second})
		begin := time.Now()
		took := func(want time.Duration) {
			t.Helper()
			if got := time.Since(begin); got != want {
				t.Errorf("%v have passed, want %v", got, want)
			}
		}
		mustWrite(t, c, "one")
		time.Sleep(500 * time.Millisecond)
		mustWrite(t, c, "two")
		took(500 * time.Millisecond)
		wantRead(t, s, "one", nil)
		took(time.Second)
		wantRead(t, s, "two", nil) // It travelled at the same time.
		took(1500 * time.Millisecond)
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		mustWrite(t, s, "into the void") // The news of the close is still under way.
		wantRead(t, s, "", io.EOF)
		took(2500 * time.Millisecond)
		if _, err := s.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("Write() = %v, want %v", err, syscall.EPIPE)
		}
		closeBoth(t, c, s)
	})
}

// TestPipeOfOneWhoIsGone: who goes on writing to a peer that has left hears of it when the news arrives. In a bubble it
// arrives only once the writer waits, as it has to when the window is full of what nobody takes.
func TestPipeOfOneWhoIsGone(t *testing.T) {
	const window, piece = 1000, 64
	synctest.Test(t, func(t *testing.T) {
		c, s := mailworld.NewPipe(mailworld.PipeOptions{Window: window, Delay: time.Second})
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		begin, sent := time.Now(), 0
		for sent <= window {
			if _, err := s.Write(make([]byte, piece)); err != nil {
				break
			}
			sent += piece
		}
		if want := window - window%piece; sent != want || time.Since(begin) != time.Second {
			t.Errorf("%d bytes were taken in %v, want %d, and the news after 1s", sent, time.Since(begin), want)
		}
		closeBoth(t, c, s)
	})
}

func TestPipeAddresses(t *testing.T) {
	a, b := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2), Port: 1}, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 3), Port: 2}
	c, s := mailworld.NewPipe(mailworld.PipeOptions{Client: a, Server: b})
	defer closeBoth(t, c, s)
	if c.LocalAddr() != a || c.RemoteAddr() != b || s.LocalAddr() != b || s.RemoteAddr() != a {
		t.Errorf("addresses: client %v %v, server %v %v", c.LocalAddr(), c.RemoteAddr(), s.LocalAddr(), s.RemoteAddr())
	}
}

func BenchmarkPipe(b *testing.B) {
	c, s := mailworld.Pipe()
	buf := make([]byte, 100)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Write(buf); err != nil {
			b.Fatal(err)
		}
		if _, err := s.Read(buf); err != nil {
			b.Fatal(err)
		}
	}
	if err := errors.Join(c.Close(), s.Close()); err != nil {
		b.Fatal(err)
	}
}
