package api

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/verimails/verimaild/client/apitype"
	"github.com/verimails/verimaild/internal/store"
	"github.com/verimails/verimaild/verify"
	"github.com/verimails/verimaild/verify/verdict"
)

// A clock is what a test says that it is.
type clock struct{ at atomic.Pointer[time.Time] }

func newClock(at time.Time) *clock {
	c := &clock{}
	c.at.Store(&at)
	return c
}

func (c *clock) now() time.Time       { return *c.at.Load() }
func (c *clock) pass(d time.Duration) { c.at.Store(new(c.now().Add(d))) }

// reasons answers as the local-part of the address says, and asks to be admitted unless it is cached or invalid.
func reasons(ctx context.Context, req verify.Request) (*verdict.Answer, error) {
	a := &verdict.Answer{Email: req.Email, Normalized: req.Email, Reason: verdict.MailboxAccepted, Stage: "rcpt", CheckedAt: noon}
	switch req.Email {
	case "cached":
		a.Cached = true
		return a, nil
	case "invalid":
		a.Reason = verdict.InvalidSyntax
		return a, nil
	case "blocked":
		a.Reason = verdict.SourceBlocked
	case "late":
		a.Reason = verdict.DeadlineExceeded
	case "greylisted":
		a.Reason = verdict.Greylisted
	}
	if req.Admit != nil {
		if err := req.Admit(ctx); err != nil {
			return nil, err
		}
	}
	if req.Email == "fault" {
		return nil, errors.New("a fault")
	}
	return a, nil
}

// quotaOf is the error by which email was refused; nil if it was not.
func quotaOf(t *testing.T, v Verifier, email string) *QuotaError {
	t.Helper()
	_, err := v.Verify(t.Context(), verify.Request{Email: email, App: "a"})
	q, ok := errors.AsType[*QuotaError](err)
	if err != nil && !ok && email != "fault" {
		t.Fatalf("Verify(%s) = %v", email, err)
	}
	return q
}

func appA(q Quota) Apps { return Apps{List: []App{{Name: "a", Quota: q, Rule: "apps[0]"}}} }

// noon is in the middle of a day near the end of a month.
var noon = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

func TestQuotas(t *testing.T) {
	n := func(n int) *int { return &n }
	for _, tt := range []struct {
		name  string
		quota Quota
		spend int           // How many go through at first.
		rule  string        // That refuses the next.
		retry time.Duration // That is told.
		then  int           // How many go through after that time.
	}{
		{"a minute", Quota{PerMinute: n(6)}, 6, "apps[0].quota.per_minute", 10 * time.Second, 1},
		{"a day", Quota{PerDay: n(5)}, 5, "apps[0].quota.per_day", 12 * time.Hour, 5},
		{"a month", Quota{PerMonth: n(5)}, 5, "apps[0].quota.per_month", 36 * time.Hour, 5},
		{"none at all", Quota{PerDay: n(0)}, 0, "apps[0].quota.per_day", 12 * time.Hour, 0},
		{"the longest wait is told", Quota{PerMinute: n(3), PerDay: n(3), PerMonth: n(3)}, 3, "apps[0].quota.per_month", 36 * time.Hour, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newClock(noon)
			v := newAccounts(AccountsOptions{Apps: appA(tt.quota), Now: c.now}).Meter(verifierFunc(reasons))
			for i := range tt.spend {
				if q := quotaOf(t, v, "x"); q != nil {
					t.Fatalf("address %d: %v", i+1, q)
				}
			}
			q := quotaOf(t, v, "x")
			if q == nil || q.Rule != tt.rule || q.RetryAfter() != tt.retry {
				t.Fatalf("address %d is refused by %+v, want %s for %v", tt.spend+1, q, tt.rule, tt.retry)
			}
			for _, free := range []string{"cached", "invalid"} {
				if q := quotaOf(t, v, free); q != nil {
					t.Errorf("%s: %v, though nobody is asked", free, q)
				}
			}
			c.pass(q.Retry - time.Nanosecond)
			if quotaOf(t, v, "x") == nil {
				t.Error("an address goes through before the time that was told")
			}
			c.pass(time.Nanosecond)
			for i := range tt.then {
				if q := quotaOf(t, v, "x"); q != nil {
					t.Errorf("address %d after that time: %v", i+1, q)
				}
			}
			if quotaOf(t, v, "x") == nil {
				t.Error("too many go through after that time")
			}
		})
	}
}

