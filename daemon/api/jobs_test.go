package api

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/verimails/verimaild/client"
	"github.com/verimails/verimaild/client/apitype"
	"github.com/verimails/verimaild/daemon/bulk"
	"github.com/verimails/verimaild/internal/store"
	"github.com/verimails/verimaild/verify"
	"github.com/verimails/verimaild/verify/verdict"
)

// jobsOf makes jobs that ask v, for the length of a test.
func jobsOf(t *testing.T, v Verifier) (*bulk.Jobs, string) {
	t.Helper()
	stores, err := store.Open(store.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	jobs, err := bulk.New(bulk.Options{Dir: dir, Store: stores.State(), Verifier: v, Settings: bulk.Settings{Patience: time.Hour}})
	if err != nil {
		t.Fatal(err)
	}
	jobs.Start(t.Context())
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := jobs.Close(ctx); err != nil {
			t.Errorf("jobs: %v", err)
		}
		if err := stores.Close(); err != nil {
			t.Errorf("stores: %v", err)
		}
	})
	return jobs, dir
}

// answerAll answers by the address's first letter.
func answerAll(_ context.Context, req verify.Request) (*verdict.Answer, error) {
	a := &verdict.Answer{Email: req.Email, Reason: verdict.MailboxAccepted, CheckedAt: time.Now()}
	switch req.Email[0] {
	case 'd':
		a.Reason = verdict.MailboxNotFound
	case 'g':
		a.Reason, a.RetryAt = verdict.Greylisted, time.Now().Add(time.Minute)
	}
	return a, nil
}

func serveJobs(t *testing.T) (*served, *client.Client, string) {
	t.Helper()
	jobs, dir := jobsOf(t, verifierFunc(answerAll))
	s := serve(t, Options{Jobs: jobs})
	c := &client.Client{Socket: s.path, MaxRetries: -1}
	t.Cleanup(c.CloseIdleConnections)
	return s, c, dir
}

func jobOf(t *testing.T, r result, status int) (j apitype.Job) {
	t.Helper()
	if r.StatusCode != status {
		t.Fatalf("status = %d, want %d: %s", r.StatusCode, status, r.body)
	}
	if err := json.Unmarshal(r.body, &j); err != nil {
		t.Fatal(err)
	}
	return j
}

func TestJobs(t *testing.T) {
	s, c, _ := serveJobs(t)
	made := s.request(t, http.MethodPost, "/v1/jobs?name=a%20list.csv&patience=0s", "mail,n\nada@a.test,1\ndead@a.test,2\nada@a.test,3\n")
	j := jobOf(t, made, 201)
	if made.Header.Get("Location") != "/v1/jobs/"+j.ID || j.Name != "a list.csv" || j.List.Column != "mail" || j.App != DefaultApp {
		t.Errorf("created %+v at %s", j, made.Header.Get("Location"))
	}
	for last, err := range c.WatchJob(t.Context(), j.ID) {
		if err != nil {
			t.Fatal(err)
		}
		j = last
	}
	if j.State != apitype.JobFinished || j.Rows != 3 || j.Done != 3 || j.Addresses != 2 || j.Verdicts.Deliverable != 2 || j.Verdicts.Undeliverable != 1 {
		t.Errorf("at its end: %+v", j)
	}
	if got := jobOf(t, s.request(t, http.MethodGet, "/v1/jobs/"+j.ID, ""), 200); got.State != apitype.JobFinished || got.EndedAt.IsZero() {
		t.Errorf("GET = %+v", got)
	}
	var rows []string
	for row, err := range c.JobRows(t.Context(), j.ID, client.ResultsOptions{Verdicts: []string{"deliverable"}}) {
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row.Reason+" "+string(row.Row[:21]))
	}
	if want := []string{`mailbox_accepted {"mail":"ada@a.test",`, `mailbox_accepted {"mail":"ada@a.test",`}; !slices.Equal(rows, want) {
		t.Errorf("rows = %q, want %q", rows, want)
	}
	var page apitype.JobPage
	if err := json.Unmarshal(s.request(t, http.MethodGet, "/v1/jobs?limit=5", "").body, &page); err != nil || len(page.Jobs) != 1 || page.Next != "" {
		t.Errorf("GET /v1/jobs = %+v, %v", page, err)
	}
	again := jobOf(t, s.request(t, http.MethodPost, "/v1/jobs/"+j.ID+"/rerun?verdict=undeliverable", ""), 201)
	if again.RerunOf != j.ID || !slices.Equal(again.Took, []string{"undeliverable"}) {
		t.Errorf("rerun = %+v", again)
	}
	if got := jobOf(t, s.request(t, http.MethodDelete, "/v1/jobs/"+j.ID, ""), 200); got.State != apitype.JobDeleting {
		t.Errorf("DELETE = %+v", got)
	}
}

