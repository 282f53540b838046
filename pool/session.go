package pool

import (
	"container/list"
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/verimails/verimaild/pool/budget"
	"github.com/verimails/verimaild/pool/smtp"
)

// A session is one connection of a lane, driven by one goroutine. Guarded by Pool.mu, but for conn, host, ip and
// the like, which do not change once it is open.
type session struct {
	lane     *lane
	conn     *smtp.Session
	host     string
	ip       netip.Addr
	fallback bool // Its host is not of the best preference.
	lockStep bool // Its host is known to offer PIPELINING and not to do it.
	noTLS    bool // It is in clear because its host's STARTTLS is known to fail.
	opened   time.Time
	prefix   netip.Prefix // The network that its receiver sees.
	first    bool         // No session of its path was ever welcome before it.

	transactions int
	refusals     int           // RCPT replies that were not 2yz.
	refusedIn    time.Duration // How long the last of them took.
	domains      []string      // That it asked about, where the server limits their number.
	answered     bool          // Some command of a transaction had a reply.
	welcome      bool          // A MAIL was accepted.
	putOff       bool          // It was the first of its path, and is to be followed by another.
	single       bool          // Asks about one recipient at a time: one of several was refused by our own checks.
	retiring     bool          // Takes no more work.
	parting      bool          // Was told to end while it lingered.
	promisedTo   *path         // Which waits for its place; nil if it ends for another reason.
	cut          bool          // A command was on its way when the pool was halted.

	place  *list.Element // In Pool.idle; nil while it is busy.
	linger time.Duration
	rest   time.Duration // Before it makes way for others.
	parked time.Time
	wake   chan struct{} // Holds one token: it was taken out of the idle ones.
}

func newSession(la *lane) *session { return &session{lane: la, wake: make(chan struct{}, 1)} }

