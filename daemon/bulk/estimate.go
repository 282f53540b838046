package bulk

import (
	"math"

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

// BounceLimit is the share of bounces above which receivers and mailing services act.
const BounceLimit = 0.02

// bounceMethod says how estimates are made; docs/bulk.md says it at length.
const bounceMethod = "Undeliverable addresses are taken to bounce (95 to 100 %), deliverable ones hardly (0 to 2 %, likely 0.5 %). " +
	"Of those about which nothing is known, the same share is likely dead as of those that gave an answer; it lies between " +
	"none and twice as many, with the error of the sample (95 %, Wilson) on top."

// estimateBounces says how many messages would bounce with nothing left out, and with more and more: first undeliverable
// addresses, then unknown ones too, then risky ones too.
func estimateBounces(c *Counts) []Bounce {
	t := c.Verdicts()
	decided := t.Of(verdict.Deliverable) + t.Of(verdict.Undeliverable)
	low, high := wilson(t.Of(verdict.Undeliverable), decided)
	likely := 0.5
	if decided > 0 {
		likely = float64(t.Of(verdict.Undeliverable)) / float64(decided)
	} else {
		low, high = 0, 1
	}
	dead := map[verdict.Verdict]Range{
		verdict.Undeliverable: {0.95, 0.98, 1},
		verdict.Deliverable:   {0, 0.005, 0.02},
		verdict.Risky:         {0, likely, min(1, 2*high)},
		verdict.Unknown:       {0, likely, min(1, 2*high)},
	}
	_ = low // What is not known may all be alive.
	drops := [][]verdict.Verdict{
		nil,
		{verdict.Undeliverable},
		{verdict.Undeliverable, verdict.Unknown},
		{verdict.Undeliverable, verdict.Unknown, verdict.Risky},
	}
	out := make([]Bounce, len(drops))
	for i, drop := range drops {
		out[i] = bounceWithout(t, drop, dead)
	}
	return out
}

// bounceWithout is the share of bounces among the verdicts that are not dropped.
func bounceWithout(t Tally, drop []verdict.Verdict, dead map[verdict.Verdict]Range) Bounce {
	b := Bounce{Drop: drop}
	dropped := map[verdict.Verdict]bool{}
	for _, v := range drop {
		dropped[v] = true
	}
	var sum Range
	for _, v := range verdict.Verdicts() {
		if dropped[v] {
			continue
		}
		n := float64(t.Of(v))
		b.Rows += t.Of(v)
		sum.Low += n * dead[v].Low
		sum.Likely += n * dead[v].Likely
		sum.High += n * dead[v].High
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