// TestCreateJobOf sends addresses as they come.
func TestCreateJobOf(t *testing.T) {
	_, c, _ := serveJobs(t)
	j, err := c.CreateJobOf(t.Context(), slices.Values([]string{"ada@a.test", "a \"b\"@a.test", "dead@a.test"}), client.JobOptions{Name: "50 % + more"})
	if err != nil || j.Name != "50 % + more" {
		t.Fatalf("CreateJobOf() = %+v, %v", j, err)
	}
	for last, err := range c.WatchJob(t.Context(), j.ID) {
		if err != nil {
			t.Fatal(err)
		}
		j = last
	}
	if j.Done != 3 || j.Verdicts.Undeliverable != 1 {
		t.Errorf("at its end: %+v", j)
	}
}

// TestJobsEmpty: a page without jobs is a list, not null.
func TestJobsEmpty(t *testing.T) {
	s, _, _ := serveJobs(t)
	if got := string(s.request(t, http.MethodGet, "/v1/jobs", "").body); got != `{"jobs":[],"next":null}`+"\n" {
		t.Errorf("GET /v1/jobs = %s", got)
	}
}

func TestBadJobRequests(t *testing.T) {
	s, _, dir := serveJobs(t)
	const list = "mail,n\nada@a.test,1\n"
	for _, tt := range []struct {
		name, method, target, body string
		status                     int
		code, names                string
	}{
		{"nothing", "POST", "/v1/jobs", "", 422, apitype.CodeInvalidList, "no rows"},
		{"a column that is not there", "POST", "/v1/jobs?column=x", list, 422, apitype.CodeInvalidList, `"x"`},
		{"a workbook", "POST", "/v1/jobs", "PK\x03\x04" + strings.Repeat("x", 200), 422, apitype.CodeInvalidList, "zip"},
		{"an unknown parameter", "POST", "/v1/jobs?colum=x", list, 400, apitype.CodeUnknownField, "colum"},
		{"a format that is none", "POST", "/v1/jobs?format=xml", list, 400, apitype.CodeInvalidField, "format"},
		{"a patience without a unit", "POST", "/v1/jobs?patience=5", list, 400, apitype.CodeInvalidField, "unit"},
		{"a patience of a month", "POST", "/v1/jobs?patience=744h", list, 400, apitype.CodeInvalidField, "patience"},
		{"a webhook that is none", "POST", "/v1/jobs?webhook=ftp://x", list, 400, apitype.CodeInvalidField, "https"},
		{"a webhook with a password", "POST", "/v1/jobs?webhook=https://a:b@x/", list, 400, apitype.CodeInvalidField, "password"},
		{"a name that is not UTF-8", "POST", "/v1/jobs?name=%ff", list, 400, apitype.CodeInvalidField, "UTF-8"},
		{"no such job", "GET", "/v1/jobs/x", "", 404, apitype.CodeJobNotFound, ""},
		{"no such job to pause", "POST", "/v1/jobs/x/pause", "", 404, apitype.CodeJobNotFound, ""},
		{"no such job to delete", "DELETE", "/v1/jobs/x", "", 404, apitype.CodeJobNotFound, ""},
		{"no such job's results", "GET", "/v1/jobs/x/results", "", 404, apitype.CodeJobNotFound, ""},
		{"no such job's events", "GET", "/v1/jobs/x/events", "", 404, apitype.CodeJobNotFound, ""},
		{"no such job to run again", "POST", "/v1/jobs/x/rerun", "", 404, apitype.CodeJobNotFound, ""},
		{"a path out of the directory", "GET", "/v1/jobs/..%2F..%2Fetc", "", 404, apitype.CodeJobNotFound, ""},
		{"a shape that is none", "GET", "/v1/jobs/x/results?format=xls", "", 400, apitype.CodeInvalidField, "format"},
		{"a verdict that is none", "GET", "/v1/jobs/x/results?verdict=good", "", 400, apitype.CodeInvalidField, "good"},
		{"a reason that is none", "GET", "/v1/jobs/x/results?reason=good", "", 400, apitype.CodeInvalidField, "good"},
		{"a limit of nothing", "GET", "/v1/jobs?limit=0", "", 400, apitype.CodeInvalidField, "limit"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := s.request(t, tt.method, tt.target, tt.body)
			e := errorOf(t, got.body)
			if got.StatusCode != tt.status || e.Code != tt.code || !strings.Contains(e.Message, tt.names) {
				t.Errorf("%s %s = %d %s %q, want %d %s naming %q", tt.method, tt.target, got.StatusCode, e.Code, e.Message, tt.status, tt.code, tt.names)
			}
		})
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left on disk: %v, %v", left, err)
	}
}

// TestTruncatedUploads make no job.
func TestTruncatedUploads(t *testing.T) {
	for _, tt := range []struct{ name, request string }{
		{"less than its length", "POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nada@a.test\nbob@a.test\n"},
		{"chunks without their end", "POST /v1/jobs HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nb\r\nada@a.test\n\r\n"},
		{"a chunk cut short", "POST /v1/jobs HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nada@a.test\n"},
		{"a chunk that is none", "POST /v1/jobs HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nb\r\nada@a.test\n\r\nzz\r\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, c, dir := serveJobs(t)
			conn := s.dial(t)
			defer conn.Close()
			if _, err := io.WriteString(conn, tt.request); err != nil {
				t.Fatal(err)
			}
			if err := conn.CloseWrite(); err != nil {
				t.Fatal(err)
			}
			if resp, err := http.ReadResponse(bufio.NewReader(conn), nil); err == nil {
				body, _ := io.ReadAll(resp.Body)
				resp.Body.Close()
				if e := errorOf(t, body); resp.StatusCode < 400 || e.Code != apitype.CodeListTruncated && e.Code != apitype.CodeClientClosed {
					t.Errorf("reply = %d %s", resp.StatusCode, body)
				}
			}
			for j, err := range c.Jobs(t.Context()) {
				t.Errorf("there is a job: %+v, %v", j, err)
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
				t.Errorf("left on disk: %v, %v", left, err)
			}
		})
	}
}

