package daemon

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/verimails/verimaild/client"
	"github.com/verimails/verimaild/client/apitype"
	"github.com/verimails/verimaild/config"
	"github.com/verimails/verimaild/internal/mailworld"
)

// slowly makes a host take its time over each recipient.
func slowly(d time.Duration) func(*mailworld.Host) {
	return func(h *mailworld.Host) { h.Slow = map[string]time.Duration{"RCPT": d} }
}

// An answered is what came of a question that was under way.
type answered struct {
	apitype.Answer
	err error
}

// underWay asks about n addresses, and returns once the mail server is asked about the first.
func (r *running) underWay(t *testing.T, w *mailworld.World, n int) <-chan answered {
	t.Helper()
	out := make(chan answered, n)
	for i := range n {
		go func() { // Ends with its answer, which the test waits for.
			a, err := r.client.Verify(t.Context(), fmt.Sprintf("x%d@example.test", i))
			out <- answered{a, err}
		}()
	}
	eventually(t, "a mail server is asked", func() bool { return w.Counts().Commands["RCPT"] > 0 })
	return out
}

// stopping calls Stop, and returns once new work is refused.
func (r *running) stopping(t *testing.T) <-chan error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- r.Stop(context.Background()) }() // The test waits for it.
	eventually(t, "new work is refused", func() bool {
		_, err := r.client.Verify(t.Context(), "x", client.VerifyOptions{Depth: apitype.DepthSyntax})
		refused, ok := errors.AsType[*client.Error](err)
		if !ok {
			return false
		}
		if refused.Code != apitype.CodeShuttingDown || refused.Status != 503 || refused.RetryAfter <= 0 {
			t.Errorf("new work: %+v, want 503 shutting_down with retry_after", refused)
		}
		return true
	})
	return done
}

// isShutdown reports whether err is the daemon's refusal of new work.
func isShutdown(err error) bool {
	refused, ok := errors.AsType[*client.Error](err)
	return ok && refused.Code == apitype.CodeShuttingDown
}

// TestStopFinishes lets what is under way come to its end, and answers health checks all the while.
func TestStopFinishes(t *testing.T) {
	w := smallWorld(t, slowly(400*time.Millisecond))
	r := start(t, w, unlimited)
	answers := r.underWay(t, w, 8)
	stopped := r.stopping(t)
	begun := time.Now()
	ready := r.isReady(t)
	if ready.Ready || len(ready.Problems) != 1 || ready.Problems[0].Code != apitype.CodeShuttingDown {
		t.Errorf("Ready() = %+v, want shutting_down", ready)
	}
	if took := time.Since(begun); took > 400*time.Millisecond {
		t.Errorf("Ready() took %v during a stop, want no wait", took)
	}
	finished := 0
	for range cap(answers) {
		a := <-answers
		if isShutdown(a.err) {
			continue // It came too late.
		}
		finished++
		if a.err != nil || a.Reason != "mailbox_not_found" {
			t.Errorf("under way: %s, %v, want mailbox_not_found", a.Reason, a.err)
		}
	}
	asked := 0
	for _, path := range w.Recipients("") {
		if strings.HasPrefix(path, "x") { // Beside them a made-up one, and postmaster.
			asked++
		}
	}
	if finished != asked || asked == 0 {
		t.Errorf("%d answers, for %d recipients that were asked about", finished, asked)
	}
	if err := <-stopped; err != nil {
		t.Errorf("Stop() = %v, want nil", err)
	}
	if err := w.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, s := range w.Sessions("") {
		if !s.Quit {
			t.Errorf("session %d: no QUIT", s.ID)
		}
	}
	missing(t, r.Socket())
	if err := r.Stop(t.Context()); err != nil {
		t.Errorf("a second Stop() = %v, want nil", err)
	}
	if err := r.Start(t.Context()); err == nil {
		t.Error("Start() after Stop() = nil, want an error")
	}
	if _, err := r.Reload(t.Context(), r.cfg); err == nil {
		t.Error("Reload() after Stop() = nil, want an error")
	}
}

// TestStopCutsShort ends what would take longer than the drain timeout, and does not wait for the mail server.
func TestStopCutsShort(t *testing.T) {
	w := smallWorld(t, slowly(time.Minute))
	r := start(t, w, func(cfg *config.Config) { cfg.DrainTimeout = time.Second })
	answers := r.underWay(t, w, 4)
	begun := time.Now()
	stopped := r.stopping(t)
	for range cap(answers) {
		a := <-answers
		if !isShutdown(a.err) && a.Reason != "shutting_down" {
			t.Errorf("cut short: %s, %v, want shutting_down", a.Reason, a.err)
		}
	}
	if err := <-stopped; err != nil {
		t.Errorf("Stop() = %v, want nil", err)
	}
	if took := time.Since(begun); took > 6*time.Second {
		t.Errorf("Stop() took %v, want little more than the drain timeout of 1 s", took)
	}
	if got := r.log.FilterMessageSnippet("before all work was done").Len(); got == 0 {
		t.Error("nothing logged about the work that was cut short")
	}
}

// TestStopAtOnce has no drain timeout at all.
func TestStopAtOnce(t *testing.T) {
	w := smallWorld(t)
	r := start(t, w, func(cfg *config.Config) { cfg.DrainTimeout = 0 })
	r.wantReason(t, "ada@example.test", "mailbox_accepted")
	if err := r.Stop(t.Context()); err != nil {
		t.Errorf("Stop() = %v, want nil", err)
	}
	if err := w.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, s := range w.Sessions("") {
		if !s.Quit {
			t.Errorf("session %d: no QUIT", s.ID)
		}
	}
}
