package reply

import (
	"github.com/verimails/verimaild/pool/smtp"
)

// Classify reads a reply to the command of stage, from a server of the provider with this id ("" if none is known), as one
// meaning. It is pure, and allocates nothing for a reply of usual length. Every reply has a meaning: class other, scope
// site, if no rule knows it.
//
// Stage, first digit and enhanced code narrow what may be said; a provider's own rules come before words that
// anyone may use, and words before what a code alone would mean. Nothing but a refusal of a recipient is ever
// about a mailbox.
func (t *Table) Classify(stage smtp.Stage, r *smtp.Reply, provider string) Meaning {
	var buf [typicalText]byte
	text := t.appendLines(buf[:0], r.Lines)
	s := scan{t: t}
	i := s.run(stage, r, text, provider)
	if i < 0 {
		return Meaning{Class: Other, Scope: ScopeSite}
	}
	rule := &t.rules[i]
	m := Meaning{Class: rule.Class, Scope: rule.Scope, Detail: rule.Detail, Rule: rule.Name, Retry: rule.Retry}
	if m.Class.passes() {
		if d := delay(text); d > 0 {
			m.Retry = d
		}
	}
	return m
}

// passes reports whether what c speaks of goes away by itself, so that a delay in the text is a time to ask again.
func (c Class) passes() bool {
	return c == Greylisted || c == RateLimited || c == TemporaryFailure || c == SourceBlocked
}

// run scans text and returns the index of the rule that decides, -1 if none does.
func (s *scan) run(stage smtp.Stage, r *smtp.Reply, text []byte, provider string) int {
	if r.Code < 200 || r.Code > 599 {
		return -1
	}
	s.code = codePattern{byte('0' + r.Code/100), byte('0' + r.Code/10%10), byte('0' + r.Code%10)}
	if r.Enhanced.Class == uint16(r.Code/100) {
		s.enhanced = r.Enhanced
	}
	s.fit = &s.t.fit[stageIndex(stage)][r.Code/100-2]
	s.rules = s.t.always
	s.read(text)
	return s.decide(provider)
}
