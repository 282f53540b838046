package cli

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/verimails/verimaild/client/apitype"
	"github.com/verimails/verimaild/internal/mailworld"
)

// csvRows is the rows of a CSV file, its header first.
func csvRows(t *testing.T, path string) [][]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// testList writes a list of n rows at example.test, of which every eighth is nobody and every tenth repeats the one
// before, and returns its path and its addresses.
func testList(t *testing.T, dir string, live []string, n int) (path string, addrs []string) {
	t.Helper()
	var b strings.Builder
	b.WriteString("number,email,note\n")
	for i := range n {
		a := fmt.Sprintf("%s@example.test", live[i%len(live)])
		switch {
		case i%8 == 3:
			a = fmt.Sprintf("nobody%d@example.test", i)
		case i%10 == 9:
			a = addrs[i-1]
		}
		addrs = append(addrs, a)
		fmt.Fprintf(&b, "%d,%s,\"a, b\"\n", i, a)
	}
	path = filepath.Join(dir, "list.csv")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path, addrs
}

// wantReason is what each address of testList comes to.
func wantReason(addr string) string {
	if strings.HasPrefix(addr, "nobody") {
		return "mailbox_not_found"
	}
	return "mailbox_accepted"
}

// envInt is a number that makes a test larger than it is by itself.
func envInt(name string, usual int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return usual
}

// TestBulkSurvivesKills kills the daemon again and again while it works off a list: at the end each row has the outcome
// that it has without kills, and nobody was asked about more than once, and once more for each kill. BULK_KILLS and
// BULK_ROWS make it longer.
func TestBulkSurvivesKills(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts many processes")
	}
	kills, rows := envInt("BULK_KILLS", 5), envInt("BULK_ROWS", 1000)
	live := names(rows)
	s := newSite(t, live, func(h *mailworld.Host) { h.Slow = map[string]time.Duration{"RCPT": time.Millisecond} })
	s.killed = true
	list, addrs := testList(t, s.dir, live, rows)
	daemon := s.spawn(t)
	id := strings.TrimSpace(s.must(t, "bulk", "run", list, "--detach"))
	r := rand.New(rand.NewPCG(1, 2))
	for range kills {
		until(t, "some more rows", func() bool {
			return r.IntN(20) == 0 || s.job(t, id).State == apitype.JobFinished
		})
		if err := daemon.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = daemon.Wait() // It was killed.
		daemon = s.spawn(t)
	}
	out := filepath.Join(s.dir, "out.csv")
	s.must(t, "bulk", "join", id, "-o", out)
	got := csvRows(t, out)
	if len(got) != rows+1 {
		t.Fatalf("the output has %d rows, want %d and a header", len(got), rows)
	}
	for i, a := range addrs {
		row := got[i+1]
		if row[0] != strconv.Itoa(i) || row[1] != a || row[2] != "a, b" || row[4] != wantReason(a) {
			t.Errorf("row %d = %q, want %s with %s", i, row, a, wantReason(a))
		}
	}
	asked := map[string]int{}
	for _, a := range s.Recipients("mx.example.test") {
		asked[strings.ToLower(a)]++
	}
	for _, a := range addrs {
		if n := asked[a]; n < 1 || n > 1+kills {
			t.Errorf("%s was asked about %d times in %d runs", a, n, kills+1)
		}
	}
	if j := s.job(t, id); j.Done != int64(rows) || j.Rows != int64(rows) || j.Verdicts.Sum() != int64(rows) {
		t.Errorf("the job counts %d of %d rows, %+v", j.Done, j.Rows, j.Verdicts)
	}
}

// job asks how a job stands.
func (s *site) job(t *testing.T, id string) (j apitype.Job) {
	t.Helper()
	if err := json.Unmarshal([]byte(s.must(t, "job", "show", "--json", id)), &j); err != nil {
		t.Fatal(err)
	}
	return j
}

// TestBulkCommands takes a list through the commands.
func TestBulkCommands(t *testing.T) {
	live := names(20)
	s := newSite(t, live)
	s.start(t, zap.NewNop())
	list, addrs := testList(t, s.dir, live, 40)
	out, report := filepath.Join(s.dir, "out.csv"), filepath.Join(s.dir, "report.html")
	r := s.command("", "bulk", "run", list, "-o", out, "--report", report)
	if r.code != exitOK || r.out != "" {
		t.Fatalf("bulk run = %d %q %q", r.code, r.out, r.err)
	}
	for _, want := range []string{"(found by name)", "40 of 40 rows", "mailbox_not_found 5", "WOULD BOUNCE", "WORST DOMAINS", "Written: " + out} {
		if !strings.Contains(r.err, want) {
			t.Errorf("bulk run does not say %q:\n%s", want, r.err)
		}
	}
	for i, row := range csvRows(t, out)[1:] {
		if row[1] != addrs[i] || row[4] != wantReason(addrs[i]) {
			t.Errorf("row %d = %q", i, row)
		}
	}
	page, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"<svg", "list.csv", "example.test", "stroke-dasharray=\"87.500", "</html>"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the report does not have %q", want)
		}
	}
	for _, bad := range []string{"ZgotmplZ", "<script", "http://", "https://"} {
		if strings.Contains(string(page), bad) {
			t.Errorf("the report has %q", bad)
		}
	}
	listed := s.must(t, "job", "list")
	id := strings.Fields(strings.Split(listed, "\n")[1])[0]
	if !strings.Contains(listed, "finished") || !strings.Contains(listed, "list.csv") {
		t.Errorf("job list = %q", listed)
	}
	if got := s.must(t, "job", "results", id, "--format", "ndjson", "--verdict", "undeliverable"); strings.Count(got, "\n") != 5 {
		t.Errorf("job results of one verdict = %q, want 5 lines", got)
	}
	for _, do := range []string{"pause", "resume", "cancel"} {
		if r := s.command("", "job", do, id); r.code != exitFailure || !strings.Contains(r.err, "job_state") {
			t.Errorf("job %s of a finished job = %d %q", do, r.code, r.err)
		}
	}
	if r := s.command("", "job", "rerun", id); r.code != exitFailure || !strings.Contains(r.err, "nothing to ask about again") {
		t.Errorf("job rerun without an unknown row = %d %q", r.code, r.err)
	}
	again := s.command("", "job", "rerun", id, "--verdict", "undeliverable")
	if again.code != exitOK {
		t.Fatalf("job rerun = %d %q", again.code, again.err)
	}
	if got := s.must(t, "bulk", "join", strings.TrimSpace(again.out), "-o", "-"); strings.Count(got, "\n") != 6 {
		t.Errorf("results of the rerun = %q, want 5 rows and a header", got)
	}
	s.must(t, "job", "delete", id)
	if r := s.command("", "job", "show", id); r.code != exitFailure || !strings.Contains(r.err, "job_not_found") {
		t.Errorf("job show of a deleted job = %d %q", r.code, r.err)
	}
}

