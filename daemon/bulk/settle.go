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
	putOff                // It was put off, and is asked again later.
	notYet                // We could not ask: its domain is asked again at its retry_at.
	tooLate               // It was put off, and patience has run out: the answer is the outcome.
)

// passing are failures that pass as a rule: a mail server or a network in trouble, or a source that was too fast. They say
// nothing about the address.
var passing = map[verdict.Reason]bool{
	verdict.ServerTempfail: true, verdict.ServerBusy: true, verdict.ConnectTimeout: true, verdict.ConnectRefused: true,
	verdict.Disconnected: true, verdict.DNSTimeout: true, verdict.DNSFailure: true, verdict.SourceRateLimited: true,
}

// passingWaits are how long a row waits at least before it is asked about again for the sake of a passing failure, the
// first time and the second. There is no third: what fails for an hour is likely to fail for the day, and would hold up
// the end of most jobs.
var passingWaits = [...]time.Duration{0, time.Hour}

// senderMended is how long the reverse-path, refused by mail servers that have nothing to do with each other, is left alone
// everywhere. A list goes on when it is accepted again. One site that refuses it comes to longer times, and is not waited for.
const senderMended = time.Hour

// passes reports whether what o says may be over when it is due.
func passes(o *Outcome, now time.Time) bool {
	return passing[o.Reason] || o.Reason == verdict.SenderRefused && !o.RetryAt.After(now.Add(senderMended))
}

// rule says what becomes of a row with this outcome, and for which time it is put off. first is when it was put off for
// the first time, which may be now, and failures how often that was for a passing failure. It is pure.
//
// What a mail server says is final, but for greylisting, which says itself that it is not, and failures that pass. What is
// about our own pace, or about this process, is never final: nobody has been asked yet.
func rule(o *Outcome, first, now time.Time, failures int, patience time.Duration) (ruling, time.Time) {
	due := o.RetryAt
	switch {
	case notAsked(o.Reason):
		return notYet, due
	case o.Reason == verdict.Greylisted:
	case passes(o, now) && failures < len(passingWaits):
		if at := now.Add(passingWaits[failures]); !due.IsZero() && due.Before(at) {
			due = at
		}
	default:
		return final, due
	}
	if due.IsZero() || due.After(first.Add(patience)) {
		return tooLate, due
	}
	return putOff, due
}

// notAsked reports whether a reason is about our own pace, or about this process.
func notAsked(r verdict.Reason) bool {
	switch r {
	case verdict.BudgetExhausted, verdict.SessionLimited, verdict.DeadlineExceeded, verdict.ShuttingDown:
		return true
	default:
		return false
	}
}

// unasked is the outcome of a row that its job's time limit has overtaken.
func unasked(now time.Time) Outcome {
	return Outcome{
		Reason: verdict.DeadlineExceeded, CheckedAt: now,
		Explanation: "The job's time limit passed before this address was answered.",
	}
}