// TestPackedUpload takes gzip, said or not.
func TestPackedUpload(t *testing.T) {
	s, _, _ := serveJobs(t)
	for _, said := range []bool{true, false} {
		r, w := io.Pipe()
		go func() {
			z := gzip.NewWriter(w)
			_, _ = io.WriteString(z, "ada@a.test\n")
			w.CloseWithError(z.Close())
		}()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://v/v1/jobs", r)
		if err != nil {
			t.Fatal(err)
		}
		if said {
			req.Header.Set("Content-Encoding", "gzip")
		}
		if j := jobOf(t, s.do(t, req), 201); !strings.Contains(j.List.Description, "gzip") {
			t.Errorf("list = %+v", j.List)
		}
	}
}

// TestSlowUpload is given up when nothing comes.
func TestSlowUpload(t *testing.T) {
	jobs, dir := jobsOf(t, verifierFunc(answerAll))
	s := serve(t, Options{Jobs: jobs}, func(s *Server) { s.bodyTimeout = 50 * time.Millisecond })
	got := s.raw(t, "POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nada@a.test\n")
	if e := errorOf(t, got.body); got.StatusCode != 408 || e.Code != apitype.CodeBodyTimeout {
		t.Errorf("reply = %d %s", got.StatusCode, got.body)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left on disk: %v, %v", left, err)
	}
}

// TestJobsOfOthers: an application sees its own jobs, an admin all.
func TestJobsOfOthers(t *testing.T) {
	jobs, _ := jobsOf(t, verifierFunc(answerAll))
	theirs, err := jobs.Create(t.Context(), bulk.Spec{App: "crm", Patience: -1}, strings.NewReader("ada@a.test\n"))
	if err != nil {
		t.Fatal(err)
	}
	nobody := peer{UID: 4711, GID: 4711}
	s := serve(t, Options{Jobs: jobs}, func(s *Server) {
		s.http.ConnContext = func(ctx context.Context, _ net.Conn) context.Context { return withPeer(ctx, s.accounts, nobody) }
	})
	for _, target := range []string{"", "/results", "/events"} {
		if got := s.request(t, http.MethodGet, "/v1/jobs/"+theirs.ID+target, ""); got.StatusCode != 404 {
			t.Errorf("GET %s of another's job = %d, want 404", target, got.StatusCode)
		}
	}
	for _, target := range []string{"/pause", "/resume", "/cancel", "/rerun"} {
		if got := s.request(t, http.MethodPost, "/v1/jobs/"+theirs.ID+target, ""); got.StatusCode != 404 {
			t.Errorf("POST %s of another's job = %d, want 404", target, got.StatusCode)
		}
	}
	if got := s.request(t, http.MethodDelete, "/v1/jobs/"+theirs.ID, ""); got.StatusCode != 404 {
		t.Errorf("DELETE of another's job = %d, want 404", got.StatusCode)
	}
	if got := string(s.request(t, http.MethodGet, "/v1/jobs", "").body); !strings.HasPrefix(got, `{"jobs":[]`) {
		t.Errorf("GET /v1/jobs = %s, want none", got)
	}
	admin := serve(t, Options{Jobs: jobs})
	if got := admin.request(t, http.MethodGet, "/v1/jobs/"+theirs.ID, ""); got.StatusCode != 200 {
		t.Errorf("GET by an admin = %d, want 200", got.StatusCode)
	}
}

// TestEventsEndWithTheDaemon: a stop does not wait for those who watch a job that takes long.
func TestEventsEndWithTheDaemon(t *testing.T) {
	jobs, _ := jobsOf(t, verifierFunc(answerAll))
	s := serve(t, Options{Jobs: jobs})
	j := jobOf(t, s.request(t, http.MethodPost, "/v1/jobs", "grey@a.test\n"), 201)
	resp, err := s.client.Get("http://v/v1/jobs/" + j.ID + "/events")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got := resp.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Errorf("Content-Type = %q", got)
	}
	sc := bufio.NewScanner(resp.Body)
	for sc.Scan() && !strings.Contains(sc.Text(), `"waiting":1`) {
	}
	jobs.Drain()
	last := ""
	for sc.Scan() {
		if name, ok := strings.CutPrefix(sc.Text(), "event: "); ok {
			last = name
		}
	}
	if err := sc.Err(); err != nil || last != "stopping" {
		t.Errorf("the last event is %q, %v, want stopping", last, err)
	}
}
