package bulk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/verimails/verimaild/daemon/bulk/table"
	"github.com/verimails/verimaild/internal/store"
	"github.com/verimails/verimaild/verify/verdict"
)

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
		n := uint64(row.Number) + 1 //nolint:gosec // G115: not negative.
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
		if err := out.Write(row, shown(o)); err != nil {
			return err
		}
	}
}

// shown is an outcome as lists show it; nil has no answer yet.
func shown(o *Outcome) table.Outcome {
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

// rowsWith is the rows, copies included, whose outcome has one of some verdicts.
func (j *job) rowsWith(of []verdict.Verdict) (bitset, error) {
	rows, err := j.askedWith(of)
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("%w: no row of the job is %v", ErrNothing, of)
	}
	o, err := j.openOrder()
	if err != nil {
		return nil, err
	}
	defer func() { _ = o.close() }() // Only read.
	for c, err := range o.repeats() {
		if err != nil {
			return nil, err
		}
		if rows.has(c.of) {
			rows = rows.add(c.row)
		}
	}
	return rows, nil
}

// askedWith is rowsWith without copies.
func (j *job) askedWith(of []verdict.Verdict) (rows bitset, err error) {
	for it, err := range j.jobs.records.outcomes.Scan(store.Range{Prefix: []byte(j.id)}) {
		if err != nil {
			return nil, err
		}
		for _, p := range it.Value.rows {
			o, err := decodeOutcome(p.outcome)
			if err != nil {
				return nil, err
			}
			if slices.Contains(of, o.Verdict()) {
				rows = rows.add(p.row)
			}
		}
	}
	return rows, nil
}

// openOrder opens the order of a job that is prepared.
func (j *job) openOrder() (*order, error) {
	j.mu.Lock()
	sizes := j.rec.Order
	j.mu.Unlock()
	return openOrder(j.dir(), *sizes)
}
