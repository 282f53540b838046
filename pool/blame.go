package pool

import (
	"strings"
	"time"

	"github.com/verimails/verimaild/pool/budget"
	"github.com/verimails/verimaild/pool/reply"
	"github.com/verimails/verimaild/pool/smtp"
)

// isDead reports whether a receiver counts a reply as an unknown recipient: what is refused for good at RCPT, unless
// that is about the source or the sender, or the mailbox exists; and an unknown one that is refused for now.
func isDead(r *sentReply) bool {
	m := &r.meaning
	switch m.Class {
	case reply.Accepted, reply.CannotVerify, reply.MailboxFull, reply.RateLimited, reply.Greylisted, reply.TemporaryFailure,
		reply.SourceBlocked, reply.SenderRefused:
		return false
	case reply.NoSuchMailbox, reply.MailboxDisabled:
		return true
	}
	return r.reply.Code >= 500
}

// A grudge is how much a reply is held against a path.
type grudge uint8

const (
	noGrudge   grudge = iota // It is about a mailbox, a domain or a session.
	softGrudge               // We are too fast, or it is in trouble.
	hardGrudge               // We are not wanted.
)

// grudgeOf reads a reply as what it means for the path that it was given on.
func grudgeOf(o *Outcome) grudge {
	early := o.Stage != smtp.StageRCPT
	switch o.Meaning.Scope {
	case reply.ScopeMailbox, reply.ScopeDomain, reply.ScopeSession:
		return noGrudge
	case reply.ScopeSender:
		if early && o.Meaning.Class == reply.SenderRefused && o.Reply.Code >= 500 {
			return hardGrudge
		}
		return noGrudge
	}
	switch o.Meaning.Class {
	case reply.SourceBlocked, reply.SenderRefused:
		return hardGrudge
	case reply.RateLimited:
		return softGrudge
	case reply.PolicyRefused:
		if early {
			return hardGrudge
		}
		return softGrudge
	case reply.TemporaryFailure, reply.Other:
		if early {
			return softGrudge
		}
	}
	return noGrudge
}

// blame draws the consequences of a reply for the path, and for what is beyond it. It sets o.RetryAt where that opens
// the path's breaker, and then answers whatever waits there.
func (pa *path) blame(o *Outcome) {
	if pa.pool.opts.Forgiving {
		return
	}
	now := pa.pool.now()
	if blamesSender(o) {
		pa.pool.senderRefused(pa, now, o)
	}
	switch grudgeOf(o) {
	case hardGrudge:
		pa.hard(now, o)
	case softGrudge:
		pa.soft(now, o)
	default:
		if o.Stage == smtp.StageRCPT && o.Meaning.Scope == reply.ScopeMailbox {
			pa.blocks = 0
		}
	}
	if o.Meaning.Detail == reply.DetailHarvest {
		pa.exhaust(now)
	}
}

// mostBlocks is how many recipients in a row have to be told at RCPT that we are not wanted, until that is taken for the
// site's word and not for that of one of its domains or recipients. One is enough where it is unmistakable.
const mostBlocks = 3

// hard opens the path's breaker. Where it is open already, other transactions of the same moment had the same word.
func (pa *path) hard(now time.Duration, o *Outcome) {
	if pa.breaker.State(now) == budget.Open {
		pa.breaker.Until = max(pa.breaker.Until, now+o.Meaning.Retry)
		o.notBefore(pa.pool.wall(pa.breaker.Until))
		return
	}
	pa.blocks++
	if o.Stage == smtp.StageRCPT && o.Meaning.Detail != reply.DetailHarvest && pa.blocks < mostBlocks && !unmistakable(o) {
		return
	}
	pa.breaker.Trip(now, o.Meaning.Retry)
	pa.blocked(o)
	if o.Meaning.Scope == reply.ScopeSource || o.Meaning.Class == reply.SourceBlocked {
		pa.pool.sourceRefused(pa, now)
	}
}

// unmistakable reports whether a refusal said at RCPT can only be the site's word about the source, and not one domain's or
// recipient's own: it names a block list. That it names our address says nothing: Postfix does, whoever set the rule.
func unmistakable(o *Outcome) bool {
	m := &o.Meaning
	ofSource := m.Class == reply.SourceBlocked || m.Scope == reply.ScopeSource || m.Scope == reply.ScopeSourceSite
	return ofSource && m.Detail == reply.DetailBlockListed
}

// soft slows the path down, and opens its breaker at the third time in a row. A receiver that says when to come back
// is taken at its word.
func (pa *path) soft(now time.Duration, o *Outcome) {
	if !pa.slow(now) {
		return
	}
	if o.Meaning.Retry > 0 && o.Meaning.Class == reply.RateLimited {
		pa.breaker.Trip(now, o.Meaning.Retry)
	} else if !pa.breaker.Fail(now) {
		return
	}
	pa.blocked(o)
	pa.tooFast(now, o)
}

