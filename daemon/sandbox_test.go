package daemon

import (
	"sync"
	"testing"
	"time"

	"github.com/verimails/verimaild/client"
	"github.com/verimails/verimaild/config"
	"github.com/verimails/verimaild/internal/mailworld"
)

// elsewhere are the addresses of the sandbox whose answer is another one here, and why.
var elsewhere = map[string]struct{ reason, why string }{
	"anyone@timeout.sandbox.test": {"deadline_exceeded", "a connection gets 15 s, which no test waits for"},
	"anyone@uniform.sandbox.test": {"mailbox_not_found", "it takes a second opinion, from postmaster"},
}

// TestSandboxNames asks about every address that the sandbox promises a reason for, through the socket, all at once.
func TestSandboxNames(t *testing.T) {
	dir := shortDir(t)
	cfg := config.Default(false, nil)
	cfg.Socket = config.Socket{Path: dir + "/s", Mode: 0o600}
	cfg.StateDir = dir + "/state"
	cfg.Resolver.Timeout = 200 * time.Millisecond
	cfg.DrainTimeout = 0 // The connection that is never established is not waited for.
	r := startWith(t, Options{Config: cfg, Sandbox: true})
	if got := r.isReady(t); !got.Ready {
		t.Errorf("Ready() = %+v, want ready", got)
	}
	var wg sync.WaitGroup
	for _, name := range mailworld.SandboxNames() {
		want, deadline := name.Reason, 30*time.Second
		if other, ok := elsewhere[name.Address]; ok {
			want = other.reason
			if want == "deadline_exceeded" {
				deadline = 100 * time.Millisecond
			}
		}
		wg.Go(func() {
			a, err := r.client.Verify(t.Context(), name.Address, client.VerifyOptions{Deadline: deadline})
			if err != nil || a.Reason != want {
				t.Errorf("Verify(%q) = %s (%s), %v, want %s", name.Address, a.Reason, a.Explanation, err, want)
				for _, e := range a.Evidence {
					t.Logf("  control %v, %s: %d %s %s read as %s about the %s by rule %q", e.Control, e.Stage, e.Code, e.Enhanced, e.Text, e.Class, e.Scope, e.Rule)
				}
			}
		})
	}
	wg.Wait()
}
