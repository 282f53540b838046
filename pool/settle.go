package pool

import (
	"errors"
	"time"

	"github.com/verimails/verimaild/pool/reply"
	"github.com/verimails/verimaild/pool/smtp"
)

// settle hands out what came of f. Probes that are to be asked about again go back to the head of the queue.
func (s *session) settle(f *flight, err error) {
	p := s.lane.path.pool
	e, _ := errors.AsType[*smtp.Error](err)
	s.transactions += len(f.batches)
	now := p.now()
	s.lane.path.release(now, f)
	// Without PIPELINING nothing may follow a command that has no reply yet, not even QUIT.
	s.cut = e != nil && e.Kind == smtp.KindCanceled && e.Sent && !s.pipelined()
	if f.answered() {
		s.answered = true
		s.lane.barren = 0
	}
	var back []*probe
	switch {
	case f.test:
		s.tested(now, f, e)
	case err != nil && e == nil:
		back = s.unsayable(f, err)
	case e != nil && !e.Sent && !f.answered():
		back = s.unsent(f)
	default:
		p.total.Transactions += int64(len(f.batches))
		p.total.Flights++
		back = s.results(f, e)
	}
	s.lane.requeue(back)
}

// requeue puts probes back to the head of the queue, except for those that nobody waits for any more.
func (la *lane) requeue(probes []*probe) {
	if len(probes) == 0 {
		return
	}
	la.queue.requeue(probes)
	for _, pr := range probes {
		pr.abandon()
	}
	switch pa := la.path; {
	case pa.pool.halted:
		la.failAll(&Outcome{Stage: smtp.StageConnect, Failure: FailClosed, Detail: stopping})
	case pa.source.gone:
		pa.move(unconfigured)
	case pa.source.out(time.Now()):
		pa.move(outOfUse)
	default:
		if o := pa.pool.sender.refused(pa, pa.pool.now()); o != nil {
			said := *o
			la.failAll(&said)
		}
	}
}

// unsayable settles a flight in which some path could not be sent. Nothing was, and nobody says which path it is:
// each recipient has to be asked about by itself.
func (s *session) unsayable(f *flight, err error) []*probe {
	s.transactions -= len(f.batches)
	if f.size() == 1 {
		o := s.outcome(smtp.StageRCPT)
		o.Failure, o.Detail = FailInternal, err.Error()
		f.batches[0].probes[0].finish(&o)
		return nil
	}
	s.single = true
	return s.unsent(f)
}

// unsent takes back a flight of which nothing left this host.
func (s *session) unsent(f *flight) []*probe {
	var back []*probe
	for i := range f.batches {
		for _, pr := range f.batches[i].probes {
			pr.sends--
			back = append(back, pr)
		}
	}
	s.lane.path.unask(len(back))
	return back
}

// unsecured settles a flight that was not sent, because the pool is ending.
func (s *session) unsecured(f *flight) {
	pa := s.lane.path
	pa.release(pa.pool.now(), f)
	s.retiring = true
	if !f.test {
		s.lane.requeue(s.unsent(f))
	}
}

// results settles a flight that was sent. It returns the probes that are to be asked about again.
func (s *session) results(f *flight, e *smtp.Error) []*probe {
	longest, silence := f.pauses(f.end)
	s.drags(longest)
	s.retiring = s.slows(f) || s.retiring
	doubtful := s.doubtful(f, e, silence)
	var back []*probe
	for i := range f.batches {
		b := &f.batches[i]
		switch {
		case doubtful:
			sent, unsent := s.sentOf(f, b, e)
			s.owe(f, sent)
			s.unsaid(sent, unsent)
			back = s.recover(back, sent, unsent, s.unbelieved(f, b, e))
		case b.refused() && !b.vague:
			back = s.mailRefused(back, f, b)
		default:
			back = s.answers(back, f, b, e)
		}
	}
	s.consider(f, e, doubtful)
	return back
}

// owe books probes that were sent, to which we have no reply that we believe, as refused: the server may have refused and
// counted them. Where it then says of one that it is none of those, that is given back.
func (s *session) owe(f *flight, probes []*probe) {
	pa := s.lane.path
	if !f.answered() { // It was gone before it had read anything.
		return
	}
	now := pa.pool.now()
	for _, pr := range probes {
		if pr.sends < maxSends { // Who is asked about no more is booked for good.
			pr.owed = debt{at: now, prefix: f.prefix}
			pa.book(now, f.prefix, pr.rcpt.Control)
		}
	}
}

// sentOf divides the probes of b into those that were sent and those that were still to be, when e ended the session.
func (s *session) sentOf(f *flight, b *batch, e *smtp.Error) (sent, unsent []*probe) {
	n := 0
	switch {
	case s.together(f):
		n = len(b.probes)
	case b.mail.reply.Positive():
		n = b.heard()
		if e != nil && e.Stage == smtp.StageRCPT && n < len(b.probes) {
			n++
		}
	}
	return b.probes[:n], b.probes[n:]
}

