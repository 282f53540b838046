package soak

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/verimails/verimaild/daemon/bulk"
	"github.com/verimails/verimaild/internal/lab"
	"github.com/verimails/verimaild/internal/mailworld"
	"github.com/verimails/verimaild/verify"
	"github.com/verimails/verimaild/verify/verdict"
)

// A life is a stack that lives for days in a country, dies now and then, and is asked all the time.
type life struct {
	t       *testing.T
	world   *mailworld.World
	seen    *witness
	rand    *rand.Rand
	length  int // In days.
	all     []string
	honest  []string // Those of all whose mail servers tell the truth sooner or later.
	dirs    string
	lives   int
	stack   *stack // nil while there is none.
	downs   []span
	queries map[string][]time.Time // MX queries, of the names that are asked by the clock.
	job     string                 // Of today.
	wg      sync.WaitGroup

	mu       sync.Mutex // Guards all below.
	gone     bool       // This host does not have b's address.
	asked    int
	unknown  map[verdict.Reason]int
	settlers map[string]bool // Of those who were put off: whether they have been found to be settled.
}

// A span is a time from when to when.
type span struct{ from, to time.Time }

func newLife(t *testing.T, days int) *life {
	w, err := mailworld.StartMemory(country())
	if err != nil {
		t.Fatal(err)
	}
	l := &life{
		t: t, length: days, world: w, seen: newWitness(t), rand: rand.New(rand.NewPCG(10, 10)), all: population(), dirs: t.TempDir(),
		queries: map[string][]time.Time{}, unknown: map[verdict.Reason]int{}, settlers: map[string]bool{},
	}
	for _, who := range l.all {
		_, domain, _ := strings.Cut(who, "@")
		for _, prefix := range []string{"p", "shared", "company", "aspmx", "all", "exim", "cpanel", "postfix", "slow"} {
			if strings.HasPrefix(domain, prefix) {
				l.honest = append(l.honest, who)
			}
		}
	}
	l.start()
	return l
}

func (l *life) dir() string { return filepath.Join(l.dirs, fmt.Sprint(l.lives)) }

func (l *life) start() {
	l.t.Helper()
	if l.stack == nil && l.lives == 0 {
		lab.CopyDir(l.t, l.dir(), l.t.TempDir())
	}
	l.stack = startStack(l.t, l.world, l.dir(), func(a netip.Addr) error {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.gone && a == sourceAddr(1) {
			return syscall.EADDRNOTAVAIL
		}
		return nil
	})
	if n := len(l.downs); n > 0 {
		l.downs[n-1].to = time.Now()
	}
}

// end stops the stack in good order.
func (l *life) end() {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	l.stack.stop(ctx, l.t)
	l.stack = nil
	l.downs = append(l.downs, span{from: time.Now()})
}

// kill leaves of the stack what a kill would, and what has the stack's name then ends without any order.
func (l *life) kill() {
	l.t.Helper()
	synctest.Wait()
	from := l.dir()
	l.lives++
	lab.CopyDir(l.t, l.dir(), from)
	l.seen.kills = append(l.seen.kills, time.Now())
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	l.stack.stop(ctx, l.t)
	l.stack = nil
	l.downs = append(l.downs, span{from: time.Now()})
}

// ask asks in the background, as an application does, and holds the answer to the truth. after gets it.
func (l *life) ask(req verify.Request, after func(*verdict.Answer)) {
	s := l.stack
	if s == nil {
		return
	}
	l.wg.Go(func() {
		began := time.Now()
		ans, err := s.verifier.Verify(context.Background(), req)
		if errors.Is(err, verify.ErrStopping) {
			return
		}
		if err != nil {
			l.t.Errorf("Verify(%s) = %v", req.Email, err)
			return
		}
		if took := time.Since(began); took > verify.DefaultDeadline+time.Second {
			l.t.Errorf("%s: it took %v", req.Email, took)
		}
		l.judge(ans)
		if after != nil {
			after(ans)
		}
	})
}

