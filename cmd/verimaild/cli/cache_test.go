package cli

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/verimails/verimaild/client/apitype"
	"github.com/verimails/verimaild/internal/mailworld"
)

// TestForgetInFlight: what is forgotten while it is being asked about is not remembered, and asked about again.
func TestForgetInFlight(t *testing.T) {
	const ada = "ada@example.test"
	for _, tt := range []struct {
		name string
		args []string
	}{
		{"address", []string{"cache", "forget", ada}},
		{"domain", []string{"cache", "forget", "example.test"}},
		{"domain forget", []string{"domain", "forget", "example.test"}},
		{"everything", []string{"cache", "forget", "--all", "--yes"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, []string{"ada"}, func(h *mailworld.Host) {
				h.Slow = map[string]time.Duration{"RCPT": 400 * time.Millisecond}
			})
			s.start(t, zap.NewNop())
			var first apitype.Answer
			var wg sync.WaitGroup
			wg.Go(func() { first = s.verify(t, ada) })
			until(t, "the question at the mail host", func() bool { return s.asked(ada) == 1 })
			s.must(t, tt.args...)
			wg.Wait()
			if first.Verdict != apitype.Deliverable || !first.ExpiresAt.IsZero() {
				t.Errorf("the answer under way = %s, expires_at %v, want deliverable, and not kept", first.Reason, first.ExpiresAt)
			}
			if again := s.verify(t, ada); again.Cached || again.Verdict != apitype.Deliverable || s.asked(ada) != 2 {
				t.Errorf("the next answer = %s, cached %t, asked %d times, want a fresh one", again.Reason, again.Cached, s.asked(ada))
			}
			if third := s.verify(t, ada); !third.Cached || s.asked(ada) != 2 {
				t.Errorf("the third answer: cached %t, asked %d times, want it remembered", third.Cached, s.asked(ada))
			}
			s.must(t, tt.args...) // From memory and disk.
			if last := s.verify(t, ada); last.Cached || s.asked(ada) != 3 {
				t.Errorf("after forgetting again: cached %t, asked %d times, want a fresh answer", last.Cached, s.asked(ada))
			}
		})
	}
}

// TestRestart: answers outlive the daemon, the cache holds no address in clear, and forgetting leaves the durable store.
func TestRestart(t *testing.T) {
	locals := names(5)
	s := newSite(t, locals[:4]) // The last one does not exist.
	stop := s.start(t, zap.NewNop())
	for _, l := range locals {
		s.verify(t, l+"@example.test")
	}
	stop()
	checkNoAddress(t, filepath.Join(s.dir, "state"))

	stop = s.start(t, zap.NewNop())
	for _, l := range locals {
		if a := s.verify(t, l+"@example.test"); !a.Cached || s.asked(a.Email) != 1 || len(a.Evidence) == 0 {
			t.Errorf("%s after a restart: cached %t with %d entries of evidence, asked %d times, want it remembered", a.Email, a.Cached, len(a.Evidence), s.asked(a.Email))
		}
	}
	durable := filepath.Join(s.dir, "state", "state")
	before := files(t, durable)
	s.must(t, "cache", "forget", "--all", "--yes")
	if after := files(t, durable); !maps.EqualFunc(before, after, bytes.Equal) {
		t.Error("forgetting everything changed the durable store")
	}
	stop()

	s.start(t, zap.NewNop())
	if a := s.verify(t, locals[0]+"@example.test"); a.Cached {
		t.Error("what was forgotten came back with a restart")
	}
}

// checkNoAddress looks for the local parts of names in the raw files of a state directory, which no daemon holds.
func checkNoAddress(t *testing.T, dir string) {
	t.Helper()
	all := files(t, dir)
	if len(all) < 4 {
		t.Errorf("%s holds %d files, want a lock, a key and two stores", dir, len(all))
	}
	for name, content := range all {
		for _, part := range []string{"zaphod", "beeblebrox"} {
			if bytes.Contains(content, []byte(part)) {
				t.Errorf("%s holds %q in clear", name, part)
			}
		}
	}
}

