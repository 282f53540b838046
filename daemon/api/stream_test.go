package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/verimails/verimaild/client/apitype"
	"github.com/verimails/verimaild/verify"
	"github.com/verimails/verimaild/verify/verdict"
)

// A reply to one line.
type lineReply struct {
	ID    json.RawMessage `json:"id"`
	Line  *int            `json:"line"`
	Error *apitype.Error  `json:"error"`
	apitype.Answer
}

// streamOf sends a whole body and returns the replies, by id.
func (s *served) streamOf(t testing.TB, body string) map[string]lineReply {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://verimaild/v1/verify/stream", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "application/x-ndjson" {
		b, _ := io.ReadAll(resp.Body)
		t.Fatalf("status = %d %s %s", resp.StatusCode, resp.Header, b)
	}
	return readLines(t, resp.Body)
}

func readLines(t testing.TB, r io.Reader) map[string]lineReply {
	t.Helper()
	out := map[string]lineReply{}
	sc := bufio.NewScanner(r)
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		var l lineReply
		if err := json.Unmarshal(sc.Bytes(), &l); err != nil {
			t.Fatalf("%s: %v", sc.Bytes(), err)
		}
		if _, twice := out[string(l.ID)]; twice && string(l.ID) != "null" {
			t.Errorf("the id %s came twice", l.ID)
		}
		out[string(l.ID)] = l
	}
	if err := sc.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestStreamLines(t *testing.T) {
	asked := make(chan verify.Request, 100)
	s := serve(t, Options{Verifier: verifierFunc(func(ctx context.Context, req verify.Request) (*verdict.Answer, error) {
		asked <- req
		return echo(ctx, req)
	})})
	got := s.streamOf(t, strings.Join([]string{
		`{"id":"plain","email":"ada@example.com"}`,
		`{ "email" : "spaces@example.com" , "id" : "spaces" }`,
		`{"id":17,"email":"number@example.com"}`,
		`{"id":"f","email":"fields@example.com","deadline":"2s","max_age":"0s","depth":"dns","wait":true}`,
		`{"id":"esc\"\u00e9","email":"j\u00f6rg@example.com"}`,
		``,
		`{"id":"crlf","email":"crlf@example.com"}` + "\r",
		`{"id":"type","email":7}`,
		`{"id":{},"email":"x"}`,
		`{"id":"none"}`,
		`{"id":"twice","email":"a","email":"b"}`,
		`not json`,
		`{"id":"utf8","email":"` + "\xff" + `"}`,
		`{"id":"long","email":"` + strings.Repeat("x", maxLine) + `"}`,
		`{"id":"last","email":"last@example.com"}`, // Without a newline.
	}, "\n"))
	for id, want := range map[string]string{
		`"plain"`: "ada@example.com", `"spaces"`: "spaces@example.com", "17": "number@example.com", `"f"`: "fields@example.com",
		`"esc\"\u00e9"`: "jörg@example.com", `"crlf"`: "crlf@example.com", `"last"`: "last@example.com",
	} {
		if r, ok := got[id]; !ok || r.Error != nil || r.Email != want || r.Verdict == "" {
			t.Errorf("the answer for %s is %+v, want one for %s", id, r, want)
		}
	}
	if n := got[`"last"`].Line; n == nil || *n != 15 {
		t.Errorf("the last line is number %v, want 15", n)
	}
	for id, want := range map[string]string{
		`"type"`: apitype.CodeInvalidField, `"none"`: apitype.CodeMissingField, `"twice"`: apitype.CodeInvalidJSON,
	} {
		if r, ok := got[id]; !ok || r.Error == nil || r.Error.Code != want || r.Verdict != "" {
			t.Errorf("the reply for %s is %+v, want the error %s", id, r, want)
		}
	}
	if r := got["null"]; r.Error == nil {
		t.Errorf("the replies without an id: %+v, want errors", r)
	}
	if len(got) != 11 {
		t.Errorf("there are %d different ids, want 11: %v", len(got), got)
	}
	close(asked)
	for req := range asked {
		if req.Email == "fields@example.com" && (req.Deadline != 2*time.Second || req.MaxAge != 0 || req.Depth != verify.DepthDNS || !req.Wait || req.App != DefaultApp) {
			t.Errorf("the fields came as %+v", req)
		}
	}
}

