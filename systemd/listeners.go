package systemd

import (
	"errors"
	"fmt"
	"net"
	"syscall"

	"github.com/coreos/go-systemd/v22/activation"
)

// firstFD is the first descriptor that is handed over, SD_LISTEN_FDS_START.
const firstFD = 3

// Listeners returns the sockets that the service manager opened for us, in the order of the unit; none if it opened
// none. The files of Unix sockets are its own: closing such a listener leaves them. It takes the descriptors out of
// the environment, so a second call returns none. A descriptor that nobody can connect to is an error, and then all
// are closed.
func Listeners() ([]net.Listener, error) {
	all, err := activation.Listeners()
	if err != nil {
		return nil, fmt.Errorf("socket activation: %w", err)
	}
	for i, l := range all {
		if l == nil || !listens(l) {
			err = errors.Join(err, fmt.Errorf("socket activation: descriptor %d is not a stream socket that listens", firstFD+i))
		}
	}
	if err == nil {
		return all, nil
	}
	for _, l := range all {
		if l != nil {
			_ = l.Close() // err says more.
		}
	}
	return nil, err
}

// listens reports whether l's socket is one that peers can connect to: net.FileListener takes any socket.
func listens(l net.Listener) bool {
	sc, ok := l.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return false
	}
	accepts := 0
	err = raw.Control(func(fd uintptr) {
		if n, err := syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_ACCEPTCONN); err == nil {
			accepts = n
		}
	})
	return err == nil && accepts != 0
}
