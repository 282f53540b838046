package bulk

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"math/bits"
	"os"
	"path/filepath"

	"github.com/cespare/xxhash/v2"

	"github.com/verimails/verimaild/daemon/bulk/internal/extsort"
	"github.com/verimails/verimaild/verify/address"
)

// The files of a job's directory.
const (
	inputName     = "input"     // The list, as it came.
	subsetName    = "subset"    // Of a rerun: a bit for each row that belongs to the job.
	questionsName = "questions" // Each address once, those of a domain side by side.
	domainsName   = "domains"   // Where each domain's questions begin, the largest domain first.
	copiesName    = "copies"    // Rows that repeat an earlier one, and which.
)

// sortMemory is what a preparation takes, in bytes.
const sortMemory = 16 << 20

// maxRows bounds a list.
const maxRows = 1<<32 - 1

// A listRow is one row of a list, as far as its order needs it.
type listRow struct {
	address string
	problem string // Why there is no address; "" if there is one.
}

// A preparer turns a list into an order: each address once, those of a domain side by side and in no order that a mail
// server could take for a dictionary's, the domains shuffled. Its memory does not grow with the list.
type preparer struct {
	dir     string
	memory  int
	mayGoOn func() error // Why not, if it may not: told to stop, or no room. Asked now and then.
	sizes   sizes

	copies, domains *extsort.Sorter

	questions *bufio.Writer
	open      question // The one whose rows are being counted; rows is 0 if there is none.
	name      []byte   // Of the domain at hand.
	domain    domain
	scratch   []byte
}

// prepare writes the order of rows into dir and syncs it. Rows count from 1; only those that mine holds for are asked
// about. What was there of an order before is overwritten.
func (p *preparer) prepare(rows iter.Seq2[listRow, error], mine func(row uint64) bool) (sizes, error) {
	all := extsort.New(p.path("rows.sort"), p.memory, compareRows)
	defer func() { _ = all.Close() }() // Its files are gone, or the next preparation's.
	if err := p.collect(all, rows, mine); err != nil {
		return sizes{}, err
	}
	if err := p.writeOrder(all); err != nil {
		return sizes{}, err
	}
	return p.sizes, syncDir(p.dir)
}

// A sorted row is: hash of the domain (8), kind (1), hash of the text (8), row (8), text.
const (
	rowAt  = 17
	textAt = 25
)

// compareRows puts a domain's rows side by side, equal texts among them, and of those the first row first.
func compareRows(a, b []byte) int {
	if c := bytes.Compare(a[:rowAt], b[:rowAt]); c != 0 {
		return c
	}
	if c := bytes.Compare(a[textAt:], b[textAt:]); c != 0 {
		return c
	}
	return bytes.Compare(a[rowAt:textAt], b[rowAt:textAt])
}

// collect reads the list into the sorter.
func (p *preparer) collect(all *extsort.Sorter, rows iter.Seq2[listRow, error], mine func(uint64) bool) error {
	for r, err := range rows {
		if err != nil {
			return err
		}
		p.sizes.Rows++
		if p.sizes.Rows > maxRows {
			return fmt.Errorf("the list has more than %d rows", uint64(maxRows))
		}
		if !mine(p.sizes.Rows) {
			continue
		}
		p.sizes.Mine++
		if err := p.pause(p.sizes.Rows); err != nil {
			return err
		}
		if err := all.Add(p.sortable(r, p.sizes.Rows)); err != nil {
			return err
		}
	}
	return nil
}

// pause asks now and then whether to go on.
func (p *preparer) pause(n uint64) error {
	if n%4096 != 0 {
		return nil
	}
	return p.mayGoOn()
}

// sortable is a row as it is sorted. It is valid until the next.
func (p *preparer) sortable(r listRow, row uint64) []byte {
	k, text := questionOf(r)
	var domainHash uint64
	if k == anAddress {
		domainHash = xxhash.Sum64(k.domainText([]byte(text)))
	}
	b := binary.BigEndian.AppendUint64(p.scratch[:0], domainHash)
	b = append(b, byte(k))
	b = binary.BigEndian.AppendUint64(b, xxhash.Sum64String(text))
	b = binary.BigEndian.AppendUint64(b, row)
	p.scratch = append(b, text...)
	return p.scratch
}

// questionOf is what a row asks.
func questionOf(r listRow) (kind, string) {
	if r.problem != "" {
		return badRow, clip(r.problem)
	}
	a, err := address.Parse(r.address)
	switch {
	case err == nil:
		return anAddress, a.Key()
	case len(r.address) > maxAsked:
		return badRow, clip(err.Error())
	default:
		return notAddress, r.address
	}
}

