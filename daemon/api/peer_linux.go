package api

import (
	"net"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// peerOf asks the kernel who connected conn, unix(7).
func peerOf(conn net.Conn) peer {
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return unknownPeer()
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return unknownPeer()
	}
	c := unknownPeer()
	// Control errs only if the connection is closed; then there is nobody to identify.
	_ = raw.Control(func(fd uintptr) {
		cred, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
		// Sockets that are not AF_UNIX have the answer "uid -1", which must not become a user.
		if err != nil || cred.Uid == ^uint32(0) {
			return
		}
		c.PID, c.UID, c.GID = int(cred.Pid), int(cred.Uid), int(cred.Gid)
		c.Groups = peerGroups(fd)
	})
	return c
}

// peerGroups returns the supplementary groups of fd's peer (SO_PEERGROUPS, Linux 4.13); nil if the kernel doesn't say.
func peerGroups(fd uintptr) []int {
	gids := make([]uint32, 64)
	for range 2 { // The kernel says how much room it needs.
		size := uint32(len(gids)) * 4 //nolint:gosec // G115: as many groups as a process may have.
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_PEERGROUPS,
			uintptr(unsafe.Pointer(&gids[0])), uintptr(unsafe.Pointer(&size)), 0) //nolint:gosec // G103: getsockopt(2) has no other wrapper for SO_PEERGROUPS.
		switch errno {
		case 0:
			groups := make([]int, size/4)
			for i := range groups {
				groups[i] = int(gids[i])
			}
			return groups
		case unix.ERANGE:
			gids = make([]uint32, size/4)
		default:
			return nil
		}
	}
	return nil
}
