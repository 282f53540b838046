package pool

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/verimails/verimaild/pool/reply"
	"github.com/verimails/verimaild/pool/smtp"
)

// A flight is the transactions that go to the server in one write, and what came of them.
type flight struct {
	sender   string
	reader   reader
	batches  []batch
	txs      []smtp.Transaction // Parallel to batches.
	prefix   netip.Prefix       // The network that it comes from.
	hold     hold               // What is reserved for it.
	levels   []level            // The accounts that hold it.
	stepwise bool               // Its commands wait for one another.
	test     bool               // Asks about nobody: whether we are welcome again.
	at       time.Time          // When it was written.
	end      time.Time          // When its last reply had come, or the session had died.
}

// A batch is one transaction: recipients of one domain.
type batch struct {
	probes  []*probe
	mail    sentReply
	replies []sentReply // Parallel to probes; the zero value where none came.
	vague   bool        // That to MAIL may be a later command's.
	sure    int         // Replies, from the first on, that can only be those of their own probes.
}

// A sentReply is a command's reply, and when the command was written.
type sentReply struct {
	at      time.Time
	reply   smtp.Reply
	meaning reply.Meaning
}

func (s *session) newFlight() *flight {
	return &flight{sender: s.lane.path.pool.opts.Sender, reader: s.reader(), prefix: s.prefix}
}

// testFlight is a flight that shows whether the sender is welcome, and asks about nobody.
func (s *session) testFlight() *flight {
	f := s.newFlight()
	f.test = true
	f.txs = []smtp.Transaction{{ReversePath: f.sender}}
	f.batches = []batch{{}}
	return f
}

// add adds a transaction, whose commands wait for one another if stepwise.
func (f *flight) add(probes []*probe, stepwise bool) {
	f.stepwise = f.stepwise || stepwise
	tx := smtp.Transaction{
		ReversePath: f.sender, SMTPUTF8: probes[0].rcpt.SMTPUTF8, Recipients: make([]string, len(probes)),
		Stepwise: stepwise,
	}
	for i, pr := range probes {
		tx.Recipients[i] = pr.rcpt.Path
	}
	f.txs = append(f.txs, tx)
	f.batches = append(f.batches, batch{probes: probes, replies: make([]sentReply, len(probes)), sure: len(probes)})
}

// run asks f, and settles every probe in it: answered, or back in the queue once, or failed.
//
// Replies are handed on when the whole flight has been answered, not one by one: only then is it known that
// replies and commands were in step. A server that answers one RCPT twice would otherwise lend one mailbox's
// reply to the next.
func (s *session) run(ctx context.Context, f *flight) {
	p := s.lane.path.pool
	if err := p.secure(ctx, s.lane.path, f); err != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		s.unsecured(f)
		return
	}
	f.at = time.Now()
	err := s.conn.Run(ctx, f.txs, f.heard)
	f.end = time.Now()
	if err == nil {
		err = s.doubt(f)
	}
	f.read()
	if e, ok := errors.AsType[*smtp.Error](err); ok && s.together(f) {
		f.weigh(e)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	s.settle(f, err)
}

// doubt is why the answers of a Run that went well must not be believed after all: the server had one reply more to
// send than there were commands, so that some of those that came before may be other commands' replies.
// The last one may come in a segment of its own. It is waited for where such a shift would change an answer.
func (s *session) doubt(f *flight) error {
	if s.pipelined() && f.mixed() {
		select {
		case <-s.conn.Done():
		case <-time.After(min(f.batches[0].mail.reply.Took/8, mostGrace)):
		}
	}
	if s.conn.Usable() != nil {
		<-s.conn.Done() // Something has come; it is read to its end, for a second at most.
	}
	if e, ok := errors.AsType[*smtp.Error](s.conn.Err()); ok && e.Doubtful {
		return e
	}
	return nil
}

// mostGrace is how long a reply too many is waited for at most. Otherwise it is a part of the round trip: what a server says
// in one go may travel in several segments, but not much apart.
const mostGrace = 5 * time.Millisecond

