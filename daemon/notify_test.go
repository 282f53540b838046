package daemon

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/verimails/verimaild/config"
	"github.com/verimails/verimaild/systemd"
)

// A manager is a service manager's end of NOTIFY_SOCKET.
type manager struct{ *net.UnixConn }

func newManager(t *testing.T) manager {
	t.Helper()
	path := filepath.Join(shortDir(t), "notify")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	t.Setenv("NOTIFY_SOCKET", path)
	return manager{c}
}

// hears returns the next message, or "" if none comes within the time.
func (m manager) hears(t *testing.T, within time.Duration) string {
	t.Helper()
	if err := m.SetReadDeadline(time.Now().Add(within)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 4096)
	n, err := m.Read(b)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
	return string(b[:n])
}

// wants fails the test if the next message is not of lines that begin like these.
func (m manager) wants(t *testing.T, lines ...string) {
	t.Helper()
	got := m.hears(t, 5*time.Second)
	have := strings.Split(strings.TrimSuffix(got, "\n"), "\n")
	ok := len(have) == len(lines)
	for i := range lines {
		ok = ok && strings.HasPrefix(have[i], lines[i])
	}
	if !ok {
		t.Errorf("the service manager hears %q, want %q", got, lines)
	}
}

// TestServiceManager follows a daemon's life as the service manager hears of it.
func TestServiceManager(t *testing.T) {
	m := newManager(t)
	r := start(t, smallWorld(t))
	m.wants(t, "READY=1", "STATUS=Sources: 1. Sessions: 0")

	r.ReloadFrom(t.Context(), func() (*config.Config, error) {
		next := *r.cfg
		next.Egress.Sender = ""
		return &next, nil
	})
	m.wants(t, "RELOADING=1", "MONOTONIC_USEC=")
	m.wants(t, "READY=1", "STATUS=Not asking mail servers: egress.sender is not set")

	r.ReloadFrom(t.Context(), func() (*config.Config, error) { return nil, errors.New("no file") })
	m.wants(t, "RELOADING=1", "MONOTONIC_USEC=")
	m.wants(t, "READY=1", "STATUS=Works with the old configuration; the new one has a fault: no file")
	if got := r.log.FilterMessageSnippet("not reloaded").Len(); got != 1 {
		t.Errorf("%d lines about the reload that failed, want 1", got)
	}

	if err := r.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	m.wants(t, "STOPPING=1", "EXTEND_TIMEOUT_USEC=")
	r.ReloadFrom(t.Context(), func() (*config.Config, error) { return r.cfg, nil })
	if got := m.hears(t, 50*time.Millisecond); got != "" {
		t.Errorf("after the stop the service manager hears %q, want nothing", got)
	}
}

// TestServiceManagerGone starts all the same.
func TestServiceManagerGone(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", filepath.Join(shortDir(t), "gone"))
	r := start(t, smallWorld(t))
	r.wantReason(t, "ada@example.test", "mailbox_accepted")
	if r.log.FilterMessage("service manager not told").Len() == 0 {
		t.Error("nothing logged")
	}
}

// TestFailedStartIsNotReady says nothing of readiness.
func TestFailedStartIsNotReady(t *testing.T) {
	m := newManager(t)
	dir, text := textIn(t, smallWorld(t))
	cfg := load(t, dir, text)
	cfg.Socket.Path = write(t, dir, "file", "")
	d, err := New(Options{Config: cfg, Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Start(t.Context()); err == nil {
		t.Error("Start() = nil, want an error")
	}
	if got := m.hears(t, 50*time.Millisecond); got != "" {
		t.Errorf("the service manager hears %q, want nothing", got)
	}
}

// TestStatus is told when it has changed, and only then.
func TestStatus(t *testing.T) {
	m := newManager(t)
	synctest.Test(t, func(t *testing.T) {
		d := &Daemon{log: zap.NewNop(), notify: systemd.New(), problems: []problem{{"x", "one"}}}
		ctx, cancel := context.WithCancel(t.Context())
		d.wg.Go(func() { d.report(ctx) })
		time.Sleep(3 * statusEvery)
		synctest.Wait()
		d.mu.Lock()
		d.problems = []problem{{"x", "two"}}
		d.mu.Unlock()
		time.Sleep(3 * statusEvery)
		cancel()
		d.wg.Wait()
	})
	m.wants(t, "STATUS=Not asking mail servers: one")
	m.wants(t, "STATUS=Not asking mail servers: two")
	if got := m.hears(t, 10*time.Millisecond); got != "" {
		t.Errorf("and %q, want nothing more", got)
	}
}

// TestWatchdog is kept quiet for as long as the locks of the daemon can be had.
func TestWatchdog(t *testing.T) {
	m := newManager(t)
	t.Setenv("WATCHDOG_USEC", "100000")
	t.Setenv("WATCHDOG_PID", strconv.Itoa(os.Getpid()))
	r := start(t, smallWorld(t))
	for m.hears(t, 5*time.Second) == "WATCHDOG=1" { // The first may come before READY.
	}
	for range 3 {
		m.wants(t, "WATCHDOG=1")
	}
	r.mu.Lock()
	for range 3 { // What was on its way.
		m.hears(t, 60*time.Millisecond)
	}
	got := m.hears(t, 200*time.Millisecond)
	r.mu.Unlock()
	if got != "" {
		t.Errorf("with its lock held the daemon says %q, want nothing", got)
	}
	m.wants(t, "WATCHDOG=1")
}
