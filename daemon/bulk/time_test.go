package bulk

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/verimails/verimaild/pool"
	"github.com/verimails/verimaild/verify"
	"github.com/verimails/verimaild/verify/verdict"
)

func TestWaiting(t *testing.T) {
	for _, tt := range []struct {
		name   string
		reply  func(email string, n int) *verdict.Answer
		spec   Spec
		reason verdict.Reason
		asked  int
		took   time.Duration // To within two seconds.
	}{
		{
			"greylisted once", func(email string, n int) *verdict.Answer {
				if n == 1 {
					return later(email, verdict.Greylisted, 310*time.Second)
				}
				return answer(email, verdict.MailboxAccepted)
			}, Spec{Patience: time.Hour}, verdict.MailboxAccepted, 2, 310 * time.Second,
		},
		{
			"greylisted for ever", func(email string, _ int) *verdict.Answer {
				return later(email, verdict.Greylisted, 150*time.Second)
			}, Spec{Patience: 6 * time.Minute}, verdict.Greylisted, 3, 5 * time.Minute,
		},
		{
			"greylisted, without patience", func(email string, _ int) *verdict.Answer {
				return later(email, verdict.Greylisted, time.Minute)
			}, Spec{Patience: time.Nanosecond}, verdict.Greylisted, 1, 0,
		},
		{
			"greylisted, with no time told", func(email string, _ int) *verdict.Answer {
				return answer(email, verdict.Greylisted)
			}, Spec{Patience: time.Hour}, verdict.Greylisted, 1, 0,
		},
		{
			"no budget for longer than patience", func(email string, n int) *verdict.Answer {
				if n <= 3 {
					return later(email, verdict.BudgetExhausted, 3*time.Minute)
				}
				return answer(email, verdict.MailboxAccepted)
			}, Spec{Patience: time.Minute}, verdict.MailboxAccepted, 4, 9 * time.Minute,
		},
		{
			"a budget that is spent while it was greylisted", func(email string, n int) *verdict.Answer {
				switch n {
				case 1:
					return later(email, verdict.Greylisted, 2*time.Minute)
				case 2:
					return later(email, verdict.BudgetExhausted, 2*time.Minute)
				default:
					return answer(email, verdict.MailboxAccepted)
				}
			}, Spec{Patience: time.Hour}, verdict.MailboxAccepted, 3, 4 * time.Minute,
		},
		{
			"too late, then in time", func(email string, n int) *verdict.Answer {
				if n == 1 {
					return later(email, verdict.DeadlineExceeded, 30*time.Second)
				}
				return answer(email, verdict.MailboxNotFound)
			}, Spec{Patience: time.Hour}, verdict.MailboxNotFound, 2, 30 * time.Second,
		},
		{
			"a server in trouble", func(email string, n int) *verdict.Answer {
				if n == 1 {
					return later(email, verdict.ConnectRefused, 15*time.Minute)
				}
				return answer(email, verdict.MailboxAccepted)
			}, Spec{Patience: 12 * time.Hour}, verdict.MailboxAccepted, 2, 15 * time.Minute,
		},
		{
			"a server in trouble for long", func(email string, _ int) *verdict.Answer {
				return later(email, verdict.ServerTempfail, 15*time.Minute)
			}, Spec{Patience: 12 * time.Hour}, verdict.ServerTempfail, 3, 75 * time.Minute,
		},
		{
			"a server in trouble, without patience", func(email string, _ int) *verdict.Answer {
				return later(email, verdict.ConnectTimeout, 15*time.Minute)
			}, Spec{Patience: time.Nanosecond}, verdict.ConnectTimeout, 1, 0,
		},
		{
			"trouble between two greylistings", func(email string, n int) *verdict.Answer {
				switch n {
				case 1, 3, 4:
					return later(email, verdict.Greylisted, 10*time.Minute)
				case 2:
					return later(email, verdict.DNSTimeout, 2*time.Minute)
				}
				return answer(email, verdict.MailboxNotFound)
			}, Spec{Patience: 12 * time.Hour}, verdict.MailboxNotFound, 5, 32 * time.Minute,
		},
		{
			"what does not pass", func(email string, _ int) *verdict.Answer {
				return later(email, verdict.SourceBlocked, time.Hour)
			}, Spec{Patience: 12 * time.Hour}, verdict.SourceBlocked, 1, 0,
		},
		{
			"a sender that is refused everywhere, and mended", func(email string, n int) *verdict.Answer {
				if n == 1 {
					return later(email, verdict.SenderRefused, time.Hour)
				}
				return answer(email, verdict.MailboxAccepted)
			}, Spec{Patience: 12 * time.Hour}, verdict.MailboxAccepted, 2, time.Hour,
		},
		{
			"a sender that nobody mends", func(email string, _ int) *verdict.Answer {
				return later(email, verdict.SenderRefused, time.Hour)
			}, Spec{Patience: 12 * time.Hour}, verdict.SenderRefused, 3, 2 * time.Hour,
		},
		{
			"a sender that one site refuses for long", func(email string, _ int) *verdict.Answer {
				return later(email, verdict.SenderRefused, 4*time.Hour)
			}, Spec{Patience: 12 * time.Hour}, verdict.SenderRefused, 1, 0,
		},
		{
			"no budget, and a time limit", func(email string, _ int) *verdict.Answer {
				return later(email, verdict.BudgetExhausted, 4*time.Minute)
			}, Spec{TimeLimit: 6 * time.Minute}, verdict.BudgetExhausted, 2, 6 * time.Minute,
		},
		{
			"greylisted, and a time limit", func(email string, _ int) *verdict.Answer {
				return later(email, verdict.Greylisted, 4*time.Minute)
			}, Spec{TimeLimit: 6 * time.Minute}, verdict.Greylisted, 2, 6 * time.Minute,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &script{reply: func(req verify.Request, n int) (*verdict.Answer, error) { return tt.reply(req.Email, n), nil }}
				r := newRig(t, s)
				id := r.create(tt.spec, "ada@a.test\n").ID
				start := time.Now()
				r.finished(id)
				if took := time.Since(start); took < tt.took || took > tt.took+2*time.Second {
					t.Errorf("it took %v, want %v", took, tt.took)
				}
				if got, want := r.reasons(id)[0], "ada@a.test "+string(tt.reason); got != want {
					t.Errorf("result = %q, want %q", got, want)
				}
				if got := s.times["ada@a.test"]; got != tt.asked {
					t.Errorf("asked %d times, want %d", got, tt.asked)
				}
			})
		})
	}
}

