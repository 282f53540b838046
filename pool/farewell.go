package pool

import (
	"time"

	"github.com/verimails/verimaild/pool/reply"
	"github.com/verimails/verimaild/pool/smtp"
)

// closedBy learns from a session that its server has ended.
func (s *session) closedBy(f *flight, e *smtp.Error) {
	pa := s.lane.path
	now := pa.pool.now()
	switch {
	case e == nil, s.lane.path.pool.opts.Forgiving:
	case e.Kind == smtp.KindTimeout, e.Kind == smtp.KindProtocol:
		o := s.outcome(smtp.StageMAIL)
		o.end(e, f.reader)
		pa.soft(now, &o)
	case e.Kind == smtp.KindReply:
		s.farewell(now, f, e)
	case e.Kind == smtp.KindDisconnected:
		pa.site.closedAtWork(s.endedAt(f))
	}
}

// farewell draws the consequence of the reply with which a server ended a session: that it counts refusals, that we are
// too fast, or, if it has become a habit, that a session may do no more.
func (s *session) farewell(now time.Duration, f *flight, e *smtp.Error) {
	pa := s.lane.path
	o := s.outcome(e.Stage)
	o.Reply, o.At, o.Meaning = e.Reply, e.Reply.At, f.reader.read(e.Stage, &e.Reply)
	end := s.endedAt(f)
	switch {
	case o.Meaning.Detail == reply.DetailVerifying, o.Meaning.Detail == reply.DetailIdle:
	case o.Meaning.Detail == reply.DetailHarvest, tooManyErrors(&o.Meaning) && end.refused:
		pa.site.boreOnly(end.refusals)
		pa.exhaust(now)
	case grudgeOf(&o) != noGrudge && e.Stage == smtp.StageRCPT: // At MAIL it is blamed as what its recipients were told.
		o.Meaning.Retry = 0 // That it ended the session is enough for now.
		pa.soft(now, &o)
	default:
		pa.site.closedAtWork(end)
	}
}

// tooManyErrors reports whether a server has ended a session for what was refused in it.
func tooManyErrors(m *reply.Meaning) bool {
	return m.Class == reply.RateLimited && m.Scope == reply.ScopeSession && m.Detail != reply.DetailTooManyRcpts
}

// endedAt is how far s had come when f ended it.
func (s *session) endedAt(f *flight) closed {
	c := closed{known: true, transactions: s.transactions - len(f.batches), refusals: s.refusals, age: time.Since(s.opened)}
	for i := range f.batches {
		whole := f.batches[i].mail.reply.Code != 0
		for j := range f.batches[i].replies {
			r := &f.batches[i].replies[j].reply
			switch {
			case r.Code == 0:
				whole = false
			case r.Code == 421: // It took leave; that was no answer.
				whole = false
				c.refusals--
			default:
				c.refused = !r.Positive()
			}
		}
		if whole {
			c.transactions++
		}
	}
	return c
}
