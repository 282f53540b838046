package pool

import (
	"container/list"
	"context"
	"net/netip"
	"time"

	"github.com/verimails/verimaild/pool/smtp"
)

// A session is one connection of a path. Its goroutine exists only while it is being opened, has work, or
// says QUIT; while it lingers, smtp's parked reader is all that runs. Guarded by Pool.mu, but for conn, host
// and ip, which do not change once it is open.
type session struct {
	path     *path
	conn     *smtp.Session
	host     string
	ip       netip.Addr
	fallback bool // Its host is not of the best preference.
	lockStep bool // Its host is known to offer PIPELINING and not to do it.
	opened   time.Time

	transactions int
	refusals     int // RCPT replies that were not 2yz.
	retiring     bool
	place        *list.Element // In Pool.idle; nil while it is busy.
	timer        *time.Timer   // Ends the linger.
}

// drive opens the session if need be, and works until there is nothing left for it.
func (s *session) drive(ctx context.Context) {
	pa, p := s.path, s.path.pool
	opened := s.conn != nil
	if !opened {
		opened = s.open(ctx)
	}
	for opened {
		p.mu.Lock()
		flight := s.next(ctx)
		if flight == nil && s.lingers() {
			s.park()
			p.mu.Unlock()
			return
		}
		p.mu.Unlock()
		if flight == nil {
			s.conn.Quit()
			break
		}
		s.run(ctx, flight)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.release(pa)
}

// lingers reports whether s may wait for more work.
func (s *session) lingers() bool {
	return s.path.queue.waiting == 0 && !s.path.pool.closing && !s.spent() && s.conn.Usable() == nil
}

// spent reports whether s has used up what its site allows a session.
func (s *session) spent() bool {
	l := &s.path.site.limits
	return s.retiring || s.path.source.gone ||
		reached(s.transactions, l.TransactionsPerSession) ||
		reached(s.refusals, l.RefusalsPerSession) ||
		reached(time.Since(s.opened), l.SessionAge) ||
		reached(s.transactions, s.conn.Extensions().Limits.MailMax)
}

// next takes what s may ask next in one write; nil if there is nothing, or s is spent.
// In the worst case everything in it is refused, so it holds no more recipients than there may be refusals.
func (s *session) next(ctx context.Context) flight {
	if ctx.Err() != nil || s.spent() || s.conn.Usable() != nil {
		return nil
	}
	l := &s.path.site.limits
	recipients := room(s.refusals, l.RefusalsPerSession)
	transactions := min(room(s.transactions, l.TransactionsPerSession), s.window(recipients))
	most := s.path.batch()
	if m := s.conn.Extensions().Limits.RcptMax; m > 0 {
		most = min(most, m)
	}
	var f flight
	for len(f) < transactions && recipients > 0 {
		probes := s.path.queue.take(min(most, recipients), s.serves)
		if len(probes) == 0 {
			break
		}
		if probes = s.speakable(probes); len(probes) == 0 {
			continue
		}
		recipients -= len(probes)
		f = append(f, newBatch(probes))
	}
	return f
}

// window is how many transactions may go in one write: one where the server wants to answer each command
// before it sees the next; two where refusals are counted; and as many as fit some packets where they are not.
func (s *session) window(refusals int) int {
	const few, many = 2, 16
	switch {
	case !s.pipelined():
		return 1
	case refusals < 1<<20:
		return few
	default:
		return many
	}
}

func (s *session) serves(d *domainQueue) bool { return d.servedBy(s.host, s.fallback) }

// speakable answers the probes whose local-part the server has no SMTPUTF8 for, RFC 6531 §3.1, and returns the others.
func (s *session) speakable(probes []*probe) []*probe {
	if s.conn.Extensions().SMTPUTF8 {
		return probes
	}
	ok := probes[:0]
	for _, pr := range probes {
		if !pr.rcpt.SMTPUTF8 {
			ok = append(ok, pr)
			continue
		}
		o := s.outcome(smtp.StageMAIL)
		o.Failure, o.Detail = FailNoSMTPUTF8, "the host does not offer SMTPUTF8"
		s.path.finish(pr, o)
	}
	return ok
}

// outcome begins an outcome of this session.
func (s *session) outcome(stage smtp.Stage) Outcome {
	return Outcome{
		Stage: stage, Host: s.host, IP: s.ip, TLS: s.conn.TLSVersion(),
		sender: s.path.pool.opts.Sender, opening: s.conn.Opening(),
	}
}
