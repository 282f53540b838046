package budget

import (
	"math/rand/v2"
	"testing"
	"time"
)

// No hour, wherever it begins, holds more than the limit, whatever the caller asks for and when.
func TestWindowHoldsEveryHour(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 200 {
		limit := 1 + r.IntN(30)
		var w Window
		var spent []time.Duration
		now := 48 * time.Hour
		for range 2000 {
			now += time.Duration(r.Int64N(int64(10 * time.Minute)))
			if w.Spent(now) < limit {
				w.Add(now, 1)
				spent = append(spent, now)
			}
		}
		for i := range spent {
			n := 0
			for _, at := range spent[i:] {
				if at < spent[i]+time.Hour {
					n++
				}
			}
			if n > limit {
				t.Fatalf("limit %d: %d within the hour from %v", limit, n, spent[i])
			}
		}
	}
}

func TestWindowRoom(t *testing.T) {
	var w Window
	now := 48 * time.Hour
	w.Add(now, 3)
	w.Add(now+10*time.Minute, 2)
	later := now + 20*time.Minute
	for _, test := range []struct {
		name     string
		limit, n int
		held     int
		want     time.Duration
	}{
		{"there is room", 6, 1, 0, later},
		{"the oldest have to go", 5, 1, 0, now + span*time.Minute},
		{"what is held counts", 6, 1, 1, now + span*time.Minute},
		{"all have to go", 5, 4, 0, now + 10*time.Minute + span*time.Minute},
		{"it will never fit", 2, 3, 0, Never},
	} {
		if got := w.Room(later, test.limit, test.held, test.n); got != test.want {
			t.Errorf("%s: Room(limit %d, held %d, n %d) = %v, want %v", test.name, test.limit, test.held, test.n, got, test.want)
		}
		if test.want != Never {
			if again := w.Room(test.want, test.limit, test.held, test.n); again > test.want {
				t.Errorf("%s: at %v there is still no room", test.name, test.want)
			}
		}
		w = Window{}
		w.Add(now, 3)
		w.Add(now+10*time.Minute, 2)
	}
}

func TestWindowIsRestored(t *testing.T) {
	var w, r Window
	now := 50 * time.Hour
	w.Add(now, 3)
	w.Add(now+30*time.Minute, 2)
	notes := w.Minutes(now + 40*time.Minute)
	for _, test := range []struct {
		name    string
		elapsed time.Duration
		want    int
	}{
		{"at once", 0, 5},
		{"after a quarter of an hour", 15 * time.Minute, 5},
		{"after half an hour", 30 * time.Minute, 2},
		{"after an hour", time.Hour, 0},
		{"a clock that was set back forgives nothing", -3 * time.Hour, 5},
	} {
		r.Restore(48*time.Hour, test.elapsed, notes)
		if got := r.Spent(48 * time.Hour); got != test.want {
			t.Errorf("%s: Spent = %d, want %d", test.name, got, test.want)
		}
	}
}

func TestBucket(t *testing.T) {
	var b Bucket
	now := 48 * time.Hour
	if got := b.Room(now, 6, 5); got != 5 {
		t.Errorf("a fresh bucket has room for %d, want its burst of 5", got)
	}
	b.Take(now, 6, 5)
	if got := b.Room(now, 6, 5); got != 0 {
		t.Errorf("an emptied bucket has room for %d, want none", got)
	}
	if got, want := b.Next(now, 6, 5, 1), now+10*time.Second; got != want {
		t.Errorf("Next(1) = %v, want %v", got, want)
	}
	if got, want := b.Next(now, 6, 5, 3), now+30*time.Second; got != want {
		t.Errorf("Next(3) = %v, want %v", got, want)
	}
	if got := b.Room(now+20*time.Second, 6, 5); got != 2 {
		t.Errorf("after 20s there is room for %d, want 2", got)
	}
	b.Give(6, 2)
	if got := b.Room(now, 6, 5); got != 2 {
		t.Errorf("after two were given back there is room for %d, want 2", got)
	}
	if got := b.Room(now+time.Hour, 6, 5); got != 5 {
		t.Errorf("after an hour there is room for %d, want no more than the burst", got)
	}
	var r Bucket
	r.Restore(now, time.Second, b.Debt(now))
	if got, want := r.Debt(now), b.Debt(now)-time.Second; got != want {
		t.Errorf("the restored debt is %v, want %v", got, want)
	}
	if got := new(Bucket).Room(now, 0, 5); got != Lifted {
		t.Errorf("without a rate there is room for %d, want Lifted", got)
	}
}

func TestRatio(t *testing.T) {
	var r Ratio
	now := 48 * time.Hour
	for i := range 40 {
		r.Add(now, i%4 == 0)
	}
	if share, of := r.Share(now); share != 0.25 || of != 40 {
		t.Errorf("Share = %v of %d, want 0.25 of 40", share, of)
	}
	var again Ratio
	again.Restore(now, 10*time.Minute, r.Events(now))
	if share, of := again.Share(now); share != 0.25 || of != 40 {
		t.Errorf("restored: Share = %v of %d, want 0.25 of 40", share, of)
	}
	if _, of := again.Share(now + 51*time.Minute); of != 0 {
		t.Errorf("an hour later %d count, want none", of)
	}
	for range 50 {
		r.Add(now, false)
	}
	if share, of := r.Share(now); share != 0 || of != 50 {
		t.Errorf("Share = %v of %d, want the last 50 only", share, of)
	}
}

