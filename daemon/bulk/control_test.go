package bulk

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/verimails/verimaild/daemon/bulk/table"
	"github.com/verimails/verimaild/verify"
	"github.com/verimails/verimaild/verify/verdict"
)

// manyRows is n rows at some domains, all rows of one domain together.
func manyRows(n, domains int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "u%d@d%d.test\n", i, i*domains/n)
	}
	return b.String()
}

// TestInterleaves: rows are not asked about in the order of the file, a domain at a time.
func TestInterleaves(t *testing.T) {
	s := &script{hold: make(chan struct{})}
	r := newRig(t, s, func(o *Options) { o.Settings.Window = 40 })
	id := r.create(Spec{}, manyRows(400, 20)).ID
	r.await(id, "a full window", func(*Info) bool { return len(s.snapshot()) >= 40 })
	seen := map[string]int{}
	for _, a := range s.snapshot() {
		_, d, _ := strings.Cut(a, "@")
		seen[d]++
	}
	if len(seen) != 20 {
		t.Errorf("the first 40 questions are about %d domains, want all 20: %v", len(seen), seen)
	}
	for d, n := range seen {
		if n > 6 {
			t.Errorf("%d of the first 40 questions are about %s", n, d)
		}
	}
	close(s.hold)
	r.finished(id)
	if s.peak > 40 {
		t.Errorf("%d questions at once, want 40 at most", s.peak)
	}
}

// TestOneDomain gets the whole window.
func TestOneDomain(t *testing.T) {
	s := &script{hold: make(chan struct{})}
	r := newRig(t, s)
	id := r.create(Spec{}, manyRows(200, 1)).ID
	r.await(id, "a full window", func(*Info) bool { return len(s.snapshot()) >= 64 })
	close(s.hold)
	r.finished(id)
}

// TestFiftyJobs: of fifty jobs, all but one of one application, the other application's has half of what is done, however
// late it comes; and the many share their half.
func TestFiftyJobs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := verifierFunc(func(ctx context.Context, req verify.Request) (*verdict.Answer, error) {
			timer := time.NewTimer(500 * time.Millisecond)
			defer timer.Stop()
			select {
			case <-timer.C:
				return answer(req.Email, verdict.MailboxAccepted), nil
			case <-ctx.Done():
				return nil, context.Cause(ctx)
			}
		})
		r := newRig(t, nil, func(o *Options) { o.Verifier, o.Settings.Window = v, 100 })
		var many []string
		for range 49 {
			many = append(many, r.create(Spec{App: "crm"}, manyRows(300, 10)).ID)
		}
		for _, id := range many {
			r.await(id, "some rows", func(i *Info) bool { return i.Counts.Done > 0 })
		}
		last := r.create(Spec{App: "signup"}, manyRows(3000, 100)).ID
		r.await(last, "its beginning", func(i *Info) bool { return i.Counts.Done > 0 })
		done := func() (rows []int64) { // Of each job, the late one's last.
			for _, id := range append(slices.Clone(many), last) {
				i, err := r.Get("", id)
				if err != nil {
					t.Fatal(err)
				}
				rows = append(rows, i.Counts.Done)
			}
			return rows
		}
		before := done()
		time.Sleep(20 * time.Second)
		after, crm := done(), int64(0)
		for i := range many {
			n := after[i] - before[i]
			if crm += n; n < 20 || n > 80 {
				t.Errorf("job %d of 49: %d rows in twenty seconds, want about 40", i, n)
			}
		}
		if signup := after[49] - before[49]; crm < signup*2/3 || crm > signup*3/2 {
			t.Errorf("in twenty seconds %d rows of 49 jobs of one application, %d of another's one; want about as many", crm, signup)
		}
	})
}

