package chaos

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/verimails/verimaild/client"
	"github.com/verimails/verimaild/verify/verdict"
)

const (
	clients = 32

	// clearing is how long after the storm a list has until its time limit.
	clearing = 4 * time.Second

	// bound is how long a run may take beside its storm, on a machine that is busy with other things.
	bound = 3 * time.Minute
)

// setting is a number or a duration from the environment.
func setting[T any](t *testing.T, name string, usual T, parse func(string) (T, error)) T {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return usual
	}
	v, err := parse(text)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return v
}

// TestChaos takes a daemon through a storm; CHAOS_SEED, CHAOS_LENGTH and CHAOS_RUNS say which, how long and how many.
// Without any of them it is a short one, of a seed in which a server leaves out a reply and is reset a moment later.
func TestChaos(t *testing.T) {
	seed := setting(t, "CHAOS_SEED", 1, func(s string) (uint64, error) { return strconv.ParseUint(s, 10, 64) })
	runs := setting(t, "CHAOS_RUNS", 1, strconv.Atoi)
	length := setting(t, "CHAOS_LENGTH", 5*time.Second, time.ParseDuration)
	for n := range uint64(runs) {
		t.Run(fmt.Sprintf("seed=%d", seed+n), func(t *testing.T) {
			t.Logf("again: CHAOS_SEED=%d CHAOS_LENGTH=%v go test -race -v -run '^TestChaos$' ./internal/chaos", seed+n, length)
			runChaos(t, newPlan(seed+n, length))
		})
	}
}

func runChaos(t *testing.T, p *plan) {
	ctx, cancel := context.WithTimeout(context.Background(), p.length+bound)
	defer cancel()
	w := newWorld(t, p)
	d := newProcess(ctx, t, w)
	stop := context.AfterFunc(ctx, func() {
		d.dumpStacks()
		stacks := make([]byte, 1<<20)
		fmt.Fprintf(os.Stderr, "the run does not end:\n%s", stacks[:runtime.Stack(stacks, true)])
	})
	defer stop()
	b := newBook(w.truth)

	warmUp(ctx, t, d, w)
	first := baseline(ctx, t, d, nil)
	l := storm(ctx, t, w, d, b)
	afterwards(ctx, t, w, d)
	judgeList(ctx, t, l)
	baseline(ctx, t, d, &first)
	if err := d.stop(ctx); err != nil {
		t.Errorf("the daemon's end: %v", err)
	}
	if err := w.Settle(ctx); err != nil {
		t.Errorf("sessions are open after the daemon's end: %v", err)
	}
	w.checkManners(t)
	b.check(t)
	for email := range b.wronged {
		w.tell(t, email)
	}
	if said := d.said(); bytes.Contains(said, []byte("DATA RACE")) || bytes.Contains(said, []byte("panic:")) {
		t.Errorf("the daemon says:\n%s", tail(said, 20000))
	}
	t.Logf("faults by sessions: %v; totals: %+v", w.faults, w.Counts())
}

// warmUp asks each calm domain until it is answered.
func warmUp(ctx context.Context, t *testing.T, d *process, w *world) {
	t.Helper()
	for _, email := range w.plan.calmAddresses(1) {
		reason, err := d.accepted(ctx, email)
		if r, _ := verdict.ParseReason(reason); err != nil || r.Verdict() == verdict.Unknown {
			t.Fatalf("before the storm: %s = %s, %v", email, reason, err)
		}
	}
}

// accepted asks about a living mailbox, in fair weather, until it is accepted, and returns the last reason. What broke off
// may still be on record for a moment, and a busy machine is late for the daemon's own deadlines.
func (d *process) accepted(ctx context.Context, email string) (reason string, err error) {
	const tries = 8
	for n := range tries {
		a, err := d.client.Verify(ctx, email, client.VerifyOptions{Deadline: 30 * time.Second, Fresh: n > 0})
		if reason = a.Reason; err != nil || reason == string(verdict.MailboxAccepted) {
			return reason, err
		}
		pause(ctx, time.Duration(n+1)*time.Second)
	}
	return reason, nil
}

// calmAddresses are n living mailboxes of each ordinary domain with calm hosts only.
func (p *plan) calmAddresses(n int) []string {
	var out []string
	for _, d := range p.domains {
		if len(d.hosts) != 1 || d.kind != ordinary || p.hosts[d.hosts[0]].climate != calm {
			continue
		}
		for i := range n {
			out = append(out, fmt.Sprintf("live%d@%s", mailboxesEach+i, d.name))
		}
	}
	return out
}

