package store

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// ErrInUse is what [*InUseError] is, for errors.Is.
var ErrInUse = errors.New("store: state directory in use")

// An InUseError says that another process has the state directory.
type InUseError struct {
	Dir string
	PID int // 0 if it is not known.
}

func (e *InUseError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("state directory %s is in use by another process", e.Dir)
	}
	return fmt.Sprintf("state directory %s is in use by process %d", e.Dir, e.PID)
}

// Is reports that an InUseError is an [ErrInUse].
func (e *InUseError) Is(target error) bool { return target == ErrInUse }

// dirLock is the right to use a state directory. The kernel takes it back when the process dies, however it dies.
// Badger has locks of its own; this one comes first so that the message can name the directory and its holder.
type dirLock struct{ f *os.File }

// lockDir takes the lock, without waiting for it.
func lockDir(dir string) (*dirLock, error) {
	path := filepath.Join(dir, lockName)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600) //nolint:gosec // G304: in the state directory.
	if err != nil {
		if errors.Is(err, syscall.ELOOP) {
			return nil, &DirError{Path: path, Problem: "is a symbolic link where a file belongs; remove it"}
		}
		return nil, fmt.Errorf("lock the state directory: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		pid := readPID(f)
		closeErr := f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, &InUseError{Dir: dir, PID: pid}
		}
		return nil, errors.Join(fmt.Errorf("lock the state directory %s: %w", dir, err), closeErr)
	}
	l := &dirLock{f: f}
	if err := l.writePID(); err != nil {
		return nil, errors.Join(fmt.Errorf("lock the state directory %s: %w", dir, err), l.release())
	}
	return l, nil
}

func (l *dirLock) writePID() error {
	if err := l.f.Truncate(0); err != nil {
		return err
	}
	// On a full disk the id can't be noted. The lock holds all the same, and whoever meets it learns only that much.
	_, err := l.f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return nil
	}
	return err
}

// release gives the lock up. The file stays: removing it would let two processes hold locks on two files of one name.
func (l *dirLock) release() error {
	return errors.Join(l.f.Truncate(0), l.f.Close())
}

// readPID reads the id of the lock's holder; 0 if there is none to read.
func readPID(r io.Reader) int {
	b, err := io.ReadAll(io.LimitReader(r, 32))
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil || pid < 0 {
		return 0
	}
	return pid
}
