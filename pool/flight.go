package pool

import (
	"context"
	"errors"

	"github.com/verimails/verimaild/pool/reply"
	"github.com/verimails/verimaild/pool/smtp"
)

// A flight is the transactions that go to the server in one write.
type flight []*batch

// A batch is one transaction: recipients of one domain.
type batch struct {
	probes  []*probe
	mail    sentReply
	replies []sentReply // Parallel to probes; the zero value where none came.
	utf8    bool
}

func newBatch(probes []*probe) *batch {
	b := &batch{probes: probes, replies: make([]sentReply, len(probes))}
	for _, pr := range probes {
		b.utf8 = b.utf8 || pr.rcpt.SMTPUTF8
	}
	return b
}

// transactions is f in the words of smtp.
func (f flight) transactions(sender string) []smtp.Transaction {
	txs := make([]smtp.Transaction, len(f))
	for i, b := range f {
		txs[i] = smtp.Transaction{ReversePath: sender, SMTPUTF8: b.utf8, Recipients: make([]string, len(b.probes))}
		for j, pr := range b.probes {
			txs[i].Recipients[j] = pr.rcpt.Path
		}
	}
	return txs
}

// run asks f, and settles every probe in it: answered, or back in the queue once, or failed.
//
// Replies are handed on when the whole flight has been answered, not one by one: only then is it known that
// replies and commands were in step. A server that answers one RCPT twice would otherwise lend one mailbox's
// reply to the next.
func (s *session) run(ctx context.Context, f flight) {
	p := s.path.pool
	p.mu.Lock()
	sender := p.opts.Sender
	s.transactions += len(f)
	p.total.Transactions += int64(len(f))
	p.total.Flights++
	p.mu.Unlock()
	err := s.conn.Run(ctx, f.transactions(sender), func(ev smtp.Event) {
		b := f[ev.Tx]
		if ev.Rcpt < 0 {
			b.mail = sentReply{ev.SentAt, ev.Reply}
			return
		}
		b.replies[ev.Rcpt] = sentReply{ev.SentAt, ev.Reply}
	})
	p.mu.Lock()
	defer p.mu.Unlock()
	s.settle(f, err)
}

// settle hands out what came of f. Probes that are left over go back to the head of the queue once.
func (s *session) settle(f flight, err error) {
	e, _ := errors.AsType[*smtp.Error](err)
	doubtful := e != nil && e.Doubtful
	if s.pipelined() && (f.confused() || e != nil && e.Kind == smtp.KindTimeout && f.partly()) {
		// Commands that came together were not all understood: each has to be asked by itself.
		s.path.pool.learnLocked(s.host, brokenPipelining)
		s.retiring, doubtful = true, true
	}
	var back []*probe
	for _, b := range f {
		switch {
		case doubtful:
			back = append(back, s.leftOver(b, 0, err)...)
		case b.mail.reply.Code != 0 && b.mail.reply.Code/100 != 2:
			s.mailRefused(b)
		default:
			back = append(back, s.answers(b, err)...)
		}
	}
	s.path.queue.requeue(back)
}

// pipelined reports whether s sends commands together.
func (s *session) pipelined() bool {
	return s.conn.Extensions().Pipelining && !s.lockStep
}

// confused reports whether a command was answered as if the one before it had not been sent: RCPT after an accepted
// MAIL with a 500, 502 or 503.
func (f flight) confused() bool {
	for _, b := range f {
		if b.mail.reply.Code/100 != 2 {
			continue
		}
		for _, r := range b.replies {
			if c := r.reply.Code; c == 500 || c == 502 || c == 503 {
				return true
			}
		}
	}
	return false
}

// partly reports whether some commands of f were answered and others were not.
func (f flight) partly() bool {
	var some, none bool
	for _, b := range f {
		some = some || b.mail.reply.Code != 0
		for _, r := range b.replies {
			some = some || r.reply.Code != 0
			none = none || r.reply.Code == 0
		}
	}
	return some && none
}

