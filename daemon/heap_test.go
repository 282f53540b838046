package daemon

import (
	"context"
	"runtime/debug"
	"testing"
	"time"

	"github.com/verimails/verimaild/config"
)

func TestMemoryLimit(t *testing.T) {
	const mb = 1 << 20
	for _, tt := range []struct {
		name       string
		mapped     int64
		live, rest uint64
		want       int64
	}{
		{"idle", 20 * mb, 20 * mb, 10 * mb, 164 * mb},
		{"a list", 40 * mb, 60 * mb, 30 * mb, 144 * mb},
		{"a long list", 90 * mb, 60 * mb, 30 * mb, 108 * mb},
		{"a crowd beside it", 90 * mb, 300 * mb, 100 * mb, 476 * mb},
		{"more in files than is usual", 500 * mb, 60 * mb, 30 * mb, 108 * mb},
	} {
		if got := memoryLimit(184*mb, tt.mapped, tt.live, tt.rest); got != tt.want {
			t.Errorf("%s: memoryLimit(%d MB, %d MB, %d MB) = %d MB, want %d", tt.name, tt.mapped/mb, tt.live/mb, tt.rest/mb, got/mb, tt.want/mb)
		}
	}
	if got := mappedFiles(); got < mb {
		t.Errorf("mappedFiles() = %d bytes, want a program's", got)
	}
}

// TestGovernMemory sets a limit that follows what lives, and takes it back; an operator's own is left alone.
func TestGovernMemory(t *testing.T) {
	t.Setenv("GOMEMLIMIT", "")
	t.Setenv("GOGC", "")
	cfg := config.Default(false, nil)
	d := &Daemon{boot: cfg}
	before := debug.SetMemoryLimit(-1)
	govern := func() (during int64) {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { d.GovernMemory(ctx); close(done) }()
		for range 100 {
			if during = debug.SetMemoryLimit(-1); during != before {
				break
			}
			select {
			case <-done:
			case <-time.After(10 * time.Millisecond):
			}
		}
		cancel()
		<-done
		return during
	}
	if got, want := govern(), usualMemory(cfg); got < want/2 || got > 100*want {
		t.Errorf("the limit is %d MB, want about %d", got>>20, want>>20)
	}
	if got := debug.SetMemoryLimit(-1); got != before {
		t.Errorf("afterwards the limit is %d, want %d again", got, before)
	}
	t.Setenv("GOMEMLIMIT", "1GiB")
	if got := govern(); got != before {
		t.Errorf("with an operator's limit it is %d, want it left alone", got)
	}
}
