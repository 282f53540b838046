package api

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/verimails/verimaild/client/apitype"
)

// maxConnections is how many connections one user may hold, unless the descriptors of the process are scarce: then it is
// a quarter of those, so that no user takes them all.
const maxConnections = 4096

// connectionLimit is maxConnections for this process.
func connectionLimit() int {
	var lim syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim); err != nil || lim.Cur/4 > maxConnections {
		return maxConnections
	}
	return max(16, int(lim.Cur/4)) //nolint:gosec // G115: at most maxConnections.
}

// A crowd counts connections by user, so that one that opens thousands and leaves them does not shut out the others.
type crowd struct {
	most    int
	refused atomic.Int64

	mu     sync.Mutex // Guards both below.
	byUser map[int]int
	all    int
}

// enter counts a connection of a user, if it may have one more.
func (c *crowd) enter(uid int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byUser[uid] >= c.most {
		c.refused.Add(1)
		return false
	}
	c.byUser[uid]++
	c.all++
	return true
}

func (c *crowd) leave(uid int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all--
	if c.byUser[uid]--; c.byUser[uid] == 0 {
		delete(c.byUser, uid)
	}
}

// size is how many connections there are.
func (c *crowd) size() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.all
}

// A crowdListener refuses connections of users who have too many.
type crowdListener struct {
	net.Listener
	crowd *crowd
}

// Accept returns the next connection of a user who may have one.
func (l *crowdListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		unix, ok := conn.(*net.UnixConn)
		if !ok {
			return conn, nil // Refused by Serve.
		}
		p := peerOf(conn)
		if l.crowd.enter(p.UID) {
			return &guest{UnixConn: unix, peer: p, crowd: l.crowd}, nil
		}
		turnAway(unix, l.crowd.most)
	}
}

// turnAway tells a client why its connection is closed. It does not wait: what it says fits the socket's buffer.
func turnAway(conn *net.UnixConn, most int) {
	f := fail(apitype.CodeTooManyConnections, "This user has %d connections, and may have no more; close some, or keep using them.", most)
	f.retry = time.Second
	body, err := json.Marshal(apitype.ErrorReply{Error: f.wire()})
	if err != nil {
		panic(err) // Strings and a number.
	}
	_ = conn.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = fmt.Fprintf(conn, "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s",
		f.status(), http.StatusText(f.status()), len(body), body) // Who does not read it will see the end.
	_ = conn.Close()
}

// A guest is a connection that is counted until it is closed. Who is at its other end was asked when it came.
type guest struct {
	*net.UnixConn
	peer  peer
	crowd *crowd
	once  sync.Once
}

// Close closes the connection.
func (g *guest) Close() error {
	g.once.Do(func() { g.crowd.leave(g.peer.UID) })
	return g.UnixConn.Close()
}

// peerOfConn is the peer of a connection, without asking for it again.
func peerOfConn(conn net.Conn) peer {
	if g, ok := conn.(*guest); ok {
		return g.peer
	}
	return peerOf(conn)
}
