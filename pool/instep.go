package pool

import (
	"slices"
	"strings"
	"time"

	"github.com/verimails/verimaild/pool/smtp"
)

// A slot is the place of one command among those of a flight, and the reply that came in it.
type slot struct {
	stage smtp.Stage
	path  string      // Of a RCPT, in lower case.
	reply *smtp.Reply // Nil where it is not kept: of RSET.
}

// slots are the commands of f, in their order.
func (f *flight) slots() []slot {
	out := make([]slot, 0, f.size()+2*len(f.batches))
	for i := range f.batches {
		b := &f.batches[i]
		out = append(out, slot{stage: smtp.StageMAIL, reply: &b.mail.reply})
		for j, pr := range b.probes {
			out = append(out, slot{smtp.StageRCPT, asciiLower(pr.rcpt.Path), &b.replies[j].reply})
		}
		out = append(out, slot{stage: smtp.StageRSET})
	}
	return out
}

// weigh finds out how much of f can be believed, whose commands went together, when e ended the session before each had
// its reply. A server that has left one out looks just the same, and from there on each reply is a later command's than it
// seems. Where one can be none of those, nothing was left out before it.
//
// A farewell that comes as promptly as the other replies did is one in its turn, RFC 5321 §3.8: there everything is
// believed. One that was waited for may be said to a client that seems idle, having had all the replies it is to get.
func (f *flight) weigh(e *smtp.Error) {
	if e.Due == 0 || f.test || e.Kind == smtp.KindReply && f.prompt(e) {
		return
	}
	all := f.slots()
	sure := len(all) - e.Due
	for sure > 0 && all[sure-1].movable(all[sure:sure+e.Due]) {
		sure--
	}
	for i := range f.batches {
		b := &f.batches[i]
		b.vague = sure < 1
		b.sure = min(max(0, sure-1), len(b.probes))
		sure -= len(b.probes) + 2
	}
}

// prompt reports whether the reply that ended the session came as soon as those before it, or is the only one.
func (f *flight) prompt(e *smtp.Error) bool {
	longest, last := time.Duration(0), f.at
	f.hear(func(r *sentReply, took time.Duration) {
		if r.reply.Code != e.Reply.Code || !r.reply.At.Equal(e.Reply.At) {
			longest, last = max(longest, took), r.reply.At
		}
	})
	return longest == 0 || e.Reply.At.Sub(last) <= longest
}

// movable reports whether the reply that came for s can be that to a later command.
func (s *slot) movable(later []slot) bool {
	if s.reply == nil || s.reply.Code == 0 {
		return len(later) > 0
	}
	text := s.reply.Text()
	if strings.Contains(text, "@") { // Most name nobody.
		text = asciiLower(text)
	}
	own := s.stage == smtp.StageRCPT && names(text, s.path)
	return slices.ContainsFunc(later, func(to slot) bool {
		switch to.stage {
		case smtp.StageRCPT:
			return !own || names(text, to.path)
		case smtp.StageRSET: // It refuses no mailbox, RFC 5321 §4.2.1.
			return !own && (s.reply.Positive() || s.reply.Code%100 < 50 || s.reply.Code%100 > 53)
		default:
			return !own
		}
	})
}

// strange reports whether some reply of f reads as if it were another command's: a MAIL that is told about a recipient, or
// a RCPT about the sender. Some servers always answer so, and mean well.
func (f *flight) strange() bool {
	destination := func(c smtp.EnhancedCode) bool { return c.Subject == 1 && (c.Detail == 5 || c.Detail == 6) }
	for i := range f.batches {
		b := &f.batches[i]
		mail := &b.mail.reply
		if mail.Positive() && destination(mail.Enhanced) {
			return true
		}
		for j, pr := range b.probes {
			r := &b.replies[j].reply
			if pr.rcpt.Path != f.sender && names(mail.Text(), pr.rcpt.Path) ||
				r.Positive() && names(r.Text(), f.sender) && !names(r.Text(), pr.rcpt.Path) {
				return true
			}
		}
	}
	return false
}

// names reports whether text has path in it, and not as a part of another.
func names(text, path string) bool {
	for rest := text; ; {
		i := strings.Index(rest, path)
		if i < 0 || path == "" {
			return false
		}
		end := i + len(path)
		if (i == 0 || !atext(rest[i-1])) && (end == len(rest) || !atext(rest[end]) || rest[end] == '.') {
			return true
		}
		rest = rest[i+1:]
	}
}

// atext reports whether c can be a part of a path, RFC 5321 §4.1.2: a letter, a digit, or one of the signs for atoms.
func atext(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c >= 0x80 ||
		strings.IndexByte("!#$%&'*+-/=?^_`{|}~.", c) >= 0
}

// crossed reports whether some reply names another recipient of f and not its own, whose own reply does not name it: the
// replies were not given in the order of the commands, as RFC 2920 §3.2 has it, or one was left out. A server that names
// an alias's target is none of those, where both were asked about: the target's own reply names it as well.
func (f *flight) crossed() bool {
	if f.size() < 2 || !f.mixed() {
		return false
	}
	type pair struct{ path, text string }
	var all []pair
	for i := range f.batches {
		for j, pr := range f.batches[i].probes {
			all = append(all, pair{pr.rcpt.Path, f.batches[i].replies[j].reply.Text()})
		}
	}
	for i, a := range all {
		if !strings.Contains(a.text, "@") || strings.Contains(a.text, a.path) { // Most name nobody, or their own.
			continue
		}
		for j, b := range all {
			if i != j && strings.Contains(a.text, b.path) && !strings.Contains(b.text, b.path) {
				return true
			}
		}
	}
	return false
}