// mixed reports whether the replies to f's recipients differ.
func (f *flight) mixed() bool {
	first := 0
	for i := range f.batches {
		for j := range f.batches[i].replies {
			code := f.batches[i].replies[j].reply.Code
			if first == 0 {
				first = code
			}
			if code != first {
				return true
			}
		}
	}
	return false
}

// heard notes a reply.
func (f *flight) heard(ev smtp.Event) {
	r := sentReply{at: ev.SentAt, reply: ev.Reply}
	if b := &f.batches[ev.Tx]; ev.Rcpt < 0 {
		b.mail = r
	} else {
		b.replies[ev.Rcpt] = r
	}
}

// read finds out what the replies mean. It takes its time, and so is not done under Pool.mu.
func (f *flight) read() {
	for i := range f.batches {
		b := &f.batches[i]
		if b.refused() {
			b.mail.meaning = f.reader.read(smtp.StageMAIL, &b.mail.reply)
		}
		for j := range b.replies {
			if r := &b.replies[j]; r.reply.Code != 0 {
				r.meaning = f.reader.read(smtp.StageRCPT, &r.reply)
			}
		}
	}
}

// utf8 reports whether b's MAIL carries SMTPUTF8.
func (b *batch) utf8() bool { return len(b.probes) > 0 && b.probes[0].rcpt.SMTPUTF8 }

// refused reports whether b's MAIL was refused.
func (b *batch) refused() bool { return b.mail.reply.Code != 0 && !b.mail.reply.Positive() }

// heard is how many replies to b's recipients came.
func (b *batch) heard() int {
	n := slices.IndexFunc(b.replies, func(r sentReply) bool { return r.reply.Code == 0 })
	if n < 0 {
		n = len(b.replies)
	}
	return n
}

// size is how many recipients f has.
func (f *flight) size() int {
	n := 0
	for i := range f.batches {
		n += len(f.batches[i].probes)
	}
	return n
}

// answered reports whether any command of f was answered.
func (f *flight) answered() bool { return f.batches[0].mail.reply.Code != 0 }

// confused reports whether a command was answered as if the one before it had not been sent: RCPT after an accepted
// MAIL with a 500, 502 or 503.
func (f *flight) confused() bool {
	for i := range f.batches {
		if !f.batches[i].mail.reply.Positive() {
			continue
		}
		for j := range f.batches[i].replies {
			if c := f.batches[i].replies[j].reply.Code; c == 500 || c == 502 || c == 503 {
				return true
			}
		}
	}
	return false
}

// pauses are the longest time that the server took over one reply, and how long it had been silent by end.
func (f *flight) pauses(end time.Time) (longest, silence time.Duration) {
	last := f.at
	f.hear(func(r *sentReply, took time.Duration) {
		longest, last = max(longest, took), r.reply.At
	})
	return longest, end.Sub(last)
}

// hear calls each with every reply in its order, and how long the server took over it.
func (f *flight) hear(each func(r *sentReply, took time.Duration)) {
	last := f.at
	one := func(r *sentReply) {
		if r.reply.Code == 0 {
			return
		}
		if r.at.After(last) {
			last = r.at
		}
		each(r, r.reply.At.Sub(last))
		last = r.reply.At
	}
	for i := range f.batches {
		one(&f.batches[i].mail)
		for j := range f.batches[i].replies {
			one(&f.batches[i].replies[j])
		}
	}
}

// slows reports whether the server took half as long again over a refusal as over the one before it in this session: it
// makes each wait longer, and a fresh session does not.
func (s *session) slows(f *flight) bool {
	slower := false
	f.hear(func(r *sentReply, took time.Duration) {
		if r.reply.Code < 400 {
			return
		}
		slower = slower || s.refusedIn > 0 && took >= oddLeast+s.refusedIn && took >= s.refusedIn*3/2
		s.refusedIn = took
	})
	return slower
}

// A reader reads replies of one site.
type reader struct {
	table    *reply.Table
	provider string
}

func (s *session) reader() reader {
	pa := s.lane.path
	return pa.site.reader(pa.pool.opts.Replies)
}

func (s *site) reader(t *reply.Table) reader {
	return reader{t, s.providerID()}
}

func (r reader) read(stage smtp.Stage, rep *smtp.Reply) reply.Meaning {
	return r.table.Classify(stage, rep, r.provider)
}
