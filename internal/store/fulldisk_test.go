package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// childFull fills a small file system of its own while it writes to the stores, and frees it again. A store that
// writes to a full disk through its memory maps would be killed by SIGBUS.
func childFull(dir string) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("cannot: %w", err)
	}
	if err := unix.Mount("none", dir, "tmpfs", 0, "size=400m,mode=0700"); err != nil {
		return fmt.Errorf("cannot: %w", err)
	}
	s, err := Open(Options{Dir: filepath.Join(dir, "state")})
	if err != nil {
		return err
	}
	filler, err := os.Create(filepath.Join(dir, "filler"))
	if err != nil {
		return err
	}
	for _, st := range []*Store{s.State(), s.Cache()} {
		r, err := NewRecords(st, "r/", text)
		if err != nil {
			return err
		}
		if err := writeUntilFull(r, filler); err != nil {
			return fmt.Errorf("%s: %w", st.tune.name, err)
		}
		if err := filler.Truncate(0); err != nil {
			return err
		}
		if err := r.Put(context.Background(), []byte("after"), "x", 0); err != nil {
			return fmt.Errorf("%s: after making room: %w", st.tune.name, err)
		}
	}
	if err := fill(filler); err != nil {
		return err
	}
	if err := s.Close(); err != nil { // There is no room to close properly either.
		return fmt.Errorf("close on a full disk: %w", err)
	}
	if err := filler.Truncate(0); err != nil {
		return err
	}
	if err := filler.Close(); err != nil {
		return err
	}
	// The next process finds everything. It has to be another one: there was no room to close Badger in this one.
	env := []string{"STORE_TEST_CHILD=open", "STORE_TEST_DIR=" + filepath.Join(dir, "state")}
	return syscall.Exec("/proc/self/exe", os.Args, env)
}

// putSoon queues a write, and waits for those before it where the queue is full.
func putSoon(r *Records[string], key []byte, v string) error {
	err := r.TryPut(key, v, 0)
	for errors.Is(err, ErrQueueFull) {
		if err = r.store.Flush(context.Background()); err == nil {
			err = r.TryPut(key, v, 0)
		}
	}
	return err
}

// writeUntilFull writes some megabytes, then takes all that is left of the disk, and goes on writing.
func writeUntilFull(r *Records[string], filler *os.File) error {
	full := 0
	for i := range 60_000 {
		if i == 30_000 {
			if err := fill(filler); err != nil {
				return err
			}
		}
		if err := putSoon(r, fmt.Appendf(nil, "%06d", i), strings.Repeat("x", 400)); err != nil {
			return err
		}
		var err error
		if i%1000 == 0 {
			err = r.Put(context.Background(), []byte("sync"), "x", 0)
		}
		if errors.Is(err, ErrDiskFull) {
			full++
		} else if err != nil {
			return err
		}
	}
	if full < 25 {
		return fmt.Errorf("only %d of 30 writes to a full disk were refused", full)
	}
	return nil
}

// fill takes all the room that is left.
func fill(f *os.File) error {
	var at int64
	for _, size := range []int{1 << 20, 4 << 10} {
		block := make([]byte, size)
		for {
			n, err := f.WriteAt(block, at)
			at += int64(n)
			if errors.Is(err, unix.ENOSPC) {
				break
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func TestRealFullDisk(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can mount a file system")
	}
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	cmd, lines, _ := childCommand(t, "full", t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	if err := cmd.Start(); err != nil {
		t.Skipf("no mount namespace: %v", err)
	}
	var said []string
	for lines.Scan() {
		said = append(said, lines.Text())
	}
	err := cmd.Wait()
	out := strings.Join(said, ", ")
	if err != nil && strings.Contains(out, "error: cannot:") {
		t.Skipf("no file system of our own: %q", out)
	}
	if err != nil || !strings.HasPrefix(out, "state 3") || !strings.Contains(out, "cache 3") {
		t.Errorf("the child ended with %v, said %q, want some 30000 records in each store", err, out)
	}
}
