package bulk

import (
	"time"

	"github.com/verimails/verimaild/verify/verdict"
)

// A ruling is what becomes of a row after an answer.
type ruling uint8

// The rulings.
const (
	final   ruling = iota // The answer is the row's outcome.
	putOff                // The mail server put it off: it is asked again at its retry_at.
	notYet                // We could not ask: its domain is asked again at its retry_at.
	tooLate               // The mail server put it off, and patience has run out: the answer is the outcome.
)

// rule says what becomes of a row with this outcome. first is when the mail server put it off for the first time, which
// may be now. It is pure.
//
// What a mail server says is final, but for greylisting, which says itself that it is not. What is about our own pace,
// or about this process, is never final: nobody has been asked yet.
func rule(o *Outcome, first time.Time, patience time.Duration) ruling {
	switch o.Reason {
	case verdict.BudgetExhausted, verdict.SessionLimited, verdict.DeadlineExceeded, verdict.ShuttingDown:
		return notYet
	case verdict.Greylisted:
		if o.RetryAt.IsZero() || o.RetryAt.After(first.Add(patience)) {
			return tooLate
		}
		return putOff
	default:
		return final
	}
}

// unasked is the outcome of a row that its job's time limit has overtaken.
func unasked(now time.Time) Outcome {
	return Outcome{
		Reason: verdict.DeadlineExceeded, CheckedAt: now,
		Explanation: "The job's time limit passed before this address was answered.",
	}
}
