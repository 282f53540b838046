package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/verimails/verimaild/client"
	"github.com/verimails/verimaild/client/apitype"
	"github.com/verimails/verimaild/internal/mailworld"
)

// A town is a world for long lists: domains by kind, which their names tell, at some hundred mail hosts.
const townHosts = 400

// townSpec has a domain for each dN.KIND.test: any accepts every recipient, null takes no mail, real has those mailboxes
// whose names begin with u; gone does not exist.
func townSpec(rtt time.Duration) mailworld.Spec {
	spec := mailworld.Spec{RTT: rtt, CountersOnly: true}
	for i := range townHosts {
		spec.Hosts = append(spec.Hosts, mailworld.Host{Name: fmt.Sprintf("mx%d.town.test", i)})
	}
	spec.Find = func(name string) (mailworld.Domain, bool) {
		first, rest, _ := strings.Cut(name, ".")
		kind, _, _ := strings.Cut(rest, ".")
		n, err := strconv.Atoi(strings.TrimPrefix(first, "d"))
		d := mailworld.Domain{Name: name, MX: mailworld.MXs(fmt.Sprintf("mx%d.town.test", n%townHosts))}
		switch kind {
		case "any":
			d.CatchAll = true
		case "null":
			d.MX = mailworld.NullMX()
		case "real":
			d.Rcpt = func(path string) mailworld.Reply {
				if strings.HasPrefix(path, "u") && path[1] <= '9' { // A made-up name is made of syllables.
					return mailworld.Say(250, "2.1.5 Ok")
				}
				return mailworld.Reply{}
			}
		default:
			return d, false
		}
		return d, err == nil
	}
	return spec
}

// A townList is rows of a town in fixed shares, in an order of its own.
type townList struct {
	rows, domains int // Domains of each kind.
	real          int // Percent of rows that somebody has to be asked about. Of these an eighth is nobody.
}

// row is the address of row i, and what it comes to.
func (l *townList) row(i int) (addr, reason string) {
	r := rand.New(rand.NewPCG(uint64(i), 3))
	if i%10 == 9 {
		return l.row(i - 1 - r.IntN(min(i, 1000))/10*10) // It repeats an earlier one.
	}
	d, p := r.IntN(l.domains), r.IntN(100)
	switch {
	case p < l.real && r.IntN(8) == 0:
		return fmt.Sprintf("x%d@d%d.real.test", i, d), "mailbox_not_found"
	case p < l.real:
		return fmt.Sprintf("u%d@d%d.real.test", i, d), "mailbox_accepted"
	}
	switch p % 20 {
	case 0:
		return fmt.Sprintf("no address %d", i), "invalid_syntax"
	case 1, 2, 3, 4, 5, 6:
		return fmt.Sprintf("u%d@d%d.gone.test", i, d), "domain_not_found"
	case 7, 8, 9:
		return fmt.Sprintf("u%d@d%d.null.test", i, d), "null_mx"
	default:
		return fmt.Sprintf("u%d@d%d.any.test", i, d), "accepted_catch_all"
	}
}

