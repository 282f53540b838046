package pool

import (
	"net/netip"
	"testing"
	"time"

	"github.com/verimails/verimaild/pool/budget"
	"github.com/verimails/verimaild/pool/provider"
	"github.com/verimails/verimaild/pool/reply"
	"github.com/verimails/verimaild/pool/smtp"
)

// How many recipients a transaction may have: the least of what limits, the ramp, quirks and experience say.
func TestBatch(t *testing.T) {
	for _, test := range []struct {
		name    string
		limits  Limits
		learned learned
		quirks  provider.Quirks
		want    int
	}{
		{"the ramp begins with one", Limits{RecipientsPerTransaction: 5, Ramp: true}, learned{}, provider.Quirks{}, 1},
		{"what was proven", Limits{RecipientsPerTransaction: 5, Ramp: true}, learned{Proven: 3}, provider.Quirks{}, 3},
		{"more was proven than is allowed now", Limits{RecipientsPerTransaction: 5, Ramp: true}, learned{Proven: 9}, provider.Quirks{}, 5},
		{"without a ramp", Limits{RecipientsPerTransaction: 5}, learned{Proven: 3}, provider.Quirks{}, 5},
		{"more were put off", Limits{RecipientsPerTransaction: 5}, learned{Recipients: 2}, provider.Quirks{}, 2},
		{"one at a time", Limits{RecipientsPerTransaction: 5}, learned{Recipients: 2}, provider.Quirks{OneRecipient: true}, 1},
		{"the limit is lifted", Limits{}, learned{}, provider.Quirks{}, maxRecipients},
	} {
		s, _ := bareSite()
		s.limits, s.learned, s.provider = test.limits, test.learned, &provider.Provider{Quirks: test.quirks}
		if got := s.batch(); got != test.want {
			t.Errorf("%s: batch() = %d, want %d", test.name, got, test.want)
		}
	}
}

// The ramp grows by transactions that are as large as may be, and no smaller ones; not beyond what is allowed or known.
func TestWhatGrowsABatch(t *testing.T) {
	for _, test := range []struct {
		name    string
		limits  Limits
		learned learned
		took    []int
		want    int // Proven.
	}{
		{"three of the size", Limits{RecipientsPerTransaction: 5, Ramp: true}, learned{Proven: 2}, []int{2, 2, 2}, 3},
		{"larger ones", Limits{RecipientsPerTransaction: 9, Ramp: true}, learned{Proven: 2}, []int{3, 3, 3}, 4},
		{"only two", Limits{RecipientsPerTransaction: 5, Ramp: true}, learned{Proven: 2}, []int{2, 2}, 2},
		{"smaller ones", Limits{RecipientsPerTransaction: 5, Ramp: true}, learned{Proven: 2}, []int{1, 1, 1, 1}, 2},
		{"as many as are allowed", Limits{RecipientsPerTransaction: 2, Ramp: true}, learned{Proven: 2}, []int{2, 2, 2}, 2},
		{"as many as were put off", Limits{RecipientsPerTransaction: 9, Ramp: true}, learned{Proven: 2, Recipients: 2}, []int{2, 2, 2}, 2},
		{"without a ramp", Limits{RecipientsPerTransaction: 5}, learned{}, []int{5, 5, 5}, 0},
		{"without a limit", Limits{Ramp: true}, learned{Proven: 2}, []int{2, 2, 2}, 3},
	} {
		s, _ := bareSite()
		s.limits, s.learned = test.limits, test.learned
		for _, n := range test.took {
			s.took(n)
		}
		if got := s.learned.Proven; got != test.want || s.dirty != (test.want != test.learned.Proven) {
			t.Errorf("%s: proven %d, dirty %v, want %d", test.name, got, s.dirty, test.want)
		}
	}
	s, _ := bareSite()
	s.learned.clean = 2
	if s.tookOnly(0); s.learned.Recipients != 1 || s.learned.clean != 0 || !s.dirty || s.learned.At.IsZero() {
		t.Errorf("after nobody was taken: %+v, want one recipient", s.learned)
	}
}

