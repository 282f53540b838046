package mailworld

import (
	"net"
	"time"
)

// stale is how long after the last write a socket's client may have given up without our noticing.
const stale = 50 * time.Millisecond

// A tcpConn is a transport over a socket. What had arrived before a write cannot be an answer to it;
// what arrives later is taken as sent in knowledge of it. A client that writes one flight of commands
// in one segment is judged rightly. One goroutine uses it at a time, aside from reset and Close.
type tcpConn struct {
	*net.TCPConn
	in, out  int64
	marks    []mark // As in half: up to end, the client had seen no more than seen.
	lastSeen int64
	wrote    time.Time
	ended    bool // The client had closed before our last write.
	endSeen  int64
}

// Read never returns bytes of before and after one of our writes in one piece.
func (c *tcpConn) Read(p []byte) (int, error) {
	for len(c.marks) > 0 && c.marks[0].end <= c.in {
		c.marks = c.marks[1:]
	}
	c.lastSeen = c.out
	if len(c.marks) > 0 {
		c.lastSeen = c.marks[0].seen
		p = p[:min(int64(len(p)), c.marks[0].end-c.in)]
	}
	n, err := c.TCPConn.Read(p)
	c.in += int64(n)
	if n == 0 && err != nil && c.ended {
		c.lastSeen = c.endSeen
	}
	return n, err
}

func (c *tcpConn) Write(p []byte) (int, error) {
	c.note()
	n, err := c.TCPConn.Write(p)
	c.out += int64(n)
	return n, err
}

// note remembers what has arrived by now.
func (c *tcpConn) note() {
	now := time.Now()
	if n := c.pending(); n > 0 {
		end := c.in + int64(n)
		if k := len(c.marks); k == 0 || c.marks[k-1].end < end {
			c.marks = append(c.marks, mark{end, c.out})
		}
	} else if !c.ended && now.Sub(c.wrote) > stale && peerClosed(c.TCPConn) {
		c.ended, c.endSeen = true, c.out
	}
	c.wrote = now
}

// reset closes the socket so that the client gets a TCP reset. Linger 0 does that; where it cannot be set,
// the socket is gone already.
func (c *tcpConn) reset() {
	_ = c.SetLinger(0)
	_ = c.Close()
}

func (c *tcpConn) sent() int64  { return c.out }
func (c *tcpConn) seen() int64  { return c.lastSeen }
func (c *tcpConn) pending() int { return unread(c.TCPConn) }
