package pool

import (
	"context"
	"io"
	"net"
	"testing"
	"time"

	"golang.org/x/net/proxy"
)

// FuzzSOCKS has a proxy say anything. That a connection came about is believed only if the proxy said so, and a word about
// the mail host's address must not cost the source more than this address: whoever writes an MX record chooses it.
func FuzzSOCKS(f *testing.F) {
	granted := []byte{5, 0, 5, 0, 0, 1, 192, 0, 2, 1, 0, 25}
	f.Add(granted, false)
	f.Add(append([]byte{5, 2, 1, 0}, granted[2:]...), true)
	f.Add([]byte{5, 2, 1, 1}, true)
	f.Add([]byte{5, 0xff}, false)
	f.Add([]byte("HTTP/1.1 400 Bad Request\r\n"), false)
	for reply := range byte(10) {
		f.Add([]byte{5, 0, 5, reply, 0, 3, 1, 'x', 0, 25}, false)
	}
	f.Add([]byte{5, 0, 5, 0, 0, 9}, false)
	f.Add([]byte("\x050\x05\x00\x00\x01000000"), false)
	f.Fuzz(func(t *testing.T, said []byte, password bool) {
		way := &wayToProxy{}
		var auth *proxy.Auth
		if password {
			auth = &proxy.Auth{User: "u", Password: "p"}
		}
		d, err := proxy.SOCKS5("tcp", "192.0.2.9:1080", auth, socksTape{way, said})
		if err != nil {
			t.Fatal(err)
		}
		conn, err := d.(proxy.ContextDialer).DialContext(t.Context(), "tcp", "198.51.100.1:25")
		agreed, reply, replied := way.heard.dialogue()
		if err == nil {
			// A method that was not offered is let pass by who speaks to the proxy; nothing hangs on it.
			if conn == nil || said[1] == 0xff || agreed && (!replied || reply != 0) {
				t.Errorf("% x made a connection; agreed %t, reply %d (%t)", said, agreed, reply, replied)
			}
			return
		}
		fault := way.fault(err)
		if fault == nil || fault.Error() == "" {
			t.Fatalf("% x failed with %v, and nobody is to blame", said, err)
		}
		if agreed && replied && reply >= socksNetUnreachable && reply <= socksExpired && fault.cause == causeSource {
			t.Errorf("% x: the source is to blame for reply %d", said, reply)
		}
		if !agreed && fault.cause != causeSource {
			t.Errorf("% x: the proxy did not agree, and the blame is %v", said, fault.cause)
		}
	})
}

// A socksTape dials a proxy that says what is on the tape and then ends.
type socksTape struct {
	way  *wayToProxy
	said []byte
}

func (s socksTape) Dial(string, string) (net.Conn, error) { return nil, io.ErrUnexpectedEOF }

func (s socksTape) DialContext(context.Context, string, string) (net.Conn, error) {
	s.way.heard = &eavesdropper{Conn: &tape{rest: s.said}}
	return s.way.heard, nil
}

// A tape is a connection that takes everything and plays what it has.
type tape struct{ rest []byte }

func (c *tape) Read(b []byte) (int, error) {
	if len(c.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(b, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

func (c *tape) Write(b []byte) (int, error)      { return len(b), nil }
func (c *tape) Close() error                     { return nil }
func (c *tape) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (c *tape) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (c *tape) SetDeadline(time.Time) error      { return nil } // It never blocks.
func (c *tape) SetReadDeadline(time.Time) error  { return nil }
func (c *tape) SetWriteDeadline(time.Time) error { return nil }
