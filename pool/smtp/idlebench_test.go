package smtp

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// sinkVariable makes the test binary a server instead: a process of its own, so that its memory is told apart.
const sinkVariable = "SMTP_TEST_SINK"

// sink serves SMTP on a loopback port until its standard input ends, and prints its address first.
func sink() error {
	cert, err := newCertificate(time.Now())
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = l.Close()
	}()
	for {
		conn, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		go sinkSession(conn, &tls.Config{Certificates: []tls.Certificate{cert}})
	}
}

// sinkReplies say yes to everything, as Postfix would word it.
var sinkReplies = map[string]string{
	"EHLO": "250-mx.example.net\r\n250-PIPELINING\r\n250-SIZE 10240000\r\n250-VRFY\r\n250-ETRN\r\n250-STARTTLS\r\n" +
		"250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n250-DSN\r\n250-SMTPUTF8\r\n250 CHUNKING\r\n",
	"STARTTLS": "220 2.0.0 Ready to start TLS\r\n",
	"MAIL":     "250 2.1.0 Ok\r\n", "RCPT": "250 2.1.5 Ok\r\n", "RSET": "250 2.0.0 Ok\r\n", "QUIT": "221 2.0.0 Bye\r\n",
}

// sinkSession serves one session. Like most servers it answers a pipelined group in one segment.
func sinkSession(conn net.Conn, cfg *tls.Config) {
	defer func() { _ = conn.Close() }()
	in, out := bufio.NewReader(conn), bufio.NewWriter(conn)
	_, _ = out.WriteString("220 mx.example.net ESMTP Postfix\r\n")
	for {
		if in.Buffered() == 0 {
			_ = out.Flush()
		}
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		verb, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		_, _ = out.WriteString(sinkReplies[verb])
		if verb == "STARTTLS" {
			_ = out.Flush()
			conn = tls.Server(conn, cfg)
			in.Reset(conn)
			out.Reset(conn)
		}
	}
}

// startSink runs sink in a process of its own and returns its address.
func startSink(b *testing.B) string {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), sinkVariable+"=1")
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	addr, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(addr)
}

// BenchmarkSessions measures, against a server in another process, what one of a thousand warm sessions costs while it
// is idle, in memory beyond the kernel's, and what a recipient costs on it, in processor time of this process.
func BenchmarkSessions(b *testing.B) {
	for _, bm := range []struct {
		name   string
		policy TLSPolicy
	}{{"clear", TLSNever}, {"tls", TLSRequired}} {
		b.Run(bm.name, func(b *testing.B) {
			const n = 1000
			addr := startSink(b)
			cfg := config()
			cfg.TLS = bm.policy
			heap, stack := memory()
			sessions := make([]*Session, n)
			for i := range sessions {
				sessions[i] = dialed(b, addr, cfg)
				defer sessions[i].Close()
			}
			heap2, stack2 := memory()

			txs := []Transaction{tx(slices.Repeat([]string{ada}, 5)...)}
			cpu, runs := cpuTime(b), 0
			for b.Loop() {
				if err := sessions[runs%n].Run(b.Context(), txs, nil); err != nil {
					b.Fatal(err)
				}
				runs++
			}
			b.ReportMetric(float64((cpuTime(b)-cpu).Nanoseconds())/float64(5*runs), "cpu-ns/rcpt")
			b.ReportMetric(float64(heap2-heap)/n, "heap-B/session")
			b.ReportMetric(float64(stack2-stack)/n, "stack-B/session")
		})
	}
}

// dialed opens a session over TCP and runs one transaction on it.
func dialed(b *testing.B, addr string, cfg Config) *Session {
	b.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	s, err := Open(context.Background(), conn, cfg)
	if err != nil {
		b.Fatal(err)
	}
	if err := s.Run(context.Background(), []Transaction{tx(ada, bob)}, nil); err != nil {
		b.Fatal(err)
	}
	return s
}

// memory is what the heap and the stacks hold.
func memory() (heap, stack uint64) {
	var m runtime.MemStats
	for range 3 { // Stacks shrink one step at a time.
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return m.HeapAlloc, m.StackInuse
}
