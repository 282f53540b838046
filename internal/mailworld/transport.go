package mailworld

import "net"

// A transport is the server's end of a connection which knows how much the client had seen of what we sent when it
// wrote what we read. That is how a session tells a pipelined command from one sent against the rules.
// A pipe knows it exactly; a socket knows what had arrived before each of our writes, see [tcpConn].
type transport interface {
	net.Conn
	CloseWrite() error
	reset()       // Close with a TCP reset.
	sent() int64  // Bytes written so far.
	seen() int64  // Of these, how many the client had seen when it wrote what Read returned last.
	pending() int // Bytes that wait to be read.
}

var (
	_ transport = (*Conn)(nil)
	_ transport = (*tcpConn)(nil)
)