// TestKeyLost: without the key the cache is empty, which the log says, and nothing fails.
func TestKeyLost(t *testing.T) {
	s := newSite(t, []string{"ada"})
	stop := s.start(t, zap.NewNop())
	s.verify(t, "ada@example.test")
	stop()
	key := filepath.Join(s.dir, "state", "key")
	if fi, err := os.Stat(key); err != nil || fi.Mode().Perm() != 0o600 {
		t.Fatalf("the key file: %v, %v, want mode 0600", fi, err)
	}
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	core, logs := observer.New(zap.WarnLevel)
	s.start(t, zap.New(core))
	if got := logs.FilterMessageSnippet("key").Len(); got != 1 {
		t.Errorf("%d log lines about the key, want 1: %v", got, logs.All())
	}
	if a := s.verify(t, "ada@example.test"); a.Cached || a.Verdict != apitype.Deliverable {
		t.Errorf("without the key = %s, cached %t, want a fresh answer", a.Reason, a.Cached)
	}
	if a := s.verify(t, "ada@example.test"); !a.Cached {
		t.Error("with a new key nothing is remembered")
	}
}

// TestKilled: a daemon that is killed while it answers starts again, with answers that are whole.
func TestKilled(t *testing.T) {
	locals := names(300)
	s := newSite(t, locals)
	s.killed = true
	known := map[string]bool{}
	for round := range 3 {
		cmd := s.spawn(t)
		for l := range known { // What was answered long before the kill is still known.
			if a := s.verify(t, l+"@example.test"); a.Verdict != apitype.Deliverable {
				t.Errorf("round %d: %s = %s, want deliverable", round, a.Email, a.Reason)
			}
		}
		share := locals[round*100 : (round+1)*100]
		for i := range 5 {
			known[share[i]] = true
			if a := s.verify(t, share[i]+"@example.test"); a.Verdict != apitype.Deliverable {
				t.Errorf("round %d: %s = %s, want deliverable", round, a.Email, a.Reason)
			}
		}
		var wg sync.WaitGroup
		wg.Go(func() { // Fails halfway, when the daemon is gone.
			args := []string{"verify"}
			for _, l := range share[5:] {
				args = append(args, l+"@example.test")
			}
			s.command("", args...)
		})
		target := share[20] + "@example.test"
		until(t, "the load", func() bool { return s.asked(target) > 0 })
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // It was killed.
		wg.Wait()
		// What was not yet sorted into tables lies in logs that are not compressed.
		checkNoAddress(t, filepath.Join(s.dir, "state"))
	}
	s.spawn(t)
	cached := 0
	for l := range known {
		if s.verify(t, l+"@example.test").Cached {
			cached++
		}
	}
	if cached == 0 {
		t.Error("three kills left nothing of what was remembered")
	}
	var st apitype.CacheStats
	if err := json.Unmarshal([]byte(s.must(t, "cache", "stats", "--json")), &st); err != nil || st.Faults.Bad != 0 {
		t.Errorf("cache stats = %+v, %v, want no unreadable record", st, err)
	}
}

// TestSecondDaemon: a state directory belongs to one daemon, and the other is told to which.
func TestSecondDaemon(t *testing.T) {
	s := newSite(t, nil)
	s.start(t, zap.NewNop())
	var errOut strings.Builder
	code := Main([]string{"serve", "--config", s.config()}, strings.NewReader(""), &strings.Builder{}, &errOut)
	if code != exitFailure || !strings.Contains(errOut.String(), filepath.Join(s.dir, "state")) {
		t.Errorf("a second daemon = exit code %d, %q, want 1 and the name of the directory", code, errOut.String())
	}
}