func TestHowLongASessionMayLinger(t *testing.T) {
	for _, test := range []struct {
		name        string
		limit, was  time.Duration
		after, want time.Duration
	}{
		{"sooner than it may", 15 * time.Second, 0, 10 * time.Second, 8 * time.Second},
		{"later than it may", 15 * time.Second, 0, 20 * time.Second, 0},
		{"a little later, which is too near", 15 * time.Second, 0, 18 * time.Second, 14400 * time.Millisecond},
		{"as late as it may", 15 * time.Second, 0, 18750 * time.Millisecond, 0},
		{"without a limit", 0, 0, time.Minute, 48 * time.Second},
		{"later than was known", 15 * time.Second, 8 * time.Second, 12 * time.Second, 8 * time.Second},
		{"a second", 15 * time.Second, 0, time.Second, time.Second},
		{"an accident", 15 * time.Second, 0, time.Second - 1, 0},
	} {
		s, _ := bareSite()
		s.limits.Idle, s.learned.Idle = test.limit, test.was
		s.closedIdle(test.after)
		if got := s.learned.Idle; got != test.want || s.dirty != (test.want != test.was) {
			t.Errorf("%s: learned %v, dirty %v, want %v", test.name, got, s.dirty, test.want)
		}
	}
}

// What three sessions have in common has to be in all three.
func TestWhatSessionsHaveInCommon(t *testing.T) {
	at := func(transactions, refusals int, refused bool, age int) closed {
		return closed{known: true, transactions: transactions, refusals: refusals, refused: refused, age: time.Duration(age) * time.Second}
	}
	for _, test := range []struct {
		name    string
		closes  [3]closed // The oldest first.
		want    learned
		forgets bool
	}{
		{"refusals", [3]closed{at(1, 4, true, 1), at(2, 4, true, 1), at(3, 4, true, 1)}, learned{Refusals: 3}, true},
		{"refusals, but the first was not ended by one", [3]closed{at(1, 4, false, 1), at(2, 4, true, 1), at(3, 4, true, 1)}, learned{}, false},
		{"refusals, but the second was not", [3]closed{at(1, 4, true, 1), at(2, 4, false, 1), at(3, 4, true, 1)}, learned{}, false},
		{"refusals, but the last was not", [3]closed{at(1, 4, true, 1), at(2, 4, true, 1), at(3, 4, false, 1)}, learned{}, false},
		{"one had fewer refusals at first", [3]closed{at(1, 3, true, 1), at(2, 4, true, 1), at(3, 4, true, 1)}, learned{}, false},
		{"one had fewer at last", [3]closed{at(1, 4, true, 1), at(2, 4, true, 1), at(3, 3, true, 1)}, learned{}, false},
		{"transactions", [3]closed{at(4, 0, false, 1), at(4, 1, false, 1), at(4, 2, false, 1)}, learned{Transactions: 4}, true},
		{"one had more transactions at first", [3]closed{at(5, 0, false, 1), at(4, 1, false, 1), at(4, 2, false, 1)}, learned{}, false},
		{"one had more at last", [3]closed{at(4, 0, false, 1), at(4, 1, false, 1), at(5, 2, false, 1)}, learned{}, false},
		{"ages", [3]closed{at(1, 0, false, 101), at(2, 0, false, 105), at(3, 0, false, 100)}, learned{Age: 80 * time.Second}, true},
		{"one was older at first", [3]closed{at(1, 0, false, 150), at(2, 0, false, 105), at(3, 0, false, 100)}, learned{}, false},
		{"one was older at last", [3]closed{at(1, 0, false, 105), at(2, 0, false, 100), at(3, 0, false, 150)}, learned{}, false},
	} {
		s, _ := bareSite()
		s.limits.RefusalsPerSession = 9
		s.learned.closes = [3]closed{test.closes[1], test.closes[0]}
		s.closedAtWork(test.closes[2])
		got := learned{Refusals: s.learned.Refusals, Transactions: s.learned.Transactions, Age: s.learned.Age}
		if forgot := s.learned.closes == [3]closed{}; got != test.want || forgot != test.forgets || s.dirty != test.forgets {
			t.Errorf("%s: learned %+v, forgot %v, dirty %v, want %+v, %v", test.name, got, forgot, s.dirty, test.want, test.forgets)
		}
	}
	for _, test := range []struct {
		a, b time.Duration
		want bool
	}{
		{20 * time.Second, 20 * time.Second, false},
		{20*time.Second + 1, 20 * time.Second, true},
		{100 * time.Second, 90*time.Second + 1, true},
		{100 * time.Second, 90 * time.Second, false},
		{100 * time.Second, 109 * time.Second, true},
		{100 * time.Second, 110 * time.Second, false},
	} {
		if got := alike(test.a, test.b); got != test.want {
			t.Errorf("alike(%v, %v) = %v, want %v", test.a, test.b, got, test.want)
		}
	}
}