// doubtful reports whether it is uncertain which reply answers which command of f, after which the server was silent
// for a while.
func (s *session) doubtful(f *flight, e *smtp.Error, silence time.Duration) bool {
	p, together := s.lane.path.pool, s.together(f) && f.answered()
	switch {
	case together && (f.confused() || f.crossed() || e != nil && e.Kind == smtp.KindTimeout):
		// Commands that came together were not all understood, or not answered in order: they have to be sent one by one.
		p.learnLocked(s.host, brokenPipelining)
		s.retiring = true
		return true
	case together && f.strange(), e != nil && e.Doubtful:
		s.stumble()
		return true
	case e == nil:
		if s.pipelined() && f.strange() { // In lock-step too: it always answers so, which nobody can tell from a shift.
			p.learnLocked(s.host, brokenPipelining)
			s.retiring = true
		}
		return false
	default:
		// Perhaps the server left out a reply, so that it had answered everything and ended a session that was idle.
		return together && (silence >= oddLeast || e.Kind == smtp.KindCanceled)
	}
}

// A stumble is when a host's replies were out of step with our commands.
type stumble struct {
	host string
	at   time.Time
}

// stumble notes that replies and commands were out of step. What happens once may be an accident; a host to which it
// happens again is asked in lock-step from then on, where a reply too many shows before the next command is sent.
func (s *session) stumble() {
	const again = 24 * time.Hour
	s.retiring = true
	site, now := s.lane.path.site, time.Now()
	if last := site.stumbled; s.pipelined() && last.host == s.host && now.Sub(last.at) < again {
		site.pool.learnLocked(s.host, brokenPipelining)
	}
	site.stumbled = stumble{s.host, now}
}

// mailRefused settles a transaction whose MAIL was refused. That is about the sender or the source, never about a
// mailbox: it is the answer for all its recipients, and for whatever waits to be told the same at the path.
// Only a session that took the sender before can be what it is about.
func (s *session) mailRefused(back []*probe, f *flight, b *batch) []*probe {
	s.retiring = true
	o := s.outcome(smtp.StageMAIL)
	o.sent(f, b)
	o.Reply, o.At, o.Meaning = b.mail.reply, b.mail.reply.At, b.mail.meaning
	if s.noTLS && o.Meaning.Detail == reply.DetailTLSRequired { // It wants what it failed to do: that says more.
		o.Failure, o.Detail = FailTLS, "STARTTLS failed, and in clear the server said "+o.Reply.String()
		o.Reply, o.Meaning = smtp.Reply{}, reply.Meaning{}
	}
	if s.welcome && (o.Reply.Code == 421 || o.Meaning.Scope == reply.ScopeSession) {
		return s.again(back, b.probes, o)
	}
	if !b.utf8() { // With SMTPUTF8, the parameter may be what was refused.
		s.lane.path.blame(&o)
	}
	for _, pr := range b.probes {
		pr.finish(&o)
	}
	if !b.utf8() {
		s.lane.path.failAll(&o)
	}
	return back
}

// answers hands out the replies of b, and appends to back the probes that are to be asked about again.
func (s *session) answers(back []*probe, f *flight, b *batch, e *smtp.Error) []*probe {
	pa := s.lane.path
	if b.mail.reply.Positive() {
		s.welcomed()
	}
	now := pa.pool.now()
	for i, pr := range b.probes {
		r := &b.replies[i]
		if r.reply.Code == 0 || i >= b.sure { // The zero reply if MAIL was refused, or perhaps not.
			return s.unanswered(back, f, b, i, e)
		}
		pa.site.observe(pr, r)
		dead := isDead(r)
		if !dead {
			pa.forgive(now, pr)
		}
		s.tally(pr, r, dead)
		pa.spend(now, f.prefix, pr.rcpt.Control, dead)
		o := s.outcome(smtp.StageRCPT)
		o.sent(f, b)
		o.rcptAt = r.at
		o.Reply, o.At, o.Meaning = r.reply, r.reply.At, r.meaning
		if s.concerned(f, &o, i) {
			back = s.again(back, b.probes[i:i+1], o)
			continue
		}
		o.PathRefusals = pa.pathRefusals(now, f.prefix)
		o.Recipient = pr.rcpt
		pa.blame(&o)
		waiters := pr.waiters
		pr.finish(&o)
		if !o.Reply.Positive() {
			dropCompanions(waiters)
		}
	}
	return back
}

// welcomed notes that a MAIL was accepted.
func (s *session) welcomed() {
	if s.welcome {
		return
	}
	pa := s.lane.path
	s.welcome, pa.welcome = true, true
	pa.pool.sender.took(pa.site, pa.pool.now())
}

