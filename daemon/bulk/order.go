package bulk

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"

	"github.com/verimails/verimaild/internal/wire"
)

// An order is a prepared job's files, open for reading. It is safe for concurrent use.
type order struct {
	questions, domains, copies *os.File
	sizes                      sizes
}

// sizes are what the files of an order hold.
type sizes struct {
	Rows      uint64 `json:"rows"`      // In the list, whether they belong to the job or not.
	Mine      uint64 `json:"mine"`      // Of these, the job's own.
	Questions uint64 `json:"questions"` // Different addresses.
	Domains   uint64 `json:"domains"`
	Copies    uint64 `json:"copies"` // Rows that repeat an earlier one.
	Bytes     uint64 `json:"bytes"`  // Of the file of questions.
}

// openOrder opens the order in dir, and checks that its files have the sizes that were noted.
func openOrder(dir string, s sizes) (*order, error) {
	o := &order{sizes: s}
	for _, f := range []struct {
		file **os.File
		name string
		size uint64
	}{
		{&o.questions, questionsName, s.Bytes},
		{&o.domains, domainsName, s.Domains * domainSize},
		{&o.copies, copiesName, s.Copies * copySize},
	} {
		var err error
		if *f.file, err = openSized(dir+"/"+f.name, f.size); err != nil {
			return nil, errors.Join(err, o.close())
		}
	}
	return o, nil
}

func openSized(path string, size uint64) (*os.File, error) {
	f, err := os.Open(path) //nolint:gosec // G304: in the job's own directory.
	if err != nil {
		return nil, errors.Join(errDamaged, err)
	}
	info, err := f.Stat()
	if err == nil && uint64(info.Size()) != size { //nolint:gosec // G115: a size.
		err = fmt.Errorf("%w: %s has %d bytes, and had %d", errDamaged, info.Name(), info.Size(), size)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (o *order) close() error {
	var errs []error
	for _, f := range []*os.File{o.questions, o.domains, o.copies} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(errs...)
}

// domain reads the ith domain.
func (o *order) domain(i uint32) (domain, error) {
	var b [domainSize]byte
	if _, err := o.domains.ReadAt(b[:], int64(i)*domainSize); err != nil {
		return domain{}, errors.Join(errDamaged, err)
	}
	return readDomain(b[:]), nil
}

// question reads the question at an offset, and how long it is.
func (o *order) question(offset uint64) (question, int, error) {
	var most [maxQuestion]byte
	b := most[:256] // Room for nearly all.
	for {
		n, err := o.questions.ReadAt(b, int64(offset)) //nolint:gosec // G115: within the file.
		if err != nil && !errors.Is(err, io.EOF) {
			return question{}, 0, errors.Join(errDamaged, err)
		}
		r := wire.NewReader(b[:n])
		q := readQuestion(&r, o.sizes.Rows)
		switch {
		case !r.Failed():
			return q, n - len(r.Rest()), nil
		case len(b) == len(most):
			return question{}, 0, errDamaged
		}
		b = most[:]
	}
}

// A repeat is a row that repeats an earlier one.
type repeat struct{ row, of uint64 }

// repeats yields the copies in the order of rows.
func (o *order) repeats() iter.Seq2[repeat, error] {
	return func(yield func(repeat, error) bool) {
		r := bufio.NewReader(io.NewSectionReader(o.copies, 0, int64(o.sizes.Copies)*copySize)) //nolint:gosec // G115: at most maxRows.
		for range o.sizes.Copies {
			var b [copySize]byte
			if _, err := io.ReadFull(r, b[:]); err != nil {
				yield(repeat{}, errors.Join(errDamaged, err))
				return
			}
			if !yield(readCopy(b[:]), nil) {
				return
			}
		}
	}
}

func readCopy(b []byte) repeat {
	return repeat{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])}
}