func TestHowManyRefusalsASessionBears(t *testing.T) {
	for _, test := range []struct {
		name                string
		limit, was, n, want int
	}{
		{"fewer than are allowed", 3, 0, 3, 2},
		{"as many as are allowed", 3, 0, 4, 0},
		{"without a limit", 0, 0, 9, 8},
		{"fewer than was known", 9, 5, 5, 4},
		{"as many as was known", 9, 5, 6, 5},
		{"at least one", 3, 0, 0, 1},
	} {
		s, _ := bareSite()
		s.limits.RefusalsPerSession, s.learned.Refusals = test.limit, test.was
		s.boreOnly(test.n)
		if got := s.learned.Refusals; got != test.want || s.dirty != (test.want != test.was) {
			t.Errorf("%s: learned %d, dirty %v, want %d", test.name, got, s.dirty, test.want)
		}
	}
}

// A clean flight makes a path a little bolder: one session more for as many flights as it has, and a twentieth of the
// ceiling more every ten minutes.
func TestRaise(t *testing.T) {
	s, pa := bareSite()
	now := 48 * time.Hour
	s.limits.Sessions = 4
	pa.raise(now)
	if pa.window != 2 || pa.raised != now || pa.learnedRate != 0 || s.dirty {
		t.Errorf("the first: window %v, raised %v, rate %v, want 2, now, and no rate yet", pa.window, pa.raised, pa.learnedRate)
	}
	pa.raise(now + 10*time.Minute - 1)
	if pa.window != 2.5 || pa.learnedRate != 0 {
		t.Errorf("within ten minutes: window %v, rate %v, want 2.5 and none", pa.window, pa.learnedRate)
	}
	if pa.raise(now + 10*time.Minute); pa.learnedRate != 5.5 || !s.dirty || pa.raised != now+10*time.Minute {
		t.Errorf("after ten minutes: rate %v, want 5.5", pa.learnedRate)
	}
	for range 40 {
		pa.raise(pa.raised + 10*time.Minute)
	}
	if pa.window != 4 || pa.learnedRate != 10 {
		t.Errorf("at last: window %v, rate %v, want the ceilings, 4 and 10", pa.window, pa.learnedRate)
	}

	s, pa = bareSite()
	s.limits.Sessions, s.limits.ProbesPerMinute = 0, 0
	pa.raise(now)
	if pa.raise(now + time.Hour); pa.window != 0 || pa.learnedRate != 0 || pa.raised != 0 {
		t.Errorf("where nothing is limited: window %v, rate %v, raised %v", pa.window, pa.learnedRate, pa.raised)
	}

	s, pa = bareSite()
	pa.breaker, pa.refusal = budget.Breaker{Tried: true, Clean: 1}, &Outcome{}
	if pa.raise(now); pa.refusal == nil || s.dirty {
		t.Error("on probation, what the breaker opened for is forgotten")
	}
	if pa.raise(now); pa.refusal != nil || !s.dirty {
		t.Error("after probation, what the breaker opened for is known still")
	}
}

// Replies of one moment are one word; a slow path halves its sessions and all rates at the site, but not to nothing.
func TestSlow(t *testing.T) {
	s, pa := bareSite()
	other := s.path(&sourceState{Source: Source{Name: "b"}})
	now := 48 * time.Hour
	s.limits.Sessions, pa.window = 8, 6
	if !pa.slow(now) || pa.window != 3 || pa.learnedRate != 2.5 || pa.raised != now || other.learnedRate != 2.5 || other.window != 0 || !s.dirty {
		t.Errorf("slow(): window %v, rate %v, of the other source %v and %v, want 3, 2.5, 0 and 2.5", pa.window, pa.learnedRate, other.window, other.learnedRate)
	}
	if pa.slow(now+10*time.Second-1) || pa.window != 3 {
		t.Error("a word of the same moment counts")
	}
	if !pa.slow(now+10*time.Second) || pa.window != 1.5 {
		t.Error("ten seconds later is the same moment")
	}
	s.limits.ProbesPerMinute, pa.learnedRate = 0.5, 0
	if pa.halve(now); pa.learnedRate != 0.5 {
		t.Errorf("half of less than one a minute is %v, want as much", pa.learnedRate)
	}
	s.limits.ProbesPerMinute, pa.learnedRate = 0, 0
	if pa.halve(now); pa.learnedRate != 0 {
		t.Errorf("half of a rate that is lifted is %v", pa.learnedRate)
	}
}

