package store

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestRecordsStayOverRestart(t *testing.T) {
	opts := Options{Dir: t.TempDir() + "/state"}
	s, err := Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	mustPut(t, textRecords(t, s.State(), "s/"), "a", "1")
	mustPut(t, textRecords(t, s.Cache(), "c/"), "a", "2")
	key := s.Key(AddressHashes)
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatalf("Close() = %v", err)
		}
	}
	s = openTest(t, opts)
	wantGet(t, textRecords(t, s.State(), "s/"), "a", "1")
	wantGet(t, textRecords(t, s.Cache(), "c/"), "a", "2")
	if s.Key(AddressHashes) != key {
		t.Error("Key(AddressHashes) after a restart is another one")
	}
	if s.Key(Tickets) == key {
		t.Error("Key(Tickets) = Key(AddressHashes)")
	}
}

func TestClosedStore(t *testing.T) {
	s := openTest(t, Options{})
	r := textRecords(t, s.State(), "r/")
	if err := s.Close(); err != nil {
		t.Fatalf("Close() = %v", err)
	}
	if _, _, err := r.Get([]byte("a")); !errors.Is(err, ErrClosed) {
		t.Errorf("Get after Close = %v, want ErrClosed", err)
	}
	if err := r.Put(t.Context(), []byte("a"), "1", 0); !errors.Is(err, ErrClosed) {
		t.Errorf("Put after Close = %v, want ErrClosed", err)
	}
	if err := r.TryPut([]byte("a"), "1", 0); !errors.Is(err, ErrClosed) {
		t.Errorf("TryPut after Close = %v, want ErrClosed", err)
	}
	for _, err := range r.Scan(Range{}) {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("Scan after Close = %v, want ErrClosed", err)
		}
	}
}

func TestCloseWaitsForScans(t *testing.T) {
	s := openTest(t, Options{InMemory: true})
	r := textRecords(t, s.State(), "r/")
	for i := range 100 {
		mustPut(t, r, fmt.Sprintf("%03d", i), "v")
	}
	closed := make(chan error, 1)
	n := 0
	for item, err := range r.Scan(Range{}) {
		if err != nil {
			t.Fatalf("Scan = %v", err)
		}
		if n == 0 {
			go func() { closed <- s.Close() }()
		}
		// A read inside a scan must neither deadlock with Close nor fail in another way than by name.
		if _, _, err := r.Get(item.Key); err != nil && !errors.Is(err, ErrClosed) {
			t.Fatalf("Get inside Scan = %v", err)
		}
		n++
	}
	if n != 100 {
		t.Errorf("Scan during Close visited %d records, want 100", n)
	}
	if err := <-closed; err != nil {
		t.Errorf("Close() = %v", err)
	}
}

func TestScan(t *testing.T) {
	s := openTest(t, Options{InMemory: true})
	r := textRecords(t, s.State(), "r/")
	other := textRecords(t, s.State(), "q/")
	more := textRecords(t, s.State(), "s/")
	mustPut(t, other, "a1", "other")
	mustPut(t, more, "a1", "more")
	for _, k := range []string{"a1", "a2", "a3", "b1", "b2", "\xff\xff"} {
		mustPut(t, r, k, "v"+k)
	}
	tests := []struct {
		name string
		in   Range
		want []string
	}{
		{"all", Range{}, []string{"a1", "a2", "a3", "b1", "b2", "\xff\xff"}},
		{"prefix", Range{Prefix: []byte("a")}, []string{"a1", "a2", "a3"}},
		{"from", Range{From: []byte("a3")}, []string{"a3", "b1", "b2", "\xff\xff"}},
		{"from between", Range{From: []byte("a25")}, []string{"a3", "b1", "b2", "\xff\xff"}},
		{"prefix and from", Range{Prefix: []byte("a"), From: []byte("a2")}, []string{"a2", "a3"}},
		{"reverse", Range{Reverse: true}, []string{"\xff\xff", "b2", "b1", "a3", "a2", "a1"}},
		{"reverse prefix", Range{Reverse: true, Prefix: []byte("a")}, []string{"a3", "a2", "a1"}},
		{"reverse from", Range{Reverse: true, From: []byte("b1")}, []string{"b1", "a3", "a2", "a1"}},
		{"nothing there", Range{Prefix: []byte("c")}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, keysOnly := range []bool{false, true} {
				tt.in.KeysOnly = keysOnly
				var got []string
				for item, err := range r.Scan(tt.in) {
					if err != nil {
						t.Fatalf("Scan = %v", err)
					}
					if want := "v" + string(item.Key); !keysOnly && item.Value != want {
						t.Errorf("Scan: value at %q = %q, want %q", item.Key, item.Value, want)
					}
					got = append(got, string(item.Key))
				}
				if !slices.Equal(got, tt.want) {
					t.Errorf("Scan(%+v) = %q, want %q", tt.in, got, tt.want)
				}
			}
		})
	}
}

