package store

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// ErrDiskFull is what [*DiskFullError] is, for errors.Is.
var ErrDiskFull = errors.New("store: disk full")

// A Space is the room on a file system, in bytes, for a process without privileges.
type Space struct{ Free, Total uint64 }

// A DiskFullError says that a store did not write because its file system has too little room left.
//
// Badger writes through memory maps of sparse files. A page that the file system can't back kills the process with
// SIGBUS, so a store has to stop while there is still room for what Badger does in the background.
type DiskFullError struct {
	Dir  string
	Free uint64 // Bytes.
	Need uint64 // Bytes.
}

func (e *DiskFullError) Error() string {
	return fmt.Sprintf("%s: the disk is full: %d MB are free and the store needs %d MB to work in", e.Dir, e.Free>>20, e.Need>>20)
}

// Is reports that a DiskFullError is an [ErrDiskFull].
func (e *DiskFullError) Is(target error) bool { return target == ErrDiskFull }

// freeSpace asks the kernel how much room there is.
func freeSpace(dir string) (Space, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return Space{}, fmt.Errorf("free space of %s: %w", dir, err)
	}
	size := uint64(st.Bsize) //nolint:gosec // G115: a block size is positive.
	return Space{Free: st.Bavail * size, Total: st.Blocks * size}, nil
}

// roomToOpen says whether a store can be opened: doing so writes out what the last process left in its log.
func roomToOpen(t tuning, free func(string) (Space, error)) error {
	return checkRoom(t.dir, t.reserve, free)
}

// checkRoom returns a *DiskFullError if less than need is free.
func checkRoom(dir string, need uint64, free func(string) (Space, error)) error {
	sp, err := free(dir)
	if err != nil {
		return err
	}
	if sp.Free < need {
		return &DiskFullError{Dir: dir, Free: sp.Free, Need: need}
	}
	return nil
}