// TestStreamAsTheyCome: answers overtake slower ones, while the client is still writing.
func TestStreamAsTheyCome(t *testing.T) {
	release := make(chan struct{})
	s := serve(t, Options{Verifier: verifierFunc(func(ctx context.Context, req verify.Request) (*verdict.Answer, error) {
		if strings.HasPrefix(req.Email, "slow") {
			if err := req.Admit(ctx); err != nil {
				return nil, err
			}
			<-release
		}
		return echo(ctx, req)
	})})
	in, body := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://verimaild/v1/verify/stream", in)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := s.client.Do(req) // The header is there before anything was written.
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	out := bufio.NewReader(resp.Body)
	next := func() string {
		t.Helper()
		line, err := out.ReadBytes('\n')
		if err != nil {
			t.Fatal(err)
		}
		var l lineReply
		if err := json.Unmarshal(line, &l); err != nil {
			t.Fatal(err)
		}
		return string(l.ID)
	}
	for i := range 50 {
		fmt.Fprintf(body, `{"id":"s%d","email":"slow@example.com"}`+"\n", i)
	}
	for i := range 3 {
		fmt.Fprintf(body, `{"id":"%d","email":"fast@example.com"}`+"\n", i)
		if got, want := next(), fmt.Sprintf(`"%d"`, i); got != want {
			t.Errorf("the next answer is for %s, want %s", got, want)
		}
	}
	close(release)
	body.Close()
	for range 50 {
		next()
	}
	if _, err := out.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("after the last answer: %v, want the end", err)
	}
}

// TestStreamAllBeforeReading: a client may write everything before it reads, and answers are many times as long.
func TestStreamAllBeforeReading(t *testing.T) {
	s := serve(t, Options{})
	const n = 50_000
	conn := s.dial(t)
	defer conn.Close()
	var body bytes.Buffer
	for i := range n {
		fmt.Fprintf(&body, `{"id":"%d","email":"someone.%d@example.com"}`+"\n", i, i)
	}
	fmt.Fprintf(conn, "POST /v1/verify/stream HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", body.Len())
	if _, err := conn.Write(body.Bytes()); err != nil { // Blocks until all of it has been taken.
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	seen := map[string]bool{}
	for sc := bufio.NewScanner(resp.Body); sc.Scan(); {
		id, _, _ := strings.Cut(sc.Text(), ",")
		seen[id] = true
	}
	if len(seen) != n {
		t.Errorf("%d answers, want %d", len(seen), n)
	}
	if b := s.spooled.Load(); b != 0 {
		t.Errorf("%d bytes are still spooled", b)
	}
}

// TestStreamNeverRead: who never reads is cut once the spool is full.
func TestStreamNeverRead(t *testing.T) {
	s := serve(t, Options{}, func(s *Server) { s.sendTimeout = 200 * time.Millisecond })
	conn := s.dial(t)
	defer conn.Close()
	fmt.Fprint(conn, "POST /v1/verify/stream HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n")
	lines := bytes.Repeat([]byte(`{"id":"1","email":"a@example.com","max_age":"24h","deadline":"10s","depth":"smtp","wait":false}`+"\n"), 10_000)
	sent := 0
	for {
		n, err := conn.Write(lines)
		sent += n
		if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal("the stream hangs")
		}
		if err != nil {
			break
		}
	}
	if sent < leastSpool || sent > 2*maxSpool {
		t.Errorf("the daemon took %d bytes, want about %d", sent, maxSpool)
	}
	waitFor(t, "the stream is over", func() bool { return s.streams.Load() == 0 && s.spooled.Load() == 0 })
}

// waitFor waits for a condition that nothing announces.
func waitFor(t testing.TB, what string, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	limit := time.NewTimer(10 * time.Second)
	defer limit.Stop()
	for !cond() {
		select {
		case <-tick.C:
		case <-limit.C:
			t.Fatalf("not within 10 s: %s", what)
		}
	}
}

