package client

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/verimails/verimaild/client/apitype"
)

// JobOptions say what a list is and how it is worked off. The zero value finds out the first and takes the daemon's
// defaults for the second.
type JobOptions struct {
	Name        string // What the list is called; its extension says what it is.
	Format      string // "csv", "ndjson" or "lines".
	Column      string // The column that holds the addresses: its name or its number from 1.
	Header      string // Of CSV: "present" or "absent".
	Delimiter   string // Of CSV.
	Charset     string
	ContentType string // A media type.

	// Patience is how long a row waits out greylisting. 0 means the daemon's own; Impatient means not at all.
	Patience  time.Duration
	Impatient bool

	// TimeLimit ends the job this long after its creation, whatever is left. 0 means never.
	TimeLimit time.Duration

	MaxAge time.Duration // As in VerifyOptions, as the next two.
	Fresh  bool
	Depth  string

	Webhook string // A URL that is told of the job's end.
	Secret  string // Signs what it is told.
}

// query is o as the daemon reads it: percent-encoded, and a plus is a plus.
func (o *JobOptions) query() string {
	q := url.Values{}
	for name, v := range map[string]string{
		"name": o.Name, "format": o.Format, "column": o.Column, "header": o.Header, "delimiter": o.Delimiter,
		"charset": o.Charset, "depth": o.Depth, "webhook": o.Webhook,
	} {
		if v != "" {
			q.Set(name, v)
		}
	}
	for name, d := range map[string]time.Duration{"patience": o.Patience, "time_limit": o.TimeLimit, "max_age": o.MaxAge} {
		if d != 0 {
			q.Set(name, d.String())
		}
	}
	if o.Impatient {
		q.Set("patience", "0s")
	}
	if o.Fresh {
		q.Set("max_age", "0s")
	}
	return encodeQuery(q)
}

// encodeQuery is q percent-encoded, blanks included.
func encodeQuery(q url.Values) string { return strings.ReplaceAll(q.Encode(), "+", "%20") }

// CreateJob makes a job of a list: CSV, NDJSON or one address a line, plain or gzip. When it returns without an error, the
// list is on the daemon's disk, and the job goes on whatever happens. list is read once, so the call is never repeated;
// after an error that is not an [*Error] whether there is a job is not known.
func (c *Client) CreateJob(ctx context.Context, list io.Reader, opts JobOptions) (apitype.Job, error) {
	var j apitype.Job
	// NopCloser: net/http would close a list that is a file.
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/v1/jobs?"+opts.query(), io.NopCloser(list))
	if err != nil {
		return j, fmt.Errorf("verimaild: %w", err)
	}
	if opts.ContentType != "" {
		req.Header.Set("Content-Type", opts.ContentType)
	}
	if opts.Secret != "" {
		req.Header.Set("X-Webhook-Secret", opts.Secret)
	}
	err = c.do(req, http.StatusCreated, &j)
	return j, err
}

// CreateJobOf makes a job of addresses. They are sent as they come; an error of the call ends the ranging over them.
func (c *Client) CreateJobOf(ctx context.Context, addresses iter.Seq[string], opts JobOptions) (apitype.Job, error) {
	r, w := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		enc := json.NewEncoder(w)
		for a := range addresses {
			if enc.Encode(a) != nil { // The call has ended.
				return
			}
		}
		_ = w.Close() // Never fails.
	}()
	opts.Format, opts.ContentType = "ndjson", "application/x-ndjson"
	j, err := c.CreateJob(ctx, r, opts)
	_ = r.CloseWithError(context.Canceled) // Never fails.
	<-done
	return j, err
}

// Job asks how a job stands. If there is none, or none that the application may see, the error is an [*Error] with the
// code apitype.CodeJobNotFound, here and in the calls below.
func (c *Client) Job(ctx context.Context, id string) (apitype.Job, error) {
	var j apitype.Job
	err := c.get(ctx, "/v1/jobs/"+segment(id), http.StatusOK, &j)
	return j, err
}

// Jobs yields the jobs that the application may see, the newest first. An error ends it.
func (c *Client) Jobs(ctx context.Context) iter.Seq2[apitype.Job, error] {
	return func(yield func(apitype.Job, error) bool) {
		for before, more := "", true; more; {
			page, err := c.jobsBefore(ctx, before)
			if err != nil {
				yield(apitype.Job{}, err)
				return
			}
			for _, j := range page.Jobs {
				if !yield(j, nil) {
					return
				}
			}
			before, more = page.Next, page.Next != ""
		}
	}
}

// jobsBefore asks for one page of jobs.
func (c *Client) jobsBefore(ctx context.Context, before string) (page apitype.JobPage, err error) {
	q := url.Values{"limit": {strconv.Itoa(jobsPage)}}
	if before != "" {
		q.Set("before", before)
	}
	err = c.get(ctx, "/v1/jobs?"+encodeQuery(q), http.StatusOK, &page)
	return page, err
}

// jobsPage is how many jobs are asked for at a time.
const jobsPage = 100

// PauseJob takes no more rows of a job until [Client.ResumeJob].
func (c *Client) PauseJob(ctx context.Context, id string) (apitype.Job, error) {
	return c.changeJob(ctx, http.MethodPost, id, "/pause")
}

// ResumeJob goes on with a paused job.
func (c *Client) ResumeJob(ctx context.Context, id string) (apitype.Job, error) {
	return c.changeJob(ctx, http.MethodPost, id, "/resume")
}

// CancelJob ends a job; rows without an outcome stay so.
func (c *Client) CancelJob(ctx context.Context, id string) (apitype.Job, error) {
	return c.changeJob(ctx, http.MethodPost, id, "/cancel")
}

// DeleteJob removes a job with its list.
func (c *Client) DeleteJob(ctx context.Context, id string) (apitype.Job, error) {
	return c.changeJob(ctx, http.MethodDelete, id, "")
}

// RerunJob makes a new job of those rows that have one of some verdicts; with none, of those that are unknown.
func (c *Client) RerunJob(ctx context.Context, id string, verdicts ...string) (apitype.Job, error) {
	path := "/rerun"
	if len(verdicts) > 0 {
		path += "?" + encodeQuery(url.Values{"verdict": {strings.Join(verdicts, ",")}})
	}
	var j apitype.Job
	err := c.sendJob(ctx, http.MethodPost, id, path, &j) // Once: a second try would be a second job.
	return j, err
}

// changeJob may be done twice.
func (c *Client) changeJob(ctx context.Context, method, id, path string) (apitype.Job, error) {
	var j apitype.Job
	err := c.retry(ctx, func() error { return c.sendJob(ctx, method, id, path, &j) })
	return j, err
}

func (c *Client) sendJob(ctx context.Context, method, id, path string, j *apitype.Job) error {
	req, err := http.NewRequestWithContext(ctx, method, base+"/v1/jobs/"+segment(id)+path, http.NoBody)
	if err != nil {
		return fmt.Errorf("verimaild: %w", err)
	}
	return c.do(req, http.StatusCreated, j)
}
