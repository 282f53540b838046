package verify

import (
	"time"

	"github.com/verimails/verimaild/pool"
	"github.com/verimails/verimaild/verify/verdict"
)

// retryAt is when asking again can change the answer; zero if it cannot, or if nobody knows. o is what the answer waits
// for: the target's outcome, or that of a made-up recipient; nil if nobody was asked.
func retryAt(reason verdict.Reason, o *pool.Outcome, now time.Time) time.Time {
	if reason.Verdict() != verdict.Unknown && reason != verdict.AcceptedUntested && reason != verdict.MailboxFull {
		return time.Time{}
	}
	switch {
	case o == nil:
	case !o.RetryAt.IsZero():
		return later(o.RetryAt, now)
	case o.Meaning.Retry > 0:
		return now.Add(o.Meaning.Retry + toldGrace)
	}
	if d, ok := retryAfter[reason]; ok {
		return now.Add(d)
	}
	return time.Time{}
}

// retryAfter is when to ask again where the server did not say.
var retryAfter = map[verdict.Reason]time.Duration{
	verdict.Greylisted:         visitWaits[0],
	verdict.PersistentTempfail: ticketLife,
	verdict.ServerTempfail:     15 * time.Minute,
	verdict.ServerBusy:         15 * time.Minute,
	verdict.ConnectTimeout:     15 * time.Minute,
	verdict.ConnectRefused:     15 * time.Minute,
	verdict.TLSFailure:         time.Hour,
	verdict.ProtocolError:      time.Hour,
	verdict.Disconnected:       5 * time.Minute,
	verdict.SourceRateLimited:  time.Hour,
	verdict.SourceBlocked:      6 * time.Hour,
	verdict.SourceNoPTR:        6 * time.Hour,
	verdict.HarvestLimited:     6 * time.Hour,
	verdict.AcceptSuspect:      silencedFor,
	verdict.UniformRefusal:     6 * time.Hour,
	verdict.SenderRefused:      time.Hour,
	verdict.HELORefused:        time.Hour,
	verdict.SessionLimited:     time.Minute,
	verdict.RelayDenied:        6 * time.Hour,
	verdict.DNSTimeout:         2 * time.Minute,
	verdict.DNSFailure:         2 * time.Minute,
	verdict.DeadlineExceeded:   30 * time.Second,
	verdict.ShuttingDown:       10 * time.Second,
	verdict.MailboxFull:        6 * time.Hour,
	verdict.AcceptedUntested:   time.Hour,
	verdict.BudgetExhausted:    time.Hour,
}