func TestBulkUsage(t *testing.T) {
	s := newSite(t, names(1))
	s.start(t, zap.NewNop())
	list, _ := testList(t, s.dir, names(1), 3)
	for _, tt := range []struct {
		name  string
		stdin string
		args  []string
		code  int
		says  string
	}{
		{"no file", "", []string{"bulk", "run", "-o", "-"}, exitUsage, "no file"},
		{"two files", "", []string{"bulk", "run", list, list, "-o", "-"}, exitUsage, "one file"},
		{"no output", "", []string{"bulk", "run", list}, exitUsage, "--output"},
		{"a file that is not there", "", []string{"bulk", "run", list + "x", "-o", "-"}, exitUsage, "no such file"},
		{"a directory that is not there", "", []string{"bulk", "run", list, "-o", s.dir + "/x/y"}, exitUsage, "no directory"},
		{"a column that is not there", "", []string{"bulk", "run", list, "-o", "-", "--column", "x"}, exitUsage, `no column "x"`},
		{"a format that is none", "", []string{"bulk", "run", list, "-o", "-", "--input", "xml"}, exitUsage, "format"},
		{"a secret for nobody", "", []string{"bulk", "run", list, "-o", "-", "--webhook-secret-file", list}, exitUsage, "without --webhook"},
		{"a secret of several lines", "", []string{"bulk", "run", list, "-o", "-", "--webhook", "https://x.test/", "--webhook-secret-file", list}, exitUsage, "on one line"},
		{"an empty list", "", []string{"bulk", "run", "-", "-o", "-"}, exitFailure, "no rows"},
		{"standard input", "ada@example.test\n", []string{"bulk", "run", "-", "-o", "-"}, exitOK, "1 row"},
		{"no such job", "", []string{"bulk", "join", "x", "-o", "-"}, exitFailure, "job_not_found"},
		{"jobs without one", "", []string{"job", "pause"}, exitUsage, "no job"},
		{"a verdict that is none", "", []string{"job", "results", "x", "--verdict", "good"}, exitFailure, "verdict"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := s.command(tt.stdin, tt.args...)
			if r.code != tt.code || !strings.Contains(r.err, tt.says) {
				t.Errorf("%v = %d %q, want %d and %q", tt.args, r.code, r.err, tt.code, tt.says)
			}
		})
	}
	r := commandResult{}
	var out, errOut strings.Builder
	r.code = Main([]string{"bulk", "run", list, "-o", "-", "--socket", s.dir + "/none"}, strings.NewReader(""), &out, &errOut)
	if r.code != exitUnreachable {
		t.Errorf("without a daemon = %d %q, want %d", r.code, errOut.String(), exitUnreachable)
	}
}

// TestBulkInterrupted leaves a job running, and says how to come back to it.
func TestBulkInterrupted(t *testing.T) {
	live := names(50)
	s := newSite(t, live)
	s.start(t, zap.NewNop())
	list, _ := testList(t, s.dir, live, 50)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var said strings.Builder
	errOut := writerFunc(func(text string) {
		said.WriteString(text)
		if strings.HasPrefix(text, "Job ") {
			stop()
		}
	})
	f := bulkFlags{socket: s.socket()}
	f.out.file, f.out.Format = filepath.Join(s.dir, "out.csv"), "csv"
	err := bulkRun(ctx, stdio{in: strings.NewReader(""), out: errOut, err: errOut}, &f, list)
	if err != exitError(exitFailure) {
		t.Errorf("bulkRun() = %v, want exit code %d", err, exitFailure)
	}
	if _, err := os.Stat(f.out.file); err == nil {
		t.Error("an output was written, though the job goes on")
	}
	_, again, found := strings.Cut(said.String(), "verimaild bulk join ")
	if !found {
		t.Fatalf("it does not say how to come back:\n%s", said.String())
	}
	again, _, _ = strings.Cut(again, "\n")
	args := append([]string{"bulk", "join"}, strings.Fields(again)...)
	var out strings.Builder
	if code := Main(args, strings.NewReader(""), &out, &out); code != exitOK {
		t.Fatalf("%v = %d %s", args, code, out.String())
	}
	if got := csvRows(t, f.out.file); len(got) != 51 {
		t.Errorf("the output has %d rows, want 50 and a header", len(got))
	}
}