// TestStreamClientGone: what waits for a client that is gone ends.
func TestStreamClientGone(t *testing.T) {
	for _, tt := range []struct {
		name, end string // Of what is sent: with or without the end of the body.
	}{{"while it writes", ""}, {"while it reads", "0\r\n\r\n"}} {
		t.Run(tt.name, func(t *testing.T) {
			var inside atomic.Int64
			s := serve(t, Options{Verifier: verifierFunc(func(ctx context.Context, req verify.Request) (*verdict.Answer, error) {
				if err := req.Admit(ctx); err != nil {
					return nil, err
				}
				inside.Add(1)
				defer inside.Add(-1)
				<-ctx.Done()
				return nil, ctx.Err()
			})})
			conn := s.dial(t)
			line := `{"id":"1","email":"a@example.com"}` + "\n"
			fmt.Fprint(conn, "POST /v1/verify/stream HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
			for range 2000 { // More than are asked about at once.
				fmt.Fprintf(conn, "%x\r\n%s\r\n", len(line), line)
			}
			fmt.Fprint(conn, tt.end)
			waitFor(t, "as many are under way as may be", func() bool { return inside.Load() == streamAsking })
			conn.Close()
			waitFor(t, "nobody is asked any more", func() bool { return inside.Load() == 0 && s.streams.Load() == 0 })
		})
	}
}

// TestStreamDrain: a daemon that stops finishes what it has begun, and refuses the rest, line by line.
func TestStreamDrain(t *testing.T) {
	begun, release := make(chan struct{}), make(chan struct{})
	s := serve(t, Options{Verifier: verifierFunc(func(ctx context.Context, req verify.Request) (*verdict.Answer, error) {
		if err := req.Admit(ctx); err != nil {
			return nil, err
		}
		close(begun)
		<-release
		return echo(ctx, req)
	})})
	s.accounts.Replace(Apps{List: []App{{Name: DefaultApp, Quota: Quota{Concurrent: new(1)}, Rule: "apps[0]"}}})
	in, body := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://verimaild/v1/verify/stream", in)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	fmt.Fprint(body, `{"id":1,"email":"a@example.com"}`+"\n")
	<-begun
	fmt.Fprint(body, `{"id":2,"email":"b@example.com"}`+"\n")
	waitFor(t, "the second line has come", func() bool { return s.spooled.Load() == 0 })
	s.Drain()
	close(release)
	got := readLines(t, resp.Body)
	body.Close()
	if r := got["1"]; r.Error != nil || r.Email != "a@example.com" {
		t.Errorf("what had begun: %+v, want its answer", r)
	}
	if r, there := got["2"]; there && (r.Error == nil || r.Error.Code != apitype.CodeShuttingDown) {
		t.Errorf("what had not begun: %+v, want shutting_down", r)
	}
}

// TestStreamPaced: a spent minute holds a stream up; a spent day ends each line.
func TestStreamPaced(t *testing.T) {
	s := serve(t, Options{Verifier: verifierFunc(reasons)})
	s.accounts.Replace(Apps{List: []App{{Name: DefaultApp, Quota: Quota{PerMinute: new(1200), PerDay: new(1210)}, Rule: "apps[0]"}}})
	var body strings.Builder
	for i := range 1300 {
		fmt.Fprintf(&body, `{"id":%d,"email":"x%d@example.com"}`+"\n", i, i)
	}
	start := time.Now()
	got := s.streamOf(t, body.String())
	took := time.Since(start)
	answers, refused := 0, 0
	for id, r := range got {
		switch {
		case r.Error == nil:
			answers++
		case r.Error.Code == apitype.CodeQuotaExceeded && *r.Error.Rule == "apps[0].quota.per_day":
			refused++
		default:
			t.Errorf("%s: %+v", id, r.Error)
		}
	}
	if answers != 1210 || refused != 90 {
		t.Errorf("%d answers and %d refusals, want 1210 and 90", answers, refused)
	}
	if took < 400*time.Millisecond { // Ten more than a minute's 1200, at one each 50 ms.
		t.Errorf("it took %v, want the rate to hold it up", took)
	}
	if n := s.accounts.account(DefaultApp).today.Refused; n != 90 {
		t.Errorf("%d are counted as refused, want 90", n)
	}
}

func TestStreamRefused(t *testing.T) {
	s := serve(t, Options{}, notAdmins)
	s.accounts.Replace(Apps{Only: true})
	for _, tt := range []struct {
		name, target, header string
		status               int
	}{
		{"a query", "/v1/verify/stream?a=b", "", 403},
		{"apps_only", "/v1/verify/stream", "", 403},
	} {
		got := s.raw(t, "POST "+tt.target+" HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
		if got.StatusCode != tt.status {
			t.Errorf("%s = %d %s, want %d", tt.name, got.StatusCode, got.body, tt.status)
		}
	}
	s.accounts.Replace(Apps{})
	if got := s.raw(t, "POST /v1/verify/stream HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: 0\r\n\r\n"); got.StatusCode != 415 {
		t.Errorf("a compressed stream = %d, want 415", got.StatusCode)
	}
	if got := s.streamOf(t, ""); len(got) != 0 {
		t.Errorf("an empty stream gets %v", got)
	}
}

// TestStreamExpect: a client that asks first, as curl does, is told to go on.
func TestStreamExpect(t *testing.T) {
	s := serve(t, Options{})
	conn := s.dial(t)
	defer conn.Close()
	line := `{"id":1,"email":"a@example.com"}`
	fmt.Fprintf(conn, "POST /v1/verify/stream HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", len(line))
	r := bufio.NewReader(conn)
	if got, err := r.ReadString('\n'); err != nil || got != "HTTP/1.1 100 Continue\r\n" {
		t.Fatalf("the first line is %q, %v", got, err)
	}
	if got, err := r.ReadString('\n'); err != nil || got != "\r\n" {
		t.Fatalf("the second line is %q, %v", got, err)
	}
	fmt.Fprint(conn, line)
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got := readLines(t, resp.Body); len(got) != 1 {
		t.Errorf("%d answers, want 1", len(got))
	}
}

// TestStreamPython: Python's http.client writes the whole body before it reads, chunk by chunk.
func TestStreamPython(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("there is no python3 on this host")
	}
	s := serve(t, Options{})
	const program = `
import http.client, json, socket, sys

class Unix(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(sys.argv[1])

def lines(n):
    for i in range(n):
        yield json.dumps({"id": i, "email": "someone.%d@example.com" % i}).encode() + b"\n"

n = int(sys.argv[2])
conn = Unix("localhost", timeout=60)
conn.request("POST", "/v1/verify/stream", body=lines(n), encode_chunked=True, headers={"Transfer-Encoding": "chunked"})
seen = set()
for line in conn.getresponse():
    seen.add(json.loads(line)["id"])
assert seen == set(range(n)), len(seen)
print("ok")
`
	file := filepath.Join(t.TempDir(), "stream.py")
	if err := os.WriteFile(file, []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), python, file, s.path, "20000").CombinedOutput()
	if err != nil || string(out) != "ok\n" {
		t.Errorf("python3: %v\n%s", err, out)
	}
}