// write writes the list as people have it.
func (l *townList) write(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	fmt.Fprintln(w, "id,email,name")
	for i := range l.rows {
		addr, _ := l.row(i)
		fmt.Fprintf(w, "%d,%s,\"Name, %d\"\n", i, addr, i)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Close()
}

// check compares results with what each row comes to.
func (l *townList) check(t testing.TB, results io.Reader) {
	t.Helper()
	lines := bufio.NewScanner(results)
	lines.Scan() // The header.
	wrong := 0
	for i := range l.rows {
		if !lines.Scan() {
			t.Fatalf("results end before row %d: %v", i, lines.Err())
		}
		addr, reason := l.row(i)
		if line := lines.Text(); !strings.HasPrefix(line, fmt.Sprintf("%d,%s,", i, addr)) || !strings.Contains(line, ","+reason+",") {
			if wrong++; wrong <= 5 {
				t.Errorf("row %d = %q, want %s with %s", i, line, addr, reason)
			}
		}
	}
	if lines.Scan() {
		t.Errorf("results go on after the last row: %q", lines.Text())
	}
	if wrong > 0 {
		t.Errorf("%d rows are wrong", wrong)
	}
}

// resident is what a process has in memory, in bytes: all of it, and what is not part of a file.
func resident(pid int) (all, anonymous int64, err error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(b)) {
		var kb int64
		switch name, value, _ := strings.Cut(line, ":"); name {
		case "VmRSS":
			_, err = fmt.Sscan(value, &kb)
			all = kb << 10
		case "RssAnon":
			_, err = fmt.Sscan(value, &kb)
			anonymous = kb << 10
		}
		if err != nil {
			return 0, 0, err
		}
	}
	return all, anonymous, nil
}

// A scale watches how much memory a process takes.
type scale struct {
	pid             int
	stop            chan struct{}
	wg              sync.WaitGroup
	all, anonymous  int64 // At the start.
	mostAll, mostAn int64 // The most since then.
}

func weigh(t testing.TB, pid int) *scale {
	t.Helper()
	s := &scale{pid: pid, stop: make(chan struct{})}
	var err error
	if s.all, s.anonymous, err = resident(pid); err != nil {
		t.Skipf("what a process has in memory is not to be had here: %v", err)
	}
	s.wg.Go(func() {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			if all, anonymous, err := resident(pid); err == nil {
				s.mostAll, s.mostAn = max(s.mostAll, all), max(s.mostAn, anonymous)
			}
			select {
			case <-tick.C:
			case <-s.stop:
				return
			}
		}
	})
	return s
}

// grown is by how much it has grown at most.
func (s *scale) grown() (all, anonymous int64) {
	close(s.stop)
	s.wg.Wait()
	return s.mostAll - s.all, s.mostAn - s.anonymous
}

// TestBulkMemory works off a list, of five million rows with BULK_MILLIONS=5: the daemon's resident memory grows by less
// than 150 MB, all that is asked about the job on the way is answered at once, and each row has the outcome that it must
// have.
func TestBulkMemory(t *testing.T) {
	l := &townList{rows: 20_000, domains: 300, real: 4}
	if n := envInt("BULK_MILLIONS", 0); n > 0 {
		l.rows, l.domains = n*1_000_000, 4000*n
	}
	s := siteIn(t, townSpec(0))
	s.killed = true // The spawned daemon is, at the end.
	list := filepath.Join(s.dir, "list.csv")
	if err := l.write(list); err != nil {
		t.Fatal(err)
	}
	daemon := s.spawn(t)
	c := &client.Client{Socket: s.socket()}
	ctx := t.Context()
	scale := weigh(t, daemon.Process.Pid)

	start := time.Now()
	f, err := os.Open(list)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	job, err := c.CreateJob(ctx, f, client.JobOptions{Name: "list.csv"})
	if err != nil {
		t.Fatal(err)
	}
	taken := time.Since(start)
	first, slowest := time.Duration(0), time.Duration(0)
	for j, err := range c.WatchJob(ctx, job.ID) {
		if err != nil {
			t.Fatal(err)
		}
		if job = j; first == 0 && j.Done > 0 {
			first = time.Since(start)
		}
		asked := time.Now()
		if _, err := c.Job(ctx, job.ID); err != nil {
			t.Fatal(err)
		}
		for _, err := range c.Jobs(ctx) {
			if err != nil {
				t.Fatal(err)
			}
		}
		slowest = max(slowest, time.Since(asked))
	}
	took := time.Since(start)
	if job.State != apitype.JobFinished || job.Done != int64(l.rows) {
		t.Fatalf("at its end: %s with %d of %d rows done; %s", job.State, job.Done, l.rows, job.Problem)
	}
	readResults(ctx, t, c, job.ID, l)
	all, anonymous := scale.grown()
	t.Logf("%d rows of %d addresses: taken after %v, first outcome %v, all %v (%.0f rows/s), read and compared in %v; slowest look %v; "+
		"memory %d MB before (%d anonymous), grew by %d MB (%d)", job.Rows, job.Addresses, taken, first, took, float64(job.Rows)/took.Seconds(),
		time.Since(start)-took, slowest, scale.all>>20, scale.anonymous>>20, all>>20, anonymous>>20)
	if all > 150<<20 && envInt("BULK_MILLIONS", 0) > 0 { // The race detector takes several times as much.
		t.Errorf("resident memory grew by %d MB, want less than 150", all>>20)
	}
}