// TestCharge: what is charged, and what is given back.
func TestCharge(t *testing.T) {
	for _, tt := range []struct {
		email  string
		charge Charge
		want   uint64
	}{
		{"x", Charge{}, 1},
		{"greylisted", Charge{}, 1},
		{"late", Charge{}, 1},
		{"cached", Charge{}, 0},
		{"cached", Charge{Cached: true}, 1},
		{"invalid", Charge{}, 0},
		{"invalid", Charge{Cached: true}, 0},
		{"invalid", Charge{Syntax: true}, 1},
		{"blocked", Charge{}, 0},
		{"blocked", Charge{OurFault: true}, 1},
		{"fault", Charge{OurFault: true, Cached: true}, 0},
	} {
		for _, limited := range []bool{true, false} {
			apps := appA(Quota{})
			if limited {
				apps = appA(Quota{PerDay: new(10), PerMinute: new(10), Concurrent: new(1)})
			}
			apps.Charge = tt.charge
			acc := newAccounts(AccountsOptions{Apps: apps})
			quotaOf(t, acc.Meter(verifierFunc(reasons)), tt.email)
			got := acc.account("a")
			if got.today.Charged != tt.want || got.asking != 0 {
				t.Errorf("%s with %+v, limited %t: charged %d, %d under way, want %d, 0", tt.email, tt.charge, limited, got.today.Charged, got.asking, tt.want)
			}
			if used := got.rate.usedAt(time.Now(), 10); limited && used != int(tt.want) {
				t.Errorf("%s with %+v: %d of the minute's are used, want %d", tt.email, tt.charge, used, tt.want)
			}
		}
	}
}

// TestChargeOfWhoLeaves: hanging up does not make an address free, for its answer is there a moment later.
func TestChargeOfWhoLeaves(t *testing.T) {
	acc := newAccounts(AccountsOptions{Apps: appA(Quota{PerDay: new(1)})})
	ctx, cancel := context.WithCancel(t.Context())
	v := acc.Meter(verifierFunc(func(ctx context.Context, req verify.Request) (*verdict.Answer, error) {
		if err := req.Admit(ctx); err != nil {
			return nil, err
		}
		cancel()
		return nil, ctx.Err()
	}))
	if _, err := v.Verify(ctx, verify.Request{App: "a"}); !errors.Is(err, context.Canceled) {
		t.Fatalf("Verify() = %v, want context.Canceled", err)
	}
	if got := acc.account("a").today.Charged; got != 1 {
		t.Errorf("charged %d, want 1", got)
	}
}

// TestQuotaAtOnce: many questions at a time do not go past a quota.
func TestQuotaAtOnce(t *testing.T) {
	for _, tt := range []struct {
		name  string
		quota Quota
	}{
		{"a day", Quota{PerDay: new(7)}},
		{"a minute", Quota{PerMinute: new(7)}},
		{"under way", Quota{Concurrent: new(7)}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			hold := make(chan struct{})
			var inside, most, refused atomic.Int64
			c := newClock(noon)
			v := newAccounts(AccountsOptions{Apps: appA(tt.quota), Now: c.now}).Meter(verifierFunc(func(ctx context.Context, req verify.Request) (*verdict.Answer, error) {
				if err := req.Admit(ctx); err != nil {
					return nil, err
				}
				most.Store(max(most.Load(), inside.Add(1)))
				<-hold
				return &verdict.Answer{Reason: verdict.MailboxAccepted}, nil
			}))
			var wg sync.WaitGroup
			for range 100 {
				wg.Go(func() {
					if _, err := v.Verify(t.Context(), verify.Request{App: "a"}); err != nil && refused.Add(1) == 93 {
						close(hold)
					}
				})
			}
			wg.Wait()
			if most.Load() != 7 || refused.Load() != 93 {
				t.Errorf("%d went through and %d were refused, want 7 and 93", most.Load(), refused.Load())
			}
		})
	}
}