// TestTimeLimitCutsShort: a question that is under way when the job's time is over was not answered in time; nothing is
// wrong on this host.
func TestTimeLimitCutsShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{hold: make(chan struct{})}
		r := newRig(t, s)
		id := r.create(Spec{TimeLimit: time.Minute}, "ada@a.test\nbob@a.test\ncleo@b.test\n").ID
		r.finished(id)
		for _, got := range r.reasons(id) {
			if !strings.HasSuffix(got, " "+string(verdict.DeadlineExceeded)) {
				t.Errorf("result = %q, want %s", got, verdict.DeadlineExceeded)
			}
		}
	})
}

// TestPatienceOutlivesRestart: a row's first reply counts, not that of the process; and what is overdue when the daemon
// comes back is not asked about any more.
func TestPatienceOutlivesRestart(t *testing.T) {
	for _, tt := range []struct {
		name  string
		away  time.Duration
		asked int
	}{
		{"back in time", time.Minute, 2},
		{"back too late", 7 * time.Minute, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &script{reply: func(req verify.Request, _ int) (*verdict.Answer, error) {
					return later(req.Email, verdict.Greylisted, 4*time.Minute), nil
				}}
				r := newRig(t, s)
				id := r.create(Spec{Patience: 6 * time.Minute}, "ada@a.test\n").ID
				r.await(id, "a row that waits", func(i *Info) bool { return i.Counts.Waiting == 1 })
				r.stop(time.Second)
				time.Sleep(tt.away)
				r.open()
				info := r.finished(id)
				if got := info.Counts.Reasons[verdict.Greylisted]; got != 1 || s.times["ada@a.test"] != tt.asked {
					t.Errorf("%d greylisted, asked %d times, want 1 and %d", got, s.times["ada@a.test"], tt.asked)
				}
			})
		})
	}
}

