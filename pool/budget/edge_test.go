package budget

import (
	"slices"
	"testing"
	"time"
)

// A breaker on probation closes at the third clean result, and not before.
func TestProbation(t *testing.T) {
	var b Breaker
	b.Trip(time.Hour, 0)
	b.Pass()
	for i := range trust {
		if got := b.State(3 * time.Hour); got != Probation {
			t.Fatalf("State() after %d clean results = %d, want %d", i, got, Probation)
		}
		b.Pass()
	}
	if got := b.State(3 * time.Hour); got != Closed {
		t.Errorf("State() = %d, want %d", got, Closed)
	}
}

// Openings in a row grow longer, until a day has gone by since the last one was over.
func TestOpeningsAreForgiven(t *testing.T) {
	for _, test := range []struct {
		name string
		gap  time.Duration // Since the first was over.
		want time.Duration
	}{
		{"at once", 0, time.Hour}, {"after a day", forgiven, time.Hour}, {"after more", forgiven + 1, 15 * time.Minute},
	} {
		var b Breaker
		b.Trip(time.Hour, 0)
		now := b.Until + test.gap
		b.Trip(now, 0)
		if got := b.Until - now; got != test.want {
			t.Errorf("%s: the second is open for %v, want %v", test.name, got, test.want)
		}
	}
	var b Breaker
	b.Trip(100*time.Hour, 0)
	if got := b.Until - 100*time.Hour; got != 15*time.Minute {
		t.Errorf("the first is open for %v, want 15m", got)
	}
}

// A rate of 0 is none.
func TestLiftedBucket(t *testing.T) {
	var b Bucket
	b.Take(time.Hour, 0, 5)
	b.Give(0, 3)
	if b != (Bucket{}) || b.Room(time.Hour, 0, 3) != Lifted || b.Next(time.Hour, 0, 3, 9) != time.Hour {
		t.Errorf("a bucket without a rate has %v, room for %d, the next at %v", b, b.Room(time.Hour, 0, 3), b.Next(time.Hour, 0, 3, 9))
	}
}

// The share goes by the last hour, to the minute, and by no more than the last fifty.
func TestWhatARatioGoesBy(t *testing.T) {
	var r Ratio
	now := 10 * time.Hour
	r.Add(now, true)
	for _, test := range []struct {
		after time.Duration
		of    int
	}{{0, 1}, {time.Hour, 1}, {time.Hour + 1, 0}} {
		if _, of := r.Share(now + test.after); of != test.of {
			t.Errorf("after %v the share is one of %d, want %d", test.after, of, test.of)
		}
	}
	if got, want := r.Events(now+time.Hour), []Event{{60, true}}; !slices.Equal(got, want) {
		t.Errorf("Events() after an hour = %v, want %v", got, want)
	}
	if got := r.Events(now + 61*time.Minute); len(got) != 0 {
		t.Errorf("Events() after 61 minutes = %v, want none", got)
	}
	r = Ratio{}
	for i := range sample + 10 {
		r.Add(now+time.Duration(i/20)*time.Minute, i%2 == 0)
	}
	got := r.Events(now + 2*time.Minute)
	if len(got) != sample || got[0] != (Event{2, true}) || got[sample-1] != (Event{0, false}) {
		t.Errorf("Events() = %d, from %v to %v, want %d, the oldest first", len(got), got[0], got[len(got)-1], sample)
	}
	var back Ratio
	back.Restore(now+5*time.Minute, 3*time.Minute, got)
	share, of := back.Share(now + 5*time.Minute)
	if again := back.Events(now + 5*time.Minute); of != sample || share != 0.5 || again[0] != (Event{5, true}) || again[sample-1] != (Event{3, false}) {
		t.Errorf("restored: share %v of %d, from %v to %v, want them three minutes older", share, of, again[0], again[sample-1])
	}
	back.Restore(time.Minute, 0, []Event{{1, true}, {2, true}}) // The second is from before there was time.
	if _, of := back.Share(time.Minute); of != 1 {
		t.Errorf("restored of before time began: %d, want 1", of)
	}
}

// An old event in the ring hides none of the newer ones.
func TestRatioPassesOverTheOld(t *testing.T) {
	var r Ratio
	now := 10 * time.Hour
	r.Add(now, true)
	r.Add(now+2*time.Hour, true)
	if share, of := r.Share(now + 2*time.Hour); share != 1 || of != 1 {
		t.Errorf("Share() = %v of %d, want 1 of 1", share, of)
	}
}

// A minute counts as much as it can hold, and is forgotten whole.
func TestFullMinute(t *testing.T) {
	const most = 1<<16 - 1
	var w Window
	now := 10 * time.Hour
	w.Add(now, most-5)
	w.Add(now, 10)
	if got := w.Spent(now); got != most {
		t.Errorf("Spent() = %d, want the %d that fit", got, most)
	}
	if got := w.Spent(now + span*time.Minute); got != 0 {
		t.Errorf("Spent() when the minute has left the window = %d, want 0", got)
	}
	w.Add(now+2*time.Hour, most+3)
	if got := w.Spent(now + 2*time.Hour); got != most {
		t.Errorf("Spent() of more at once = %d, want %d", got, most)
	}
}

// What happened in the first minute of the epoch can be taken back, as in any other.
func TestFirstMinute(t *testing.T) {
	var w Window
	w.Add(30*time.Second, 2)
	w.Remove(time.Minute, 40*time.Second, 1)
	if got := w.Spent(time.Minute); got != 1 {
		t.Errorf("Spent() = %d, want 1", got)
	}
	var back Window
	back.Restore(10*time.Minute, 0, []Minute{{10, 3}, {11, 4}}) // The second is from before there was time.
	if got := back.Spent(10 * time.Minute); got != 3 {
		t.Errorf("restored: Spent() = %d, want 3", got)
	}
}

// Minutes lists each minute in which something happened once, from the oldest in the window to the one that has begun.
func TestMinutes(t *testing.T) {
	var w Window
	now := 10 * time.Hour
	w.Add(now, 1)
	w.Add(now+time.Minute, 2)
	w.Add(now+(span-1)*time.Minute, 3)
	w.Add(now+span*time.Minute, 4)
	got := w.Minutes(now + span*time.Minute)
	if want := []Minute{{span - 1, 2}, {1, 3}, {0, 4}}; !slices.Equal(got, want) {
		t.Errorf("Minutes() = %v, want %v", got, want)
	}
}

// What was restored is forgotten when it would have been, and what is too old is not taken for something new.
func TestRestoredWindowForgets(t *testing.T) {
	var w Window
	now := 10 * time.Hour
	w.Restore(now, 20*time.Minute, []Minute{{span - 20, 9}, {span - 21, 1}, {0, 2}})
	for _, tt := range []struct {
		after time.Duration
		want  int
	}{{0, 3}, {time.Minute, 2}, {(span - 21) * time.Minute, 2}, {(span - 20) * time.Minute, 0}} {
		if got := w.Spent(now + tt.after); got != tt.want {
			t.Errorf("Spent() %v after it was restored = %d, want %d", tt.after, got, tt.want)
		}
	}
}
