package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// A DirError says what is wrong with the state directory or one of its entries.
type DirError struct {
	Path    string
	Problem string // With what to do about it.
}

func (e *DirError) Error() string { return e.Path + ": " + e.Problem }

// prepareDir makes the state directory if needed, and checks that it is ours. It returns the path that symbolic links
// lead to: the directory itself may be one (systemd's DynamicUser makes it so), its entries may not.
func prepareDir(dir string) (string, error) {
	if dir == "" {
		return "", &DirError{Path: `""`, Problem: "the state directory has no name; set state_dir"}
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("state directory: %w", err)
	}
	switch err := os.Mkdir(dir, 0o700); {
	case err == nil:
		if err := syncDir(filepath.Dir(dir)); err != nil {
			return "", err
		}
	case !errors.Is(err, fs.ErrExist):
		return "", fmt.Errorf("make the state directory: %w", err)
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return "", fmt.Errorf("state directory: %w", err)
	}
	fi, err := os.Lstat(dir)
	if err != nil {
		return "", fmt.Errorf("state directory: %w", err)
	}
	if !fi.IsDir() {
		return "", &DirError{Path: dir, Problem: "is not a directory; state_dir must name one"}
	}
	if err := checkOwner(dir, fi); err != nil {
		return "", err
	}
	if fi.Mode().Perm()&0o022 != 0 {
		return "", &DirError{Path: dir, Problem: fmt.Sprintf("others may write here (mode %04o); chmod 0700 it", fi.Mode().Perm())}
	}
	return dir, nil
}

// ensureSubdir makes a directory for one store, or checks the one that is there.
func ensureSubdir(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make the store's directory: %w", err)
	}
	fi, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("the store's directory: %w", err)
	}
	if !fi.IsDir() {
		return &DirError{Path: dir, Problem: "is " + kindOf(fi.Mode()) + " where a directory belongs; remove it"}
	}
	if err := checkOwner(dir, fi); err != nil {
		return err
	}
	if fi.Mode().Perm()&0o077 != 0 {
		return &DirError{Path: dir, Problem: fmt.Sprintf("others may look in here (mode %04o); chmod 0700 it", fi.Mode().Perm())}
	}
	return nil
}

// checkOwner refuses what belongs to another user: its owner could change it under us, and files that we make there
// would lock its owner out.
func checkOwner(path string, fi fs.FileInfo) error {
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	if uid := os.Geteuid(); int(st.Uid) != uid {
		return &DirError{Path: path, Problem: fmt.Sprintf("belongs to uid %d and this process runs as uid %d; chown it, or run as its owner", st.Uid, uid)}
	}
	return nil
}

// kindOf names a file's type for a person.
func kindOf(m fs.FileMode) string {
	switch {
	case m&fs.ModeSymlink != 0:
		return "a symbolic link"
	case m.IsDir():
		return "a directory"
	case m.IsRegular():
		return "a file"
	default:
		return "a special file"
	}
}

// syncDir makes the entries of a directory durable: a new name survives power loss only then.
func syncDir(dir string) error {
	d, err := os.Open(dir) //nolint:gosec // G304: in the state directory.
	if err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	return errors.Join(d.Sync(), d.Close())
}
