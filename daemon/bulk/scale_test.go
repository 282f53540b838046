package bulk

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"testing"
	"time"

	"github.com/verimails/verimaild/daemon/bulk/table"
	"github.com/verimails/verimaild/internal/store"
	"github.com/verimails/verimaild/verify/verdict"

	"github.com/verimails/verimaild/verify"
)

// bigList writes a list of n rows: a quarter of them at one domain, one in ten a copy.
func bigList(n int) io.Reader {
	r, w := io.Pipe()
	go func() { // Ends with its reader.
		b := bufio.NewWriter(w)
		_, err := b.WriteString("id,email,name\n")
		for i := 0; i < n && err == nil; i++ {
			u, d := i, i%(n/20+1)
			if i%10 == 9 {
				u, d = i-1, (i-1)%(n/20+1)
			}
			if d%4 == 0 {
				d = 0
			}
			_, err = fmt.Fprintf(b, "%d,user%d@domain%d.test,\"Name, %d\"\n", i, u, d, i)
		}
		if err == nil {
			err = b.Flush()
		}
		w.CloseWithError(err)
	}()
	return r
}

// TestScale runs a large job with little memory. BULK_ROWS makes it larger.
func TestScale(t *testing.T) {
	rows := 20_000
	if s := os.Getenv("BULK_ROWS"); s != "" {
		var err error
		if rows, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	stores, err := store.Open(store.Options{Dir: t.TempDir() + "/state"})
	if err != nil {
		t.Fatal(err)
	}
	verifier := verifierFunc(func(_ context.Context, req verify.Request) (*verdict.Answer, error) {
		if len(req.Email)%7 == 0 {
			return answer(req.Email, verdict.MailboxNotFound), nil
		}
		return answer(req.Email, verdict.MailboxAccepted), nil
	})
	js, err := New(Options{Dir: t.TempDir() + "/jobs", Store: stores.State(), Verifier: verifier, Settings: Settings{Retention: time.Hour}})
	if err != nil {
		t.Fatal(err)
	}
	js.Start(t.Context())
	before := settledHeap()
	start := time.Now()
	info, err := js.Create(t.Context(), Spec{Patience: -1}, bigList(rows))
	if err != nil {
		t.Fatal(err)
	}
	accepted := time.Since(start)
	first, peak := time.Duration(0), uint64(0)
	err = js.Watch(t.Context(), "", info.ID, 50*time.Millisecond, func(i Info) error {
		if info = i; first == 0 && i.Counts.Done > 0 {
			first = time.Since(start)
		}
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		peak = max(peak, m.HeapInuse+m.StackInuse)
		return nil
	})
	if err != nil || info.State != Finished || info.Counts.Done != int64(rows) {
		t.Fatalf("job = %+v, %v, want all %d rows done", info, err, rows)
	}
	took := time.Since(start)
	var out lineCount
	if err := js.Results(t.Context(), "", info.ID, table.WriteOptions{}, &out); err != nil {
		t.Fatal(err)
	}
	if int(out) != rows+1 {
		t.Errorf("results have %d lines, want %d", out, rows+1)
	}
	t.Logf("%d rows: accepted after %v, first outcome %v, all %v (%.0f rows/s), results %v; heap %d MB before, %d MB at most", rows,
		accepted, first, took, float64(rows)/took.Seconds(), time.Since(start)-took, before>>20, peak>>20)
	if grown := int64(peak) - int64(before); grown > 150<<20 {
		t.Errorf("memory grew by %d MB, want less than 150", grown>>20)
	}
	if err := js.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if err := stores.Close(); err != nil {
		t.Error(err)
	}
}

func settledHeap() uint64 {
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}

type lineCount int

func (n *lineCount) Write(p []byte) (int, error) {
	for _, c := range p {
		if c == '\n' {
			*n++
		}
	}
	return len(p), nil
}

// A verifierFunc is a Verifier.
type verifierFunc func(context.Context, verify.Request) (*verdict.Answer, error)

func (f verifierFunc) Verify(ctx context.Context, req verify.Request) (*verdict.Answer, error) {
	return f(ctx, req)
}
