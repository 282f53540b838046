package verify

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/verimails/verimaild/verify/address"
	"github.com/verimails/verimaild/verify/verdict"
)

// After a burst of answers that say nothing, none is held for longer than twice the time that it is given again for, whether
// somebody asks or not.
func TestUnknownsGoByThemselves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := unknowns{now: time.Now}
		defer u.close()
		keep := func(email string) {
			t.Helper()
			a, err := address.Parse(email)
			if err != nil {
				t.Fatal(err)
			}
			u.keep(a, &verdict.Answer{}, noNote{}, time.Now())
		}
		held := func() int {
			synctest.Wait()
			u.mu.Lock()
			defer u.mu.Unlock()
			return len(u.answers)
		}
		keep("ada@example.com")
		time.Sleep(minRepeat / 2)
		keep("bob@example.com")
		for _, want := range []int{2, 1, 1, 0} {
			if got := held(); got != want {
				t.Errorf("%d answers held, want %d", got, want)
			}
			time.Sleep(minRepeat / 2)
		}
		keep("eve@example.com")
		time.Sleep(minRepeat)
		if got := held(); got != 0 {
			t.Errorf("%d answers held after another one, want none", got)
		}
	})
}
