package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/verimails/verimaild/client/apitype"
)

// ResultsOptions say which rows of a job are wanted, and how. The zero value is all, as CSV.
type ResultsOptions struct {
	Format    string   // "csv", "ndjson", "kickbox", "zerobounce", "neverbounce".
	Verdicts  []string // Only rows with one of these.
	Reasons   []string // Only rows with one of these.
	Delimiter string   // Of CSV; "" means a comma.
	BOM       bool     // Of CSV: begin with a byte order mark, which Excel needs to see UTF-8.
	NoHeader  bool     // Of CSV.

	// RawFormulas leaves cells as they are that a spreadsheet would take for formulas.
	RawFormulas bool
}

func (o *ResultsOptions) query() string {
	q := url.Values{}
	for name, v := range map[string]string{
		"format": o.Format, "verdict": strings.Join(o.Verdicts, ","), "reason": strings.Join(o.Reasons, ","), "delimiter": o.Delimiter,
	} {
		if v != "" {
			q.Set(name, v)
		}
	}
	if o.BOM {
		q.Set("bom", "true")
	}
	if o.NoHeader {
		q.Set("header", "false")
	}
	if o.RawFormulas {
		q.Set("formulas", "raw")
	}
	return encodeQuery(q)
}

// JobResults writes a job's list with the outcomes that there are to w. It may be called at any time; columns of rows
// without an outcome are empty. After an error, w holds the beginning only.
func (c *Client) JobResults(ctx context.Context, id string, w io.Writer, opts ResultsOptions) error {
	body, err := c.openJob(ctx, id, "/results?"+opts.query())
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }() // Read to its end, or not worth keeping.
	if _, err := io.Copy(w, body); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return fmt.Errorf("verimaild: the daemon broke the results off: %w", err)
		}
		return fmt.Errorf("verimaild: results: %w", err)
	}
	return nil
}

// A JobRow is one row of a job. Its fields are the zero value where they are not known, and all are before the row's
// outcome is there.
type JobRow struct {
	Row json.RawMessage `json:"-"` // The whole of it: an object of the list's columns and the outcome.

	Verdict      string    `json:"verdict"`
	Reason       string    `json:"reason"`
	Subject      string    `json:"subject"`
	CatchAll     *bool     `json:"catch_all"`
	Disposable   *bool     `json:"disposable"`
	Role         *bool     `json:"role"`
	FreeProvider *bool     `json:"free_provider"`
	DidYouMean   string    `json:"did_you_mean"`
	MX           string    `json:"mx"`
	Provider     string    `json:"provider"`
	SMTPCode     int       `json:"smtp_code"`
	SMTPText     string    `json:"smtp_text"`
	CheckedAt    time.Time `json:"checked_at"`
}

// JobRows yields a job's rows in their order, with the outcomes that there are. Columns of the list that are called like
// one of an outcome are in Row under their names, and the outcome's under verimaild_ and theirs; the fields are the
// outcome's. Of opts, the filters count. An error ends it.
func (c *Client) JobRows(ctx context.Context, id string, opts ResultsOptions) iter.Seq2[JobRow, error] {
	return func(yield func(JobRow, error) bool) {
		opts.Format = "ndjson"
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		body, err := c.openJob(ctx, id, "/results?"+opts.query())
		if err != nil {
			yield(JobRow{}, err)
			return
		}
		defer func() { _ = body.Close() }() // As above.
		for line, err := range lines(body) {
			var row JobRow
			if err == nil {
				row, err = readJobRow(line)
			}
			if !yield(row, err) || err != nil {
				return
			}
		}
	}
}

// lines yields the lines of r; one is valid until the next.
func lines(r io.Reader) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		sc := bufio.NewScanner(r)
		sc.Buffer(make([]byte, 64<<10), maxReply)
		for sc.Scan() {
			if !yield(sc.Bytes(), nil) {
				return
			}
		}
		if err := sc.Err(); err != nil {
			yield(nil, fmt.Errorf("verimaild: %w", err))
		}
	}
}

