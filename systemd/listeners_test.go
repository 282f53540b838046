package systemd

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// childEnv makes this test binary behave as a daemon that was given descriptors.
const childEnv = "VERIMAILD_TEST_ACTIVATED"

// TestListeners hands descriptors to a process as systemd does: from number 3 on, announced in the environment.
func TestListeners(t *testing.T) {
	if os.Getenv(childEnv) != "" {
		activated()
		return
	}
	dir, err := os.MkdirTemp("", "sd")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	stream, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, "s"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	dgram, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "d"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer dgram.Close()
	streamFile, err := stream.File()
	if err != nil {
		t.Fatal(err)
	}
	defer streamFile.Close()
	dgramFile, err := dgram.File()
	if err != nil {
		t.Fatal(err)
	}
	defer dgramFile.Close()

	for _, tt := range []struct {
		name  string
		files []*os.File
		want  string
	}{
		{"none", nil, "0 listeners"},
		{"one", []*os.File{streamFile}, "1 listeners " + filepath.Join(dir, "s")},
		{"not a stream socket", []*os.File{streamFile, dgramFile}, "error: socket activation: descriptor 4 is not a stream socket that listens"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			// The shell knows its process id before it becomes the child, as the service manager does.
			cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", `LISTEN_PID=$$ exec "$0" -test.run '^TestListeners$'`, os.Args[0])
			cmd.ExtraFiles = tt.files
			cmd.Env = append(os.Environ(), childEnv+"=1", "GORACE=atexit_sleep_ms=0", "LISTEN_FDS="+string(rune('0'+len(tt.files))))
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			if got, _, _ := strings.Cut(string(out), "\n"); got != tt.want {
				t.Errorf("the daemon got %q, want %q", got, tt.want)
			}
		})
	}
}

// activated is the child: it prints what it was given.
func activated() {
	ls, err := Listeners()
	if err != nil {
		os.Stdout.WriteString("error: " + err.Error() + "\n")
		return
	}
	var line strings.Builder
	line.WriteString(string(rune('0'+len(ls))) + " listeners")
	for _, l := range ls {
		line.WriteString(" " + l.Addr().String())
		l.Close()
	}
	os.Stdout.WriteString(line.String() + "\n")
}