// writeOrder writes the three files.
func (p *preparer) writeOrder(all *extsort.Sorter) error {
	p.copies = extsort.New(p.path("copies.sort"), p.memory/4, nil)
	p.domains = extsort.New(p.path("domains.sort"), p.memory/4, nil)
	defer func() { _ = errors.Join(p.copies.Close(), p.domains.Close()) }() // As above.
	if err := p.file(questionsName, func(w *bufio.Writer) error { return p.writeQuestions(w, all) }); err != nil {
		return err
	}
	if err := p.file(domainsName, func(w *bufio.Writer) error { return p.copyRecords(w, p.domains, domainAt) }); err != nil {
		return err
	}
	return p.file(copiesName, func(w *bufio.Writer) error { return p.copyRecords(w, p.copies, 0) })
}

func (p *preparer) path(name string) string { return filepath.Join(p.dir, name) }

// file makes a file of the order, synced.
func (p *preparer) file(name string, write func(*bufio.Writer) error) error {
	f, err := os.OpenFile(p.path(name), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 256<<10)
	return errors.Join(write(w), w.Flush(), f.Sync(), f.Close())
}

// copyRecords writes sorted records, without what they were only sorted by.
func (p *preparer) copyRecords(w *bufio.Writer, from *extsort.Sorter, at int) error {
	n := uint64(0)
	for rec, err := range from.Sorted() {
		if err != nil {
			return err
		}
		if _, err := w.Write(rec[at:]); err != nil {
			return err
		}
		if n++; p.pause(n) != nil {
			return p.pause(n)
		}
	}
	return nil
}

// writeQuestions goes through the sorted rows: equal ones become one question, neighbours of a domain its questions.
func (p *preparer) writeQuestions(w *bufio.Writer, all *extsort.Sorter) error {
	p.questions = w
	n := uint64(0)
	for rec, err := range all.Sorted() {
		if err != nil {
			return err
		}
		if err := p.takeRow(rec); err != nil {
			return err
		}
		if n++; p.pause(n) != nil {
			return p.pause(n)
		}
	}
	return errors.Join(p.endQuestion(), p.endDomain())
}

// takeRow takes the next sorted row.
func (p *preparer) takeRow(rec []byte) error {
	k, row, text := kind(rec[8]), binary.BigEndian.Uint64(rec[rowAt:]), rec[textAt:]
	if p.open.rows > 0 && p.open.kind == k && k != badRow && p.open.text == string(text) {
		p.open.rows++
		p.sizes.Copies++
		var c [copySize]byte
		binary.BigEndian.PutUint64(c[:], row)
		binary.BigEndian.PutUint64(c[8:], p.open.row)
		return p.copies.Add(c[:])
	}
	if err := p.endQuestion(); err != nil {
		return err
	}
	if name := k.domainText(text); p.domain.questions == 0 || !bytes.Equal(name, p.name) {
		if err := p.endDomain(); err != nil {
			return err
		}
		p.name = append(p.name[:0], name...)
		p.domain = domain{offset: p.sizes.Bytes}
	}
	p.open = question{kind: k, row: row, rows: 1, text: string(text)}
	p.domain.questions++
	return nil
}

// endQuestion writes the question at hand.
func (p *preparer) endQuestion() error {
	if p.open.rows == 0 {
		return nil
	}
	b := p.open.append(p.scratch[:0])
	p.scratch = b
	p.sizes.Questions++
	p.sizes.Bytes += uint64(len(b))
	p.domain.rows += p.open.rows
	p.open.rows = 0
	_, err := p.questions.Write(b)
	return err
}

// domainAt is where a domain stands in the record that it is sorted by: its size, the largest first, and a hash of its
// name come before it.
const domainAt = 9

// endDomain notes the domain at hand.
func (p *preparer) endDomain() error {
	if p.domain.questions == 0 {
		return nil
	}
	rec := append(p.scratch[:0], ^byte(bits.Len32(p.domain.questions))) //nolint:gosec // G115: at most 32.
	rec = binary.BigEndian.AppendUint64(rec, xxhash.Sum64(p.name))
	p.scratch = p.domain.append(rec)
	p.sizes.Domains++
	p.domain.questions = 0
	return p.domains.Add(p.scratch)
}

// syncDir makes the names in a directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir) //nolint:gosec // G304: the job's own directory.
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
