package api

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// lockStart keeps other daemons from starting on the socket at path until release is called. Without it two of them
// could both find the same dead socket, and the slower one would remove the live socket of the faster one.
//
// The lock is a file beside the socket, path.lock, that only our own user can open. It is there during the start only.
func lockStart(path string) (release func(), err error) {
	name := path + ".lock"
	for {
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600) //nolint:gosec // G304: beside the socket, at the path that the operator names.
		if err != nil {
			return nil, fmt.Errorf("socket lock: %w", err)
		}
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil && isFile(f, name) {
			return func() {
				_ = os.Remove(name) // If it stays, the next start takes it over.
				_ = f.Close()       // Gives the lock back.
			}, nil
		}
		_ = f.Close() // Nothing was written.
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("%s: %w, or is about to: it holds %s", path, ErrSocketInUse, name)
		}
		if err != nil {
			return nil, fmt.Errorf("socket lock %s: %w", name, err)
		}
		// We have locked a file that its owner removed meanwhile; another one may have made the next.
	}
}

// isFile reports whether name still leads to f.
func isFile(f *os.File, name string) bool {
	ours, err := f.Stat()
	if err != nil {
		return false
	}
	now, err := os.Lstat(name)
	return err == nil && os.SameFile(ours, now)
}