// readResults reads and checks a job's results as they come.
func readResults(ctx context.Context, t testing.TB, c *client.Client, id string, l *townList) {
	t.Helper()
	r, w := io.Pipe()
	var wg sync.WaitGroup
	wg.Go(func() { w.CloseWithError(c.JobResults(ctx, id, w, client.ResultsOptions{})) })
	l.check(t, r)
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	wg.Wait()
}

// BenchmarkBulk works off a list of 200,000 rows, ceilings lifted, at mail servers 20 ms away, in a daemon of its own.
func BenchmarkBulk(b *testing.B) {
	l := &townList{rows: 200_000, domains: 5_300, real: 75}
	for b.Loop() {
		s := siteIn(b, townSpec(20*time.Millisecond))
		s.killed = true // The spawned daemon is, at the end.
		s.lift(b)
		list := filepath.Join(s.dir, "list.csv")
		if err := l.write(list); err != nil {
			b.Fatal(err)
		}
		daemon := s.spawn(b)
		c := &client.Client{Socket: s.socket()}
		f, err := os.Open(list)
		if err != nil {
			b.Fatal(err)
		}
		scale, start := weigh(b, daemon.Process.Pid), time.Now()
		job, err := c.CreateJob(b.Context(), f, client.JobOptions{Name: "list.csv"})
		if err != nil {
			b.Fatal(err)
		}
		for job.State != apitype.JobFinished {
			for j, err := range c.WatchJob(b.Context(), job.ID) {
				if err != nil {
					b.Fatal(err)
				}
				job = j
			}
		}
		n := float64(job.Rows)
		b.ReportMetric(n/time.Since(start).Seconds(), "rows/s")
		grown, _ := scale.grown()
		b.ReportMetric(float64(grown)/(1<<20), "MiB-grown")
		readResults(b.Context(), b, c, job.ID, l)
		if err := f.Close(); err != nil {
			b.Error(err)
		}
		if err := daemon.Process.Signal(os.Interrupt); err != nil {
			b.Fatal(err)
		}
		if err := daemon.Wait(); err != nil {
			b.Error(err)
		}
		used := daemon.ProcessState.UserTime() + daemon.ProcessState.SystemTime()
		b.ReportMetric(used.Seconds()*1000/n, "cpu-s/1000")
		counts := s.Counts()
		b.ReportMetric(float64(counts.Sessions)/n, "connections/row")
		b.ReportMetric(float64(counts.Commands["RCPT"])/n, "recipients/row")
	}
}

// lift rewrites the configuration so that nothing but the pool's number of sessions holds a list up.
func (s *site) lift(t testing.TB) {
	t.Helper()
	text, err := os.ReadFile(s.config())
	if err != nil {
		t.Fatal(err)
	}
	lifted := strings.NewReplacer("egress:\n", "egress:\n  max_sessions: 200\n", "limits: {sessions: 4,",
		"limits: {sessions: 10, recipients_per_transaction: 100, transactions_per_session: 0, idle: 0, session_age: 0,").Replace(string(text))
	if err := os.WriteFile(s.config(), []byte(lifted), 0o600); err != nil {
		t.Fatal(err)
	}
}
