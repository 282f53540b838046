package warmup

import (
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	for _, row := range []struct{ text, want, err string }{
		{"", "none", ""},
		{"none", "none", ""},
		{"50, 100, 250", "50, 100, 250", ""},
		{" 1,2 ", "1, 2", ""},
		{"default", "50, 75, 112, 168, 252, 378, 567, 850, 1275, 1912, 2868, 4302, 6453, 9679, 10000", ""},
		{"Default", "", "is not none, default"},
		{"50 100", "", "is not none, default"},
		{"50,", "", "is not none, default"},
		{"0, 10", "", "out of range"},
		{"10000000", "10000000", ""},
		{"10000001", "", "out of range"},
		{"-1", "", "out of range"},
		{"99999999999999999999", "", "out of range"},
		{"10, 10", "", "10 does not come after 10"},
		{strings.TrimSuffix(strings.Repeat("1,", 400), ","), "", "does not come after"},
	} {
		t.Run(row.text, func(t *testing.T) {
			got, err := Parse(row.text)
			if row.err == "" && (err != nil || got.String() != row.want) {
				t.Errorf("Parse(%q) = %v, %v, want %s", row.text, got, err, row.want)
			}
			if row.err != "" && (err == nil || !strings.Contains(err.Error(), row.err)) {
				t.Errorf("Parse(%q) = %v, want an error with %q", row.text, err, row.err)
			}
		})
	}
	long := make([]string, maxSteps+1)
	for i := range long {
		long[i] = fmt.Sprint(i + 1)
	}
	if _, err := Parse(strings.Join(long, ",")); err == nil {
		t.Error("Parse of too many days = nil, want an error")
	}
}

// A use is one day of a source: how long after the day before, and what came of it.
type use struct {
	gap                   int // Days since; 0 means the next one.
	asked, dead, refusals int
	want                  int // The allowance of that day; Unlimited if the warm-up is over.
}

func TestState(t *testing.T) {
	table := Schedule{[]int{50, 100, 250}}
	all := func(n int) use { return use{asked: n, want: n} }
	for _, row := range []struct {
		name  string
		sched Schedule
		days  []use
	}{
		{"none", Schedule{}, []use{{asked: 100000, dead: 99999, refusals: 9, want: Unlimited}, {want: Unlimited}}},
		{"clean days", table, []use{all(50), all(100), all(250), {want: Unlimited}}},
		{"a day too few ask about", table, []use{all(50), {asked: 19, want: 100}, {asked: 20, want: 100}, {want: 250}}},
		{"a day with a refusal of the source", table, []use{all(50), {asked: 100, refusals: 1, want: 100}, all(100), {want: 250}}},
		{"two in a row halve", table, []use{all(50), all(100), {asked: 250, refusals: 1, want: 250}, {refusals: 1, want: 250}, {want: 125}}},
		{"never below the first", table, []use{{asked: 50, refusals: 1, want: 50}, {refusals: 1, want: 50}, {want: 50}}},
		{"and then on from there", table, []use{
			all(50), all(100), {refusals: 1, want: 250}, {refusals: 1, want: 250}, {asked: 125, want: 125}, {want: 250},
		}},
		{"a fifth dead is clean", table, []use{{asked: 50, dead: 10, want: 50}, {want: 100}}},
		{"more is not", table, []use{{asked: 50, dead: 11, want: 50}, {want: 50}}},
		{"of few recipients it says nothing", table, []use{{asked: 19, dead: 19, want: 50}, {want: 100}}},
		{"of twenty it does", table, []use{{asked: 20, dead: 5, want: 50}, {want: 50}}},
		{"two weeks idle", table, []use{all(50), all(100), {asked: 250, gap: 14, want: 250}}},
		{"longer", table, []use{all(50), all(100), {asked: 1, gap: 15, want: 62}, {want: 62}}},
		{"longer, when it was over", table, []use{all(50), all(100), all(250), {asked: 1, want: Unlimited}, {gap: 15, want: 62}}},
		{"a month idle", table, []use{all(50), all(100), {asked: 1, gap: 30, want: 62}}},
		{"longer than a month", table, []use{all(50), all(100), all(250), {asked: 1, gap: 31, want: 50}}},
		{"over stays over", table, []use{
			all(50), all(100), all(250), {asked: 1000, dead: 900, refusals: 5, want: Unlimited}, {refusals: 1, want: Unlimited}, {want: Unlimited},
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			var s State
			day := Day(20000)
			for i, u := range row.days {
				day += Day(u.gap) + 1
				s = s.On(day, row.sched)
				if got := s.Left(row.sched); got != u.want {
					t.Errorf("day %d: Left() = %d, want %d (%+v)", i+1, got, u.want, s)
				}
				s.Asked, s.Dead, s.Refusals = u.asked, u.dead, u.refusals
			}
		})
	}
}

