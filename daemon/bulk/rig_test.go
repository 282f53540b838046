package bulk

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"math"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"github.com/verimails/verimaild/daemon/bulk/table"
	"github.com/verimails/verimaild/internal/store"
	"github.com/verimails/verimaild/verify"
	"github.com/verimails/verimaild/verify/address"
	"github.com/verimails/verimaild/verify/verdict"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A script is a verifier that does what its test says, and remembers what it was asked.
type script struct {
	mu    sync.Mutex // Guards all below.
	reply func(req verify.Request, n int) (*verdict.Answer, error)
	asked []string
	times map[string]int
	now   int // In flight.
	peak  int
	hold  chan struct{} // Closed, or nil, lets answers go.
}

func (s *script) Verify(ctx context.Context, req verify.Request) (*verdict.Answer, error) {
	s.mu.Lock()
	s.asked = append(s.asked, req.Email)
	if s.times == nil {
		s.times = map[string]int{}
	}
	s.times[req.Email]++
	n, hold, reply := s.times[req.Email], s.hold, s.reply
	s.now++
	s.peak = max(s.peak, s.now)
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.now--
		s.mu.Unlock()
	}()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if reply != nil {
		return reply(req, n)
	}
	return answer(req.Email, verdict.MailboxAccepted), nil
}

// snapshot is what was asked so far.
func (s *script) snapshot() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.asked...)
}

// answer is an answer such as the verifier gives.
func answer(email string, r verdict.Reason) *verdict.Answer {
	a, err := address.Parse(email)
	if err != nil {
		return &verdict.Answer{Email: email, Reason: verdict.InvalidSyntax, Explanation: err.Error(), CheckedAt: time.Now()}
	}
	d := a.Domain().ASCII()
	return &verdict.Answer{
		Email: email, Normalized: a.String(), Reason: r, Domain: d, MX: []verdict.MX{{Host: "mx." + d}}, CheckedAt: time.Now(),
		Evidence: []verdict.Evidence{
			{Stage: "rcpt", MX: "mx." + d, Code: 250, Enhanced: "2.1.5", Text: "Ok"},
			{Stage: "rcpt", MX: "mx." + d, Control: true, Code: 550, Text: "no"},
		},
	}
}

// later is an answer that says to ask again.
func later(email string, r verdict.Reason, in time.Duration) *verdict.Answer {
	a := answer(email, r)
	a.RetryAt = time.Now().Add(in)
	return a
}

// A rig is Jobs over a script. Its store survives a restart.
type rig struct {
	*Jobs
	t      testing.TB
	dir    string
	stores *store.Stores
	script *script
	opts   Options
}

func newRig(t testing.TB, s *script, change ...func(*Options)) *rig {
	t.Helper()
	stores, err := store.Open(store.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, dir: t.TempDir() + "/jobs", stores: stores, script: s}
	r.opts = Options{
		Dir: r.dir, Store: stores.State(), Verifier: s, Free: func(string) (uint64, error) { return math.MaxUint64, nil },
		Settings: Settings{Window: 64, Patience: 12 * time.Hour, Retention: 720 * time.Hour},
	}
	if _, bench := t.(*testing.B); !bench {
		r.opts.Logger = zaptest.NewLogger(t, zaptest.Level(zap.WarnLevel))
	}
	for _, f := range change {
		f(&r.opts)
	}
	r.open()
	t.Cleanup(func() {
		r.stop(10 * time.Second)
		if err := stores.Close(); err != nil {
			t.Errorf("stores: %v", err)
		}
	})
	return r
}

// open makes the jobs of the store and starts them.
func (r *rig) open() {
	r.t.Helper()
	// The record sets of the process before are gone with it; here the store is the same, and knows them.
	var err error
	opts := r.opts
	if r.Jobs == nil {
		r.Jobs, err = New(opts)
	} else {
		r.Jobs, err = reopen(opts, r.records)
	}
	if err != nil {
		r.t.Fatalf("New() = %v", err)
	}
	r.Start(context.Background())
}

// stop closes the jobs; what is in flight after grace is given up.
func (r *rig) stop(grace time.Duration) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	if err := r.Close(ctx); err != nil && ctx.Err() == nil {
		r.t.Errorf("Close() = %v", err)
	}
}

// restart is a daemon that is stopped at once, and starts again.
func (r *rig) restart() {
	r.t.Helper()
	r.stop(0)
	r.open()
}

// create makes a job of a list.
func (r *rig) create(spec Spec, list string) Info {
	r.t.Helper()
	if spec.Patience == 0 {
		spec.Patience = -1
	}
	i, err := r.Create(r.t.Context(), spec, strings.NewReader(list))
	if err != nil {
		r.t.Fatalf("Create() = %v", err)
	}
	return i
}

// await waits until a job's picture is as wanted.
func (r *rig) await(id, what string, ok func(*Info) bool) Info {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Hour)
	defer cancel()
	var last Info
	err := r.Watch(ctx, "", id, time.Millisecond, func(i Info) error {
		last = i
		if ok(&i) {
			return errSeen
		}
		return nil
	})
	if err != errSeen && !ok(&last) {
		r.t.Fatalf("job %s: %v before %s: %+v", id, err, what, last)
	}
	return last
}

var errSeen = fmt.Errorf("seen")

func (r *rig) finished(id string) Info {
	r.t.Helper()
	return r.await(id, "its end", func(i *Info) bool { return i.State == Finished })
}

// results is a job's rows as CSV cells, without the header.
func (r *rig) results(id string, opts table.WriteOptions) [][]string {
	r.t.Helper()
	var b bytes.Buffer
	if err := r.Results(r.t.Context(), "", id, opts, &b); err != nil {
		r.t.Fatalf("Results() = %v", err)
	}
	rows, err := csv.NewReader(&b).ReadAll()
	if err != nil {
		r.t.Fatal(err)
	}
	return rows[1:]
}

// verdicts is address and reason of each row, of a list that has nothing but addresses.
func (r *rig) reasons(id string) []string {
	r.t.Helper()
	var out []string
	for _, row := range r.results(id, table.WriteOptions{}) {
		out = append(out, row[0]+" "+row[2])
	}
	return out
}

// wantNothing fails the test if anything is left of any job.
func (r *rig) wantNothing() {
	r.t.Helper()
	if left, err := os.ReadDir(r.dir); err != nil || len(left) > 0 {
		r.t.Errorf("left in the directory of jobs: %v, %v", left, err)
	}
	n := 0
	for range r.records.jobs.Scan(store.Range{}) {
		n++
	}
	for range r.records.counts.Scan(store.Range{}) {
		n++
	}
	for range r.records.outcomes.Scan(store.Range{}) {
		n++
	}
	for range r.records.waits.Scan(store.Range{}) {
		n++
	}
	if n > 0 {
		r.t.Errorf("%d records are left in the store", n)
	}
}

// gone waits until nothing is left of a job that was deleted: its record is the last.
func (r *rig) gone(id string) {
	r.t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	end := time.NewTimer(10 * time.Second)
	defer end.Stop()
	for {
		if _, found, err := r.records.jobs.Get([]byte(id)); err != nil || !found {
			return
		}
		select {
		case <-tick.C:
		case <-end.C:
			r.t.Fatal("a deleted job is still there")
		}
	}
}