// unanswered appends to back the probes of b from i on, to which there was no reply, or none that must be theirs. Those to
// which there was none go first: a server that never gets beyond some number of them is to have its chance with each.
func (s *session) unanswered(back []*probe, f *flight, b *batch, i int, e *smtp.Error) []*probe {
	sent, unsent := s.sentOf(f, b, e)
	heard := b.heard()
	s.owe(f, sent[i:])
	s.unsaid(sent, unsent)
	o := s.lost(f, b, e)
	back = s.recover(back, sent[heard:], unsent, o)
	return s.recover(back, sent[i:heard], nil, o)
}

// recover appends to back the probes of a transaction whose replies were lost, and those that were to follow them. What is
// asked about for the last time is asked in lock-step, where each reply is known for what it is.
func (s *session) recover(back, sent, unsent []*probe, o Outcome) []*probe {
	for _, pr := range sent {
		pr.lost = true
	}
	return s.again(s.again(back, sent, o), unsent, o)
}

// unsaid takes back that the probes of a transaction were sent that were still to follow others. If there are no others, a
// server that gets no further than MAIL would be asked for ever.
func (s *session) unsaid(sent, unsent []*probe) {
	if len(sent) == 0 {
		return
	}
	for _, pr := range unsent {
		pr.sends--
	}
	s.lane.path.unask(len(unsent))
}

// dropCompanions withdraws the companions of targets that were not accepted, unless they went with them.
func dropCompanions(waiters []waiter) {
	for _, w := range waiters {
		if w.index == 0 && w.call.along {
			w.call.cancel()
		}
	}
}

// tally counts an answered RCPT.
func (s *session) tally(pr *probe, r *sentReply, dead bool) {
	p := s.lane.path.pool
	p.total.Recipients++
	if !r.reply.Positive() {
		p.total.Refusals++
		s.refusals++
	}
	if !pr.rcpt.Control {
		p.apps.note(pr.in.app, dead)
	}
}

// concerned reports whether o, the reply to the nth recipient of a transaction, is about the transaction or the
// session and not about the recipient, and draws the consequence.
func (s *session) concerned(f *flight, o *Outcome, n int) bool {
	pa := s.lane.path
	tooMany := o.Meaning.Detail == reply.DetailTooManyRcpts
	switch {
	case tooMany && n > 0: // It takes that many; the rest goes in another transaction, without blame.
		pa.site.tookOnly(min(n, pa.site.batch()))
		return true
	case tooMany && s.transactions == len(f.batches): // One is too many on a fresh session: it is about a rate.
		return false
	case o.Meaning.Detail == reply.DetailVerifying: // It asks elsewhere, and wants to be asked again later, whatever the code.
		s.retiring = s.retiring || o.Reply.Code == 421
		return false
	case o.Meaning.Scope == reply.ScopeSession, o.Reply.Code == 421:
		s.retiring = true
		return true
	case s.first && (!pa.putOff || s.putOff) && o.Reply.Code/100 == 4 && o.Meaning.Class == reply.TemporaryFailure:
		// Postscreen and its like have every stranger come back once.
		s.retiring, s.putOff, pa.putOff = true, true, true
		return true
	default:
		return false
	}
}

// again appends probes to back, which are asked about once more, and gives those o that have had their second time.
func (s *session) again(back, probes []*probe, o Outcome) []*probe {
	for _, pr := range probes {
		if pr.sends < maxSends {
			back = append(back, pr)
			continue
		}
		if o.Stage == smtp.StageRCPT && o.Reply.Code == 0 { // It was sent, and may have been refused and counted.
			pa := pr.lane.path
			pa.spend(pa.pool.now(), s.prefix, pr.rcpt.Control, true)
		}
		pr.finish(&o)
	}
	return back
}

// lost begins the outcome of recipients of b to which there was no reply, because of e.
func (s *session) lost(f *flight, b *batch, e *smtp.Error) Outcome {
	o := s.outcome(smtp.StageRCPT)
	o.sent(f, b)
	switch sent, _ := s.sentOf(f, b, e); {
	case s.together(f):
		o.rcptAt = f.at
		if o.mail.at.IsZero() {
			o.mail.at = f.at
		}
	case len(sent) > 0: // Written when the reply before it had come.
		if o.rcptAt = b.mail.reply.At; b.heard() > 0 {
			o.rcptAt = b.replies[b.heard()-1].reply.At
		}
	}
	o.end(e, f.reader)
	return o
}

// unbelieved is lost for recipients of b to which there may have been replies, or not.
func (s *session) unbelieved(f *flight, b *batch, e *smtp.Error) Outcome {
	o := s.lost(f, b, e)
	o.mail.reply = smtp.Reply{}
	if o.Failure == FailNone || e == nil {
		o.Stage, o.Reply, o.Meaning = smtp.StageRCPT, smtp.Reply{}, reply.Meaning{}
		o.Failure, o.Detail = FailProtocol, "replies and commands were out of step"
	}
	return o
}
