package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/table"
	"go.uber.org/zap"
	"golang.org/x/sys/unix"
)

// A DamageError says that a store's files are not what was written to them.
type DamageError struct {
	Dir     string
	Problem string
}

func (e *DamageError) Error() string {
	return fmt.Sprintf("the store in %s is damaged: %s; restore the directory from a backup, or move it away to start without it", e.Dir, e.Problem)
}

// inspect looks a store's directory over before Badger opens it. Badger checks a good deal itself, but meets some
// kinds of damage by ending the process, and others by deleting or leaving out what it does not understand.
// The tables are read over for as long as budget allows, some gigabytes a second if they are in the page cache.
// The error is a *DamageError, or a *DirError or *InUseError, about which nothing needs to be set aside.
func inspect(dir string, budget time.Duration) error {
	names, err := entryNames(dir)
	if err != nil || len(names) == 0 {
		return err
	}
	if err := checkUnlocked(dir); err != nil {
		return err
	}
	if err := removeEmpty(dir, names); err != nil {
		return err
	}
	tables, err := manifestTables(dir, names)
	if err != nil {
		return err
	}
	deadline := time.Now().Add(budget)
	for id, t := range tables {
		path := table.NewFilename(id, dir)
		if err := verifyTable(path, t.Compression, deadline); err != nil {
			return &DamageError{Dir: dir, Problem: fmt.Sprintf("%s: %v", filepath.Base(path), err)}
		}
	}
	return nil
}

// entryNames lists a store's files. They must be ours, and files.
func entryNames(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("look the store over: %w", err)
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		fi, err := e.Info()
		if err != nil {
			return nil, fmt.Errorf("look the store over: %w", err)
		}
		if !fi.Mode().IsRegular() {
			return nil, &DirError{Path: path, Problem: "is " + kindOf(fi.Mode()) + " among the store's files; remove it"}
		}
		if err := checkOwner(path, fi); err != nil {
			return nil, err
		}
		names = append(names, e.Name())
	}
	return names, nil
}

// checkUnlocked tells a store that another program has open (Badger's own tool, say) from a damaged one: Badger
// locks the directory, and its error does not say which of the two it is about.
func checkUnlocked(dir string) (err error) {
	d, err := os.Open(dir) //nolint:gosec // G304: in the state directory.
	if err != nil {
		return fmt.Errorf("look the store over: %w", err)
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	switch err := unix.Flock(int(d.Fd()), unix.LOCK_EX|unix.LOCK_NB); {
	case errors.Is(err, unix.EWOULDBLOCK):
		return &InUseError{Dir: dir}
	case err != nil:
		return fmt.Errorf("look the store over: lock %s: %w", dir, err)
	}
	return nil
}

// removeEmpty removes what a process that was killed between making a log file and sizing it leaves behind, which
// Badger does not open again. It also removes Badger's count of garbage in the value log: no value is ever there, so
// the file can only do harm.
func removeEmpty(dir string, names []string) error {
	for _, name := range names {
		path := filepath.Join(dir, name)
		gone := name == "DISCARD"
		if ext := filepath.Ext(name); ext == ".mem" || ext == ".vlog" {
			fi, err := os.Lstat(path)
			if err != nil {
				return fmt.Errorf("look the store over: %w", err)
			}
			gone = fi.Size() == 0
		}
		if !gone {
			continue
		}
		if err := os.Remove(path); err != nil {
			return fmt.Errorf("look the store over: %w", err)
		}
	}
	return nil
}

// manifestTables lists the tables that make up the store. Badger itself would start empty and delete every table if
// there were no manifest, and those tables of which the manifest does not tell.
func manifestTables(dir string, names []string) (tables map[uint64]badger.TableManifest, err error) {
	f, err := os.Open(filepath.Join(dir, badger.ManifestFilename)) //nolint:gosec // G304: in the state directory.
	if errors.Is(err, fs.ErrNotExist) {
		if hasExt(names, ".sst") || hasExt(names, ".mem") {
			return nil, &DamageError{Dir: dir, Problem: "there is data and no MANIFEST"}
		}
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look the store over: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	m, end, err := badger.ReplayManifestFile(f, 0, badger.DefaultOptions(dir).WithLogger(nil))
	if err != nil {
		return nil, &DamageError{Dir: dir, Problem: "MANIFEST: " + err.Error()}
	}
	fi, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("look the store over: %w", err)
	}
	// The last entry may be torn after power loss, and what it was about is then still in a log. A store that was
	// closed has no log left.
	if end < fi.Size() && !hasExt(names, ".mem") {
		return nil, &DamageError{Dir: dir, Problem: "MANIFEST: its end is missing"}
	}
	return m.Tables, nil
}

func hasExt(names []string, ext string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return filepath.Ext(name) == ext })
}

// keepAside is how many damaged stores are kept for whoever wants to look into them.
const keepAside = 2

// setAside renames a damaged store's directory and makes an empty one in its place.
func setAside(dir string, damage *DamageError, log *zap.Logger) error {
	prefix := dir + ".damaged-"
	to := prefix + time.Now().UTC().Format("20060102T150405.000Z")
	if err := os.Rename(dir, to); err != nil {
		return fmt.Errorf("set the damaged store aside: %w", err)
	}
	log.Error("the cache store was damaged; it is set aside and an empty one takes its place",
		zap.String("problem", damage.Problem), zap.String("kept_as", to))
	if err := os.Mkdir(dir, 0o700); err != nil {
		return fmt.Errorf("make the store's directory: %w", err)
	}
	old, err := filepath.Glob(prefix + "*") // Sorted, so by age.
	if err != nil {
		return fmt.Errorf("list damaged stores: %w", err)
	}
	for len(old) > keepAside {
		if err := os.RemoveAll(old[0]); err != nil {
			return fmt.Errorf("remove an old damaged store: %w", err)
		}
		old = old[1:]
	}
	return syncDir(filepath.Dir(dir))
}
