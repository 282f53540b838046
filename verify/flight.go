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
	key    flightKey
	done   chan struct{} // Closed when answer is set.
	answer *verdict.Answer
	stage  atomic.Value // string: how far it got.
	cancel context.CancelCauseFunc

	// Guarded by Verifier.mu.
	waiting int                     // Callers that have not gone away; memory counts as one for a refresh.
	giveUp  context.CancelCauseFunc // Drops the question about the address, if that has not been sent yet.
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
		return f.answer, nil
	case <-timer.C: // The work goes on, as if this caller still waited.
		return v.late(a, f.stage.Load().(string)), nil
	case <-ctx.Done():
		v.leave(f)
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

// refresh asks about a again, unless that is under way, or was tried a moment ago: an answer that stays stale because
// nobody gives a better one must not have its server asked for every caller it is served to.
func (v *Verifier) refresh(ctx context.Context, req *Request, a address.Address) {
	key := flightKey{a.Key(), req.Depth, ""}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closing || v.flights[key] != nil || v.lately.asked(a, v.now()) {
		return
	}
	f := v.launch(ctx, key, run{v: v, s: v.settings, req: *req, addr: a, refresh: true})
	f.waiting = 1
}

// launch starts r as the flight for key, detached from the caller's ctx. The caller holds v.mu.
func (v *Verifier) launch(ctx context.Context, key flightKey, r run) *flight {
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	f := &flight{key: key, done: make(chan struct{}), cancel: cancel}
	f.stage.Store("syntax")
	r.flight = f
	if key.depth == DepthSMTP {
		v.lately.note(r.addr, v.now())
	}
	v.flights[key] = f
	v.wg.Go(func() {
		bounded, stop := context.WithTimeout(ctx, flightBound)
		defer stop()
		defer cancel(nil)
		f.answer = r.answer(bounded)
		v.mu.Lock()
		v.forget(f)
		v.mu.Unlock()
		close(f.done)
	})
	return f
}

// forget lets nobody join f any more. The caller holds v.mu.
func (v *Verifier) forget(f *flight) {
	if v.flights[f.key] == f {
		delete(v.flights, f.key)
	}
}

// leave is the end of a caller who went away. If it was the last one, the question about the address is dropped if it is
// still queued; once it was sent, all is finished for whoever asks next.
func (v *Verifier) leave(f *flight) {
	v.mu.Lock()
	defer v.mu.Unlock()
	f.waiting--
	if f.waiting == 0 && f.giveUp != nil {
		f.giveUp(errUnwanted)
	}
}

// whileWanted is ctx for the time that somebody waits for f. stop has to be called at its end.
func (v *Verifier) whileWanted(ctx context.Context, f *flight) (wanted context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	v.mu.Lock()
	defer v.mu.Unlock()
	f.giveUp = cancel
	if f.waiting == 0 {
		cancel(errUnwanted)
	}
	return ctx, func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		f.giveUp = nil
		cancel(nil)
	}
}

// unwanted reports whether nobody waits for f any more. From then on nobody can join it, who would get half an answer.
func (v *Verifier) unwanted(f *flight) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if f.waiting > 0 {
		return false
	}
	v.forget(f)
	return true
}
