package cli

import (
	"context"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/verimails/verimaild/client"
)

// TestDemoKeeps has the demo go on serving until it is told to stop, and leave nothing.
func TestDemoKeeps(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes some seconds")
	}
	dir, err := os.MkdirTemp("", "vm")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	t.Setenv("TMPDIR", dir)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	out := writerFunc(func(text string) {
		if !strings.Contains(text, "Serving until") {
			return
		}
		c := client.Client{Socket: regexp.MustCompile(`--unix-socket (\S+)`).FindStringSubmatch(text)[1]}
		defer c.CloseIdleConnections()
		if a, err := c.Verify(t.Context(), "ada@sandbox.test"); err != nil || a.Reason != "mailbox_accepted" {
			t.Errorf("Verify() = %s, %v, want mailbox_accepted", a.Reason, err)
		}
		stop()
	})
	if err := demo(ctx, stdio{out: out, err: out}, true); err != nil {
		t.Errorf("demo() = %v, want nil", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v, want nothing", left, err)
	}
}

// A writerFunc is called with each piece of output.
type writerFunc func(text string)

func (f writerFunc) Write(b []byte) (int, error) {
	f(string(b))
	return len(b), nil
}
