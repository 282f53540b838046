package api

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"go.uber.org/zap"
)

// What can be wrong with a socket's path. Errors of [Listen] wrap one of these where it applies, and name the path.
var (
	ErrSocketInUse = errors.New("another daemon answers there")
	ErrNotSocket   = errors.New("not a socket; it is left alone")
	ErrNotOurs     = errors.New("the socket belongs to somebody else; it is left alone")
	ErrSocketPath  = errors.New("unusable socket path")
)

// A Socket says where and for whom to listen.
type Socket struct {
	Path  string
	Mode  fs.FileMode // Permissions; whoever may write may connect. 0 means 0660.
	Group string      // Name or number of the socket's group; "" leaves the daemon's own.

	// GroupOptional makes a Group that does not exist, or that we may not give away to, a log line and no error.
	GroupOptional bool

	Logger *zap.Logger // nil logs nothing.
}

const (
	defaultMode = 0o660
	maxPath     = 107 // sun_path holds 108 bytes with its final NUL, unix(7).
)

// Listen makes the socket and listens on it.
//
// The directory is made (0755) if only its last element is missing. What is in the way is judged before it is
// touched: a socket on which somebody answers is [ErrSocketInUse], a file of another kind or a symbolic link
// is [ErrNotSocket], another user's socket [ErrNotOurs] (unless we are root); only a dead socket of our own is removed.
// Nobody but our own user can connect before group and mode are as asked.
func Listen(s Socket) (*Listener, error) {
	if s.Mode == 0 {
		s.Mode = defaultMode
	}
	if s.Logger == nil {
		s.Logger = zap.NewNop()
	}
	if err := checkPath(s.Path); err != nil {
		return nil, err
	}
	gid, err := s.gid()
	if err != nil {
		return nil, err
	}
	if err := makeDir(filepath.Dir(s.Path)); err != nil {
		return nil, err
	}
	release, err := lockStart(s.Path)
	if err != nil {
		return nil, err
	}
	defer release()
	if err := s.removeStale(); err != nil {
		return nil, err
	}
	l, err := bind(s.Path)
	if err != nil {
		return nil, err
	}
	if err := s.open(gid); err != nil {
		_ = l.Close() // err says more.
		return nil, err
	}
	return l, nil
}

func checkPath(path string) error {
	switch {
	case path == "":
		return fmt.Errorf("%w: it is empty", ErrSocketPath)
	case path[0] == '@' || strings.ContainsRune(path, 0):
		// Go reads these as names in the abstract namespace, where every user may connect.
		return fmt.Errorf("%w %q: abstract sockets have no permissions", ErrSocketPath, path)
	case len(path) > maxPath:
		return fmt.Errorf("%w %q: it has %d bytes, and the system takes at most %d", ErrSocketPath, path, len(path), maxPath)
	}
	return nil
}

// makeDir makes dir, but not the way to it: a path of which two elements are missing is more likely a typing error.
func makeDir(dir string) error {
	err := os.Mkdir(dir, 0o755) //nolint:gosec // G301: callers must reach the socket, whose own mode says who may use it.
	if err == nil || errors.Is(err, fs.ErrExist) {
		return nil
	}
	return fmt.Errorf("socket directory: %w", err)
}

// gid looks up the socket's group; -1 leaves it alone.
func (s *Socket) gid() (int, error) {
	if s.Group == "" {
		return -1, nil
	}
	if n, err := strconv.ParseUint(s.Group, 10, 31); err == nil {
		return int(n), nil
	}
	g, err := user.LookupGroup(s.Group)
	if err == nil {
		return strconv.Atoi(g.Gid)
	}
	if s.GroupOptional {
		s.Logger.Info("the socket keeps the daemon's own group", zap.String("group", s.Group), zap.Error(err))
		return -1, nil
	}
	return 0, fmt.Errorf("socket group: %w", err)
}

// bind makes the socket file, open to nobody but us.
func bind(path string) (*Listener, error) {
	// On Linux the mode of a socket's inode before bind limits the mode of the file that bind makes. So there is no
	// moment at which the umask decides who may connect, and the process's umask, which other goroutines share,
	// is left alone.
	private := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var chmod error
		err := c.Control(func(fd uintptr) { chmod = syscall.Fchmod(int(fd), 0o600) })
		return errors.Join(err, chmod)
	}}
	l, err := private.Listen(context.Background(), "unix", path)
	if err != nil {
		if errors.Is(err, syscall.EADDRINUSE) {
			return nil, fmt.Errorf("%s: %w", path, ErrSocketInUse) // By a program that does not take the lock.
		}
		return nil, fmt.Errorf("socket: %w", err)
	}
	ul := l.(*net.UnixListener)
	ul.SetUnlinkOnClose(false) // It would remove whatever has that name by then.
	info, err := os.Lstat(path)
	if err != nil {
		_ = ul.Close()
		return nil, fmt.Errorf("socket: %w", err)
	}
	return &Listener{UnixListener: ul, path: path, info: info}, nil
}

// open gives the socket its group, then its mode.
func (s *Socket) open(gid int) error {
	if gid >= 0 {
		if err := os.Lchown(s.Path, -1, gid); err != nil {
			if !s.GroupOptional {
				return fmt.Errorf("socket group %s: %w", s.Group, err)
			}
			s.Logger.Info("the socket keeps the daemon's own group", zap.String("group", s.Group), zap.Error(err))
		}
	}
	if err := os.Chmod(s.Path, s.Mode.Perm()); err != nil {
		return fmt.Errorf("socket mode: %w", err)
	}
	return nil
}

// A Listener is a Unix listener that removes its socket file on Close, if the file is still its own.
type Listener struct {
	*net.UnixListener
	path string
	info fs.FileInfo
	once sync.Once
	err  error
}

// Close stops listening and removes the socket file. It may be called more than once.
func (l *Listener) Close() error {
	l.once.Do(func() {
		// The file goes first: as long as it leads to us, a new daemon is told that we are still here.
		now, err := os.Lstat(l.path)
		if err == nil && os.SameFile(l.info, now) {
			err = os.Remove(l.path)
		}
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		l.err = errors.Join(err, l.UnixListener.Close())
	})
	return l.err
}