// TestFairShare: applications share the window by weight, whatever the number of their jobs.
func TestFairShare(t *testing.T) {
	s := &script{hold: make(chan struct{})}
	r := newRig(t, s, func(o *Options) { o.Settings.Window = 90 })
	var ids []string
	for _, spec := range []Spec{{App: "a"}, {App: "a"}, {App: "b", Weight: 2}} {
		ids = append(ids, r.create(spec, manyRows(300, 3)).ID)
	}
	share := func(id string) int {
		j, err := r.find("", id)
		if err != nil {
			t.Fatal(err)
		}
		return j.share()
	}
	r.await(ids[2], "all jobs asking", func(*Info) bool { return share(ids[0]) == 15 && share(ids[1]) == 15 && share(ids[2]) == 60 })
	close(s.hold)
	for _, id := range ids {
		r.finished(id)
	}
}

func TestPause(t *testing.T) {
	s := &script{hold: make(chan struct{})}
	r := newRig(t, s)
	id := r.create(Spec{}, manyRows(500, 10)).ID
	r.await(id, "questions", func(*Info) bool { return len(s.snapshot()) > 0 })
	if i, err := r.Pause(t.Context(), "", id); err != nil || i.State != Paused {
		t.Fatalf("Pause() = %v, %v, want paused", i.State, err)
	}
	close(s.hold)
	r.await(id, "what was in flight", func(i *Info) bool { return int(i.Counts.Done) == len(s.snapshot()) })
	asked := len(s.snapshot())
	r.restart()
	if i, err := r.Get("", id); err != nil || i.State != Paused || int(i.Counts.Done) != asked || len(s.snapshot()) != asked {
		t.Errorf("after a restart: %v with %d done, %v, want paused with %d", i.State, i.Counts.Done, err, asked)
	}
	if _, err := r.Pause(t.Context(), "", id); err != nil {
		t.Errorf("a second Pause() = %v", err)
	}
	if i, err := r.Resume(t.Context(), "", id); err != nil || i.State != Running {
		t.Fatalf("Resume() = %v, %v, want running", i.State, err)
	}
	r.finished(id)
	if got := len(s.snapshot()); got != 500 {
		t.Errorf("%d questions, want 500", got)
	}
	for _, do := range []func(context.Context, string, string) (Info, error){r.Pause, r.Resume, r.Cancel} {
		if _, err := do(t.Context(), "", id); !errors.Is(err, ErrState) {
			t.Errorf("changing a finished job = %v, want %v", err, ErrState)
		}
	}
}

func TestCancelAndDelete(t *testing.T) {
	s := &script{hold: make(chan struct{})}
	defer close(s.hold)
	r := newRig(t, s)
	id := r.create(Spec{App: "crm"}, manyRows(500, 10)).ID
	r.await(id, "questions", func(*Info) bool { return len(s.snapshot()) > 0 })
	if _, err := r.Cancel(t.Context(), "other", id); !errors.Is(err, ErrNotFound) {
		t.Errorf("Cancel() by another application = %v, want %v", err, ErrNotFound)
	}
	if i, err := r.Cancel(t.Context(), "crm", id); err != nil || i.State != Cancelled || i.Ended.IsZero() {
		t.Fatalf("Cancel() = %+v, %v, want cancelled", i, err)
	}
	if got := r.results(id, table.WriteOptions{}); len(got) != 500 || got[0][1] != "" {
		t.Errorf("results have %d rows, the first %q; want 500 without an outcome", len(got), got[0])
	}
	if i, err := r.Delete(t.Context(), "crm", id); err != nil || i.State != Deleting {
		t.Fatalf("Delete() = %v, %v", i.State, err)
	}
	if _, err := r.Get("", id); !errors.Is(err, ErrNotFound) {
		t.Errorf("Get() of a deleted job = %v, want %v", err, ErrNotFound)
	}
	r.gone(id)
	r.wantNothing()
}