// How far a session had come when its server ended it: transactions that were answered as a whole, and refusals.
func TestEndedAt(t *testing.T) {
	answer := func(codes ...int) batch {
		b := batch{mail: sentReply{reply: smtp.Reply{Code: codes[0]}}}
		for _, c := range codes[1:] {
			b.replies = append(b.replies, sentReply{reply: smtp.Reply{Code: c}})
		}
		return b
	}
	for _, test := range []struct {
		name     string
		batches  []batch
		refusals int // Of the session, this flight's included.
		want     closed
	}{
		{"all answered", []batch{answer(250, 250), answer(250, 550)}, 3, closed{transactions: 7, refusals: 3, refused: true}},
		{"the last one was live", []batch{answer(250, 550, 250)}, 3, closed{transactions: 6, refusals: 3}},
		{"no MAIL", []batch{answer(250, 250), answer(0, 0)}, 1, closed{transactions: 6, refusals: 1}},
		{"no RCPT", []batch{answer(250, 550, 0)}, 1, closed{transactions: 5, refusals: 1, refused: true}},
		{"it took leave", []batch{answer(250, 550, 421)}, 2, closed{transactions: 5, refusals: 1, refused: true}},
	} {
		s := &session{transactions: 5 + len(test.batches), refusals: test.refusals, opened: time.Now().Add(-time.Minute)}
		got := s.endedAt(&flight{batches: test.batches})
		if got.age < time.Minute || !got.known {
			t.Errorf("%s: age %v, known %v, want a minute, true", test.name, got.age, got.known)
		}
		got.age, got.known = 0, false
		if got != test.want {
			t.Errorf("%s: endedAt() = %+v, want %+v", test.name, got, test.want)
		}
	}
}

func TestTooManyErrors(t *testing.T) {
	for _, test := range []struct {
		m    reply.Meaning
		want bool
	}{
		{reply.Meaning{Class: reply.RateLimited, Scope: reply.ScopeSession}, true},
		{reply.Meaning{Class: reply.RateLimited, Scope: reply.ScopeSession, Detail: reply.DetailTooManyRcpts}, false},
		{reply.Meaning{Class: reply.RateLimited, Scope: reply.ScopeSite}, false},
		{reply.Meaning{Class: reply.Other, Scope: reply.ScopeSession}, false},
	} {
		if got := tooManyErrors(&test.m); got != test.want {
			t.Errorf("tooManyErrors(%+v) = %v, want %v", test.m, got, test.want)
		}
	}
}

// What is remembered of address families does not grow without bound: what is over goes first, then all.
func TestFamiliesAreSwept(t *testing.T) {
	name := func(i int) string { return netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}).String() }
	now := time.Now()
	f := &families{broken: map[hostFamily]time.Time{}}
	for i := range mostBroken - 1 {
		f.broken[hostFamily{host: name(i)}] = now.Add(time.Duration(i%2) * time.Hour)
	}
	if f.sweep(now); len(f.broken) != mostBroken-1 {
		t.Errorf("%d of %d are left, want all", len(f.broken), mostBroken-1)
	}
	f.broken[hostFamily{host: "last"}] = now.Add(time.Second)
	if f.sweep(now); len(f.broken) != mostBroken/2 {
		t.Errorf("%d of %d are left, want those that are not over", len(f.broken), mostBroken)
	}
	for i := range mostBrokenAll {
		f.broken[hostFamily{host: name(i)}] = now.Add(time.Hour)
	}
	if f.sweep(now); len(f.broken) != 0 {
		t.Errorf("%d are left, want none", len(f.broken))
	}
}