func TestScanGoesOnAfterBadRecord(t *testing.T) {
	s := openTest(t, Options{InMemory: true})
	r := textRecords(t, s.Cache(), "r/")
	for k, v := range map[string]string{"a": "1", "b": "bad", "c": "3"} {
		mustPut(t, r, k, v)
	}
	var good, bad []string
	for item, err := range r.Scan(Range{}) {
		switch {
		case IsBad(err):
			bad = append(bad, string(item.Key))
		case err != nil:
			t.Fatalf("Scan = %v", err)
		default:
			good = append(good, string(item.Key))
		}
	}
	if !slices.Equal(good, []string{"a", "c"}) || !slices.Equal(bad, []string{"b"}) {
		t.Errorf("Scan: good %q, bad %q, want [a c] and [b]", good, bad)
	}
	if _, found, err := r.Get([]byte("b")); found || !IsBad(err) {
		t.Errorf("Get(b) = %v, %v, want a DecodeError", found, err)
	}
}

func TestBatchIsAllOrNothing(t *testing.T) {
	s := openTest(t, Options{})
	jobs, rows := textRecords(t, s.State(), "job/"), textRecords(t, s.State(), "row/")
	mustPut(t, rows, "old", "x")
	var b Batch
	jobs.PutIn(&b, []byte("1"), "job", 0)
	rows.PutIn(&b, []byte("1"), "row", 0)
	rows.DeleteIn(&b, []byte("old"))
	if err := s.State().Commit(t.Context(), &b); err != nil {
		t.Fatalf("Commit = %v", err)
	}
	wantGet(t, jobs, "1", "job")
	wantGet(t, rows, "1", "row")
	wantGet(t, rows, "old", "")

	b = Batch{}
	jobs.PutIn(&b, []byte("2"), "job", 0)
	rows.PutIn(&b, []byte("2"), strings.Repeat("x", 1<<20), 0)
	if err := s.State().Commit(t.Context(), &b); !errors.Is(err, ErrTooLarge) {
		t.Errorf("Commit of 1 MB = %v, want ErrTooLarge", err)
	}
	wantGet(t, jobs, "2", "")

	b = Batch{}
	jobs.PutIn(&b, []byte("3"), "job", 0)
	textRecords(t, s.Cache(), "c/").PutIn(&b, []byte("3"), "x", 0)
	if err := s.State().Commit(t.Context(), &b); !errors.Is(err, errMixedStores) {
		t.Errorf("Commit over both stores = %v, want %v", err, errMixedStores)
	}
}

func TestDeletePrefixAndDrop(t *testing.T) {
	s := openTest(t, Options{})
	r, other := textRecords(t, s.Cache(), "r/"), textRecords(t, s.Cache(), "q/")
	var b Batch
	for i := range 600 { // More than fits one transaction of the cache store.
		r.PutIn(&b, fmt.Appendf(nil, "a%04d", i), "x", 0)
		if b.Len() == 200 {
			if err := s.Cache().Commit(t.Context(), &b); err != nil {
				t.Fatalf("Commit = %v", err)
			}
			b = Batch{}
		}
	}
	mustPut(t, r, "b", "stays")
	mustPut(t, other, "a", "stays too")
	if n, err := r.DeletePrefix(t.Context(), []byte("a")); n != 600 || err != nil {
		t.Errorf("DeletePrefix(a) = %d, %v, want 600", n, err)
	}
	wantGet(t, r, "a0001", "")
	wantGet(t, r, "b", "stays")
	if err := r.Drop(t.Context()); err != nil {
		t.Fatalf("Drop = %v", err)
	}
	wantGet(t, r, "b", "")
	wantGet(t, other, "a", "stays too")
	mustPut(t, r, "b", "new")
	wantGet(t, r, "b", "new")
}

func TestTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openTest(t, Options{InMemory: true})
		r := textRecords(t, s.State(), "r/")
		if err := r.Put(t.Context(), []byte("a"), "1", time.Hour); err != nil {
			t.Fatal(err)
		}
		time.Sleep(59 * time.Minute)
		wantGet(t, r, "a", "1")
		for item, err := range r.Scan(Range{}) {
			if left := time.Until(item.Expires); err != nil || left > time.Minute {
				t.Errorf("Scan: expires in %v, %v, want 1m at most", left, err)
			}
		}
		time.Sleep(2 * time.Minute)
		wantGet(t, r, "a", "")
	})
}

func TestRecordSetsDoNotOverlap(t *testing.T) {
	s := openTest(t, Options{InMemory: true})
	textRecords(t, s.State(), "job/")
	for _, prefix := range []string{"job/", "job/x", "j", "", "\x00key"} {
		if _, err := NewRecords(s.State(), prefix, text); err == nil {
			t.Errorf("NewRecords(%q) = nil, want an error", prefix)
		}
	}
	if _, err := NewRecords(s.Cache(), "job/", text); err != nil {
		t.Errorf("NewRecords(job/) in the other store = %v", err)
	}
}
