package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/verimails/verimaild/client"
	"github.com/verimails/verimaild/client/apitype"
)

// A list is one that is worked off while the weather is bad.
type list struct {
	caller *caller
	rows   []string
	id     string
}

// newList draws the rows of a list: who may be asked about, some of them twice, and what is no address.
func newList(c *caller, rows int) *list {
	l := &list{caller: c}
	for i := range rows {
		row := c.plan.address(c.rand)
		switch {
		case i%50 == 49:
			row = "not an address"
		case i%10 == 9:
			row = l.rows[c.rand.IntN(i)]
		}
		l.rows = append(l.rows, row)
	}
	return l
}

// send makes a job of the list, which ends after limit.
func (l *list) send(ctx context.Context, limit time.Duration) error {
	var b strings.Builder
	b.WriteString("n,email\n")
	for i, row := range l.rows {
		fmt.Fprintf(&b, "%d,%s\n", i, row)
	}
	j, err := l.caller.client.CreateJob(ctx, strings.NewReader(b.String()), client.JobOptions{
		Name: "list.csv", Column: "email", Header: "present", TimeLimit: limit,
	})
	if err != nil {
		return err
	}
	l.id = j.ID
	return nil
}

// await waits for the job's end, whatever happens to the daemon meanwhile, and looks at its results all the time.
func (l *list) await(ctx context.Context) (apitype.Job, error) {
	for {
		began := time.Now()
		j, err := l.caller.client.Job(ctx, l.id)
		switch {
		case err == nil && j.State == apitype.JobFinished:
			return j, nil
		case err == nil:
			err = l.peek(ctx)
		}
		if ctx.Err() != nil {
			return j, fmt.Errorf("job %+v: %w", j, ctx.Err())
		}
		if err != nil {
			l.caller.failed("job", began, err)
		}
		pause(ctx, 100*time.Millisecond)
	}
}

// peek reads the results that there are by now.
func (l *list) peek(ctx context.Context) error {
	n := 0
	for _, err := range l.caller.client.JobRows(ctx, l.id, client.ResultsOptions{}) {
		if err != nil {
			return err
		}
		n++
	}
	if n != len(l.rows) {
		return fmt.Errorf("%d rows of %d", n, len(l.rows))
	}
	return nil
}

// check holds the results of a finished job against the list and the truth, and returns how many rows are not unknown.
func (l *list) check(ctx context.Context, j *apitype.Job) (settled int, err error) {
	n := 0
	for row, err := range l.caller.client.JobRows(ctx, l.id, client.ResultsOptions{}) {
		if err != nil {
			return 0, err
		}
		if n >= len(l.rows) {
			return 0, errors.New("more results than rows")
		}
		var in struct{ N, Email string }
		if err := json.Unmarshal(row.Row, &in); err != nil {
			return 0, err
		}
		if in.N != fmt.Sprint(n) || in.Email != l.rows[n] || row.Verdict == "" || row.Reason == "" {
			return 0, fmt.Errorf("row %d is %s, want %s with an outcome", n, row.Row, l.rows[n])
		}
		l.caller.book.heard(l.rows[n], row.Reason, row.CheckedAt.Add(-rowSlack), string(row.Row))
		if row.Verdict != apitype.Unknown {
			settled++
		}
		n++
	}
	if n != len(l.rows) || j.Rows != int64(n) || j.Done != int64(n) || j.Verdicts.Sum() != int64(n) {
		return settled, fmt.Errorf("%d results, %d rows, job %+v", n, len(l.rows), j)
	}
	return settled, nil
}
