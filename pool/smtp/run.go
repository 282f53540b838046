package smtp

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// keptBuffer is the size up to which a session keeps its write buffer from one Run to the next.
const keptBuffer = 512

// Run asks about the recipients of one or more transactions. It returns when every reply has come, or the session is
// dead.
//
// Where the server offers PIPELINING, all commands go out in one write: MAIL, RCPT…, RSET, for each transaction in
// turn (RFC 2920 §3.1). Otherwise one command waits for the reply to the one before. The RSET trails, so that an idle
// session holds no open transaction.
//
// on is called for MAIL and for each RCPT as the replies come, in order, by the goroutine that reads: it must not
// block. It is not called any more when Run has returned. After a refused MAIL the recipients of that transaction are
// not reported: whatever the server answers to a RCPT that was on its way says nothing about a mailbox. They are not
// sent at all if they were not on their way. on may be nil.
//
// The error is nil if every command was answered and every RSET done. It wraps ErrUnsafeArgument, ErrNullReversePath
// or ErrNoSMTPUTF8, or is ErrBusy, if nothing was sent and the session is as it was. Otherwise it is an *Error: the
// session is dead (or was before; then Sent is false), recipients without an Event have no answer, and those with one
// keep it unless Error.Doubtful is set. A 421 is handed to on if it came in the place of a reply, and is then the
// error's Reply; on a session that was idle for long it may be meant for the idling, whatever command it met.
//
// When ctx ends before the replies have come, the session is dead. Nothing is sent if it has ended already.
func (s *Session) Run(ctx context.Context, txs []Transaction, on func(Event)) error {
	stepwise, err := s.check(txs)
	if err != nil {
		return err
	}
	if ctx.Err() != nil {
		return &Error{Kind: KindCanceled, Err: context.Cause(ctx)}
	}
	id, err := s.begin(txs, on)
	if err != nil {
		return err
	}
	if ctx.Done() != nil {
		stop := context.AfterFunc(ctx, func() { s.cancel(id, context.Cause(ctx)) })
		defer stop()
	}
	if stepwise {
		err = s.step(txs)
	} else {
		err = s.burst(txs)
	}
	s.end()
	return err
}

// check validates what is about to be sent, and reports whether it must go one command at a time.
func (s *Session) check(txs []Transaction) (stepwise bool, err error) {
	stepwise = !s.pipelining
	for i := range txs {
		if txs[i].SMTPUTF8 && !s.ext.SMTPUTF8 {
			return false, fmt.Errorf("transaction %d: %w", i, ErrNoSMTPUTF8)
		}
		if err := txs[i].check(); err != nil {
			return false, fmt.Errorf("transaction %d: %w", i, err)
		}
		stepwise = stepwise || txs[i].Stepwise
	}
	return stepwise, nil
}

// begin takes the session for one Run.
func (s *Session) begin(txs []Transaction, on func(Event)) (id uint64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usableLocked(); err != nil {
		return 0, err
	}
	s.running = true
	s.run++
	s.flight = flight{txs: txs, on: on}
	return s.run, nil
}

// end gives the session back. The reader then waits without a deadline, unless something came unasked.
func (s *Session) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running = false
	s.flight = flight{}
	if !s.unread {
		s.guard.setRead(time.Time{})
	}
	if cap(s.out) > keptBuffer {
		s.out = nil
	}
}

// cancel ends the Run that id names, if it is still going on.
func (s *Session) cancel(id uint64, cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running && s.run == id {
		s.dieLocked(&Error{Stage: s.flight.stage(), Kind: KindCanceled, Err: cause})
	}
}

// burst writes all commands at once.
func (s *Session) burst(txs []Transaction) error {
	n, octets := 0, 0
	for i := range txs {
		n += txs[i].commands()
		octets += txs[i].octets()
	}
	if n == 0 {
		return nil
	}
	s.out = slices.Grow(s.out[:0], octets)
	for c := (cursor{0, cmdMAIL}); c.tx < len(txs); c = c.next(txs) {
		s.out = appendCommand(s.out, txs, c)
	}
	if _, e := s.fly(cursor{0, cmdMAIL}, n); e != nil {
		return e
	}
	return nil
}

// await waits a little for the end of a session that may have been refused a recipient for the last time: some servers
// hang up right behind the reply, and then the next one would be asked about in vain.
func (s *Session) await() {
	const parts, most = 8, 5 * time.Millisecond // Of a round trip.
	s.mu.Lock()
	took := s.flight.refusal
	s.mu.Unlock()
	if took == 0 {
		return
	}
	select {
	case <-s.done:
	case <-time.After(min(took/parts, most)):
	}
}

// step writes one command after the other. After a refused MAIL the transaction does not exist: there is nobody to
// ask about and nothing to reset.
func (s *Session) step(txs []Transaction) error {
	sent := false
	for c := (cursor{0, cmdMAIL}); c.tx < len(txs); {
		s.out = appendCommand(s.out[:0], txs, c)
		refused, e := s.fly(c, 1)
		if e != nil {
			return e.sent(sent)
		}
		sent = true
		s.await()
		if refused {
			c = cursor{c.tx + 1, cmdMAIL}
		} else {
			c = c.next(txs)
		}
	}
	return nil
}
