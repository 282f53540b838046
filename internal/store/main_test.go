package store

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

// TestMain runs the test binary as one of the child processes below when it is asked to.
func TestMain(m *testing.M) {
	if child, ok := children[os.Getenv("STORE_TEST_CHILD")]; ok {
		if err := child(os.Getenv("STORE_TEST_DIR")); err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// children are what a child process of a test does with a directory.
var children = map[string]func(dir string) error{
	"hold":  childHold,
	"open":  childOpen,
	"write": childWrite,
	"full":  childFull,
}

// childHold opens the stores and keeps them until standard input ends.
func childHold(dir string) error {
	s, err := Open(Options{Dir: dir})
	if err != nil {
		return err
	}
	fmt.Println("open")
	_, err = io.Copy(io.Discard, os.Stdin)
	return errors.Join(err, s.Close())
}

// child starts the test binary as a child process. What it prints is read line by line from lines.
func child(t *testing.T, name, dir string, env ...string) (cmd *exec.Cmd, lines *bufio.Scanner, stdin io.WriteCloser) {
	t.Helper()
	cmd, lines, stdin = childCommand(t, name, dir, env...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, lines, stdin
}

// childCommand is child, not started yet.
func childCommand(t *testing.T, name, dir string, env ...string) (cmd *exec.Cmd, lines *bufio.Scanner, stdin io.WriteCloser) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd = exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), "STORE_TEST_CHILD="+name, "STORE_TEST_DIR="+dir)
	cmd.Env = append(cmd.Env, env...)
	cmd.Stderr = os.Stderr
	if stdin, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	return cmd, bufio.NewScanner(out), stdin
}

// openTest opens stores that are closed when the test ends.
func openTest(t testing.TB, opts Options) *Stores {
	t.Helper()
	if opts.Dir == "" && !opts.InMemory {
		opts.Dir = filepath.Join(t.TempDir(), "state")
	}
	s, err := Open(opts)
	if err != nil {
		t.Fatalf("Open(%q) = %v", opts.Dir, err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close() = %v", err)
		}
	})
	return s
}

// text is a codec that refuses what begins with "bad".
var text = Codec[string]{
	Encode: func(dst []byte, v string) []byte { return append(dst, v...) },
	Decode: func(b []byte) (string, error) {
		if strings.HasPrefix(string(b), "bad") {
			return "", errors.New("bad text")
		}
		return string(b), nil
	},
}

func textRecords(t testing.TB, s *Store, prefix string) *Records[string] {
	t.Helper()
	r, err := NewRecords(s, prefix, text)
	if err != nil {
		t.Fatalf("NewRecords(%q) = %v", prefix, err)
	}
	return r
}

func mustPut(t testing.TB, r *Records[string], key, value string) {
	t.Helper()
	if err := r.Put(context.Background(), []byte(key), value, 0); err != nil {
		t.Fatalf("Put(%q) = %v", key, err)
	}
}

func wantGet(t testing.TB, r *Records[string], key, want string) {
	t.Helper()
	got, found, err := r.Get([]byte(key))
	if err != nil || got != want || found != (want != "") {
		t.Errorf("Get(%q) = %q, %v, %v, want %q", key, got, found, err, want)
	}
}
