package api

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"
	"time"

	"go.uber.org/zap"
)

// dialStale is how long a daemon gets to accept a connection. One that is alive needs no time at all.
const dialStale = time.Second

// removeStale removes the socket that a daemon left behind when it was killed. It returns nil if the path is free.
// The caller holds the lock of the start.
func (s *Socket) removeStale() error {
	info, err := os.Lstat(s.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%s: %w", s.Path, ErrNotSocket)
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && os.Geteuid() != 0 && int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("%s: %w (uid %d)", s.Path, ErrNotOurs, st.Uid)
	}
	if err := dead(s.Path); err != nil {
		return err
	}
	s.Logger.Info("removing the socket of a daemon that is gone", zap.String("path", s.Path))
	if err := os.Remove(s.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("stale socket: %w", err)
	}
	return nil
}

// dead returns nil if nobody listens on the socket at path.
func dead(path string) error {
	conn, err := net.DialTimeout("unix", path, dialStale)
	switch {
	case err == nil:
		_ = conn.Close() // Nothing was said on it.
		return fmt.Errorf("%s: %w", path, ErrSocketInUse)
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, fs.ErrNotExist):
		return nil
	case errors.Is(err, syscall.EAGAIN), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s: %w, but its queue is full", path, ErrSocketInUse)
	case errors.Is(err, syscall.EPROTOTYPE):
		return fmt.Errorf("%s: %w: it is not a stream socket", path, ErrNotOurs)
	}
	return fmt.Errorf("socket: is another daemon there? %w", err)
}