// TestDefault: the ramp ends after two clean weeks and a day, and no day allows much more than the one before.
func TestDefault(t *testing.T) {
	s, days := State{}, 0
	last := 0
	for d := Day(1); ; d++ {
		s = s.On(d, Default())
		if s.Over {
			break
		}
		if last > 0 && s.Level > last*3/2 {
			t.Errorf("day %d allows %d after %d", d, s.Level, last)
		}
		last, days, s.Asked = s.Level, days+1, s.Level
	}
	if days != 15 || last != 10_000 {
		t.Errorf("%d days, the last of %d, want 15 and 10000", days, last)
	}
}

func TestClockSetBack(t *testing.T) {
	sched := Schedule{[]int{50, 100}}
	s := State{}.On(100, sched)
	s.Asked = 50
	if got := s.On(99, sched); got.Left(sched) != 0 {
		t.Errorf("On(the day before).Left() = %d, want 0", got.Left(sched))
	}
}

// What was asked today still counts when today is looked at again.
func TestSameDay(t *testing.T) {
	sched := Schedule{[]int{50, 100}}
	s := State{}.On(100, sched)
	s.Asked, s.Refusals = 30, 1
	if got := s.On(100, sched); got != s {
		t.Errorf("On(the same day) = %+v, want %+v", got, s)
	}
}

// Days without a schedule neither take a source further nor throw it back, however long they last.
func TestScheduleIsSuspended(t *testing.T) {
	sched := Schedule{[]int{50, 100, 250}}
	for _, days := range []Day{1, 20, 40} {
		s := State{Day: 100, Level: 100, Asked: 100, Bad: 1}
		want := State{Day: 100 + days, Level: 100, Bad: 1}
		if got := s.On(100+days, Schedule{}); got != want {
			t.Errorf("On(%d days later) = %+v, want %+v", days, got, want)
		}
	}
	s := State{Day: 100, Level: 100, Asked: 100}.On(101, Schedule{}).On(102, sched)
	if got := s.Left(sched); got != 100 {
		t.Errorf("Left() when it is in force again = %d, want 100", got)
	}
}

// A provider may have a fifth of the day's allowance, and one recipient in any case.
func TestShare(t *testing.T) {
	sched := Schedule{[]int{3, 100}}
	for _, row := range []struct {
		state State
		sched Schedule
		want  int
	}{
		{State{Level: 100}, sched, 20},
		{State{Level: 3}, sched, 1},
		{State{Level: 100, Over: true}, sched, Unlimited},
		{State{Level: 100}, Schedule{}, Unlimited},
	} {
		if got := row.state.Share(row.sched); got != row.want {
			t.Errorf("%+v.Share(%v) = %d, want %d", row.state, row.sched, got, row.want)
		}
	}
}

func TestHeadroomAndHealth(t *testing.T) {
	sched := Schedule{[]int{100}}
	for _, row := range []struct {
		asked int
		want  float64
	}{{0, 1}, {50, 1}, {51, 0.5}, {75, 0.5}, {76, 0.25}, {88, 0.125}, {95, 0.0625}, {99, 0.0625}, {100, 0}, {120, 0}} {
		s := State{Day: 1, Level: 100, Asked: row.asked}
		if got := s.Headroom(sched); got != row.want {
			t.Errorf("Headroom with %d of 100 asked = %v, want %v", row.asked, got, row.want)
		}
	}
	for _, row := range []struct {
		today, before int
		want          float64
	}{{0, 0, 1}, {1, 0, 0.5}, {0, 1, 0.5}, {1, 2, 0.25}, {9, 0, 0.25}} {
		s := State{Refusals: row.today, Before: row.before}
		if got := s.Health(); got != row.want {
			t.Errorf("Health with %d and %d refusals = %v, want %v", row.today, row.before, got, row.want)
		}
	}
	s := State{Day: 10, Refusals: 3}
	if got := s.On(11, sched).Health(); got != 0.25 {
		t.Errorf("the day after: Health() = %v, want 0.25", got)
	}
	if got := s.On(12, sched).Health(); got != 1 {
		t.Errorf("two days after: Health() = %v, want 1", got)
	}
}

