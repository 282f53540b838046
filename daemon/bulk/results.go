package bulk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"

	"github.com/verimails/verimaild/daemon/bulk/table"
	"github.com/verimails/verimaild/internal/store"
	"github.com/verimails/verimaild/verify/verdict"
)

// resultPiece is how many outcomes are read at a time: no iterator of the store is open while a reader takes its time.
const resultPiece = 2000

// Results writes a job's rows with the outcomes that there are, in the order of the list. It may be called at any time, and
// blocks as long as w does.
func (js *Jobs) Results(ctx context.Context, app, id string, opts table.WriteOptions, w io.Writer) error {
	j, err := js.find(app, id)
	if err != nil {
		return err
	}
	mine, err := j.mine()
	if err != nil {
		return err
	}
	out, err := table.NewWriter(w, j.layout, opts)
	if err != nil {
		return err
	}
	f, err := os.Open(j.path(inputName))
	if err != nil {
		return fmt.Errorf("the list of job %s: %w", j.id, err)
	}
	defer func() { _ = f.Close() }() // Only read.
	answers, err := j.newAnswers()
	if err != nil {
		return err
	}
	defer answers.close()
	if err := writeRows(ctx, table.NewReader(f, j.layout), mine, answers, out); err != nil {
		return err
	}
	return out.Flush()
}

// writeRows puts rows and outcomes side by side.
func writeRows(ctx context.Context, in *table.Reader, mine func(uint64) bool, answers *answers, out *table.Writer) error {
	for {
		row, err := in.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		n := uint64(row.Number) + 1
		if n%1024 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if !mine(n) {
			continue
		}
		o, err := answers.of(n)
		if err != nil {
			return err
		}
		if err := out.Write(row, wire(o)); err != nil {
			return err
		}
	}
}

// wire is an outcome as lists show it; nil has no answer yet.
func wire(o *Outcome) table.Outcome {
	if o == nil {
		return table.Outcome{}
	}
	text := o.Text
	if o.Enhanced != "" {
		text = o.Enhanced + " " + text
	}
	return table.Outcome{
		Reason: o.Reason, Flags: o.Flags, DidYouMean: o.DidYouMean, MX: o.MX, Provider: o.Provider,
		SMTPCode: o.Code, SMTPText: text, CheckedAt: o.CheckedAt,
	}
}

// answers gives the outcome of one row after another.
type answers struct {
	j     *job
	order *order // nil before the list is prepared.

	outcomes func() (rowOutcome, error, bool)
	stop     func()
	head     rowOutcome // The next one; row is 0 if there is none.

	copies     func() (repeat, error, bool)
	stopCopies func()
	copy       repeat // As head.

	last       uint64 // The row that lastAnswer belongs to: copies of one row often stand together.
	lastAnswer *Outcome
}

// A rowOutcome is one row's outcome.
type rowOutcome struct {
	row     uint64
	outcome Outcome
}

func (j *job) newAnswers() (*answers, error) {
	a := &answers{j: j}
	a.outcomes, a.stop = iter.Pull2(j.outcomes())
	a.stopCopies = func() {}
	j.mu.Lock()
	sizes := j.rec.Order
	j.mu.Unlock()
	if sizes != nil {
		var err error
		if a.order, err = openOrder(j.dir(), *sizes); err != nil {
			a.stop()
			return nil, err
		}
		a.copies, a.stopCopies = iter.Pull2(a.order.copiesFrom(0))
		if err := a.nextCopy(); err != nil {
			a.close()
			return nil, err
		}
	}
	if err := a.nextOutcome(); err != nil {
		a.close()
		return nil, err
	}
	return a, nil
}

func (a *answers) close() {
	a.stop()
	a.stopCopies()
	if a.order != nil {
		_ = a.order.close() // Only read.
	}
}

func (a *answers) nextOutcome() error {
	next, err, ok := a.outcomes()
	if !ok {
		next = rowOutcome{}
	}
	a.head = next
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
		if err := a.nextOutcome(); err != nil {
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
	if a.last == a.copy.of && a.lastAnswer != nil {
		return a.lastAnswer, nil
	}
	o, found, err := a.j.jobs.records.outcomes.Get(rowKey(a.j.id, a.copy.of))
	if err != nil || !found {
		return nil, err
	}
	a.last, a.lastAnswer = a.copy.of, &o
	return &o, nil
}

// outcomes yields the outcomes that there are, in the order of rows; copies have none.
func (j *job) outcomes() iter.Seq2[rowOutcome, error] {
	return func(yield func(rowOutcome, error) bool) {
		for from := uint64(0); ; {
			piece, err := j.piece(from)
			if err != nil {
				yield(rowOutcome{}, err)
				return
			}
			for _, o := range piece {
				if !yield(o, nil) {
					return
				}
			}
			if len(piece) < resultPiece {
				return
			}
			from = piece[len(piece)-1].row + 1
		}
	}
}

// piece reads some outcomes, from a row on.
func (j *job) piece(from uint64) ([]rowOutcome, error) {
	var out []rowOutcome
	for it, err := range j.jobs.records.outcomes.Scan(store.Range{Prefix: []byte(j.id), From: rowKey(j.id, from)}) {
		if err != nil {
			return nil, err
		}
		if out = append(out, rowOutcome{rowOfKey(it.Key), it.Value}); len(out) == resultPiece {
			break
		}
	}
	return out, nil
}

// rowsWith is the rows, copies included, whose outcome has one of some verdicts.
func (j *job) rowsWith(of []verdict.Verdict) (bitset, error) {
	var rows bitset
	for o, err := range j.outcomes() {
		if err != nil {
			return nil, err
		}
		if slices.Contains(of, o.outcome.Verdict()) {
			rows = rows.add(o.row)
		}
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("%w: no row of the job is %v", ErrNothing, of)
	}
	answers, err := j.newAnswers()
	if err != nil {
		return nil, err
	}
	defer answers.close()
	if answers.order == nil {
		return rows, nil
	}
	for c, err := range answers.order.copiesFrom(0) {
		if err != nil {
			return nil, err
		}
		if rows.has(c.of) {
			rows = rows.add(c.row)
		}
	}
	return rows, nil
}