// TestDeleteIsFinished: a deletion that was cut short goes on at the next start.
func TestDeleteIsFinished(t *testing.T) {
	r := newRig(t, &script{})
	id := r.create(Spec{}, manyRows(50, 2)).ID
	r.finished(id)
	j, err := r.find("", id)
	if err != nil {
		t.Fatal(err)
	}
	r.stop(time.Second)
	if err := j.update(t.Context(), func(rec *record) error { rec.State = Deleting; return nil }); err != nil {
		t.Fatal(err)
	}
	r.open()
	r.gone(id)
	r.wantNothing()
}

// TestUploads are lists that make no job.
func TestUploads(t *testing.T) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = io.WriteString(z, manyRows(1000, 10))
	_ = z.Close()
	broken := errors.New("broken")
	for _, tt := range []struct {
		name string
		list io.Reader
		want error
	}{
		{"cut short on the way", io.MultiReader(strings.NewReader(manyRows(10, 1)), iotest.ErrReader(io.ErrUnexpectedEOF)), table.ErrTruncated},
		{"a reader that fails", io.MultiReader(strings.NewReader(manyRows(10, 1)), iotest.ErrReader(broken)), broken},
		{"a gzip stream cut short", bytes.NewReader(packed.Bytes()[:packed.Len()-9]), table.ErrTruncated},
		{"nothing", strings.NewReader(""), table.ErrEmpty},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, &script{})
			if i, err := r.Create(t.Context(), Spec{}, tt.list); !errors.Is(err, tt.want) {
				t.Errorf("Create() = %v, %v, want %v", i.ID, err, tt.want)
			}
			r.wantNothing()
			if got := r.List("", "", 10); len(got) != 0 {
				t.Errorf("List() = %v, want none", got)
			}
		})
	}
}

func TestGzip(t *testing.T) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = io.WriteString(z, "mail\nada@a.test\n")
	_ = z.Close()
	r := newRig(t, &script{})
	id := r.create(Spec{Name: "l.csv.gz"}, packed.String()).ID
	r.finished(id)
	if got := r.reasons(id); !slices.Equal(got, []string{"ada@a.test mailbox_accepted"}) {
		t.Errorf("results = %q", got)
	}
}

// TestNoRoom refuses lists while the disk is full, and fails no job that is there.
func TestNoRoom(t *testing.T) {
	var free atomic.Uint64
	free.Store(1 << 40)
	r := newRig(t, &script{}, func(o *Options) { o.Free = func(string) (uint64, error) { return free.Load(), nil } })
	id := r.create(Spec{}, manyRows(10, 1)).ID
	r.finished(id)
	free.Store(1 << 20)
	if _, err := r.Create(t.Context(), Spec{}, strings.NewReader("ada@a.test\n")); !errors.Is(err, ErrNoRoom) {
		t.Errorf("Create() = %v, want %v", err, ErrNoRoom)
	}
}

