package bulk

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/verimails/verimaild/internal/store"
	"github.com/verimails/verimaild/verify"
	"github.com/verimails/verimaild/verify/verdict"
)

// A moody verifier answers, puts off, has no budget, fails, takes its time, as chance has it; in the end it answers each
// address in its one way.
type moody struct {
	mu     sync.Mutex
	rand   *rand.Rand
	asked  map[string]int
	answer map[string]int // How often it gave the final answer.
	cuts   map[string]int // How often a question was given up before its answer.
}

func (m *moody) chance(n int) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.rand.IntN(n) == 0
}

func truth(email string) verdict.Reason {
	reasons := []verdict.Reason{verdict.MailboxAccepted, verdict.MailboxNotFound, verdict.AcceptedCatchAll, verdict.ServerTempfail}
	return reasons[len(email)%len(reasons)]
}

func (m *moody) Verify(ctx context.Context, req verify.Request) (*verdict.Answer, error) {
	m.mu.Lock()
	m.asked[req.Email]++
	m.mu.Unlock()
	if m.chance(8) {
		wait := time.NewTimer(time.Duration(len(req.Email)) * time.Millisecond)
		defer wait.Stop()
		select {
		case <-wait.C:
		case <-ctx.Done():
			m.mu.Lock()
			m.cuts[req.Email]++
			m.mu.Unlock()
			return nil, context.Cause(ctx)
		}
	}
	switch {
	case m.chance(10):
		return later(req.Email, verdict.Greylisted, 5*time.Millisecond), nil
	case m.chance(10):
		return later(req.Email, verdict.BudgetExhausted, 10*time.Millisecond), nil
	case m.chance(20):
		return later(req.Email, verdict.DeadlineExceeded, time.Millisecond), nil
	case m.chance(50):
		return nil, quotaError{}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.answer[req.Email]++
	return answer(req.Email, truth(req.Email)), nil
}

// A quotaError is what a meter says.
type quotaError struct{}

func (quotaError) Error() string             { return "spent" }
func (quotaError) RetryAfter() time.Duration { return 3 * time.Millisecond }

// TestEachRowEndsOnce runs jobs through pauses, resumptions and restarts that cut questions short: each row ends with
// exactly one outcome, that of its address, and no address is asked again that was answered and written.
func TestEachRowEndsOnce(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { eachRowEndsOnce(t, seed) })
	}
}

func eachRowEndsOnce(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 7))
	m := &moody{rand: rand.New(rand.NewPCG(seed, 8)), asked: map[string]int{}, answer: map[string]int{}, cuts: map[string]int{}}
	rig := newRig(t, nil, func(o *Options) { o.Verifier = m })
	var list []string
	for range 600 {
		list = append(list, fmt.Sprintf("u%d@d%d.test", r.IntN(400), r.IntN(30)))
	}
	list = append(list, "not an address", "not an address")
	id := rig.create(Spec{}, strings.Join(list, "\n")).ID
	restarts := 0
	for range 12 {
		pause := time.NewTimer(time.Duration(r.IntN(40)) * time.Millisecond)
		<-pause.C
		switch r.IntN(3) {
		case 0:
			restarts++
			rig.restart()
		case 1:
			_, _ = rig.Pause(t.Context(), "", id) // It may have ended.
			if r.IntN(2) == 0 {
				restarts++
				rig.restart()
			}
			_, _ = rig.Resume(t.Context(), "", id) // As above.
		case 2: // Just goes on.
		}
	}
	info := rig.finished(id)
	if int(info.Counts.Done) != len(list) || info.Counts.Waiting != 0 || info.Left() != 0 {
		t.Errorf("at the end %+v, want %d rows done and none waiting", info.Counts, len(list))
	}
	got := rig.reasons(id)
	for i, a := range list {
		want := a + " " + string(truth(a))
		if !strings.Contains(a, "@") {
			want = a + " invalid_syntax"
		}
		if got[i] != want {
			t.Fatalf("row %d: %q, want %q", i, got[i], want)
		}
	}
	outcomes, seen := 0, map[uint64]bool{}
	for it, err := range rig.records.outcomes.Scan(store.Range{Prefix: []byte(id)}) {
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range it.Value.rows {
			if outcomes++; seen[o.row] {
				t.Errorf("row %d has two outcomes", o.row)
			}
			seen[o.row] = true
		}
	}
	slices.Sort(list)
	if different := len(slices.Compact(list)); outcomes != different || info.Counts.Answers != int64(different) {
		t.Errorf("%d outcomes, counted as %d, want one for each of %d addresses", outcomes, info.Counts.Answers, different)
	}
	for email, n := range m.answer {
		if n > 1+restarts {
			t.Errorf("%s was answered %d times in %d runs", email, n, restarts+1)
		}
	}
}
