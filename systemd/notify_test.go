package systemd

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// manager is a service manager's end of NOTIFY_SOCKET.
func manager(t *testing.T) *net.UnixConn {
	t.Helper()
	dir, err := os.MkdirTemp("", "sd")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		os.RemoveAll(dir)
	})
	t.Setenv("NOTIFY_SOCKET", path)
	return conn
}

// receive reads one datagram.
func receive(t *testing.T, conn *net.UnixConn) string {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 4096)
	n, err := conn.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

func TestNotify(t *testing.T) {
	conn, n := manager(t), New()
	for _, tt := range []struct {
		name string
		send func() error
		want string
	}{
		{"ready", func() error { return n.Ready("1 source") }, "READY=1\nSTATUS=1 source"},
		{"stopping", func() error { return n.Stopping(15 * time.Second) }, "STOPPING=1\nEXTEND_TIMEOUT_USEC=15000000"},
		{"status", func() error { return n.Status("idle") }, "STATUS=idle"},
		{"status of two lines is one assignment", func() error { return n.Status("a\r\nMAINPID=1") }, "STATUS=a  MAINPID=1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := tt.send(); err != nil {
				t.Fatal(err)
			}
			if got := receive(t, conn); got != tt.want {
				t.Errorf("the manager got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestReloadingTellsTheTime(t *testing.T) {
	conn := manager(t)
	if err := New().Reloading(); err != nil {
		t.Fatal(err)
	}
	got := receive(t, conn)
	usec, ok := strings.CutPrefix(got, "RELOADING=1\nMONOTONIC_USEC=")
	if n, err := strconv.ParseInt(strings.TrimSpace(usec), 10, 64); !ok || err != nil || n <= 0 {
		t.Errorf("the manager got %q, want RELOADING=1 and MONOTONIC_USEC", got)
	}
}

func TestNotifyWithoutManager(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	t.Setenv("WATCHDOG_USEC", "")
	n := New()
	if err := errors.Join(n.Ready("x"), n.Reloading(), n.Status("x"), n.Stopping(time.Second)); err != nil {
		t.Errorf("without a service manager: %v, want nil", err)
	}
	unasked := func() bool { t.Error("healthy was asked without a watchdog"); return false }
	if err := n.KeepAlive(t.Context(), unasked); err != nil {
		t.Errorf("KeepAlive() = %v, want nil", err)
	}
}

func TestNotifyManagerGone(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", filepath.Join(t.TempDir(), "gone"))
	if err := New().Ready(""); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Ready() = %v, want one that is os.ErrNotExist", err)
	}
}

func TestKeepAlive(t *testing.T) {
	t.Setenv("WATCHDOG_USEC", "30000000")
	t.Setenv("WATCHDOG_PID", strconv.Itoa(os.Getpid()))
	synctest.Test(t, func(t *testing.T) {
		pings := 0
		var healthy atomic.Bool
		healthy.Store(true)
		n := &Notifier{send: func(state string) error {
			if state != "WATCHDOG=1" {
				t.Errorf("sent %q, want WATCHDOG=1", state)
			}
			pings++
			return nil
		}}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- n.KeepAlive(ctx, healthy.Load) }()

		time.Sleep(time.Minute + time.Second)
		synctest.Wait()
		if pings != 5 {
			t.Errorf("after 61s healthy: %d pings, want 5", pings)
		}
		healthy.Store(false)
		time.Sleep(time.Minute)
		synctest.Wait()
		if pings != 5 {
			t.Errorf("while not healthy: %d pings, want still 5", pings)
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("KeepAlive() = %v, want nil", err)
		}
	})
}

func TestWatchdog(t *testing.T) {
	self := strconv.Itoa(os.Getpid())
	for _, tt := range []struct {
		name, usec, pid string
		want            time.Duration
		fails           bool
	}{
		{"not set", "", "", 0, false},
		{"ours", "20000000", self, 20 * time.Second, false},
		{"of another process", "20000000", "1", 0, false},
		{"garbage", "soon", self, 0, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("WATCHDOG_USEC", tt.usec)
			t.Setenv("WATCHDOG_PID", tt.pid)
			got, err := Watchdog()
			if got != tt.want || (err != nil) != tt.fails {
				t.Errorf("Watchdog() = %v, %v, want %v, error %v", got, err, tt.want, tt.fails)
			}
		})
	}
}
