package table

import (
	"slices"
	"time"

	"github.com/verimails/verimaild/verify/verdict"
)

// An Outcome is the answer that is written beside a row. The zero Outcome is no answer yet: its columns are empty.
type Outcome struct {
	Reason     verdict.Reason // Determines verdict and subject; "" means no answer yet.
	Flags      verdict.Flags
	DidYouMean string    // A whole address; "" if none.
	MX         string    // The mail host that answered, otherwise the domain's best one; "" if none.
	Provider   string    // "" if none is known.
	SMTPCode   int       // 0 if no reply came.
	SMTPText   string    // The reply's text, or what went wrong instead of a reply.
	CheckedAt  time.Time // Zero if not known.
}

// Done reports whether there is an answer.
func (o *Outcome) Done() bool { return o.Reason != "" }

// Verdict is the answer in one word, "" if there is none yet.
func (o *Outcome) Verdict() verdict.Verdict {
	if !o.Done() {
		return ""
	}
	return o.Reason.Verdict()
}

// Subject says whom the answer is about, "" if there is none yet.
func (o *Outcome) Subject() verdict.Subject {
	if !o.Done() {
		return ""
	}
	return o.Reason.Subject()
}

// A Filter picks rows by their answer. The zero Filter takes all rows; any other takes only rows that have an answer.
type Filter struct {
	Verdicts []verdict.Verdict // Any of these; none means any.
	Reasons  []verdict.Reason  // Any of these; none means any.
}

// Match reports whether f takes a row with this outcome: by verdict and by reason, where both are set.
func (f Filter) Match(o *Outcome) bool {
	return (len(f.Verdicts) == 0 || slices.Contains(f.Verdicts, o.Verdict())) &&
		(len(f.Reasons) == 0 || slices.Contains(f.Reasons, o.Reason))
}