func TestBreaker(t *testing.T) {
	var b Breaker
	now := 48 * time.Hour
	for i, want := range []State{Closed, Closed, Open} {
		b.Fail(now)
		if got := b.State(now); got != want {
			t.Errorf("after %d failures: state %d, want %d", i+1, got, want)
		}
	}
	for i, open := range []time.Duration{15 * time.Minute, time.Hour, 4 * time.Hour, 12 * time.Hour, 12 * time.Hour} {
		if got := b.Until - now; got != open {
			t.Errorf("opening %d: %v, want %v", i+1, got, open)
		}
		now = b.Until
		if got := b.State(now); got != HalfOpen {
			t.Fatalf("state %d, want the test to be due", got)
		}
		b.Fail(now)
	}
	now = b.Until
	b.Pass()
	if got := b.State(now); got != Probation {
		t.Fatalf("after the test: state %d, want probation", got)
	}
	for range trust {
		b.Pass()
	}
	if got := b.State(now); got != Closed {
		t.Errorf("after %d clean results: state %d, want closed", trust, got)
	}
	b.Trip(now+25*time.Hour, 0)
	if got := b.Until - (now + 25*time.Hour); got != 15*time.Minute {
		t.Errorf("a day later it opens for %v, want 15m again", got)
	}
	b.Trip(now+26*time.Hour, 6*time.Hour)
	if got := b.Until - (now + 26*time.Hour); got != 6*time.Hour {
		t.Errorf("told 6h it opens for %v", got)
	}
}

func TestPenalty(t *testing.T) {
	for _, test := range []struct {
		failures int
		timedOut bool
		want     time.Duration
	}{
		{1, false, 0},
		{3, true, 0},
		{4, false, 15 * time.Second},
		{5, false, time.Minute},
		{4, true, 15 * time.Minute},
		{1000, false, time.Hour},
	} {
		if got := Penalty(test.failures, test.timedOut); got != test.want {
			t.Errorf("Penalty(%d, %v) = %v, want %v", test.failures, test.timedOut, got, test.want)
		}
	}
}

func TestRoomInAll(t *testing.T) {
	var a, b Window
	now := 48 * time.Hour
	a.Add(now, 3)
	b.Add(now+10*time.Minute, 4)
	later := now + 20*time.Minute
	for _, test := range []struct {
		name           string
		limit, held, n int
		want           time.Duration
	}{
		{"there is room", 8, 0, 1, later},
		{"the oldest of either have to go", 7, 0, 1, now + span*time.Minute},
		{"what is held counts", 8, 1, 1, now + span*time.Minute},
		{"those of both have to go", 4, 0, 1, now + 10*time.Minute + span*time.Minute},
		{"it will never fit", 2, 2, 1, Never},
	} {
		if got := RoomInAll(later, test.limit, test.held, test.n, &a, &b); got != test.want {
			t.Errorf("%s: RoomInAll(limit %d, held %d, n %d) = %v, want %v", test.name, test.limit, test.held, test.n, got, test.want)
		}
	}
}

func TestWindowRemove(t *testing.T) {
	var w Window
	now := 48 * time.Hour
	w.Add(now, 2)
	w.Remove(now+time.Minute, now, 1)
	if got := w.Spent(now + time.Minute); got != 1 {
		t.Errorf("Spent() = %d after one of two was taken back, want 1", got)
	}
	w.Add(now+span*time.Minute, 1) // In the slot of the first, which it has forgotten.
	w.Remove(now+span*time.Minute, now, 1)
	if got := w.Spent(now + span*time.Minute); got != 1 {
		t.Errorf("Spent() = %d after one long gone was taken back, want 1", got)
	}
	w.Remove(now+span*time.Minute, now+span*time.Minute, 5)
	if got := w.Spent(now + span*time.Minute); got != 0 {
		t.Errorf("Spent() = %d after more was taken back than there was, want 0", got)
	}
}

// TestThrough holds Through against what it stands for: events that happen one by one, each as soon as there is room.
func TestThrough(t *testing.T) {
	for _, tt := range []struct{ spent, limit, n int }{
		{0, 5, 0}, {10, 5, 0}, {0, 5, 5}, {0, 5, 6}, {3, 5, 2}, {3, 5, 3}, {5, 5, 1}, {5, 5, 12}, {2, 1, 3}, {4, 0, 100},
	} {
		var w Window
		now := 100 * time.Hour
		for i := range tt.spent {
			w.Add(now-time.Duration(tt.spent-i)*time.Minute, 1)
		}
		got, want := w.Through(now, tt.limit, tt.n), now
		if tt.limit > 0 {
			for range tt.n {
				want = w.Room(want, tt.limit, 0, 1)
				w.Add(want, 1)
			}
		}
		if diff := (got - want).Abs(); diff > 5*time.Minute {
			t.Errorf("with %d spent: Through(%d of %d) = %v from now, want %v", tt.spent, tt.n, tt.limit, got-now, want-now)
		}
	}
}