func TestDay(t *testing.T) {
	for _, row := range []struct {
		at   string
		want Day
	}{
		{"1970-01-01T00:00:00Z", 0},
		{"1970-01-01T23:59:59Z", 0},
		{"1970-01-02T00:00:00Z", 1},
		{"1969-12-31T23:59:59Z", -1},
		{"1969-12-31T00:00:00Z", -1},
		{"1969-12-30T23:59:59Z", -2},
		{"1970-01-02T00:30:00+01:00", 0},
	} {
		at, err := time.Parse(time.RFC3339, row.at)
		if err != nil {
			t.Fatal(err)
		}
		if got := DayOf(at); got != row.want {
			t.Errorf("DayOf(%s) = %d, want %d", row.at, got, row.want)
		}
	}
	if got := DayOf(Day(20000).Begin()); got != 20000 {
		t.Errorf("DayOf(Begin()) = %d, want 20000", got)
	}
}

func fullRecord() Record {
	return Record{
		Identity: 1<<63 + 7, Leased: 120, Drained: true, Providers: []Share{{"google", 7}, {"yahoo", 1}},
		State: State{Day: 20000, Level: 168, Over: true, Bad: 1, Asked: 100, Dead: 12, Refusals: 2, Before: 3},
	}
}

func TestRecord(t *testing.T) {
	long := Record{Providers: []Share{{strings.Repeat("x", idLength), 1}}}
	for _, want := range []Record{{}, fullRecord(), long, {State: State{Level: Unlimited}}} {
		got, err := Decode(want.Append(nil))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("Decode(Append(%+v)) = %+v, %v", want, got, err)
		}
	}
	r := fullRecord()
	whole := r.Append(nil)
	for n := range whole {
		if _, err := Decode(whole[:n]); err == nil {
			t.Errorf("Decode of the first %d bytes = nil, want an error", n)
		}
	}
	const onDisk = "01038000000000000007a09c01a80101640c0203780206676f6f676c6507057961686f6f01"
	if got := hex.EncodeToString(whole); got != onDisk {
		t.Errorf("Append = %s, want %s as ever", got, onDisk)
	}
	for name, bad := range map[string]Record{
		"out of order":           {Providers: []Share{{"yahoo", 1}, {"google", 1}}},
		"one twice":              {Providers: []Share{{"google", 1}, {"google", 1}}},
		"without name":           {Providers: []Share{{"", 1}}},
		"a long name":            {Providers: []Share{{strings.Repeat("x", idLength+1), 1}}},
		"a large count":          {Leased: most + 1},
		"a level above all":      {State: State{Level: Unlimited + 1}},
		"a late day":             {State: State{Day: 1<<30 + 1}},
		"more asked than leased": {State: State{Asked: 2}, Leased: 1},
	} {
		if got, err := Decode(bad.Append(nil)); !errors.Is(err, ErrRecord) {
			t.Errorf("%s: Decode = %+v, %v, want %v", name, got, err, ErrRecord)
		}
	}
	if _, err := Decode(append(whole, 0)); err == nil {
		t.Error("Decode of one byte more = nil, want an error")
	}
	newer := slices.Clone(whole)
	newer[0]++
	if _, err := Decode(newer); err == nil {
		t.Error("Decode of a newer version = nil, want an error")
	}
}

func FuzzDecode(f *testing.F) {
	r := fullRecord()
	f.Add(r.Append(nil))
	f.Add((&Record{}).Append(nil))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := Decode(b)
		if err != nil {
			return
		}
		again, err := Decode(r.Append(nil))
		if err != nil || !reflect.DeepEqual(again, r) {
			t.Errorf("Decode(Append(%+v)) = %+v, %v", r, again, err)
		}
		s := r.State.On(r.State.Day+1, Default())
		if left := s.Left(Default()); left < 0 || left > Unlimited {
			t.Errorf("Left() = %d", left)
		}
	})
}
