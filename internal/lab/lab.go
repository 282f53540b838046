// Package lab is what tests of several packages share: a daemon in a process of its own, and a state directory as a kill
// leaves it.
package lab

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// Start starts a daemon whose output goes to the file log, and which knows nothing of the caller's environment: its home
// is the directory of log. What it ends with is sent to exited. The end of the test kills it if it still runs, and shows
// the end of its log if the test has failed.
func Start(t testing.TB, cmd *exec.Cmd, log string) (exited <-chan error) {
	t.Helper()
	out, err := os.Create(log) //nolint:gosec // G304: the test's own file.
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close() // The process has its own descriptor.
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + filepath.Dir(log)}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	end, gone := make(chan error, 1), make(chan struct{})
	go func() { // Joined by the cleanup.
		end <- cmd.Wait()
		close(gone)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // It may be gone already.
		<-gone
		if t.Failed() {
			t.Logf("the end of the daemon's log:\n%s", Tail(log))
		}
	})
	return end
}

// Tail is the last 4,000 octets of a file, or why it cannot be read.
func Tail(file string) string {
	const most = 4000
	b, err := os.ReadFile(file) //nolint:gosec // G304: the test's own file.
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-most):])
}

// CopyDir copies a state directory that may be in use, as a kill would leave it, for its owner alone.
func CopyDir(t testing.TB, to, from string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(to, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			return os.Chmod(path, 0o700) //nolint:gosec // G122, G302: a directory of the test's own.
		}
		return errors.Join(err, os.Chmod(path, 0o600)) //nolint:gosec // G122: in a directory of the test's own.
	})
	if err != nil {
		t.Fatal(err)
	}
}
