package extsort

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// maxRecord bounds a record that is read back, so that a damaged length cannot take all memory.
const maxRecord = 64 << 20

// A runWriter writes records, each with its length before it.
type runWriter struct{ w *bufio.Writer }

func newRunWriter(w io.Writer) *runWriter { return &runWriter{bufio.NewWriterSize(w, 256<<10)} }

func (w *runWriter) add(rec []byte) error {
	var n [binary.MaxVarintLen64]byte
	if _, err := w.w.Write(n[:binary.PutUvarint(n[:], uint64(len(rec)))]); err != nil {
		return err
	}
	_, err := w.w.Write(rec)
	return err
}

func (w *runWriter) flush() error { return w.w.Flush() }

// A runReader reads a run's records one by one.
type runReader struct {
	r    *bufio.Reader
	head []byte // The record at hand.
}

// next reads the next record into head; io.EOF means that there is none.
func (r *runReader) next() error {
	n, err := binary.ReadUvarint(r.r)
	if err != nil {
		return err
	}
	if n > maxRecord {
		return fmt.Errorf("a run has a record of %d bytes", n)
	}
	if uint64(cap(r.head)) < n {
		r.head = make([]byte, n, 2*n)
	}
	r.head = r.head[:n]
	if _, err := io.ReadFull(r.r, r.head); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF // Only a run's end is io.EOF.
		}
		return err
	}
	return nil
}

// merge calls yield with the records of some runs in order, until it returns false.
func (s *Sorter) merge(paths []string, yield func([]byte) bool) (err error) {
	h := heap{compare: s.compare}
	defer func() {
		for _, f := range s.files {
			err = errors.Join(err, f.Close())
		}
		s.files = nil
	}()
	for _, path := range paths {
		f, err := os.Open(path) //nolint:gosec // G304: in the sorter's own directory.
		if err != nil {
			return fmt.Errorf("sort: %w", err)
		}
		s.files = append(s.files, f)
		r := &runReader{r: bufio.NewReaderSize(f, bufferSize)}
		switch err := r.next(); {
		case err == nil:
			h.push(r)
		case !errors.Is(err, io.EOF):
			return fmt.Errorf("sort: %w", err)
		}
	}
	for len(h.runs) > 0 {
		if !yield(h.runs[0].head) {
			return nil
		}
		if err := h.advance(); err != nil {
			return fmt.Errorf("sort: %w", err)
		}
	}
	return nil
}

// A heap holds runs; the one with the least record is first. It is written out because container/heap costs twice as much.
type heap struct {
	runs    []*runReader
	compare func(a, b []byte) int
}

func (h *heap) less(i, j int) bool { return h.compare(h.runs[i].head, h.runs[j].head) < 0 }

func (h *heap) push(r *runReader) {
	h.runs = append(h.runs, r)
	for i := len(h.runs) - 1; i > 0; {
		parent := (i - 1) / 2
		if !h.less(i, parent) {
			return
		}
		h.runs[i], h.runs[parent] = h.runs[parent], h.runs[i]
		i = parent
	}
}

// advance takes the next record of the first run, or drops the run at its end.
func (h *heap) advance() error {
	switch err := h.runs[0].next(); {
	case err == io.EOF:
		last := len(h.runs) - 1
		h.runs[0] = h.runs[last]
		h.runs = h.runs[:last]
	case err != nil:
		return err
	}
	for i := 0; ; {
		least := i
		for _, child := range [...]int{2*i + 1, 2*i + 2} {
			if child < len(h.runs) && h.less(child, least) {
				least = child
			}
		}
		if least == i {
			return nil
		}
		h.runs[i], h.runs[least] = h.runs[least], h.runs[i]
		i = least
	}
}
