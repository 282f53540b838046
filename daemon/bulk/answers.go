package bulk

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"sort"
	"sync"

	"github.com/verimails/verimaild/daemon/bulk/internal/extsort"
	"github.com/verimails/verimaild/internal/store"
)

// Outcomes come in the order in which they are found, and results are read in the order of rows. So whoever reads them has
// them sorted into a file first, unless that is there already. The file is nothing but a copy: it may be lost.

// answersName is the name of that file, before how many blocks it has.
const answersName = "answers-"

// sortedAnswers is a job's sorted outcomes.
type sortedAnswers struct {
	mu     sync.Mutex // Held while they are sorted. Guards all below.
	blocks uint64     // How many are in the file.
	index  []mark     // Where some rows stand, for looking one up.
	there  bool       // The file is.
}

// A mark is where a row stands.
type mark struct {
	row    uint64
	offset int64
}

// markEvery is how many rows lie between two marks.
const markEvery = 64

// answerMemory is what sorting outcomes takes, in bytes.
const answerMemory = 8 << 20

// An answerFile is sorted outcomes, open for reading. Whoever reads on keeps it, though a newer one takes its place.
type answerFile struct {
	f     *os.File
	index []mark

	lookup *bufio.Reader // Of find.
	buf    []byte
}

// openAnswers opens the sorted outcomes that there are now.
func (j *job) openAnswers() (*answerFile, error) {
	s := &j.sorted
	s.mu.Lock()
	defer s.mu.Unlock()
	blocks, err := j.countBlocks()
	if err != nil {
		return nil, err
	}
	if !s.there || s.blocks != blocks {
		if err := j.sortAnswers(blocks); err != nil {
			return nil, err
		}
	}
	f, err := os.Open(j.answersPath(s.blocks))
	if err != nil {
		s.there = false
		return nil, err
	}
	return &answerFile{f: f, index: s.index, lookup: bufio.NewReaderSize(nil, 8<<10)}, nil
}

func (j *job) answersPath(blocks uint64) string {
	return j.path(fmt.Sprintf("%s%d", answersName, blocks))
}

// countBlocks is how many blocks of outcomes there are.
func (j *job) countBlocks() (uint64, error) {
	for it, err := range j.jobs.records.outcomes.Scan(store.Range{Prefix: []byte(j.id), Reverse: true, KeysOnly: true}) {
		return numberOfKey(it.Key) + 1, err
	}
	return 0, nil
}

// sortAnswers sorts the outcomes of the first blocks into a file, and removes those that there were. The caller holds
// j.sorted.mu.
func (j *job) sortAnswers(blocks uint64) error {
	if err := j.jobs.room(); err != nil {
		return err
	}
	old, err := filepath.Glob(j.path(answersName + "*"))
	if err != nil {
		return err
	}
	sorter := extsort.New(j.path(answersName+"sort"), answerMemory, nil)
	defer func() { _ = sorter.Close() }() // Its files are gone, or go with the job.
	if err := j.addAnswers(sorter, blocks); err != nil {
		return err
	}
	index, err := writeAnswers(j.answersPath(blocks), sorter.Sorted())
	if err != nil {
		return err
	}
	for _, path := range old {
		if path != j.answersPath(blocks) {
			_ = os.Remove(path) // It goes with the job at the latest.
		}
	}
	j.sorted.blocks, j.sorted.index, j.sorted.there = blocks, index, true
	return nil
}

// addAnswers gives the outcomes of the first blocks to a sorter: the row, and the outcome behind it.
func (j *job) addAnswers(sorter *extsort.Sorter, blocks uint64) error {
	var rec []byte
	for it, err := range j.jobs.records.outcomes.Scan(store.Range{Prefix: []byte(j.id)}) {
		if err != nil {
			return err
		}
		if numberOfKey(it.Key) >= blocks {
			return nil
		}
		for _, p := range it.Value.rows {
			rec = append(binary.BigEndian.AppendUint64(rec[:0], p.row), p.outcome...)
			if err := sorter.Add(rec); err != nil {
				return err
			}
		}
	}
	return nil
}

// writeAnswers writes sorted outcomes to a file, each with its length before it.
func writeAnswers(path string, sorted iter.Seq2[[]byte, error]) (index []mark, err error) {
	f, err := os.OpenFile(path+".part", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600) //nolint:gosec // G304: in the job's own directory.
	if err != nil {
		return nil, err
	}
	w := bufio.NewWriterSize(f, 256<<10)
	n, offset := 0, int64(0)
	for rec, err := range sorted {
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		if n%markEvery == 0 {
			index = append(index, mark{binary.BigEndian.Uint64(rec), offset})
		}
		n++
		var head [4]byte
		binary.BigEndian.PutUint32(head[:], uint32(len(rec))) //nolint:gosec // G115: a record has at most some KiB.
		_, _ = w.Write(head[:])                               // Flush says what went wrong.
		_, _ = w.Write(rec)
		offset += int64(len(head) + len(rec))
	}
	if err := errors.Join(w.Flush(), f.Close()); err != nil {
		return nil, err
	}
	return index, os.Rename(path+".part", path)
}

