package bulk

import (
	"math"
	"slices"

	"github.com/verimails/verimaild/verify/verdict"
)

// A Range is an estimate of a share, 0 to 1, with what it lies between.
type Range struct{ Low, Likely, High float64 }

// A Bounce is the share of messages that would bounce if a list were sent to, by what is left out of it.
type Bounce struct {
	Drop  []verdict.Verdict // Left out; empty for the list as it is.
	Rows  int64             // Left to send to.
	Share Range
}

// bounceMethod says how estimates are made; docs/bulk.md says it at length.
const bounceMethod = "Undeliverable addresses are taken to bounce (95 to 100 %), addresses that a telling server accepted hardly " +
	"(0 to 2 %, likely 0.5 %), full mailboxes as often as not. Of those about which nothing is known, the same share is likely " +
	"dead as of the mailboxes about which a server gave an answer (one in ten before there are any); it lies between none and twice " +
	"as many, with the error of the sample (95 %, Wilson) on top."

// estimateBounces says how many messages would bounce with nothing left out, and with more and more: first undeliverable
// addresses, then unknown ones too, then risky ones too. What leaves nothing out, or leaves nothing, is not told.
func estimateBounces(c *Counts) []Bounce {
	dead := deadShares(c)
	drops := [][]verdict.Verdict{
		nil,
		{verdict.Undeliverable},
		{verdict.Undeliverable, verdict.Unknown},
		{verdict.Undeliverable, verdict.Unknown, verdict.Risky},
	}
	var out []Bounce
	for _, drop := range drops {
		b := bounceWithout(c, drop, dead)
		if b.Rows > 0 && (len(out) == 0 || b.Rows < out[len(out)-1].Rows) {
			out = append(out, b)
		}
	}
	return out
}

// deadShares says how many rows bounce, by what is known of them. What is not known goes by mailboxes alone: syntax and DNS
// have passed it.
func deadShares(c *Counts) func(verdict.Reason) Range {
	var dead, decided int64
	for r, n := range c.Reasons {
		switch {
		case r.IsRefusal():
			dead, decided = dead+n, decided+n
		case r.Verdict() == verdict.Deliverable:
			decided += n
		}
	}
	_, high := wilson(dead, decided)
	unknown := Range{0, (float64(dead) + 1) / (float64(decided) + 10), min(1, 2*high)} // All of what is not known may be alive.
	return func(r verdict.Reason) Range {
		switch r {
		case verdict.RoleAddress, verdict.Disposable, verdict.PrivacyRelay:
			return Range{0, 0.005, 0.02}
		case verdict.MailboxFull:
			return Range{0.1, 0.5, 1}
		}
		switch r.Verdict() {
		case verdict.Undeliverable:
			return Range{0.95, 0.98, 1}
		case verdict.Deliverable:
			return Range{0, 0.005, 0.02}
		default:
			return unknown
		}
	}
}

// bounceWithout is the share of bounces among the verdicts that are not dropped.
func bounceWithout(c *Counts, drop []verdict.Verdict, dead func(verdict.Reason) Range) Bounce {
	b := Bounce{Drop: drop}
	var sum Range
	for r, rows := range c.Reasons {
		if slices.Contains(drop, r.Verdict()) {
			continue
		}
		n, d := float64(rows), dead(r)
		b.Rows += rows
		sum.Low += n * d.Low
		sum.Likely += n * d.Likely
		sum.High += n * d.High
	}
	if b.Rows > 0 {
		n := float64(b.Rows)
		b.Share = Range{sum.Low / n, sum.Likely / n, sum.High / n}
	}
	return b
}

// wilson is the interval that a share lies in with a probability of 95 %, of which k of n were seen.
func wilson(k, n int64) (low, high float64) {
	if n == 0 {
		return 0, 1
	}
	const z = 1.96
	p, m := float64(k)/float64(n), float64(n)
	mid := p + z*z/(2*m)
	half := z * math.Sqrt(p*(1-p)/m+z*z/(4*m*m))
	d := 1 + z*z/m
	return max(0, (mid-half)/d), min(1, (mid+half)/d)
}