// BenchmarkStream is a remembered answer on a stream, client included.
func BenchmarkStream(b *testing.B) {
	answer := ada()
	answer.Cached = true
	s := serve(b, Options{Verifier: verifierFunc(func(context.Context, verify.Request) (*verdict.Answer, error) { return new(*answer), nil })})
	conn, err := net.Dial("unix", s.path)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	line := []byte(`{"id":"12345678","email":"Ada@Example.com"}` + "\n")
	fmt.Fprintf(conn, "POST /v1/verify/stream HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", b.N*len(line))
	b.ResetTimer()
	go func() {
		block := bytes.Repeat(line, 1000)
		for left := b.N * len(line); left > 0; {
			n, err := conn.Write(block[:min(left, len(block))])
			if err != nil {
				return
			}
			left -= n
		}
	}()
	resp, err := http.ReadResponse(bufio.NewReaderSize(conn, 256<<10), nil)
	if err != nil {
		b.Fatal(err)
	}
	buf, lines := make([]byte, 256<<10), 0
	for {
		n, err := resp.Body.Read(buf)
		lines += bytes.Count(buf[:n], newline)
		if err != nil {
			break
		}
	}
	if lines != b.N {
		b.Fatalf("%d answers, want %d", lines, b.N)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "answers/s")
}
