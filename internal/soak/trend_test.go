package soak

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"
)

// A trend is what a gauge did in the time that was looked at.
type trend struct {
	gauge            *gauge
	least, mid, most float64
	first, last      float64 // Medians of the first and the last quarter.
	drift            float64 // By the slope, from the beginning to the end.
}

// trendOf looks at a gauge's samples. The slope is that of Theil and Sen: the median of those of all pairs, which a saw's
// teeth and single spikes do not move.
func trendOf(g *gauge, at []time.Duration, values []float64) trend {
	sorted := slices.Sorted(slices.Values(values))
	quarter, length := max(1, len(values)/4), at[len(at)-1]-at[0]
	t := trend{gauge: g, least: sorted[0], mid: median(values), most: sorted[len(sorted)-1]}
	t.first, t.last = median(values[:quarter]), median(values[len(values)-quarter:])
	if g.troughs {
		at, values = troughs(at, values)
	}
	var slopes []float64
	for i := range values {
		for j := range i {
			if dt := (at[i] - at[j]).Seconds(); dt > 0 {
				slopes = append(slopes, (values[i]-values[j])/dt)
			}
		}
	}
	if len(slopes) > 0 {
		t.drift = median(slopes) * length.Seconds()
	}
	return t
}

// troughs is the least value of each minute, and when that was.
func troughs(at []time.Duration, values []float64) (when []time.Duration, least []float64) {
	for i := range values {
		n := len(least)
		switch {
		case n == 0 || at[i]/time.Minute != when[n-1]/time.Minute:
			when, least = append(when, at[i]), append(least, values[i])
		case values[i] < least[n-1]:
			when[n-1], least[n-1] = at[i], values[i]
		}
	}
	return when, least
}

func median(values []float64) float64 {
	s := slices.Sorted(slices.Values(values))
	if n := len(s); n%2 == 0 {
		return (s[n/2-1] + s[n/2]) / 2
	}
	return s[len(s)/2]
}

// bound is how far a gauge may drift.
func (t *trend) bound() float64 { return max(part*t.mid, t.gauge.noise) }

// flat reports whether the gauge did not grow. That it fell is no fault.
func (t *trend) flat() bool { return t.drift <= t.bound() }

func (t *trend) String() string {
	return fmt.Sprintf("%s: %.1f to %.1f, median %.1f, drift %+.1f of at most %.1f %s", t.gauge.name, t.least, t.most, t.mid, t.drift, t.bound(), t.gauge.unit)
}

func TestTrend(t *testing.T) {
	at := make([]time.Duration, 200)
	for i := range at {
		at[i] = time.Duration(i) * 3 * time.Second
	}
	for _, tt := range []struct {
		name  string
		value func(i int) float64
		flat  bool
		heap  bool // Only troughs count.
	}{
		{"level", func(int) float64 { return 100 }, true, false},
		{"a saw", func(i int) float64 { return 100 + float64(i%20) }, true, false},
		{"a spike", func(i int) float64 { return 100 + 1000*float64(i/199) }, true, false},
		{"a step, early", func(i int) float64 { return 100 + 20*math.Min(1, float64(i/10)) }, true, false},
		{"falling", func(i int) float64 { return 100 - float64(i)/10 }, true, false},
		{"within the noise", func(i int) float64 { return 10 + float64(i)/200 }, true, false},
		{"rising", func(i int) float64 { return 100 + float64(i)/10 }, false, false},
		{"a rising saw", func(i int) float64 { return 100 + float64(i%20) + float64(i)/10 }, false, false},
		{"teeth of many sizes", func(i int) float64 { return 100 + float64(i%(7+i/20)) }, true, true},
		{"troughs that rise", func(i int) float64 { return 100 + float64(i%10)*5 + float64(i)/10 }, false, true},
		{"a leak of little", func(i int) float64 { return 10 + float64(i)/60 }, false, false},
	} {
		values := make([]float64, len(at))
		for i := range values {
			values[i] = tt.value(i)
		}
		g := &gauge{name: "memory", noise: 2, troughs: tt.heap}
		if got := trendOf(g, at, values); got.flat() != tt.flat {
			t.Errorf("%s: flat() = %v, want %v (%v)", tt.name, got.flat(), tt.flat, &got)
		}
	}
}