// TestOrphans: what an upload left that was cut short by a kill is removed; what is not ours stays.
func TestOrphans(t *testing.T) {
	r := newRig(t, &script{})
	id := r.create(Spec{}, manyRows(10, 1)).ID
	r.finished(id)
	r.stop(time.Second)
	orphan, other := r.dir+"/"+newID(time.Now()), r.dir+"/lost+found"
	for _, dir := range []string{orphan, other} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(dir+"/input.part", []byte("ada@a.test\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r.open()
	if _, err := os.Stat(orphan); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the rest of an upload is still there: %v", err)
	}
	for _, dir := range []string{other, r.dir + "/" + id} {
		if _, err := os.Stat(dir); err != nil {
			t.Errorf("%s is gone: %v", dir, err)
		}
	}
}

// TestDamaged: a job whose files are not what was written fails by name, and what it had found out can be read.
func TestDamaged(t *testing.T) {
	s := &script{hold: make(chan struct{})}
	r := newRig(t, s)
	id := r.create(Spec{}, manyRows(100, 2)).ID
	r.await(id, "questions", func(*Info) bool { return len(s.snapshot()) > 0 })
	r.stop(0)
	if err := os.Truncate(r.dir+"/"+id+"/"+questionsName, 10); err != nil {
		t.Fatal(err)
	}
	r.open()
	i := r.await(id, "its failure", func(i *Info) bool { return i.State == Failed })
	if i.Problem == "" || i.Ended.IsZero() {
		t.Errorf("a failed job = %+v, want its problem and its end", i)
	}
	if got := r.results(id, table.WriteOptions{}); len(got) != 100 {
		t.Errorf("results of a failed job have %d rows, want all 100", len(got))
	}
	close(s.hold)
}

func TestList(t *testing.T) {
	r := newRig(t, &script{})
	var ids []string
	for i := range 5 {
		ids = append(ids, r.create(Spec{App: []string{"a", "b"}[i%2]}, "ada@a.test\n").ID)
		time.Sleep(2 * time.Millisecond) //nolint:sleep // Ids sort by the millisecond.
	}
	slices.Reverse(ids)
	idsOf := func(list []Info) (out []string) {
		for _, i := range list {
			out = append(out, i.ID)
		}
		return out
	}
	for _, tt := range []struct {
		name, app, before string
		most              int
		want              []string
	}{
		{"all", "", "", 10, ids},
		{"the first page", "", "", 2, ids[:2]},
		{"the next", "", ids[1], 2, ids[2:4]},
		{"one application's", "b", "", 10, []string{ids[1], ids[3]}},
		{"nobody's", "c", "", 10, nil},
	} {
		if got := idsOf(r.List(tt.app, tt.before, tt.most)); !slices.Equal(got, tt.want) {
			t.Errorf("%s: List() = %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestRerun(t *testing.T) {
	s := &script{reply: func(req verify.Request, n int) (*verdict.Answer, error) {
		if strings.HasPrefix(req.Email, "slow") && n == 1 {
			return answer(req.Email, verdict.ServerTempfail), nil
		}
		return answer(req.Email, verdict.MailboxAccepted), nil
	}}
	r := newRig(t, s)
	id := r.create(Spec{App: "crm"}, "n,mail\n1,ada@a.test\n2,slow@b.test\n3,bob@b.test\n4,slow@b.test\n5,slower@c.test\n").ID
	r.finished(id)
	if _, err := r.Rerun(t.Context(), "other", id, nil); !errors.Is(err, ErrNotFound) {
		t.Errorf("Rerun() by another application = %v, want %v", err, ErrNotFound)
	}
	if _, err := r.Rerun(t.Context(), "crm", id, []verdict.Verdict{verdict.Risky}); !errors.Is(err, ErrNothing) {
		t.Errorf("Rerun() of no rows = %v, want %v", err, ErrNothing)
	}
	again, err := r.Rerun(t.Context(), "crm", id, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Delete(t.Context(), "crm", id); err != nil { // A rerun has the list for itself.
		t.Fatal(err)
	}
	i := r.finished(again.ID)
	if i.Rows != 3 || i.Addresses != 2 || i.Parent != id || i.App != "crm" {
		t.Errorf("the rerun = %+v, want 3 rows, 2 addresses of %s", i, id)
	}
	var got []string
	for _, row := range r.results(again.ID, table.WriteOptions{}) {
		got = append(got, row[0]+" "+row[1]+" "+row[2])
	}
	if want := []string{"2 slow@b.test deliverable", "4 slow@b.test deliverable", "5 slower@c.test deliverable"}; !slices.Equal(got, want) {
		t.Errorf("results of the rerun = %q, want %q", got, want)
	}
}

// TestPartialResults reads results before the end, and some of them.
func TestPartialResults(t *testing.T) {
	s := &script{}
	s.reply = func(req verify.Request, _ int) (*verdict.Answer, error) {
		switch req.Email[0] {
		case 'w':
			return later(req.Email, verdict.Greylisted, time.Hour), nil
		case 'd':
			return answer(req.Email, verdict.MailboxNotFound), nil
		}
		return answer(req.Email, verdict.MailboxAccepted), nil
	}
	r := newRig(t, s)
	id := r.create(Spec{}, "w@a.test\na@a.test\nd@a.test\na@a.test\nw@a.test\n").ID
	r.await(id, "all but those that wait", func(i *Info) bool { return i.Counts.Done == 3 && i.Counts.Waiting == 2 })
	if got, want := r.reasons(id), []string{
		"w@a.test ", "a@a.test mailbox_accepted", "d@a.test mailbox_not_found", "a@a.test mailbox_accepted", "w@a.test ",
	}; !slices.Equal(got, want) {
		t.Errorf("results = %q, want %q", got, want)
	}
	for _, tt := range []struct {
		name   string
		filter table.Filter
		rows   int
	}{
		{"by verdict", table.Filter{Verdicts: []verdict.Verdict{verdict.Deliverable}}, 2},
		{"by reason", table.Filter{Reasons: []verdict.Reason{verdict.MailboxNotFound}}, 1},
		{"by both", table.Filter{Verdicts: []verdict.Verdict{verdict.Deliverable}, Reasons: []verdict.Reason{verdict.MailboxNotFound}}, 0},
	} {
		if got := r.results(id, table.WriteOptions{Filter: tt.filter}); len(got) != tt.rows {
			t.Errorf("%s: %d rows, want %d", tt.name, len(got), tt.rows)
		}
	}
}

// TestResultsStopWithTheirReader: who does not take results ends them.
func TestResultsStopWithTheirReader(t *testing.T) {
	r := newRig(t, &script{})
	id := r.create(Spec{}, manyRows(5000, 10)).ID
	r.finished(id)
	broken := errors.New("broken")
	if err := r.Results(t.Context(), "", id, table.WriteOptions{}, &failingWriter{after: 1000, err: broken}); !errors.Is(err, broken) {
		t.Errorf("Results() = %v, want %v", err, broken)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.Results(ctx, "", id, table.WriteOptions{}, io.Discard); !errors.Is(err, context.Canceled) {
		t.Errorf("Results() without a caller = %v, want %v", err, context.Canceled)
	}
}

// A failingWriter fails after some bytes.
type failingWriter struct {
	after int
	err   error
}

func (w *failingWriter) Write(p []byte) (int, error) {
	if w.after -= len(p); w.after < 0 {
		return 0, w.err
	}
	return len(p), nil
}

// TestDraining takes no jobs and no commands any more.
func TestDraining(t *testing.T) {
	s := &script{hold: make(chan struct{})}
	r := newRig(t, s)
	id := r.create(Spec{}, manyRows(500, 10)).ID
	r.await(id, "a full window", func(*Info) bool { return len(s.snapshot()) == 64 })
	r.Drain()
	r.Drain()
	if _, err := r.Create(t.Context(), Spec{}, strings.NewReader("ada@a.test\n")); !errors.Is(err, ErrStopping) {
		t.Errorf("Create() = %v, want %v", err, ErrStopping)
	}
	if _, err := r.Pause(t.Context(), "", id); !errors.Is(err, ErrStopping) {
		t.Errorf("Pause() = %v, want %v", err, ErrStopping)
	}
	if err := r.Watch(t.Context(), "", id, time.Hour, func(Info) error { return nil }); !errors.Is(err, ErrStopping) {
		t.Errorf("Watch() = %v, want %v", err, ErrStopping)
	}
	asked := len(s.snapshot())
	close(s.hold)
	r.stop(5 * time.Second)
	if got := len(s.snapshot()); got != asked {
		t.Errorf("%d questions were asked after Drain", got-asked)
	}
	r.open()
	i := r.finished(id)
	if got := len(s.snapshot()); got != 500 || i.Counts.Done != 500 {
		t.Errorf("%d questions and %d outcomes, want 500: what was in flight was waited for", got, i.Counts.Done)
	}
}
