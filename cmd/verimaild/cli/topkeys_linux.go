package cli

import (
	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// keyWait is how long a terminal waits for a key, in tenths of a second.
const keyWait = 2

// keysAsTheyCome lets a terminal hand over each key at once, and nothing after keyWait, so that nobody has to wait in
// a goroutine of its own.
func keysAsTheyCome(fd int) (restore func(), err error) {
	old, err := term.MakeRaw(fd)
	if err != nil {
		return nil, err
	}
	restore = func() { _ = term.Restore(fd, old) } // The terminal is the user's again, or gone.
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err == nil {
		t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 0, keyWait
		err = unix.IoctlSetTermios(fd, unix.TCSETS, t)
	}
	if err != nil {
		restore()
		return nil, err
	}
	return restore, nil
}
