package cache

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/verimails/verimaild/internal/store"
	"github.com/verimails/verimaild/verify/address"
	"github.com/verimails/verimaild/verify/verdict"
)

// rememberForEver stores ever new records about a few mailboxes until the process is killed. The provider and the
// reply's code of a record tell which one it is: a torn record would not have both right.
func rememberForEver(dir string) error {
	stores, err := store.Open(store.Options{Dir: dir})
	if err != nil {
		return err
	}
	c, err := New(Options{Stores: stores})
	if err != nil {
		return err
	}
	for n := 0; ; n++ {
		a, err := address.Parse(fmt.Sprintf("user%02d@example%d.com", n%40, n%3))
		if err != nil {
			return err
		}
		m := sample(a, verdict.MailboxFull, c.now())
		m.Provider = "version " + strconv.Itoa(n)
		m.Evidence[0].Code = 100 + n%800
		m.Evidence[0].Dialogue = dialogue(a, c.now())[:n%20]
		if _, err := c.PutMailbox(c.Begin(a), a, m); err != nil {
			return err
		}
		if n%500 == 0 {
			fmt.Println(n)
		}
	}
}

func rounds(t *testing.T) int {
	t.Helper()
	s := os.Getenv("VERIMAILD_TEST_ROUNDS")
	if s == "" {
		return 10
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatalf("VERIMAILD_TEST_ROUNDS: %v", err)
	}
	return n
}

func TestKilledWhileRemembering(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	for round := range rounds(t) {
		cmd := child(t, "remember", dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			if _, err := strconv.Atoi(lines.Text()); err != nil {
				t.Fatalf("the child says %q", lines.Text())
			}
			if n == 1+round%5 {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := cmd.Wait(); err == nil || cmd.ProcessState.Exited() {
			t.Fatalf("the child was to be killed and ended by itself: %v", err)
		}
		checkRecords(t, dir)
	}
}

// checkRecords reads everything that a killed child has left.
func checkRecords(t *testing.T, dir string) {
	t.Helper()
	stores, err := store.Open(store.Options{Dir: dir})
	if err != nil {
		t.Fatalf("Open after a kill = %v", err)
	}
	c, err := New(Options{Stores: stores})
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for n := range 40 * 3 {
		a := addr(t, fmt.Sprintf("user%02d@example%d.com", n%40, n%3))
		m, f := c.Mailbox(a)
		if f == verdict.Missing {
			continue
		}
		found++
		var version int
		if _, err := fmt.Sscanf(m.Provider, "version %d", &version); err != nil {
			t.Errorf("%s: provider %q", a, m.Provider)
		}
		if ev := m.Evidence[0]; ev.Code != 100+version%800 || len(ev.Dialogue) != version%20 {
			t.Errorf("%s: version %d with code %d and %d lines, want %d and %d", a, version, ev.Code, len(ev.Dialogue), 100+version%800, version%20)
		}
	}
	if s := c.Stats(); s.Bad != 0 || s.Store.Damaged != 0 || found == 0 {
		t.Errorf("after a kill: %d records, Stats() = %+v, want some and none bad", found, s)
	}
	if aside, err := filepath.Glob(filepath.Join(dir, "cache.damaged-*")); len(aside) > 0 || err != nil {
		t.Errorf("the cache was set aside: %q, %v", aside, err)
	}
	if err := stores.Close(); err != nil {
		t.Fatal(err)
	}
}