// readJobRow reads one line of results.
func readJobRow(line []byte) (JobRow, error) {
	row := JobRow{Row: bytes.Clone(line)}
	var own map[string]json.RawMessage
	if err := json.Unmarshal(line, &own); err != nil {
		return row, fmt.Errorf("verimaild: the reply is not what its API promises: %w", err)
	}
	fields := map[string]any{
		"verdict": &row.Verdict, "reason": &row.Reason, "subject": &row.Subject, "catch_all": &row.CatchAll,
		"disposable": &row.Disposable, "role": &row.Role, "free_provider": &row.FreeProvider, "did_you_mean": &row.DidYouMean,
		"mx": &row.MX, "provider": &row.Provider, "smtp_code": &row.SMTPCode, "smtp_text": &row.SMTPText, "checked_at": &row.CheckedAt,
	}
	for name, to := range fields {
		v, renamed := own["verimaild_"+name]
		if !renamed {
			v = own[name]
		}
		if v == nil {
			continue
		}
		if err := json.Unmarshal(v, to); err != nil {
			return row, fmt.Errorf("verimaild: the reply is not what its API promises: %s: %w", name, err)
		}
	}
	return row, nil
}

// WatchJob yields a job at once and after each change, until it has ended; that one is the last. When the daemon stops,
// having told of the job before, it waits for the next one. An error ends it.
func (c *Client) WatchJob(ctx context.Context, id string) iter.Seq2[apitype.Job, error] {
	return func(yield func(apitype.Job, error) bool) {
		told := false
		for {
			ended, err := c.watchOnce(ctx, id, func(j apitype.Job, err error) bool {
				told = true
				return yield(j, err)
			})
			switch {
			case ended:
				return
			case ctx.Err() != nil:
				yield(apitype.Job{}, context.Cause(ctx))
				return
			case err != nil && !(told && away(err)):
				yield(apitype.Job{}, err)
				return
			}
			if !wait(ctx, watchAgain) {
				yield(apitype.Job{}, context.Cause(ctx))
				return
			}
		}
	}
}

// watchAgain is how long to wait for a daemon that is away.
const watchAgain = time.Second

// away reports whether err says that the daemon is not there now, having been there before.
func away(err error) bool {
	refused, ok := errors.AsType[*Error](err)
	return !ok || refused.Code == apitype.CodeShuttingDown
}

// watchOnce yields the events of one connection. It reports whether no more are to come.
func (c *Client) watchOnce(ctx context.Context, id string, yield func(apitype.Job, error) bool) (ended bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	body, err := c.openJob(ctx, id, "/events")
	if err != nil {
		return false, err
	}
	defer func() { _ = body.Close() }() // As above.
	name := ""
	for line, err := range lines(body) {
		if err != nil {
			return false, err
		}
		if n, ok := bytes.CutPrefix(line, []byte("event: ")); ok {
			name = string(n)
		}
		data, ok := bytes.CutPrefix(line, []byte("data: "))
		if !ok {
			continue
		}
		var j apitype.Job
		if err := json.Unmarshal(data, &j); err != nil {
			return false, fmt.Errorf("verimaild: the reply is not what its API promises: %w", err)
		}
		if !yield(j, nil) || name == "end" {
			return true, nil
		}
	}
	return false, nil
}

// openJob asks for what is read piece by piece.
func (c *Client) openJob(ctx context.Context, id, path string) (io.ReadCloser, error) {
	var body io.ReadCloser
	err := c.retry(ctx, func() error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/v1/jobs/"+segment(id)+path, http.NoBody)
		if err != nil {
			return fmt.Errorf("verimaild: %w", err)
		}
		resp, err := c.transport().Do(req)
		if err != nil {
			return sendError(err)
		}
		if resp.StatusCode == http.StatusOK {
			body = resp.Body
			return nil
		}
		defer func() { _ = resp.Body.Close() }() // As above.
		reply, err := io.ReadAll(io.LimitReader(resp.Body, maxReply))
		if err != nil {
			return fmt.Errorf("verimaild: %w", err)
		}
		return refusal(resp, reply)
	})
	return body, err
}
