// Package warmup says how many recipients a source that is new to the world may ask about in a day: few at first, and
// more after each day on which nobody took offence. Everything in it is a function of what is known and of the day.
package warmup

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Unlimited is the allowance of a source that is not being warmed up.
const Unlimited = 1 << 30

// The default ramp: half as many again after each clean day, so that it takes two weeks.
const (
	defaultFirst = 50
	defaultLast  = 10_000
)

// MaxStep is the largest allowance of a schedule.
const MaxStep = 10_000_000

// maxSteps is the most days of a schedule.
const maxSteps = 365

// A Schedule is the allowances of successive clean days, each larger than the one before. Past the last the warm-up is
// over. The zero Schedule has none: there is no warm-up. Schedules are not changed once made.
type Schedule struct{ steps []int }

// Default is the schedule of those who have no plan of their own: 50 on the first day, half as many again after each
// clean one, and 10000 on the last.
func Default() Schedule {
	var s Schedule
	for n := defaultFirst; n < defaultLast; n += n / 2 {
		s.steps = append(s.steps, n)
	}
	s.steps = append(s.steps, defaultLast)
	return s
}

// errForm is what is said of a schedule that is none of the forms.
var errForm = errors.New(`is not none, default, or the allowances of successive days, such as "50, 100, 250"`)

// Parse reads "none" or "", "default", or numbers with commas between them.
func Parse(text string) (Schedule, error) {
	switch text = strings.TrimSpace(text); text {
	case "", "none":
		return Schedule{}, nil
	case "default":
		return Default(), nil
	}
	var s Schedule
	last := 0
	for item := range strings.SplitSeq(text, ",") {
		item = strings.TrimSpace(item)
		n, err := strconv.Atoi(item)
		switch {
		case errors.Is(err, strconv.ErrRange), err == nil && (n < 1 || n > MaxStep):
			return Schedule{}, fmt.Errorf("%q is out of range: 1 to %d", item, MaxStep)
		case err != nil:
			return Schedule{}, errForm
		case n <= last:
			return Schedule{}, fmt.Errorf("%d does not come after %d: each day allows more than the one before", n, last)
		case len(s.steps) == maxSteps:
			return Schedule{}, fmt.Errorf("has more than %d days", maxSteps)
		}
		s.steps = append(s.steps, n)
		last = n
	}
	return s, nil
}

// Active reports whether s limits anything.
func (s Schedule) Active() bool { return len(s.steps) > 0 }

// String is s as [Parse] reads it.
func (s Schedule) String() string {
	if !s.Active() {
		return "none"
	}
	items := make([]string, len(s.steps))
	for i, n := range s.steps {
		items[i] = strconv.Itoa(n)
	}
	return strings.Join(items, ", ")
}

// first and last are the smallest and the largest allowance.
func (s Schedule) first() int { return s.steps[0] }

func (s Schedule) last() int { return s.steps[len(s.steps)-1] }

// after is the first allowance above n, and false if the schedule ends there.
func (s Schedule) after(n int) (int, bool) {
	for _, step := range s.steps {
		if step > n {
			return step, true
		}
	}
	return 0, false
}
