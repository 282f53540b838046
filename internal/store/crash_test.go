package store

import (
	"context"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// value is what the child writes at key as its n-th version: it tells a torn value from a whole one.
func value(key string, n int) string {
	body := fmt.Sprintf("%s %d %s", key, n, strings.Repeat("x", n%700))
	return fmt.Sprintf("%s %08x", body, crc32.ChecksumIEEE([]byte(body)))
}

// version reads a value back.
func version(key, v string) (int, error) {
	f := strings.Fields(v)
	if len(f) < 3 || f[0] != key {
		return 0, fmt.Errorf("torn value %q at %q", v, key)
	}
	n, err := strconv.Atoi(f[1])
	if err != nil || v != value(key, n) {
		return 0, fmt.Errorf("torn value %q at %q", v, key)
	}
	return n, nil
}

const crashKeys = 40

// childWrite writes ever new versions of some keys to both stores until it is killed. It prints each version that the
// durable store has reported as written.
func childWrite(dir string) error {
	s, err := Open(Options{Dir: dir})
	if err != nil {
		return err
	}
	state, err := NewRecords(s.State(), "r/", text)
	if err != nil {
		return err
	}
	cache, err := NewRecords(s.Cache(), "r/", text)
	if err != nil {
		return err
	}
	first, err := strconv.Atoi(os.Getenv("STORE_TEST_FIRST"))
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for n := first; ; n++ {
				key := fmt.Sprintf("k%02d", w+4*(n%(crashKeys/4)))
				if err := cache.TryPut([]byte(key), value(key, n), 0); err != nil {
					fmt.Println("error:", err)
				}
				if err := state.Put(context.Background(), []byte(key), value(key, n), 0); err != nil {
					fmt.Println("error:", err)
					return
				}
				fmt.Println(key, n)
			}
		})
	}
	wg.Wait()
	return s.Close()
}

// rounds is how often a crash test crashes: few times in a normal run, more when VERIMAILD_TEST_ROUNDS says so.
func rounds(t *testing.T) int {
	t.Helper()
	s := os.Getenv("VERIMAILD_TEST_ROUNDS")
	if s == "" {
		return 20
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatalf("VERIMAILD_TEST_ROUNDS: %v", err)
	}
	return n
}

func TestKilledWhileWriting(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	acked := map[string]int{}
	last := 0
	for round := range rounds(t) {
		last = killWriter(t, dir, last+1, 50+37*round%400, acked)
		checkAfterCrash(t, dir, acked)
		if t.Failed() {
			t.Fatalf("in round %d", round)
		}
	}
	if aside, _ := filepath.Glob(filepath.Join(dir, "cache.damaged-*")); len(aside) > 0 {
		t.Errorf("the cache was set aside: %q", aside)
	}
}

// killWriter lets a child write until it has reported so many writes, and kills it. It notes what was reported and
// returns the highest version.
func killWriter(t *testing.T, dir string, first, writes int, acked map[string]int) (last int) {
	t.Helper()
	cmd, lines, _ := child(t, "write", dir, "STORE_TEST_FIRST="+strconv.Itoa(first))
	last = first
	for n := 0; lines.Scan(); n++ {
		key, version, _ := strings.Cut(lines.Text(), " ")
		v, err := strconv.Atoi(version)
		if err != nil {
			t.Fatalf("the child says %q", lines.Text())
		}
		acked[key], last = max(acked[key], v), max(last, v)
		if n == writes {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); err == nil || cmd.ProcessState.Exited() {
		t.Fatalf("the child was to be killed and ended by itself: %v", err)
	}
	return last
}

// checkAfterCrash checks that what was reported is there, in that version or a later one, and that nothing is torn.
func checkAfterCrash(t *testing.T, dir string, acked map[string]int) {
	t.Helper()
	s, err := Open(Options{Dir: dir})
	if err != nil {
		t.Fatalf("Open after a kill = %v", err)
	}
	state, cache := textRecords(t, s.State(), "r/"), textRecords(t, s.Cache(), "r/")
	for key, want := range acked {
		v, _, err := state.Get([]byte(key))
		if err != nil {
			t.Fatalf("Get(%q) = %v", key, err)
		}
		got, err := version(key, v)
		if err != nil || got < want {
			t.Errorf("state at %q: version %d, %v, want %d or later", key, got, err, want)
		}
	}
	for item, err := range cache.Scan(Range{}) {
		if err == nil {
			_, err = version(string(item.Key), item.Value)
		}
		if err != nil {
			t.Errorf("cache: %v", err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatalf("Close() = %v", err)
	}
}

// TestPowerLoss cuts the end off the logs, as a crash of the machine may: what is left is whole records, and the
// store goes on from there.
func TestPowerLoss(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	acked := map[string]int{}
	last := 0
	for round := range 8 {
		last = killWriter(t, dir, last+1, 100, acked)
		for _, name := range []string{stateName, cacheName} {
			logs, err := filepath.Glob(filepath.Join(dir, name, "*.mem"))
			if err != nil || len(logs) == 0 {
				t.Fatalf("logs of %s: %q, %v", name, logs, err)
			}
			cutTail(t, logs[len(logs)-1], 1+round*113)
		}
		clear(acked) // What was synced last is gone; only that nothing is torn can be checked.
		checkAfterCrash(t, dir, acked)
	}
}

// cutTail zeroes the last n bytes that were written to a log. The file keeps its length: Badger sizes it in advance.
func cutTail(t *testing.T, path string, n int) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	end := len(strings.TrimRight(string(b), "\x00"))
	start := max(0, end-n)
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(make([]byte, end-start), int64(start)); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}
