//go:build !linux

package mailworld

import (
	"errors"
	"net"
)

// unread is 0 where we do not know how to ask: some violations then go unnoticed.
func unread(*net.TCPConn) int { return 0 }

// peerClosed is false where we do not know how to ask.
func peerClosed(*net.TCPConn) bool { return false }

// blackHole needs Linux's way of treating a full queue.
func blackHole(net.TCPAddr) (func(), error) {
	return nil, errors.New("mailworld: a black hole on sockets needs Linux")
}