// mailRefused settles a transaction whose MAIL was refused. That is about the sender or the source, never about a
// mailbox: it is the answer for all its recipients, and for whatever waits to be told the same at the path.
func (s *session) mailRefused(b *batch) {
	s.retiring = true
	o := s.outcome(smtp.StageMAIL)
	o.mail, o.utf8 = b.mail, b.utf8
	o.Reply, o.At = b.mail.reply, b.mail.reply.At
	o.Meaning = s.path.meaning(smtp.StageMAIL, &o.Reply)
	for _, pr := range b.probes {
		s.path.finish(pr, o)
	}
	if !b.utf8 { // With SMTPUTF8, the parameter may be what was refused.
		s.path.failAll(o)
	}
}

// answers hands out the replies of b, and returns the probes that are to be asked about again.
func (s *session) answers(b *batch, err error) []*probe {
	var back []*probe
	for i, pr := range b.probes {
		r := &b.replies[i]
		if r.reply.Code == 0 {
			return append(back, s.leftOver(b, i, err)...)
		}
		s.path.pool.total.Recipients++
		o := s.outcome(smtp.StageRCPT)
		o.mail, o.utf8, o.rcptAt = b.mail, b.utf8, r.at
		o.Reply, o.At = r.reply, r.reply.At
		o.Meaning = s.path.meaning(smtp.StageRCPT, &o.Reply)
		if r.reply.Code/100 != 2 {
			s.refusals++
			s.path.pool.total.Refusals++
		}
		if s.again(pr, i, &o) {
			back = append(back, pr)
			continue
		}
		s.path.finish(pr, o)
	}
	return back
}

// again reports whether o, the reply to the transaction's nth recipient, says that its recipient has to be asked
// about once more, because it is about the transaction or the session.
func (s *session) again(pr *probe, n int, o *Outcome) bool {
	if o.Meaning.Detail == reply.DetailTooManyRcpts && n > 0 {
		s.path.recipients = n // It took that many; the rest goes in another transaction, without blame.
		return true
	}
	if o.Meaning.Scope != reply.ScopeSession && o.Reply.Code != 421 || pr.tries > 0 {
		return false
	}
	pr.tries++
	s.retiring = true
	return true
}

// leftOver settles the probes of b, from the nth on, that got no reply because of err.
// Each is asked about once more on another session; a second time is the last.
func (s *session) leftOver(b *batch, n int, err error) []*probe {
	var back []*probe
	for _, pr := range b.probes[n:] {
		if pr.tries == 0 {
			pr.tries++
			back = append(back, pr)
			continue
		}
		o := s.outcome(smtp.StageRCPT)
		o.mail, o.utf8 = b.mail, b.utf8
		o.Failure, o.Detail, o.Reply = failureOf(err)
		if o.Reply.Code != 0 {
			o.Meaning = s.path.meaning(smtp.StageRCPT, &o.Reply)
		}
		s.path.finish(pr, o)
	}
	return back
}

// meaning reads a reply of the path's site.
func (pa *path) meaning(stage smtp.Stage, r *smtp.Reply) reply.Meaning {
	id := ""
	if pa.site.provider != nil {
		id = pa.site.provider.ID
	}
	return pa.pool.opts.Replies.Classify(stage, r, id)
}

// failureOf reads what ended a session. The reply is set, and the failure is not, where the server said why.
func failureOf(err error) (Failure, string, smtp.Reply) {
	e, ok := errors.AsType[*smtp.Error](err)
	if !ok {
		if err != nil { // Run refused its arguments before anything was sent.
			return FailInternal, err.Error(), smtp.Reply{}
		}
		return FailDisconnected, "the session ended before the reply", smtp.Reply{}
	}
	if e.Kind == smtp.KindReply && e.Reply.Code >= 400 { // Other kinds show replies that nobody asked for.
		return FailNone, "", e.Reply
	}
	kinds := map[smtp.Kind]Failure{
		smtp.KindTimeout:     FailTimeout,
		smtp.KindProtocol:    FailProtocol,
		smtp.KindTLS:         FailTLS,
		smtp.KindInjection:   FailTLS,
		smtp.KindTLSRequired: FailTLSRequired,
		smtp.KindCanceled:    FailClosed,
		smtp.KindClosed:      FailClosed,
		smtp.KindArgument:    FailInternal,
	}
	if f, ok := kinds[e.Kind]; ok {
		return f, e.Error(), smtp.Reply{}
	}
	return FailDisconnected, e.Error(), smtp.Reply{}
}
