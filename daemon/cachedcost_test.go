package daemon

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/verimails/verimaild/client/apitype"
	"github.com/verimails/verimaild/internal/mailworld"
)

// A remembered answer should cost little more than HTTP itself. Both benchmarks serve the same number of bytes over a
// Unix socket to the same client, which is a process of its own, and report the CPU time that this process takes for
// a request: compare cpu-ns/op of the two.

// BenchmarkCachedVerify is GET /v1/verify for a remembered answer with its evidence and dialogues.
func BenchmarkCachedVerify(b *testing.B) {
	socket, _ := cachedDaemon(b)
	measure(b, socket, cachedTarget)
}

// BenchmarkTrivialHandler is a handler that returns a constant body of the same size.
func BenchmarkTrivialHandler(b *testing.B) {
	_, body := cachedDaemon(b)
	measure(b, trivialServer(b, body), cachedTarget)
}

// BenchmarkCachedOverTrivial measures both in turns, so that what else the machine does weighs on both alike, and
// reports the ratio.
func BenchmarkCachedOverTrivial(b *testing.B) {
	const turns = 10
	cached, body := cachedDaemon(b)
	trivial := trivialServer(b, body)
	var cost [2]time.Duration
	for range turns {
		for i, socket := range []string{cached, trivial} {
			cost[i] += spend(b, max(b.N/turns, 1), socket, cachedTarget)
		}
	}
	b.ReportMetric(float64(cost[0].Nanoseconds())/float64(b.N), "cached-cpu-ns/op")
	b.ReportMetric(float64(cost[1].Nanoseconds())/float64(b.N), "trivial-cpu-ns/op")
	b.ReportMetric(float64(cost[0])/float64(cost[1]), "ratio")
}

// trivialServer serves body, whatever is asked, and returns its socket.
func trivialServer(b *testing.B, body []byte) (socket string) {
	b.Helper()
	socket = filepath.Join(shortDir(b), "t")
	l, err := net.Listen("unix", socket)
	if err != nil {
		b.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = w.Write(body) // A client that is gone ends the benchmark by itself.
	})}
	var wg sync.WaitGroup
	wg.Go(func() { _ = srv.Serve(l) }) // Until it is closed.
	b.Cleanup(func() {
		_ = srv.Close()
		wg.Wait()
	})
	return socket
}

// cachedTarget is what both are asked for.
const cachedTarget = "/v1/verify?email=ada@example.test"

// cachedDaemon runs a daemon that remembers the answer to cachedTarget, and returns its socket and the reply's body.
func cachedDaemon(b *testing.B) (socket string, body []byte) {
	b.Helper()
	w, err := mailworld.Start(mailworld.Spec{
		Hosts:   []mailworld.Host{mailworld.Postfix("mx.example.test")},
		Domains: []mailworld.Domain{{Name: "example.test", MX: mailworld.MXs("mx.example.test"), Mailboxes: []string{"ada"}}},
	})
	if err != nil {
		b.Fatal(err)
	}
	dir := shortDir(b)
	d, err := New(Options{Config: load(b, dir, configText(dir, w)), Logger: zap.NewNop()})
	if err == nil {
		err = d.Start(context.Background())
	}
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := d.Stop(context.Background()); err != nil {
			b.Error(err)
		}
		if err := w.Close(); err != nil {
			b.Error(err)
		}
	})
	for range 2 { // Learned, then remembered.
		body = fetch(b, d.Socket(), cachedTarget)
	}
	var a apitype.Answer
	if err := json.Unmarshal(body, &a); err != nil || !a.Cached || a.Verdict != apitype.Deliverable {
		b.Fatalf("the answer is not a remembered one: %s, %v", body, err)
	}
	return d.Socket(), body
}

func fetch(b *testing.B, socket, target string) []byte {
	b.Helper()
	conn, err := net.Dial("unix", socket)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", target); err != nil {
		b.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.Fatal(err)
	}
	return body
}

// loadEnv makes TestLoadProcess ask: for how many requests, at which socket, for what.
const loadEnv = "TEST_VERIMAILD_LOAD"

// measure reports what b.N requests cost.
func measure(b *testing.B, socket, target string) {
	b.ResetTimer()
	b.ReportMetric(float64(spend(b, b.N, socket, target).Nanoseconds())/float64(b.N), "cpu-ns/op")
}

// spend has another process send n requests and returns the CPU time that they cost this one.
func spend(b *testing.B, n int, socket, target string) time.Duration {
	b.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestLoadProcess$")
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d %s %s", loadEnv, n, socket, target))
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	said := bufio.NewReader(out)
	if line, err := said.ReadString('\n'); line != "connected\n" {
		b.Fatalf("the client said %q, %v", line, err)
	}
	before := cpuTime(b)
	if err := in.Close(); err != nil {
		b.Fatal(err)
	}
	line, err := said.ReadString('\n')
	spent := cpuTime(b) - before
	if line != "done\n" {
		b.Fatalf("the client said %q, %v", line, err)
	}
	if err := cmd.Wait(); err != nil {
		b.Fatal(err)
	}
	return spent
}

// cpuTime is what this process has used, in user and system mode.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestLoadProcess is the client of the benchmarks.
func TestLoadProcess(t *testing.T) {
	order := strings.Fields(os.Getenv(loadEnv))
	if len(order) != 3 {
		t.Skip("not started by a benchmark")
	}
	n, err := strconv.Atoi(order[0])
	if err != nil {
		t.Fatal(err)
	}
	const connections = 4
	conns := make([]net.Conn, connections)
	for i := range conns {
		if conns[i], err = net.Dial("unix", order[1]); err != nil {
			t.Fatal(err)
		}
	}
	fmt.Println("connected")
	_, _ = io.Copy(io.Discard, os.Stdin) // Its end is the start.
	var wg sync.WaitGroup
	for i, conn := range conns {
		wg.Go(func() {
			if err := load1(conn, order[2], (n+i)/connections); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		os.Exit(1)
	}
	fmt.Println("done")
	os.Exit(0)
}

// load1 sends n requests, one after the other, and reads their replies.
func load1(conn net.Conn, target string, n int) error {
	request := fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: localhost\r\nUser-Agent: load\r\nAccept: */*\r\n\r\n", target)
	r := bufio.NewReaderSize(conn, 64<<10)
	for range n {
		if _, err := conn.Write(request); err != nil {
			return err
		}
		length := -1
		for first := true; ; first = false {
			line, err := r.ReadSlice('\n')
			if err != nil {
				return err
			}
			if first && !bytes.HasPrefix(line, []byte("HTTP/1.1 200 ")) {
				return fmt.Errorf("the reply is %q", line)
			}
			if len(line) == 2 {
				break
			}
			if v, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
				if length, err = strconv.Atoi(string(bytes.TrimSpace(v))); err != nil {
					return err
				}
			}
		}
		if length < 0 {
			return fmt.Errorf("the reply has no length")
		}
		if _, err := r.Discard(length); err != nil {
			return err
		}
	}
	return nil
}
