//go:build interop

package interop

import (
	"net"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// A systemLog is what servers send to /dev/log. It is safe for concurrent use.
type systemLog struct {
	mu    sync.Mutex // Guards what follows.
	lines []string   // Each without its priority and time: "postfix/smtpd[13]: connect from …".
	more  chan struct{}
}

// logHead is the priority and the time before each message, RFC 3164 §4.1; Exim's and Courier's own time too.
var logHead = regexp.MustCompile(`^<\d+>([A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d )?`)

// newSystemLog listens at path until the test ends.
func newSystemLog(t testing.TB, path string) *systemLog {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	l := &systemLog{more: make(chan struct{})}
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.read(conn)
	}()
	t.Cleanup(func() {
		conn.Close()
		<-done
	})
	return l
}

// read keeps what arrives until the socket is closed.
func (l *systemLog) read(conn *net.UnixConn) {
	buf := make([]byte, 64<<10)
	for {
		n, _, err := conn.ReadFromUnix(buf)
		if err != nil {
			return
		}
		text := strings.TrimRight(string(buf[:n]), "\n\x00")
		l.mu.Lock()
		l.lines = append(l.lines, text[len(logHead.FindString(text)):])
		close(l.more)
		l.more = make(chan struct{})
		l.mu.Unlock()
	}
}

// snapshot returns the lines so far, and a channel that is closed when there are more.
func (l *systemLog) snapshot() ([]string, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines[:len(l.lines):len(l.lines)], l.more
}

// wait returns the lines as soon as enough says so of them. When it does not for too long, the test fails.
func (l *systemLog) wait(t testing.TB, what string, enough func(lines []string) bool) []string {
	t.Helper()
	timeout := time.After(patience)
	for {
		lines, more := l.snapshot()
		if enough(lines) {
			return lines
		}
		select {
		case <-more:
		case <-timeout:
			t.Fatalf("the server's log does not show %s:\n%s", what, l)
		}
	}
}

func (l *systemLog) String() string {
	lines, _ := l.snapshot()
	return strings.Join(lines, "\n")
}