// TestStandstill has one site without a budget: its rows do not keep the others waiting, few of them try, and the job
// says what it waits for.
func TestStandstill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		open := time.Now().Add(10 * time.Minute)
		s := &script{}
		s.reply = func(req verify.Request, _ int) (*verdict.Answer, error) {
			a := answer(req.Email, verdict.MailboxAccepted)
			if req.Email[0] == 'g' {
				a.Provider, a.MX = "google", []verdict.MX{{Host: "mx.google.test"}}
				if time.Now().Before(open) {
					a.Reason, a.RetryAt = verdict.BudgetExhausted, open
				}
			}
			return a, nil
		}
		r := newRig(t, s)
		var list strings.Builder
		for d := range 40 {
			for u := range 5 {
				list.WriteString("g" + string(rune('a'+u)) + "@g" + string(rune('a'+d%26)) + string(rune('a'+d/26)) + ".test\n")
				list.WriteString("o" + string(rune('a'+u)) + "@o" + string(rune('a'+d%26)) + string(rune('a'+d/26)) + ".test\n")
			}
		}
		id := r.create(Spec{}, list.String()).ID
		info := r.await(id, "all others done", func(i *Info) bool { return i.Counts.Done == 200 && i.Live.Waiting == 200 })
		if took := time.Since(info.Created); took > time.Minute {
			t.Errorf("the others took %v, want them not to wait", took)
		}
		if len(info.Live.Standing) != 1 {
			t.Fatalf("standing = %+v, want one site", info.Live.Standing)
		}
		want := Standstill{Site: "google", Rows: 200, Until: open, Reason: verdict.BudgetExhausted, Why: verdict.BudgetExhausted.Explanation()}
		if got := info.Live.Standing[0]; got.Site != want.Site || got.Rows != want.Rows || !got.Until.Equal(open) || got.Why != want.Why {
			t.Errorf("standing = %+v, want %+v", got, want)
		}
		if left := info.Live.Left; !left.Known || left.Duration < 9*time.Minute {
			t.Errorf("left = %+v, want ten minutes and more", left)
		}
		if n := len(s.snapshot()); n > 200+200 {
			t.Errorf("%d questions so far, want no row asked about over and over", n)
		}
		r.finished(id)
		if took := time.Since(info.Created); took > 11*time.Minute {
			t.Errorf("all took %v, want little more than the ten minutes", took)
		}
	})
}

// TestStandstillOfOneLane: rows of a domain that was told to wait do so, though some of its questions are still out.
func TestStandstillOfOneLane(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		open := time.Now().Add(10 * time.Minute)
		hold := make(chan struct{})
		v := verifierFunc(func(ctx context.Context, req verify.Request) (*verdict.Answer, error) {
			if req.Email == "u7@d0.test" {
				select {
				case <-hold:
				case <-ctx.Done():
					return nil, context.Cause(ctx)
				}
			}
			if time.Now().Before(open) && req.Email != "u7@d0.test" {
				a := answer(req.Email, verdict.BudgetExhausted)
				a.RetryAt = open
				return a, nil
			}
			return answer(req.Email, verdict.MailboxAccepted), nil
		})
		r := newRig(t, nil, func(o *Options) { o.Verifier = v })
		id := r.create(Spec{}, manyRows(300, 1)).ID
		info := r.await(id, "a standstill", func(i *Info) bool { return i.Live.Waiting > 0 })
		if len(info.Live.Standing) != 1 || info.Live.Waiting < 299-64 || info.Live.Standing[0].Site != "mx.d0.test" {
			t.Errorf("%d wait: %+v; want all rows of the domain that are not asked about", info.Live.Waiting, info.Live.Standing)
		}
		close(hold)
		if done := r.finished(id); done.Counts.Done != 300 {
			t.Errorf("%d rows done, want 300", done.Counts.Done)
		}
	})
}

