package verify

import (
	"context"
	"time"
)

// maxRevisits is how many recipients that were put off are asked about again at once, behind all that somebody waits for.
const maxRevisits = 32

// Start reads the tickets of the run before, and asks again about recipients that were put off when their time has come,
// so that the next question about them is answered from memory. Without memory nobody would hear of the answer, and
// nothing is begun. It must be called once; Close ends it.
func (v *Verifier) Start(ctx context.Context) {
	v.tickets.load(v.now())
	if _, none := v.memory.(forgetful); none {
		return
	}
	v.crew.Go(func() { v.revisit(context.WithoutCancel(ctx)) })
}

// revisit makes the visits that are due, until waiting is stopped.
func (v *Verifier) revisit(ctx context.Context) {
	for v.takeRevisit() {
		t, wait := v.tickets.next(v.now())
		if t != nil {
			v.visit(ctx, t)
			continue
		}
		<-v.revisits
		if !v.pause(wait) {
			return
		}
	}
}

// takeRevisit waits for one of the places of those who are visited; not if waiting is stopped.
func (v *Verifier) takeRevisit() bool {
	select {
	case <-v.stopWaiting:
		return false
	default:
	}
	select {
	case v.revisits <- struct{}{}:
		return true
	case <-v.stopWaiting:
		return false
	}
}

// pause waits for the time, or until a ticket is due earlier; not if waiting is stopped.
func (v *Verifier) pause(wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-v.tickets.wake:
		return true
	case <-v.stopWaiting:
		return false
	}
}

// visit asks about t's recipient again as if it were a row of a list, unless somebody does already. It takes over the
// place that the caller has taken.
func (v *Verifier) visit(ctx context.Context, t *ticket) {
	key := flightKey{t.addr.Key(), DepthSMTP}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closing || v.flights[key] != nil {
		<-v.revisits
		return
	}
	req := Request{Email: t.addr.String(), MaxAge: -1, Depth: DepthSMTP, App: defaultApp, Class: Bulk}
	r := v.newRun(&req, t.addr)
	r.refresh, r.revisit = true, true
	f := v.launch(ctx, key, r, v.now().Add(flightBound))
	f.waiting = 1
}
