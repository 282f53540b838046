package daemon

import (
	"context"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/verimails/verimaild/client"
)

// startHanded runs a daemon that is handed the socket at path, which its holder keeps.
func startHanded(t *testing.T, path string) (*running, *net.UnixListener) {
	t.Helper()
	holder, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = holder.Close() })
	file, err := holder.File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	l, err := net.FileListener(file)
	if err != nil {
		t.Fatal(err)
	}
	dir, text := textIn(t, smallWorld(t))
	core, log := observer.New(zap.DebugLevel)
	d, err := New(Options{Config: load(t, dir, text), Logger: zap.New(core)})
	if err != nil {
		t.Fatal(err)
	}
	d.inherit = func() ([]net.Listener, error) { return []net.Listener{l}, nil }
	if err := d.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := &running{Daemon: d, client: &client.Client{Socket: path, MaxRetries: -1}, log: log}
	t.Cleanup(func() {
		if err := r.Stop(context.Background()); err != nil {
			t.Errorf("Stop() = %v, want nil", err)
		}
		r.client.CloseIdleConnections()
	})
	return r, holder
}

// TestHandedSocket is served instead of the one that the configuration names, and that is said.
func TestHandedSocket(t *testing.T) {
	r, _ := startHanded(t, filepath.Join(shortDir(t), "handed"))
	r.wantReason(t, "ada@example.test", "mailbox_accepted")
	if got := r.log.FilterMessageSnippet("socket.path does not count").Len(); got != 1 {
		t.Errorf("%d lines about the path that does not count, want 1", got)
	}
}

// TestStopLeavesTheQueue: who connects once the daemon stops is not refused; the next daemon finds the connection in
// the queue. Connections that are idle end, so that their clients come back by the queue.
func TestStopLeavesTheQueue(t *testing.T) {
	path := filepath.Join(shortDir(t), "handed")
	r, holder := startHanded(t, path)
	idle, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	if _, err := io.WriteString(idle, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 4096)
	if n, err := idle.Read(answer); err != nil || !strings.HasPrefix(string(answer[:n]), "HTTP/1.1 200") {
		t.Fatalf("before the stop: %q, %v", answer[:n], err)
	}
	if err := r.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := idle.Read(answer); err != io.EOF {
		t.Errorf("the idle connection: %v, want its end", err)
	}
	late, err := net.Dial("unix", path)
	if err != nil {
		t.Fatalf("after the stop: %v, want a place in the queue", err)
	}
	defer late.Close()
	if err := holder.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	next, err := holder.Accept()
	if err != nil {
		t.Fatalf("the next daemon: %v, want the connection", err)
	}
	_ = next.Close()
}