func (a *answerFile) close() { _ = a.f.Close() } // Only read.

// A rowOutcome is one row's outcome; row is 0 if there is none.
type rowOutcome struct {
	row     uint64
	outcome Outcome
}

// maxAnswer bounds an encoded outcome and its row, in bytes.
const maxAnswer = 16 << 10

// nextRaw reads one outcome, encoded; its row is 0 at the end. It is valid until the next.
func nextRaw(r *bufio.Reader, buf *[]byte) (packed, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		if err == io.EOF {
			return packed{}, nil
		}
		return packed{}, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n < 8 || n > maxAnswer {
		return packed{}, errDecode
	}
	if uint32(cap(*buf)) < n { //nolint:gosec // G115: as large as a record.
		*buf = make([]byte, n, 2*n)
	}
	b := (*buf)[:n]
	if _, err := io.ReadFull(r, b); err != nil {
		return packed{}, err
	}
	return packed{binary.BigEndian.Uint64(b), b[8:]}, nil
}

// find looks one row up; nil if it has no outcome.
func (a *answerFile) find(row uint64) (*Outcome, error) {
	i := sort.Search(len(a.index), func(i int) bool { return a.index[i].row > row }) - 1
	if i < 0 {
		return nil, nil //nolint:nilnil // As documented.
	}
	a.lookup.Reset(io.NewSectionReader(a.f, a.index[i].offset, 1<<62))
	for range markEvery {
		p, err := nextRaw(a.lookup, &a.buf)
		if err != nil || p.row == 0 || p.row > row {
			return nil, err
		}
		if p.row == row {
			o, err := decodeOutcome(p.outcome)
			return &o, err
		}
	}
	return nil, nil //nolint:nilnil // As documented.
}

// answers gives the outcome of one row after another.
type answers struct {
	file  *answerFile
	order *order // nil before the list is prepared.

	in   *bufio.Reader
	buf  []byte
	head rowOutcome // The next one; row is 0 if there is none.

	copies     func() (repeat, error, bool)
	stopCopies func()
	copy       repeat // As head.

	last       uint64 // The row that lastAnswer belongs to: copies of one row often stand together.
	lastAnswer *Outcome
}

func (j *job) newAnswers() (*answers, error) {
	file, err := j.openAnswers()
	if err != nil {
		return nil, err
	}
	a := &answers{file: file, in: bufio.NewReaderSize(file.f, 64<<10), stopCopies: func() {}}
	if err := a.begin(j); err != nil {
		a.close()
		return nil, err
	}
	return a, nil
}

// begin reads the first outcome and the first copy.
func (a *answers) begin(j *job) (err error) {
	j.mu.Lock()
	prepared := j.rec.Order != nil
	j.mu.Unlock()
	if prepared {
		if a.order, err = j.openOrder(); errors.Is(err, errDamaged) {
			return a.next() // Copies are not known; all others are.
		} else if err != nil {
			return err
		}
		a.copies, a.stopCopies = iter.Pull2(a.order.repeats())
		if err := a.nextCopy(); err != nil {
			return err
		}
	}
	return a.next()
}

func (a *answers) close() {
	a.file.close()
	a.stopCopies()
	if a.order != nil {
		_ = a.order.close() // Only read.
	}
}

func (a *answers) next() error {
	p, err := nextRaw(a.in, &a.buf)
	a.head.row = p.row
	if err == nil && p.row != 0 {
		a.head.outcome, err = decodeOutcome(p.outcome)
	}
	return err
}

func (a *answers) nextCopy() error {
	next, err, ok := a.copies()
	if !ok {
		next = repeat{}
	}
	a.copy = next
	return err
}

// of is the outcome of a row, nil if there is none. Rows must be asked for in their order.
func (a *answers) of(row uint64) (*Outcome, error) {
	for a.head.row != 0 && a.head.row < row {
		if err := a.next(); err != nil {
			return nil, err
		}
	}
	if a.head.row == row {
		return &a.head.outcome, nil
	}
	for a.copy.row != 0 && a.copy.row < row {
		if err := a.nextCopy(); err != nil {
			return nil, err
		}
	}
	if a.copy.row != row {
		return nil, nil //nolint:nilnil // As documented.
	}
	if a.last != a.copy.of || a.lastAnswer == nil {
		o, err := a.file.find(a.copy.of)
		if err != nil {
			return nil, err
		}
		a.last, a.lastAnswer = a.copy.of, o
	}
	return a.lastAnswer, nil
}
