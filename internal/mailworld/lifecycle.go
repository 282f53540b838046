package mailworld

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// closeTimeout bounds Close.
const closeTimeout = 10 * time.Second

// errClosed says that the world is being closed.
var errClosed = errors.New("mailworld: closed")

// Close ends all sessions and listeners and waits for what served them, at most ten seconds.
// A second Close does nothing.
func (w *World) Close() error {
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return nil
	}
	w.closed = true
	close(w.stop)
	list := make([]io.Closer, 0, len(w.open))
	for c := range w.open {
		list = append(list, c)
	}
	w.mu.Unlock()
	for _, c := range list {
		_ = c.Close() // It is being thrown away.
	}
	for _, h := range w.hosts {
		h.stopListening()
	}
	done := make(chan struct{})
	go func() { w.wg.Wait(); close(done) }()
	timer := time.NewTimer(closeTimeout)
	defer timer.Stop()
	select {
	case <-done:
		return nil
	case <-timer.C:
		return fmt.Errorf("mailworld: sessions still open after %v", closeTimeout)
	}
}

// count keeps the number of open sessions.
func (w *World) count(change int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sessions += change
	if w.sessions == 0 && w.settled != nil {
		close(w.settled)
		w.settled = nil
	}
}

// Settle waits until no session is open: what clients have left behind is then in the record. An error is ctx's.
func (w *World) Settle(ctx context.Context) error {
	w.mu.Lock()
	if w.sessions == 0 {
		w.mu.Unlock()
		return nil
	}
	if w.settled == nil {
		w.settled = make(chan struct{})
	}
	settled := w.settled
	w.mu.Unlock()
	select {
	case <-settled:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// running reports whether the world is not being closed.
func (w *World) running() bool {
	select {
	case <-w.stop:
		return false
	default:
		return true
	}
}

// sleep waits; false means that the world is being closed.
func (w *World) sleep(d time.Duration) bool {
	if d <= 0 {
		return w.running()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-w.stop:
		return false
	}
}

// spawn runs f in a goroutine that Close joins. c, unless it is nil, is closed by Close and when f returns.
// When the world is closed already, f does not run and spawn returns false.
func (w *World) spawn(c io.Closer, f func()) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		if c != nil {
			_ = c.Close() // It is not used.
		}
		return false
	}
	if c != nil {
		w.open[c] = struct{}{}
	}
	w.wg.Go(func() {
		f()
		if c != nil {
			w.forget(c)
		}
	})
	return true
}

func (w *World) forget(c io.Closer) {
	w.mu.Lock()
	delete(w.open, c)
	w.mu.Unlock()
	_ = c.Close() // What used it has finished.
}