// TestRetention deletes a job once it has been kept long enough.
func TestRetention(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &script{}, func(o *Options) { o.Settings.Retention = 5 * time.Minute })
		id := r.create(Spec{}, "ada@a.test\n").ID
		info := r.finished(id)
		if want := info.Ended.Add(5 * time.Minute); !info.Expires.Equal(want) {
			t.Errorf("expires %v, want %v", info.Expires, want)
		}
		time.Sleep(4 * time.Minute)
		if _, err := r.Get("", id); err != nil {
			t.Errorf("Get() before its time = %v", err)
		}
		time.Sleep(3 * time.Minute)
		synctest.Wait()
		if _, err := r.Get("", id); !errors.Is(err, ErrNotFound) {
			t.Errorf("Get() after its time = %v, want %v", err, ErrNotFound)
		}
		r.wantNothing()
	})
}

// TestSortingWaitsForRoom: a list that is there is sorted once the disk has room again; its job does not fail.
func TestSortingWaitsForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		r := newRig(t, &script{}, func(o *Options) {
			o.Free = func(string) (uint64, error) {
				if asked++; asked == 1 || time.Since(start2000) > time.Minute { // The first is the upload's.
					return 1 << 40, nil
				}
				return 1 << 20, nil
			}
		})
		id := r.create(Spec{}, manyRows(5000, 3)).ID
		i := r.await(id, "its problem", func(i *Info) bool { return i.Problem != "" })
		if i.State != Preparing {
			t.Errorf("a job without room is %s, want %s", i.State, Preparing)
		}
		if i = r.finished(id); i.Problem != "" || i.Counts.Done != 5000 {
			t.Errorf("at its end: %+v", i)
		}
	})
}

// start2000 is when every bubble begins.
var start2000 = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// A fixedBudgets foretells what its test says, and remembers what it was asked.
type fixedBudgets struct {
	mu    sync.Mutex
	asked pool.Prospect
	look  pool.Outlook
}

func (b *fixedBudgets) Outlook(q pool.Prospect) (pool.Outlook, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked = q
	return b.look, true
}

// TestEstimateByBudgets: what a job still takes is what the budgets say of its rows, all of a provider's together, whether
// they wait or were let in again; and the job says whose budget it is.
func TestEstimateByBudgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		open := time.Now().Add(10 * time.Minute)
		s := &script{}
		s.reply = func(req verify.Request, n int) (*verdict.Answer, error) {
			a := answer(req.Email, verdict.MailboxAccepted)
			a.Provider, a.MX = "microsoft_365", []verdict.MX{{Host: "mx." + a.Domain}}
			if req.Email[0] == 'b' && n < 3 {
				a.Reason, a.RetryAt = verdict.BudgetExhausted, open
				a.Evidence = []verdict.Evidence{{Stage: "connect", Source: "a", Text: "the allowance is spent"}}
			}
			return a, nil
		}
		b := &fixedBudgets{look: pool.Outlook{Source: "a", Limit: pool.LimitRefusals, Takes: 5 * time.Hour}}
		r := newRig(t, s, func(o *Options) { o.Budgets = b })
		id := r.create(Spec{}, "a1@a.test\na2@a.test\nb1@b.test\nb2@b.test\nb3@b.test\nb4@c.test\n").ID
		info := r.await(id, "all others done", func(i *Info) bool { return i.Counts.Done == 2 && i.Live.Waiting == 4 })
		if len(info.Live.Standing) != 1 || info.Live.Sites != 1 {
			t.Fatalf("standing = %+v, want both domains as one", info.Live.Standing)
		}
		if h := info.Live.Standing[0]; h.Site != "microsoft_365" || h.Source != "a" || h.Limit != pool.LimitRefusals || h.Rows != 4 {
			t.Errorf("standing = %+v, want 4 rows for the refusals that source a may still get at microsoft_365", h)
		}
		if left := info.Live.Left; left.Duration != 5*time.Hour {
			t.Errorf("left = %+v, want what the budgets say", left)
		}
		want := pool.Prospect{Source: "a", Hosts: []string{"mx.b.test"}, Domain: "b.test", Recipients: 3, Provider: 4}
		b.mu.Lock()
		got := b.asked
		b.mu.Unlock()
		got.Dead = 0
		if !reflect.DeepEqual(got, want) {
			t.Errorf("the budgets were asked for %+v, want %+v", got, want)
		}
		if done := r.finished(id); done.Counts.Done != 6 {
			t.Errorf("%d rows done, want 6", done.Counts.Done)
		}
	})
}
