package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/zap"
)

// childOpen opens the stores, reads all there is and writes something. It prints how that went.
func childOpen(dir string) error {
	s, err := Open(Options{Dir: dir, Logger: zap.NewNop()})
	if err != nil {
		if _, ok := errors.AsType[*DamageError](err); ok {
			fmt.Println("damaged")
			return nil
		}
		return err
	}
	for _, st := range []*Store{s.State(), s.Cache()} {
		r, err := NewRecords(st, "r/", text)
		if err != nil {
			return err
		}
		n := 0
		for _, err := range r.Scan(Range{}) {
			if err != nil {
				return err
			}
			n++
		}
		fmt.Println(st.tune.name, n)
		if err := r.Put(context.Background(), []byte("new"), "new", 0); err != nil {
			return err
		}
	}
	return s.Close()
}

// filled makes a state directory whose stores have a table and a log each.
func filled(t *testing.T) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "state")
	for range 2 {
		s, err := Open(Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		for _, st := range []*Store{s.State(), s.Cache()} {
			r := textRecords(t, st, "r/")
			for i := range 10 {
				var b Batch
				for j := range 200 {
					r.PutIn(&b, fmt.Appendf(nil, "%d-%d", i, j), strings.Repeat("v", j), 0)
				}
				if err := st.Commit(t.Context(), &b); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// damages are ways in which a file goes bad.
var damages = map[string]func(path string, b []byte) error{
	"cut in half": func(path string, b []byte) error { return os.Truncate(path, int64(len(b)/2)) },
	"emptied":     func(path string, _ []byte) error { return os.Truncate(path, 0) },
	"zeroed":      func(path string, b []byte) error { return os.WriteFile(path, make([]byte, len(b)), 0o600) },
	"removed":     func(path string, _ []byte) error { return os.Remove(path) },
	"overwritten": func(path string, b []byte) error {
		rng := rand.New(rand.NewPCG(1, 2))
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		return os.WriteFile(path, b, 0o600)
	},
	"middle overwritten": func(path string, b []byte) error {
		rng := rand.New(rand.NewPCG(3, 4))
		for i := len(b) / 3; i < len(b)/2; i++ {
			b[i] = byte(rng.Uint32())
		}
		return os.WriteFile(path, b, 0o600)
	},
	"one bit": func(path string, b []byte) error {
		if len(b) == 0 {
			return nil
		}
		b[len(b)/2] ^= 1
		return os.WriteFile(path, b, 0o600)
	},
}

// TestDamagedFiles damages each kind of file of both stores in each way. A damaged cache must not stop a start; a
// damaged state store must say so, or lose nothing. Neither may end the process.
func TestDamagedFiles(t *testing.T) {
	if testing.Short() {
		t.Skip("starts many processes")
	}
	pristine := filled(t)
	for _, store := range []string{cacheName, stateName} {
		for _, pattern := range []string{"*.sst", "MANIFEST", "KEYREGISTRY", "*.vlog"} {
			for name, damage := range damages {
				t.Run(store+" "+pattern+" "+name, func(t *testing.T) {
					t.Parallel()
					dir := filepath.Join(t.TempDir(), "state")
					if err := os.CopyFS(dir, os.DirFS(pristine)); err != nil {
						t.Fatal(err)
					}
					fixModes(t, dir)
					files, err := filepath.Glob(filepath.Join(dir, store, pattern))
					if err != nil || len(files) == 0 {
						t.Fatalf("files %s: %q, %v", pattern, files, err)
					}
					b, err := os.ReadFile(files[0])
					if err != nil {
						t.Fatal(err)
					}
					if err := damage(files[0], b); err != nil {
						t.Fatal(err)
					}
					checkDamaged(t, dir, store)
				})
			}
		}
	}
}

// checkDamaged opens a directory of which one store is damaged in a child process.
func checkDamaged(t *testing.T, dir, store string) {
	t.Helper()
	cmd, lines, _ := child(t, "open", dir)
	var said []string
	for lines.Scan() {
		said = append(said, lines.Text())
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("open ended with %v, said %q", err, said)
	}
	out := strings.Join(said, ", ")
	switch {
	case store == cacheName && !strings.HasPrefix(out, "state 2000, cache "):
		t.Errorf("with a damaged cache: %q, want the state whole and a cache", out)
	case store == stateName && out != "damaged" && out != "state 2000, cache 2000":
		t.Errorf("with a damaged state: %q, want that it is said, or nothing lost", out)
	}
}

// fixModes makes a copy as private as the original.
func fixModes(t *testing.T, dir string) {
	t.Helper()
	for _, d := range []string{dir, filepath.Join(dir, stateName), filepath.Join(dir, cacheName)} {
		if err := os.Chmod(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(dir, keyName), 0o600); err != nil {
		t.Fatal(err)
	}
}