// blocked notes why the breaker is open, and answers what waits.
func (pa *path) blocked(o *Outcome) {
	kept := o.kept()
	kept.RetryAt = pa.pool.wall(pa.breaker.Until)
	o.notBefore(kept.RetryAt)
	kept.anonymize()
	pa.refusal = &kept
	pa.site.changed()
	said := kept // Who is told so is noted in it.
	pa.failAll(&said)
	pa.pool.refusals.note(pa, &kept)
}

// kept is o as it is remembered, for those who are told of it later: without the dialogue that it came in.
func (o *Outcome) kept() Outcome {
	k := *o
	k.opening, k.mail, k.rcptAt = nil, command{}, time.Time{}
	k.Remembered = true
	return k
}

// notBefore notes when asking again makes sense at the earliest. Other breakers may be open for longer.
func (o *Outcome) notBefore(at time.Time) {
	if o.RetryAt.Before(at) {
		o.RetryAt = at
	}
}

// anonymize takes the recipient out of a reply that others are going to be shown.
func (o *Outcome) anonymize() {
	path, text := asciiLower(o.Recipient.Path), o.Reply.Text()
	at := strings.Index(asciiLower(text), path)
	if path == "" || at < 0 {
		return
	}
	for ; at >= 0; at = strings.Index(asciiLower(text), path) {
		text = text[:at] + "(recipient)" + text[at+len(path):]
	}
	o.Reply.Lines = []string{text}
}

// asciiLower is s with its ASCII letters in lower case, octet by octet.
func asciiLower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// refused is what a path with an open breaker has for an answer; nil if it may ask.
func (pa *path) refused(now time.Duration, rcpt string) *Outcome {
	if pa.refusal == nil {
		return nil
	}
	switch pa.breaker.State(now) {
	case budget.Open:
		return pa.refusal
	case budget.HalfOpen, budget.Probation:
		if pa.refusal.Recipient.Path == rcpt && pa.refusal.Stage == smtp.StageRCPT {
			// The one who was refused is not what it is tested with.
			o := *pa.refusal
			o.RetryAt = pa.pool.wall(now + trickle)
			return &o
		}
	}
	return nil
}

// exhaust spends what is left of this hour: the receiver has said that it counts, and has counted enough.
func (pa *path) exhaust(now time.Duration) {
	for _, l := range pa.levels(pa.prefix()) {
		l.account.dead.Add(now, room(l.account.dead.Spent(now), l.dead)%unbounded)
	}
}

// tested settles the test of a half-open breaker. A session that died before the test left this host has tested nothing.
func (s *session) tested(now time.Duration, f *flight, e *smtp.Error) {
	pa := s.lane.path
	pa.testing = false
	mail := &f.batches[0].mail
	o := s.outcome(smtp.StageMAIL)
	switch {
	case mail.reply.Positive():
		s.welcomed()
		pa.breaker.Pass()
		pa.site.changed()
		pa.pool.senderPassed()
	case mail.reply.Code != 0:
		o.Reply, o.At, o.Meaning = mail.reply, mail.reply.At, mail.meaning
		s.failedTest(now, &o)
	case !pa.breaker.Opened: // Only the reverse-path was on trial, and nothing was said of it.
	case e != nil && e.Sent && e.Kind != smtp.KindCanceled:
		o.end(e, f.reader)
		pa.breaker.Trip(now, 0)
		pa.blocked(&o)
	}
	s.retiring = s.retiring || e != nil || !mail.reply.Positive()
	if f.answered() {
		pa.pool.total.Flights++
	}
}

// failedTest settles a test whose MAIL was refused with o. Where only the reverse-path was on trial, that is what it is to any
// other transaction.
func (s *session) failedTest(now time.Duration, o *Outcome) {
	pa := s.lane.path
	if !pa.breaker.Opened {
		pa.blame(o)
		pa.failAll(o)
		return
	}
	if blamesSender(o) {
		pa.pool.senderRefused(pa, now, o)
	}
	pa.breaker.Trip(now, o.Meaning.Retry)
	pa.blocked(o)
}

// consider looks at a flight as a whole: one in which nothing was wrong makes the path bolder.
func (s *session) consider(f *flight, e *smtp.Error, doubtful bool) {
	pa := s.lane.path
	now := pa.pool.now()
	if e != nil || doubtful {
		s.closedBy(f, e)
		return
	}
	clean := true
	for i := range f.batches {
		b := &f.batches[i]
		taken := !b.refused()
		for j := range b.replies {
			o := Outcome{Stage: smtp.StageRCPT, Reply: b.replies[j].reply, Meaning: b.replies[j].meaning}
			taken = taken && o.Meaning.Detail != reply.DetailTooManyRcpts
			clean = clean && grudgeOf(&o) == noGrudge
		}
		clean = clean && taken
		if taken {
			pa.site.took(len(b.probes))
		}
	}
	if clean && pa.odd == 0 {
		pa.raise(now)
	}
}

// drags looks at how long the server took over its slowest reply. A session that is slowed down is left; two flights in
// a row mean the path.
func (s *session) drags(longest time.Duration) {
	const often = 2
	pa := s.lane.path
	if !pa.pace.odd(longest) {
		pa.odd = 0
		return
	}
	s.retiring = true
	if pa.odd++; pa.odd >= often {
		pa.slow(pa.pool.now())
	}
}
