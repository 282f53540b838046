package budget

import "time"

// A Bucket is a rate with a burst, as a GCRA: one instant. The zero Bucket is full.
type Bucket struct{ full time.Duration } // The instant at which it will be full again.

// interval is the time between two events at a rate a minute.
func interval(perMinute float64) time.Duration {
	return time.Duration(float64(time.Minute) / perMinute)
}

// Room is how many events may happen now, burst at most. A rate of 0 is no limit: then it is Lifted.
func (b *Bucket) Room(now time.Duration, perMinute float64, burst int) int {
	if perMinute <= 0 {
		return Lifted
	}
	missing := b.full - now
	if missing <= 0 {
		return burst
	}
	step := interval(perMinute)
	return max(0, burst-int((missing+step-1)/step))
}

// Lifted is more events than anything is limited to.
const Lifted = 1 << 30

// Take counts n events, whether there is room for them or not.
func (b *Bucket) Take(now time.Duration, perMinute float64, n int) {
	if perMinute > 0 {
		b.full = max(b.full, now) + time.Duration(n)*interval(perMinute)
	}
}

// Give takes n events back that did not happen after all.
func (b *Bucket) Give(perMinute float64, n int) {
	if perMinute > 0 {
		b.full -= time.Duration(n) * interval(perMinute)
	}
}

// Next is the instant at which the nth event from now on may happen.
func (b *Bucket) Next(now time.Duration, perMinute float64, burst, n int) time.Duration {
	if perMinute <= 0 {
		return now
	}
	return max(now, b.full-time.Duration(burst-n)*interval(perMinute))
}

// Debt is how long the bucket needs to be full again, which is all there is to keep of it.
func (b *Bucket) Debt(now time.Duration) time.Duration { return max(0, b.full-now) }

// Restore sets a debt that was written elapsed ago.
func (b *Bucket) Restore(now, elapsed, debt time.Duration) {
	b.full = now + max(0, debt-max(0, elapsed))
}
