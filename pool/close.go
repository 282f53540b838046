package pool

import (
	"context"
	"errors"
	"fmt"

	"github.com/verimails/verimaild/pool/smtp"
)

// errClosed is why sessions end when the time to drain is over.
var errClosed = errors.New("pool: closed")

// stopping is what those are told who come too late.
const stopping = "the daemon is stopping"

// Close lets queued probes finish until ctx is done, then drops them; it ends every session with QUIT and
// returns when all goroutines have ended. New probes get FailClosed at once.
// It returns ctx's error if work was dropped. A second Close waits for the first, and does nothing more.
func (p *Pool) Close(ctx context.Context) error {
	p.mu.Lock()
	if !p.closing {
		p.closing = true
		p.dropIdle()
		p.settleClose()
	}
	p.mu.Unlock()
	var err error
	select {
	case <-p.drained:
	case <-ctx.Done():
		err = fmt.Errorf("pool: close: %w", context.Cause(ctx))
	}
	p.mu.Lock()
	p.halt()
	p.mu.Unlock()
	p.crew.Wait()
	p.wg.Wait()
	p.lastOnce.Do(func() { err = errors.Join(err, p.last(context.WithoutCancel(ctx))) })
	return err
}

// settleClose tells Close when the last call has been answered.
func (p *Pool) settleClose() {
	if p.closing && p.calls == 0 {
		select {
		case <-p.drained:
		default:
			close(p.drained)
		}
	}
}

// halt ends all work: what waits is dropped, what is in flight is cut short.
func (p *Pool) halt() {
	if p.halted {
		return
	}
	p.halted = true
	if p.abort != nil {
		p.abort(errClosed)
	}
	p.failAll()
}

// failAll drops all that waits in a pool that has been halted.
func (p *Pool) failAll() {
	for _, pa := range p.paths() {
		pa.failAll(&Outcome{Stage: smtp.StageConnect, Failure: FailClosed, Detail: stopping})
		pa.forget()
	}
}
