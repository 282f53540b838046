// Package extsort sorts more records than fit into memory: runs are sorted in memory, written to files, and merged.
package extsort

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"os"
	"slices"
)

const (
	fanIn      = 64       // Runs that are merged at a time; each has a buffer.
	bufferSize = 32 << 10 // Of one run that is read, in bytes.
	perRecord  = 32       // What a record takes beside its bytes.
)

// A Sorter sorts records, which are byte slices. The order of equal records is not kept. It is used by one goroutine:
// Add all, read [Sorter.Sorted] once, Close.
type Sorter struct {
	prefix  string // Of the paths of runs.
	memory  int
	compare func(a, b []byte) int

	arena []byte // Records of the run in memory, one after another.
	ends  []int  // Where each of them ends.
	runs  []string
	made  int // Runs so far, for their names.
	files []*os.File
}

// New makes a sorter that takes about memory bytes beside the buffers of its runs (2 MB at most). Its runs are files
// whose paths begin with prefix, and which [Sorter.Close] removes. A nil compare means bytes.Compare.
func New(prefix string, memory int, compare func(a, b []byte) int) *Sorter {
	if compare == nil {
		compare = bytes.Compare
	}
	return &Sorter{prefix: prefix, memory: memory, compare: compare}
}

// Add adds a copy of rec. An error is one of writing a run.
func (s *Sorter) Add(rec []byte) error {
	if len(s.ends) > 0 && len(s.arena)+len(rec)+perRecord*(len(s.ends)+1) > s.memory {
		if err := s.spill(); err != nil {
			return err
		}
	}
	if s.arena == nil {
		s.arena = make([]byte, 0, max(len(rec), min(s.memory, 64<<10)))
	}
	s.arena = append(s.arena, rec...)
	s.ends = append(s.ends, len(s.arena))
	return nil
}

// record is the ith record in memory.
func (s *Sorter) record(i int) []byte {
	from := 0
	if i > 0 {
		from = s.ends[i-1]
	}
	return s.arena[from:s.ends[i]]
}

// inMemory is the records in memory, in order.
func (s *Sorter) inMemory() [][]byte {
	out := make([][]byte, len(s.ends))
	for i := range out {
		out[i] = s.record(i)
	}
	slices.SortFunc(out, s.compare)
	return out
}

// spill writes the records in memory to a run.
func (s *Sorter) spill() error {
	err := s.write(func(w *runWriter) error {
		for _, rec := range s.inMemory() {
			if err := w.add(rec); err != nil {
				return err
			}
		}
		return nil
	})
	s.arena, s.ends = s.arena[:0], s.ends[:0]
	return err
}

// write makes a new run of what fill adds to it.
func (s *Sorter) write(fill func(*runWriter) error) error {
	path := fmt.Sprintf("%s-%d", s.prefix, s.made)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600) //nolint:gosec // G304: in the sorter's own directory.
	if err != nil {
		return fmt.Errorf("sort: %w", err)
	}
	s.made++
	s.runs = append(s.runs, path)
	w := newRunWriter(f)
	if err := errors.Join(fill(w), w.flush(), f.Close()); err != nil {
		return fmt.Errorf("sort: %w", err)
	}
	return nil
}

// Sorted yields all records in order; one is valid until the next. It may be called once, after which nothing can be
// added. An error ends it.
func (s *Sorter) Sorted() iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		if len(s.runs) == 0 {
			for _, rec := range s.inMemory() {
				if !yield(rec, nil) {
					return
				}
			}
			return
		}
		if err := s.reduce(); err != nil {
			yield(nil, err)
			return
		}
		if err := s.merge(s.runs, func(rec []byte) bool { return yield(rec, nil) }); err != nil {
			yield(nil, err)
		}
	}
}

// reduce merges runs until few enough are left to be merged at once.
func (s *Sorter) reduce() error {
	if len(s.ends) > 0 {
		if err := s.spill(); err != nil {
			return err
		}
	}
	s.arena, s.ends = nil, nil
	for len(s.runs) > fanIn {
		some := slices.Clone(s.runs[:fanIn])
		s.runs = slices.Delete(s.runs, 0, fanIn)
		err := s.write(func(w *runWriter) error {
			var failed error
			err := s.merge(some, func(rec []byte) bool {
				failed = w.add(rec)
				return failed == nil
			})
			return errors.Join(err, failed)
		})
		for _, path := range some {
			err = errors.Join(err, os.Remove(path))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Close removes the runs. It may be called more than once.
func (s *Sorter) Close() error {
	var errs []error
	for _, f := range s.files {
		errs = append(errs, f.Close())
	}
	for _, path := range s.runs {
		errs = append(errs, os.Remove(path))
	}
	s.files, s.runs, s.arena, s.ends = nil, nil, nil, nil
	return errors.Join(errs...)
}