// storm lets everything happen, and returns the list that was worked off meanwhile.
func storm(ctx context.Context, t *testing.T, w *world, d *process, b *book) *list {
	t.Helper()
	w.truth.begin()
	w.storm.Store(true)
	bad, over := context.WithTimeout(ctx, w.plan.length)
	defer over()
	rows := int(min(w.plan.length/time.Second, 60)) * 50
	l := newList(newCaller(d, w.plan, b, clients), rows)
	if err := l.send(ctx, w.plan.length+clearing); err != nil {
		t.Fatalf("the list is not taken: %v", err)
	}
	var wg sync.WaitGroup
	for n := range clients {
		wg.Go(func() { newCaller(d, w.plan, b, n).run(bad) })
	}
	wg.Go(func() { w.play(bad) })
	wg.Go(func() {
		if pause(bad, w.plan.kill) {
			killAndStart(ctx, t, w, d)
		}
	})
	<-bad.Done()
	w.calmDown()
	wg.Wait()
	w.calmDown() // Of sessions that began before the weather changed.
	return l
}

// killAndStart kills the daemon, and starts it again when the servers have heard of its end.
func killAndStart(ctx context.Context, t *testing.T, w *world, d *process) {
	t.Helper()
	end := w.Excuse()
	d.kill()
	if err := w.Settle(ctx); err != nil {
		t.Errorf("sessions are open after a kill: %v", err)
	}
	end()
	if err := d.start(ctx); err != nil {
		t.Errorf("after a kill: %v", err)
	}
}

// afterwards asks in fair weather about those that nobody has asked about: that most get an answer shows that the storm
// has left the daemon able to give one.
func afterwards(ctx context.Context, t *testing.T, w *world, d *process) {
	t.Helper()
	list := w.plan.calmAddresses(5)
	var mu sync.Mutex
	reasons := make(map[string]int)
	var wg sync.WaitGroup
	for _, email := range list {
		wg.Go(func() {
			reason, err := d.accepted(ctx, email)
			if err != nil {
				t.Errorf("after the storm: %s: %v", email, err)
			}
			mu.Lock()
			defer mu.Unlock()
			reasons[reason]++
		})
	}
	wg.Wait()
	if reasons[string(verdict.MailboxAccepted)] < len(list)/2 {
		t.Errorf("after the storm, %d living mailboxes at calm hosts are %v, want half of them accepted", len(list), reasons)
	}
	t.Logf("after the storm: %v", reasons)
}

// judgeList waits for the list's end, and judges its results.
func judgeList(ctx context.Context, t *testing.T, l *list) {
	t.Helper()
	j, err := l.await(ctx)
	if err != nil {
		t.Fatalf("the list does not end: %v", err)
	}
	settled, err := l.check(ctx, &j)
	if err != nil {
		t.Errorf("the list: %v", err)
	}
	t.Logf("the list: %d of %d rows are settled: %+v", settled, len(l.rows), j.Verdicts)
}

// credulous is how many refusals of a domain that refuses everybody are believed, at most: in each of its two lives the
// daemon believes two, and those of whom it could not find out more in time.
const credulous = 6

// check reports what clients have met that must not be.
func (b *book) check(t *testing.T) {
	t.Helper()
	for i, p := range b.problems {
		if i == 20 {
			t.Errorf("and %d more", len(b.problems)-i)
			break
		}
		t.Error(p)
	}
	for domain, who := range b.denied {
		if len(who) > credulous {
			t.Errorf("%s refuses everybody in the same words, and %d of its mailboxes were said not to exist: %v", domain, len(who), who)
		}
	}
	t.Logf("%d answers, at most %v late: %v; denied where all are: %v", b.answers, b.slowest, b.reasons, b.denied)
}

// What a daemon may hold more at the end than at the beginning. The databases open files as they grow, and memory holds
// what was learned.
const (
	moreGoroutines  = 4
	moreDescriptors = 12
	moreHeap        = 32 << 20
)

// baseline waits until no session is open and the daemon holds no more than at first, and returns what it holds; of the
// first time, nil, it is what it holds without sessions.
func baseline(ctx context.Context, t *testing.T, d *process, first *measure) measure {
	t.Helper()
	d.client.CloseIdleConnections()
	var m measure
	for begun := time.Now(); ; {
		e, err := d.client.Egress(ctx, "", 1)
		if err != nil {
			t.Fatalf("sessions: %v", err)
		}
		d.client.CloseIdleConnections()
		if m, err = d.measure(); err != nil {
			t.Fatalf("measure: %v", err)
		}
		if e.Sessions.Open == 0 && (first == nil || m.within(first)) {
			t.Logf("the daemon holds %+v", m)
			return m
		}
		if time.Since(begun) > time.Minute {
			t.Errorf("the daemon holds %+v and %d sessions, want no session, and little more than %+v", m, e.Sessions.Open, first)
			return m
		}
		pause(ctx, 100*time.Millisecond)
	}
}

// within reports whether m is little more than first.
func (m measure) within(first *measure) bool {
	return m.Goroutines <= first.Goroutines+moreGoroutines && m.Descriptors <= first.Descriptors+moreDescriptors &&
		m.Heap <= first.Heap+moreHeap
}
