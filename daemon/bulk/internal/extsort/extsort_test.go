package extsort

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
)

func TestSorted(t *testing.T) {
	for _, tt := range []struct {
		name      string
		n, memory int
	}{
		{"nothing", 0, 1 << 20},
		{"one", 1, 1 << 20},
		{"in memory", 1000, 1 << 20},
		{"some runs", 1000, 4 << 10},
		{"more runs than are merged at a time", 5000, 600},
		{"a run a record", 200, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			s := New(dir+"/run", tt.memory, nil)
			r := rand.New(rand.NewPCG(1, uint64(tt.n)))
			var want [][]byte
			for range tt.n {
				rec := fmt.Appendf(nil, "%d", r.IntN(tt.n))
				rec = append(rec, make([]byte, r.IntN(30))...)
				want = append(want, rec)
				if err := s.Add(rec); err != nil {
					t.Fatal(err)
				}
			}
			slices.SortFunc(want, bytes.Compare)
			var got [][]byte
			for rec, err := range s.Sorted() {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, bytes.Clone(rec))
			}
			if !slices.EqualFunc(got, want, bytes.Equal) {
				t.Errorf("Sorted() has %d records, want the %d added, in order", len(got), len(want))
			}
			if err := s.Close(); err != nil {
				t.Errorf("Close() = %v", err)
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

// TestStops breaks off in the middle, and leaves nothing.
func TestStops(t *testing.T) {
	dir := t.TempDir()
	s := New(dir+"/run", 100, nil)
	for i := range 100 {
		if err := s.Add(fmt.Appendf(nil, "%03d", i)); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	for _, err := range s.Sorted() {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n == 10 {
			break
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestDamagedRun reads runs that are not what was written.
func TestDamagedRun(t *testing.T) {
	for _, tt := range []struct {
		name   string
		damage func([]byte) []byte
	}{
		{"cut short", func(b []byte) []byte { return b[:len(b)-1] }},
		{"a length beyond all measure", func(b []byte) []byte { return binary.AppendUvarint(nil, 1<<40) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := New(t.TempDir()+"/run", 20, nil)
			for i := range 10 {
				if err := s.Add(fmt.Appendf(nil, "%03d", i)); err != nil {
					t.Fatal(err)
				}
			}
			b, err := os.ReadFile(s.runs[0])
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(s.runs[0], tt.damage(b), 0o600); err != nil {
				t.Fatal(err)
			}
			var failed error
			for _, err := range s.Sorted() {
				failed = err
			}
			if failed == nil {
				t.Error("Sorted() ended without an error")
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestNoRoom has no directory to write runs to.
func TestNoRoom(t *testing.T) {
	s := New(t.TempDir()+"/missing/run", 10, nil)
	err := s.Add([]byte("0123456789"))
	if err == nil {
		err = s.Add([]byte("0123456789"))
	}
	if err == nil {
		t.Error("Add() beyond memory = nil, want an error")
	}
}

func BenchmarkSort(b *testing.B) {
	const n = 200_000
	for b.Loop() {
		s := New(b.TempDir()+"/run", 2<<20, nil)
		r := rand.New(rand.NewPCG(1, 2))
		var rec [40]byte
		for range n {
			binary.BigEndian.PutUint64(rec[:], r.Uint64())
			if err := s.Add(rec[:]); err != nil {
				b.Fatal(err)
			}
		}
		for _, err := range s.Sorted() {
			if err != nil {
				b.Fatal(err)
			}
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(b.Elapsed().Seconds()*1e9/n/float64(b.N), "ns/record")
}
