package verify

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/verimails/verimaild/verify/address"
	"github.com/verimails/verimaild/verify/verdict"
)

// A flightKey is what makes two questions the same.
type flightKey struct {
	address string
	depth   Depth
	source  string
}

// A flight is one question under way, however many callers wait for it.
type flight struct {
	done    chan struct{} // Closed when answer is set.
	answer  *verdict.Answer
	stage   atomic.Value // string: how far it got.
	cancel  context.CancelCauseFunc
	waiting int // Callers; guarded by Verifier.mu.
}

// errUnwanted is why a flight ends that nobody waits for any more.
var errUnwanted = errors.New("verify: nobody waits for the answer")

// ask joins the flight for a, or starts it, and waits for its answer until the deadline.
func (v *Verifier) ask(ctx context.Context, req *Request, a address.Address, source string, deadline time.Time) (*verdict.Answer, error) {
	f, err := v.join(ctx, req, a, source)
	if err != nil {
		return nil, err
	}
	timer := time.NewTimer(deadline.Sub(v.now()))
	defer timer.Stop()
	select {
	case <-f.done:
		v.leave(f, false)
		return f.answer, nil
	case <-timer.C:
		v.leave(f, false) // The work goes on.
		return v.late(a, f.stage.Load().(string)), nil
	case <-ctx.Done():
		v.leave(f, true)
		return nil, context.Cause(ctx)
	}
}

// join finds the flight for a, or starts it detached from the caller.
func (v *Verifier) join(ctx context.Context, req *Request, a address.Address, source string) (*flight, error) {
	key := flightKey{a.Key(), req.Depth, source}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closing {
		return nil, ErrStopping
	}
	if f := v.flights[key]; f != nil {
		f.waiting++
		return f, nil
	}
	f := v.launch(ctx, key, run{v: v, s: v.settings, req: *req, addr: a, source: source})
	f.waiting = 1
	return f, nil
}

// refresh asks about a again, unless that is under way.
func (v *Verifier) refresh(ctx context.Context, req *Request, a address.Address) {
	key := flightKey{a.Key(), req.Depth, ""}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closing || v.flights[key] != nil {
		return
	}
	v.launch(ctx, key, run{v: v, s: v.settings, req: *req, addr: a, refresh: true})
}

// launch starts r as the flight for key, detached from the caller's ctx. The caller holds v.mu.
func (v *Verifier) launch(ctx context.Context, key flightKey, r run) *flight {
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	f := &flight{done: make(chan struct{}), cancel: cancel}
	f.stage.Store("syntax")
	r.flight = f
	v.flights[key] = f
	v.wg.Go(func() {
		bounded, stop := context.WithTimeout(ctx, flightBound)
		defer stop()
		defer cancel(nil)
		f.answer = r.answer(bounded)
		v.mu.Lock()
		delete(v.flights, key)
		v.mu.Unlock()
		close(f.done)
	})
	return f
}

// leave is a caller's end. A flight whose last caller has gone away, rather than run out of time, is cancelled:
// what it has queued is dropped, what it has sent is finished.
func (v *Verifier) leave(f *flight, gone bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	f.waiting--
	if f.waiting == 0 && gone {
		f.cancel(errUnwanted)
	}
}
