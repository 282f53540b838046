package maildns

import (
	"context"
	"sync"
	"time"

	"github.com/verimails/verimaild/internal/crew"
)

// flights shares work among callers who want the same at the same time. The work is detached from
// the first caller: it ends when it is done, when its own time is over, when nobody waits for it any more,
// or when the flights are closed.
type flights[K comparable, V any] struct {
	mu     sync.Mutex // Guards what follows and the waiters of every flight; never held while work runs.
	calls  map[K]*flight[V]
	closed bool
	crew   crew.Crew // Flights; they begin under mu, and while not closed.
}

type flight[V any] struct {
	done    chan struct{} // Closed once val and err are set.
	val     V
	err     error
	waiters int
	cancel  context.CancelCauseFunc
}

// do returns what work returns, from a run of it for the same key that is under way if there is one. The
// error is ctx's, or ErrClosed.
func (f *flights[K, V]) do(ctx context.Context, key K, limit time.Duration, work func(context.Context) V) (V, error) {
	var none V
	if err := ctx.Err(); err != nil {
		return none, err
	}
	c, err := f.join(ctx, key, limit, work)
	if err != nil {
		return none, err
	}
	select {
	case <-c.done:
		return c.val, c.err
	case <-ctx.Done():
		f.leave(key, c)
		return none, ctx.Err()
	}
}

// join returns the flight for key, which it starts if there is none.
func (f *flights[K, V]) join(ctx context.Context, key K, limit time.Duration, work func(context.Context) V) (*flight[V], error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, ErrClosed
	}
	if c := f.calls[key]; c != nil {
		c.waiters++
		return c, nil
	}
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	c := &flight[V]{done: make(chan struct{}), waiters: 1, cancel: cancel}
	if f.calls == nil {
		f.calls = make(map[K]*flight[V])
	}
	f.calls[key] = c
	f.crew.Go(func() {
		defer cancel(nil)
		limited, stop := context.WithTimeout(ctx, limit)
		defer stop()
		c.val = work(limited)
		c.err = context.Cause(ctx) // Not limited's: work that ran out of time has said so in its result.
		f.mu.Lock()
		f.forgetLocked(key, c)
		f.mu.Unlock()
		close(c.done)
	})
	return c, nil
}

// leave gives up one caller's interest. The last to leave ends the flight; who comes then starts another.
func (f *flights[K, V]) leave(key K, c *flight[V]) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c.waiters--
	if c.waiters == 0 {
		f.forgetLocked(key, c)
		c.cancel(context.Canceled)
	}
}

func (f *flights[K, V]) forgetLocked(key K, c *flight[V]) {
	if f.calls[key] == c {
		delete(f.calls, key)
	}
}

// close ends all flights with ErrClosed, refuses new ones and waits.
func (f *flights[K, V]) close() {
	f.mu.Lock()
	f.closed = true
	for _, c := range f.calls {
		c.cancel(ErrClosed)
	}
	f.mu.Unlock()
	f.crew.Wait()
}

func (f *flights[K, V]) isClosed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.closed
}
