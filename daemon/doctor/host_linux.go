package doctor

import (
	"fmt"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// clockSynced asks the kernel whether something disciplines the clock, adjtimex(2).
func clockSynced() (yes, known bool) {
	var tx unix.Timex
	state, err := unix.Adjtimex(&tx)
	if err != nil {
		return false, false
	}
	return state != unix.TIME_ERROR && tx.Status&unix.STA_UNSYNC == 0, true
}

func spaceOf(dir string) (space, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return space{}, err
	}
	return space{
		free: st.Bavail * uint64(st.Bsize), files: st.Ffree, filesKnown: st.Files > 0, readOnly: st.Flags&unix.ST_RDONLY != 0, //nolint:gosec // G115: a block size is positive.
	}, nil
}

// fileLimit is how many files a process may open; of this one, as many as Go has already raised it to.
func fileLimit(pid int) (uint64, error) {
	if pid > 0 {
		return limitIn(fmt.Sprintf("/proc/%d/limits", pid))
	}
	return limitIn("/proc/self/limits")
}

// peerOf is the process and the user at the other end of a Unix socket: 0 and -1 if the kernel does not say.
func peerOf(conn net.Conn) (pid, uid int) {
	pid, uid = 0, -1
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return pid, uid
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return pid, uid
	}
	// Control errs only if the connection is closed.
	_ = raw.Control(func(fd uintptr) {
		if cred, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			pid, uid = int(cred.Pid), int(cred.Uid)
		}
	})
	return pid, uid
}