// drive is the life of a session.
func (s *session) drive(ctx context.Context) {
	p := s.lane.path.pool
	if s.open(ctx) {
		s.work(ctx)
		s.leave()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if ctx.Err() != nil {
		p.halt()
	}
	p.release(s)
}

// leave ends the connection.
func (s *session) leave() {
	if s.cut {
		s.conn.Close()
	} else {
		s.conn.Quit()
	}
}

// work asks, lingers, and asks again, until there is nothing left for s.
func (s *session) work(ctx context.Context) {
	p := s.lane.path.pool
	for {
		p.mu.Lock()
		f := s.next(ctx)
		idle := f == nil && s.lingers()
		switch {
		case idle:
			s.park()
			p.makeWay()
		case f == nil && ctx.Err() == nil:
			s.bury()
		}
		p.mu.Unlock()
		switch {
		case f != nil:
			s.run(ctx, f)
		case idle:
			s.wait(ctx)
		default:
			return
		}
	}
}

// bury looks at how a session ended. One that died before it had a single reply was of no use to those who wait,
// and the next may fare no better: after a few of them, they are told.
func (s *session) bury() {
	la := s.lane
	dead := s.conn.Usable()
	if s.answered || dead == nil {
		return
	}
	la.barren++
	switch {
	case la.busy > 1 || len(la.idle) > 0:
		la.restUntil = time.Now().Add(restAfterFailure)
	case la.barren >= mostBarren:
		la.barren = 0
		o := s.outcome(smtp.StageMAIL)
		o.end(dead, s.reader())
		la.failAll(&o)
	}
}

// spent reports whether s has used up what its site allows a session. A fresh one is good for one flight in any case.
func (s *session) spent() bool {
	pa := s.lane.path
	return s.retiring || pa.source.gone ||
		reached(s.transactions, pa.site.transactionsPerSession()) ||
		reached(s.transactions, s.conn.Extensions().Limits.MailMax) ||
		reached(s.refusals, pa.site.refusalsPerSession()) ||
		s.transactions > 0 && s.aged() ||
		s.transactions >= turn && (pa.full() && pa.hungry() || s.long() && pa.pool.starved.len() > 0 && pa.pool.crowded(pa))
}

// A session ends for the sake of another lane after so many transactions, and for that of another path when it has had
// its place for a while too: to open one costs more than to wait for it.
const (
	turn      = 8
	longestGo = 10 * time.Second
)

func (s *session) long() bool { return time.Since(s.opened) >= longestGo }

func (s *session) aged() bool {
	return reached(time.Since(s.opened), s.lane.path.site.sessionAge())
}

// next takes what s may ask next in one write; nil if there is nothing, or s is spent.
// In the worst case everything in it is refused: it holds no more recipients than there may be refusals, and all of them
// are reserved.
func (s *session) next(ctx context.Context) *flight {
	if ctx.Err() != nil || s.spent() || s.conn.Usable() != nil {
		return nil
	}
	pa := s.lane.path
	now := pa.pool.now()
	if pa.state(now) == budget.HalfOpen {
		pa.testing = true
		return s.testFlight()
	}
	allowed := pa.allowance(now, s.prefix)
	f := s.fill(&allowed)
	if f != nil {
		pa.reserve(now, f)
	}
	return f
}

// fill takes transactions from the queue for one write.
func (s *session) fill(allowed *allowance) *flight {
	pa := s.lane.path
	announced := s.conn.Extensions().Limits
	recipients := room(s.refusals, pa.site.refusalsPerSession())
	transactions := min(
		room(s.transactions, pa.site.transactionsPerSession()), room(s.transactions, announced.MailMax), s.window(recipients))
	most := min(pa.site.batch(), room(0, announced.RcptMax))
	if s.single {
		recipients, transactions, most = 1, 1, 1
	}
	var f *flight
	for n := 0; n < transactions && recipients > 0; {
		probes := s.take(min(most, recipients), allowed)
		if len(probes) == 0 {
			break
		}
		if !s.speaks(probes) {
			continue
		}
		if f == nil {
			f = s.newFlight()
		}
		f.add(probes, s.careful() || slices.ContainsFunc(probes, func(pr *probe) bool { return pr.lost }))
		if f.stepwise {
			break
		}
		recipients -= len(probes)
		n++
	}
	return f
}

// take takes the probes of one transaction from the queue. Where the server announced how many domains it wants to
// hear of in a session (RFC 9422), s is kept to those that it has heard of when there are no more to come.
func (s *session) take(most int, allowed *allowance) []*probe {
	q := &s.lane.queue
	limit := s.conn.Extensions().Limits.RcptDomainMax
	if limit == 0 {
		return q.take(most, allowed)
	}
	if len(s.domains) < limit {
		probes := q.take(most, allowed)
		if len(probes) > 0 && !slices.Contains(s.domains, probes[0].domain.name) {
			s.domains = append(s.domains, probes[0].domain.name)
		}
		return probes
	}
	for _, name := range s.domains {
		if probes := q.takeOf(name, most, allowed); len(probes) > 0 {
			return probes
		}
	}
	return nil
}

// window is how many transactions may go in one write: one where the server wants to answer each command
// before it sees the next, or has not taken our sender yet; two where refusals are counted; and as many as fit some
// packets where they are not.
func (s *session) window(refusals int) int {
	const few, many = 2, 16
	switch {
	case !s.pipelined(), s.careful():
		return 1
	case refusals < unbounded:
		return few
	default:
		return many
	}
}

// careful reports whether s sends MAIL by itself: at a path where no sender was taken yet, that spends no recipient on
// a sender who is refused.
func (s *session) careful() bool {
	pa := s.lane.path
	return pa.site.limits.Ramp && !pa.welcome
}

// pipelined reports whether s sends commands together.
func (s *session) pipelined() bool { return s.conn.Extensions().Pipelining && !s.lockStep }

// together reports whether f's commands were.
func (s *session) together(f *flight) bool { return s.pipelined() && !f.stepwise }

// speaks reports whether probes, which are all of one kind, can be put to the server. Those that need SMTPUTF8 where
// it is not offered are answered here, RFC 6531 §3.1.
func (s *session) speaks(probes []*probe) bool {
	if !probes[0].rcpt.SMTPUTF8 || s.conn.Extensions().SMTPUTF8 {
		return true
	}
	o := s.outcome(smtp.StageMAIL)
	o.Failure, o.Detail = FailNoSMTPUTF8, "the host does not offer SMTPUTF8"
	if s.fallback { // What its best host offers is not known.
		o.Failure = FailConnectRefused
		o.Detail = "the hosts of best preference could not be reached, and this one does not offer SMTPUTF8"
	}
	for _, pr := range probes {
		pr.finish(&o)
	}
	return false
}

// outcome begins an outcome of this session.
func (s *session) outcome(stage smtp.Stage) Outcome {
	return Outcome{Stage: stage, Host: s.host, Fallback: s.fallback, IP: s.ip, TLS: s.conn.TLSVersion(), opening: s.conn.Opening()}
}