func TestCacheCommands(t *testing.T) {
	s := newSite(t, []string{"ada", "bob"})
	s.start(t, zap.NewNop())
	s.verify(t, "ada@example.test")
	s.verify(t, "nobody@example.test")
	file := filepath.Join(s.dir, "facts.ndjson")
	exported := s.must(t, "cache", "export")
	for _, tt := range []struct {
		name, stdin string
		args        []string
		code        int
		out, err    string // Parts.
	}{
		{"stats", "", []string{"cache", "stats"}, 0, "LOOK-UPS OF", ""},
		{"stats as JSON", "", []string{"cache", "stats", "--json"}, 0, `"degraded":false`, ""},
		{"show", "", []string{"domain", "show", "Example.TEST"}, 0, "refuses made-up recipients", ""},
		{"show hosts", "", []string{"domain", "show", "example.test"}, 0, "mx.example.test (10) 127.", ""},
		{"show as JSON", "", []string{"domain", "show", "--json", "example.test"}, 0, `"accepts_all":false`, ""},
		{"show nothing", "", []string{"domain", "show", "unknown.test"}, 1, "", "Nothing is remembered of unknown.test"},
		{"show what is no domain", "", []string{"domain", "show", "a..b"}, 1, "", "column 3"},
		{"show no domain", "", []string{"domain", "show"}, 2, "", "no domain given"},
		{"export to a file", "", []string{"cache", "export", "-o", file}, 0, "", "2 records exported"},
		{"export to nowhere", "", []string{"cache", "export", "-o", s.dir + "/none/x"}, 1, "", "none"},
		{"import a file", "", []string{"cache", "import", file}, 0, "2 records read", ""},
		{"import standard input", exported, []string{"cache", "import", "--json"}, 0, `{"records":2,"expired":0}`, ""},
		{"import rubbish", "rubbish", []string{"cache", "import", "-"}, 1, "", "Line 1 "},
		{"import two files", "", []string{"cache", "import", file, file}, 2, "", "2 files"},
		{"import no file", "", []string{"cache", "import", s.dir + "/none"}, 1, "", "none"},
		{"forget an address", "", []string{"cache", "forget", "ada@example.test"}, 0, "forgotten (1 record)", ""},
		{"forget it again", "", []string{"cache", "forget", "ada@example.test"}, 0, "was not remembered", ""},
		{"forget as JSON", "", []string{"cache", "forget", "--json", "nobody@example.test"}, 0, `{"subject":"nobody@example.test","records":1}`, ""},
		{"forget a domain", "", []string{"domain", "forget", "example.test"}, 0, "forgotten (2 records)", ""},
		{"forget an address as a domain", "", []string{"domain", "forget", "ada@example.test"}, 2, "", "cache forget"},
		{"forget nothing", "", []string{"cache", "forget"}, 2, "", "no address or domain given"},
		{"forget all and some", "", []string{"cache", "forget", "--all", "a.test"}, 2, "", "--all"},
		{"forget all, no", "n\n", []string{"cache", "forget", "--all"}, 1, "", "nothing was forgotten"},
		{"forget all, nobody there", "", []string{"cache", "forget", "--all"}, 2, "", "--yes"},
		{"forget all, yes", "yes\n", []string{"cache", "forget", "--all"}, 0, "everything is forgotten", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := s.command(tt.stdin, tt.args...)
			if got.code != tt.code || !strings.Contains(got.out, tt.out) || !strings.Contains(got.err, tt.err) {
				t.Errorf("%v = %d %q %q, want %d %q %q", tt.args, got.code, got.out, got.err, tt.code, tt.out, tt.err)
			}
		})
	}
	left, err := filepath.Glob(filepath.Join(s.dir, ".facts*"))
	if err != nil || len(left) > 0 {
		t.Errorf("the export left %v behind", left)
	}
}

func TestCacheCommandsWithoutDaemon(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "none")
	for _, args := range [][]string{
		{"cache", "stats"},
		{"cache", "forget", "a.test"},
		{"cache", "forget", "--all", "--yes"},
		{"cache", "export"},
		{"cache", "import"},
		{"domain", "show", "a.test"},
		{"domain", "forget", "a.test"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			var errOut strings.Builder
			if code := Main(append(args, "--socket", socket), strings.NewReader(""), &strings.Builder{}, &errOut); code != exitUnreachable {
				t.Errorf("exit code = %d, want 3: %s", code, errOut.String())
			}
		})
	}
}

// TestFailedExport leaves the old file as it was.
func TestFailedExport(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "facts")
	if err := os.WriteFile(file, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	code := Main([]string{"cache", "export", "-o", file, "--socket", filepath.Join(dir, "none")}, strings.NewReader(""), &strings.Builder{}, &strings.Builder{})
	if code != exitUnreachable {
		t.Errorf("exit code = %d, want 3", code)
	}
	if got := files(t, dir); len(got) != 1 || string(got["/facts"]) != "old" {
		t.Errorf("the directory holds %q, want the old file alone", got)
	}
}
