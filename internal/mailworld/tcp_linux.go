package mailworld

import (
	"net"

	"golang.org/x/sys/unix"
)

// unread is how many bytes the kernel holds for c.
func unread(c *net.TCPConn) int {
	n := 0
	onFD(c, func(fd int) {
		if v, err := unix.IoctlGetInt(fd, unix.TIOCINQ); err == nil {
			n = v
		}
	})
	return n
}

// peerClosed reports whether the peer has closed its direction and everything before that was read.
func peerClosed(c *net.TCPConn) bool {
	closed := false
	onFD(c, func(fd int) {
		var b [1]byte
		n, _, err := unix.Recvfrom(fd, b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		closed = n == 0 && err == nil || err == unix.ECONNRESET
	})
	return closed
}

func onFD(c *net.TCPConn, f func(fd int)) {
	raw, err := c.SyscallConn()
	if err != nil {
		return
	}
	// An error here means that c is closed; then nothing is pending.
	_ = raw.Control(func(fd uintptr) { f(int(fd)) })
}

// blackHole listens on addr in a way that lets no connection be established: its queue of one is full.
// The returned function gives everything back.
func blackHole(addr net.TCPAddr) (func(), error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	if err := listenFull(fd, addr); err != nil {
		_ = unix.Close(fd) // It was not used.
		return nil, err
	}
	filler, err := net.DialTCP("tcp4", nil, &addr)
	if err != nil {
		_ = unix.Close(fd) // It was not used.
		return nil, err
	}
	return func() {
		_ = filler.Close() // Nothing was sent over it.
		_ = unix.Close(fd)
	}, nil
}

// listenFull listens with the shortest queue there is. The address may have been used a moment ago.
func listenFull(fd int, addr net.TCPAddr) error {
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return err
	}
	sa := &unix.SockaddrInet4{Port: addr.Port}
	copy(sa.Addr[:], addr.IP.To4())
	if err := unix.Bind(fd, sa); err != nil {
		return err
	}
	return unix.Listen(fd, 0)
}
