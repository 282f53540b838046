package verify

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/verimails/verimaild/pool"
	"github.com/verimails/verimaild/verify/address"
	"github.com/verimails/verimaild/verify/verdict"
)

// A flightKey is what makes two questions the same.
type flightKey struct {
	address string
	depth   Depth
}

// A flight is one question under way, however many callers wait for it.
type flight struct {
	key    flightKey
	done   chan struct{} // Closed when answer is set.
	answer *verdict.Answer
	stage  atomic.Value // string: how far it got.
	cancel context.CancelCauseFunc

	// Guarded by Verifier.mu.
	waiting  int                     // Callers that have not gone away; memory counts as one for a refresh.
	urgent   bool                    // One of them waits for the answer himself: it is no row of a list.
	deadline time.Time               // When the last of them has to have it.
	given    time.Time               // The deadline that the pool was given.
	giveUp   context.CancelCauseFunc // Drops the question about the address, if that has not been sent yet.
}

var (
	// errUnwanted is why a question is dropped that nobody waits for any more.
	errUnwanted = errors.New("verify: nobody waits for the answer")
	// errHurry is why a question is dropped that is to be asked at once instead of when its turn comes.
	errHurry = errors.New("verify: somebody waits for the answer now")
)

// ask joins the flight for a, or starts it, and waits for its answer until the deadline.
func (v *Verifier) ask(ctx context.Context, req *Request, a address.Address, deadline time.Time) (*verdict.Answer, error) {
	for {
		f, err := v.join(ctx, req, a, deadline)
		if err != nil {
			return nil, err
		}
		ans, err := v.await(ctx, f, a, deadline)
		if err != nil || ans.Reason != verdict.BudgetExhausted || !f.short(deadline) {
			return ans, err
		}
		// The allowance would not be there in time for those who asked first; this caller has more.
	}
}

// short reports whether f was asked for callers who had less time than until deadline. It is called when f is over, and
// nothing about it changes any more.
func (f *flight) short(deadline time.Time) bool { return !f.given.IsZero() && f.given.Before(deadline) }

// await waits for f's answer until the deadline.
func (v *Verifier) await(ctx context.Context, f *flight, a address.Address, deadline time.Time) (*verdict.Answer, error) {
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

// join finds the flight for a, or starts it detached from the caller. Whoever is in more of a hurry than those before
// takes the question out of the list that it waits in.
func (v *Verifier) join(ctx context.Context, req *Request, a address.Address, deadline time.Time) (*flight, error) {
	key := flightKey{a.Key(), req.Depth}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closing {
		return nil, ErrStopping
	}
	f := v.flights[key]
	if f == nil {
		f = v.launch(ctx, key, v.newRun(req, a), deadline)
		f.waiting = 1
		return f, nil
	}
	f.waiting++
	f.deadline = later(f.deadline, deadline)
	if req.Class == Interactive && !f.urgent {
		f.urgent = true
		if f.giveUp != nil {
			f.giveUp(errHurry)
		}
	}
	return f, nil
}

// urgency is the class and the deadline with which f's question is asked. Past the deadline of those who wait, the work
// goes on for whoever asks next, within what a caller has by default.
func (v *Verifier) urgency(f *flight) (pool.Class, time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	deadline := f.deadline
	if now := v.now(); !deadline.After(now) {
		deadline = now.Add(DefaultDeadline)
	}
	f.given = deadline
	if f.urgent {
		return pool.Interactive, deadline
	}
	return pool.Bulk, deadline
}

// refresh asks about a again, unless that is under way, or was tried a moment ago: an answer that stays stale because
// nobody gives a better one must not have its server asked for every caller it is served to. Nobody waits for it.
func (v *Verifier) refresh(ctx context.Context, req *Request, a address.Address) {
	key := flightKey{a.Key(), req.Depth}
	v.mu.Lock()
	defer v.mu.Unlock()
	now := v.now()
	if v.closing || v.flights[key] != nil || v.lately.asked(a, now) {
		return
	}
	behind := *req
	behind.Class, behind.Admit, behind.seen = Bulk, nil, sight{}
	r := v.newRun(&behind, a)
	r.refresh = true
	f := v.launch(ctx, key, r, now.Add(flightBound))
	f.waiting = 1
}

// launch starts r as the flight for key, detached from the caller's ctx. The caller holds v.mu.
func (v *Verifier) launch(ctx context.Context, key flightKey, r *run, deadline time.Time) *flight {
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	f := &flight{
		key: key, done: make(chan struct{}), cancel: cancel, urgent: r.req.Class == Interactive, deadline: deadline,
	}
	f.stage.Store(string(DepthSyntax))
	r.flight = f
	if key.depth == DepthSMTP {
		v.lately.note(r.addr, v.now())
	}
	v.flights[key] = f
	r.blind = !v.endings.holds(r.req.seen, r.addr)
	v.crew.Go(func() {
		bound := time.AfterFunc(flightBound, func() { cancel(context.DeadlineExceeded) })
		f.answer = r.answer(ctx)
		v.endings.of(r.addr).Add(1)
		revisit := r.revisit
		v.endRun(r)
		bound.Stop()
		cancel(nil)
		v.mu.Lock()
		v.forget(f)
		v.mu.Unlock()
		close(f.done)
		if revisit {
			<-v.revisits
		}
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
