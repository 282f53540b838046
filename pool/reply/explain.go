package reply

import (
	"slices"

	"github.com/verimails/verimaild/pool/smtp"
)

// An Explanation says why a reply has its meaning, and what follows from it.
type Explanation struct {
	Meaning Meaning
	Rule    Rule     // The rule that decided, as it was written; zero if none did.
	Because []string // What of the rule's words the reply shows; empty if the codes decided.
	Whom    string   // Whom the reply is about, in words.
	Reason  string   // What verimaild would answer: see Outcome.
	Verdict string   // The verdict that goes with Reason: deliverable, risky, undeliverable or unknown.
	Advice  Advice
}

// Explain classifies a reply like Classify, and says why.
func (t *Table) Explain(stage smtp.Stage, r *smtp.Reply, provider string) Explanation {
	m := t.Classify(stage, r, provider)
	e := Explanation{Meaning: m, Whom: whom[m.Scope], Reason: Outcome(m, r.Code), Advice: Advise(m, r.Text())}
	e.Verdict = verdictOf(e.Reason)
	i, ok := t.byName[m.Rule]
	if !ok {
		return e
	}
	e.Rule = t.rules[i]
	var buf [typicalText]byte
	s := scan{t: t, trace: &trace{segments: make(map[int32]string), phrases: make(map[signal]string)}}
	s.run(stage, r, t.appendLines(buf[:0], r.Lines), provider)
	for _, set := range t.conds[i].all {
		e.Because = append(e.Because, s.shown(set)...)
	}
	slices.Sort(e.Because)
	e.Because = slices.Compact(e.Because)
	return e
}

// shown lists the words by which s has seen the signals of set.
func (s *scan) shown(set []signal) []string {
	var out []string
	for _, x := range set {
		switch words := s.trace.phrases[x]; {
		case !s.has(x):
		case words != "":
			out = append(out, words)
		case s.t.names[x][0] != '$':
			out = append(out, s.t.names[x])
		default:
			for y := range s.t.lists {
				if slices.Contains(s.t.lists[y], x) {
					out = append(out, s.shown([]signal{signal(y)})...)
				}
			}
		}
	}
	return out
}

// whom says in words whom a scope means.
var whom = map[Scope]string{
	ScopeMailbox:    "the mailbox that was asked about",
	ScopeDomain:     "the recipient's domain",
	ScopeSender:     "the sender that the question was asked with",
	ScopeSession:    "this one session with the server",
	ScopeRoute:      "the way to this one server",
	ScopeSourceSite: "the address that verimaild asks from, at this server",
	ScopeSource:     "the address that verimaild asks from, wherever it asks",
	ScopeSite:       "the server itself",
}