// TestCountsLast: what is counted is there after a stop, by day and month.
func TestCountsLast(t *testing.T) {
	dir := t.TempDir()
	c := newClock(noon)
	run := func(f func(*Accounts, Verifier)) {
		stores, err := store.Open(store.Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		acc := newAccounts(AccountsOptions{Apps: appA(Quota{PerDay: new(3), PerMonth: new(5)}), State: stores.State(), Now: c.now})
		acc.Start(t.Context())
		f(acc, acc.Meter(verifierFunc(reasons)))
		if err := errors.Join(acc.Close(context.Background()), stores.Close()); err != nil {
			t.Fatal(err)
		}
	}
	run(func(_ *Accounts, v Verifier) {
		for _, email := range []string{"x", "x", "cached", "greylisted", "x"} {
			quotaOf(t, v, email) // The last is refused.
		}
	})
	run(func(_ *Accounts, v Verifier) {
		if q := quotaOf(t, v, "x"); q == nil || q.Rule != "apps[0].quota.per_day" {
			t.Errorf("after a restart: %v, want a refusal by per_day", q)
		}
		c.pass(24 * time.Hour)
		quotaOf(t, v, "x")
	})
	run(func(acc *Accounts, v Verifier) {
		quotaOf(t, v, "x")
		if q := quotaOf(t, v, "x"); q == nil || q.Rule != "apps[0].quota.per_month" {
			t.Errorf("on the next day: %v, want a refusal by per_month", q)
		}
		u, err := acc.usage(usageQuery{from: dayOf(noon), to: dayOf(noon) + 9})
		if err != nil || len(u.Apps) != 1 || len(u.Apps[0].Days) != 2 {
			t.Fatalf("usage() = %+v, %v, want two days of one application", u, err)
		}
		want := apitype.DayUsage{Date: "2026-11-29", UsageCounts: apitype.UsageCounts{
			Charged: 3, Asked: apitype.VerdictCounts{Deliverable: 2, Unknown: 1}, Cached: apitype.VerdictCounts{Deliverable: 1},
		}}
		if got := u.Apps[0].Days[0]; got != want {
			t.Errorf("the first day is %+v, want %+v", got, want)
		}
		if got := u.Apps[0].Quotas; len(got) != 2 || got[1].Used != 5 || got[1].ResetsAt.Format(time.DateOnly) != "2026-12-01" {
			t.Errorf("quotas = %+v, want 5 used of the month's, until 2026-12-01", got)
		}
		if got := u.Apps[0].Total; got.Charged != 5 || got.Asked.Sum() != 5 {
			t.Errorf("total = %+v, want 5 charged and asked", got)
		}
		c.pass(24 * time.Hour) // December.
		if q := quotaOf(t, v, "x"); q != nil {
			t.Errorf("in the next month: %v", q)
		}
	})
}

func TestDayCodec(t *testing.T) {
	c := dayCount{Charged: 1, Refused: 2, Asked: [verdicts]uint64{3, 4, 5, 1 << 40}, Cached: [verdicts]uint64{7, 8, 9, 10}}
	b := dayCodec.Encode(nil, c)
	if got, err := dayCodec.Decode(b); err != nil || got != c {
		t.Errorf("Decode(Encode(c)) = %+v, %v, want %+v", got, err, c)
	}
	if got, want := hex.EncodeToString(b), "0101020307040805098080808080200a"; got != want {
		t.Errorf("Encode(c) = %s, want %s as ever", got, want)
	}
	for _, bad := range [][]byte{nil, {}, {2}, b[:len(b)-1], append(slices.Clone(b), 0)} {
		if _, err := dayCodec.Decode(bad); err == nil {
			t.Errorf("Decode(%x) = nil, want an error", bad)
		}
	}
}

func TestUsageRoute(t *testing.T) {
	us := new(os.Geteuid())
	s := serve(t, Options{Verifier: verifierFunc(reasons)}, notAdmins)
	s.accounts.Replace(Apps{List: []App{{Name: "a", UID: us, Quota: Quota{PerMinute: new(1)}, Rule: "apps[0]"}, {Name: "b", UID: new(7), Rule: "apps[1]"}}})
	s.request(t, http.MethodGet, "/v1/verify?email=x", "")
	got := s.request(t, http.MethodGet, "/v1/verify?email=x", "")
	e := errorOf(t, got.body)
	if got.StatusCode != 429 || e.Code != apitype.CodeQuotaExceeded || *e.Rule != "apps[0].quota.per_minute" || *e.RetryAfterMS < 59000 || *e.RetryAfterMS > 60000 {
		t.Errorf("the second address: %d %s, want 429 quota_exceeded for about 60 s", got.StatusCode, got.body)
	}
	for _, tt := range []struct {
		name, query string
		status      int
	}{
		{"its own", "", 200},
		{"its own, by name", "?app=a&from=2026-01-01&to=2096-12-31", 200},
		{"another's", "?app=b", 403},
		{"no date", "?from=yesterday", 400},
		{"backwards", "?from=2026-02-01&to=2026-01-01", 400},
		{"unknown parameter", "?day=1", 400},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := s.request(t, http.MethodGet, "/v1/usage"+tt.query, "")
			if got.StatusCode != tt.status {
				t.Fatalf("status = %d %s, want %d", got.StatusCode, got.body, tt.status)
			}
			if tt.status != 200 {
				return
			}
			var u apitype.Usage
			if err := json.Unmarshal(got.body, &u); err != nil {
				t.Fatal(err)
			}
			if len(u.Apps) != 1 || u.Apps[0].App != "a" || u.Apps[0].Total.Charged != 1 || u.Apps[0].Total.Refused != 1 || u.Apps[0].Quotas[0].Used != 1 {
				t.Errorf("usage = %s, want one charged and one refused address of a", got.body)
			}
		})
	}
}