// judge holds an answer to the truth.
func (l *life) judge(ans *verdict.Answer) {
	v, is := ans.Reason.Verdict(), dead(ans.Email)
	_, told := number(ans.Email)
	switch {
	case v == verdict.Deliverable && is, v == verdict.Undeliverable && told && !is && ans.Reason != verdict.NullMX:
		l.t.Errorf("%s: %s, which is not true; %+v", ans.Email, ans.Reason, ans.Evidence)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked++
	if v == verdict.Unknown {
		l.unknown[ans.Reason]++
	}
}

// minute is what happens in one minute.
func (l *life) minute(m int) {
	l.events(m)
	if l.stack == nil {
		return
	}
	l.clockwork(m)
	of := m % (24 * 60)
	if m%60 == 59 {
		l.collect()
	}
	if of == 6*60 {
		l.list()
	}
	if of >= 23*60+30 { // A day ends quietly, so that its end is like that of another.
		return
	}
	if m%traffic == 0 {
		maxAge := []time.Duration{-1, 0, 24 * time.Hour, time.Hour}[l.rand.IntN(4)]
		l.ask(verify.Request{Email: l.all[l.rand.IntN(len(l.all))], MaxAge: maxAge, App: fmt.Sprint("app", l.rand.IntN(3))}, nil)
	}
}

// traffic is how many minutes there are from one question of the random ones to the next.
const traffic = 2

// clockwork asks those whose times are known.
func (l *life) clockwork(m int) {
	ask := func(email string, maxAge time.Duration) { l.ask(verify.Request{Email: email, MaxAge: maxAge}, nil) }
	if m%30 == 3 {
		for _, who := range []string{"u0@", "u6@", "full@", "disabled@"} {
			ask(who+witnessDomain, -1)
		}
		ask("u0@"+witnessAll, -1)
		ask("u0@"+movingDomain, 20*time.Minute)
	}
	if m%10 == 4 {
		l.ask(verify.Request{Email: "u0@" + halfHourName, MaxAge: -1, Depth: verify.DepthDNS}, nil)
		l.ask(verify.Request{Email: "u0@" + dayName, MaxAge: -1, Depth: verify.DepthDNS}, nil)
		ask(fmt.Sprintf("u%d@%s", m/10/blockDomains%6, domainOf(blockHost, m/10%blockDomains)), 0)
	}
	if m/60%24 == 10 { // More than may be opened of sessions in an hour.
		ask(fmt.Sprintf("u%d@p0-%d.test", m/4%8, m%4), 0)
	}
	for i := range greylists {
		l.greylist(&greylists[i], m)
	}
}

// greylist asks about somebody new at a host that puts strangers off, and about the same one again when that is settled.
func (l *life) greylist(g *greylist, m int) {
	every, settle := int(g.every/time.Minute), int(g.settle/time.Minute)
	const offset = 7
	who := func(m int) string { return fmt.Sprintf("u%d@%s", (m-offset)/every*7, domainOf(g.host, 0)) } // None of them is dead.
	if m >= offset && (m-offset)%every == 0 {
		l.ask(verify.Request{Email: who(m), MaxAge: -1}, nil)
	}
	if settle > 0 && m >= offset+settle && (m-offset-settle)%every == 0 {
		asked := time.Now().Add(-g.settle)
		l.ask(verify.Request{Email: who(m - settle), MaxAge: -1}, func(ans *verdict.Answer) {
			if l.down(asked, time.Now()) > 0 {
				return
			}
			if ans.Reason != verdict.MailboxAccepted || !ans.Cached {
				l.t.Errorf("%s, %v after it was put off: %s, cached: %v, want its ticket settled", ans.Email, g.settle, ans.Reason, ans.Cached)
			}
			l.mu.Lock()
			defer l.mu.Unlock()
			l.settlers[ans.Email] = true
		})
	}
}

// down is how long there was no stack in a time, and some minutes for each such time: what was due has to come first. A time
// in which b was gone counts too.
func (l *life) down(from, to time.Time) time.Duration {
	var sum time.Duration
	for _, s := range l.downs {
		end := s.to
		if end.IsZero() {
			end = time.Now()
		}
		if s.from.Before(to) && end.After(from) {
			sum += end.Sub(s.from) + 5*time.Minute
		}
	}
	return sum
}

// goners are how many dead people of one domain are in each list: more than may be asked about in two hours.
const goners = 40

// list makes today's job: of people whose servers tell the truth, of the dead at a host that counts them, and of one
// from each domain of a host of many. None of them may be left without an answer.
func (l *life) list() {
	var rows []string
	for range 60 {
		rows = append(rows, l.honest[l.rand.IntN(len(l.honest))])
	}
	for n := range goners {
		rows = append(rows, fmt.Sprintf("u%d@%s", 7*n+6, domainOf(harvestHost, 0)))
	}
	for j := range 40 {
		rows = append(rows, "u0@"+domainOf(sharedHost, j))
	}
	i, err := l.stack.jobs.Create(context.Background(), bulk.Spec{Patience: -1, MaxAge: 12 * time.Hour}, strings.NewReader(strings.Join(rows, "\n")))
	if err != nil {
		l.t.Errorf("job: %v", err)
		return
	}
	l.job = i.ID
}

// listed looks at today's job, which has had 17 hours.
func (l *life) listed() {
	if l.job == "" {
		return
	}
	i, err := l.stack.jobs.Get("", l.job)
	if err != nil || i.State != bulk.Finished || i.Counts.Done != i.Rows {
		l.t.Errorf("today's job: %s, %d of %d rows done (%s), %v", i.State, i.Counts.Done, i.Rows, i.Problem, err)
	}
	for r, n := range i.Counts.Reasons {
		if r.Verdict() == verdict.Unknown {
			l.t.Errorf("today's job: %d rows are %s, want all of them settled", n, r)
		}
	}
}

// collect takes down what the mail servers have seen.
func (l *life) collect() {
	for _, s := range l.stack.pool.Egress("", 1000).Sites {
		for _, h := range s.Hosts {
			l.seen.limits[h] = s.Limits
		}
	}
	for _, s := range l.world.TakeSessions() {
		l.seen.hear(&s)
	}
	for _, q := range l.world.TakeQueries() {
		if q.Type == "MX" && slices.Contains([]string{halfHourName, dayName}, q.Name) {
			l.queries[q.Name] = append(l.queries[q.Name], q.At)
		}
	}
	l.seen.judge()
}
