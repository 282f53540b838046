package api

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strings"

	"go.uber.org/zap"

	"github.com/verimails/verimaild/client/apitype"
	"github.com/verimails/verimaild/daemon/bulk"
	"github.com/verimails/verimaild/daemon/bulk/table"
)

// jobs are the daemon's, or why there are none.
func (s *Server) jobs() (*bulk.Jobs, error) {
	if s.opts.Jobs == nil {
		return nil, fail(apitype.CodeNotFound, "This daemon runs no jobs.")
	}
	return s.opts.Jobs, nil
}

// sees is the application whose jobs the caller may see; "" is all.
func (c *call) sees() string {
	if c.caller.Scopes&ScopeAdmin != 0 {
		return ""
	}
	return c.caller.App
}

// createJob is POST /v1/jobs.
func (s *Server) createJob(c *call) error {
	jobs, err := s.jobs()
	if err != nil {
		return err
	}
	spec, err := parseJobQuery(c.r.URL.RawQuery)
	if err != nil {
		return err
	}
	if e := c.r.Header.Get("Content-Encoding"); !strings.EqualFold(e, "gzip") { // A list may be packed; it says so itself.
		if err := c.plainBody(); err != nil {
			return err
		}
	}
	spec.App, spec.Weight = c.caller.App, c.caller.Weight
	spec.Secret = c.r.Header.Get("X-Webhook-Secret")
	spec.List.ContentType = c.r.Header.Get("Content-Type")
	body := &streamReader{c: c, conn: http.NewResponseController(c.w)}
	info, err := jobs.Create(c.r.Context(), spec, body)
	if err != nil {
		body.discard()
		return failJob(body, err)
	}
	c.w.Header().Set("Location", "/v1/jobs/"+info.ID)
	c.sendJSON(http.StatusCreated, wireJob(&info))
	return nil
}

// failJob says why there is no job, or not this one. body is nil where there was none.
func failJob(body *streamReader, err error) error {
	if body != nil && errors.Is(body.err, os.ErrDeadlineExceeded) {
		return fail(apitype.CodeBodyTimeout, "No more of the list came for %v; there is no job.", body.c.srv.bodyTimeout)
	}
	_, unsupported := errors.AsType[*table.UnsupportedError](err)
	_, option := errors.AsType[*table.OptionError](err)
	_, column := errors.AsType[*table.ColumnError](err)
	switch {
	case errors.Is(err, bulk.ErrNotFound):
		return fail(apitype.CodeJobNotFound, "There is no such job, or none that this application may see.")
	case errors.Is(err, bulk.ErrState):
		return fail(apitype.CodeJobState, "This cannot be done now: %s.", plain(err))
	case errors.Is(err, bulk.ErrNothing):
		return fail(apitype.CodeJobState, "There is nothing to ask about again: %s.", plain(err))
	case errors.Is(err, bulk.ErrStopping):
		return failShuttingDown()
	case errors.Is(err, bulk.ErrNoRoom):
		return fail(apitype.CodeNoRoom, "The list was not taken: %s.", plain(err))
	case errors.Is(err, bulk.ErrTooMany):
		return fail(apitype.CodeTooManyJobs, "The list was not taken: %s.", plain(err))
	case errors.Is(err, table.ErrTruncated), body != nil && body.err != nil:
		f := fail(apitype.CodeListTruncated, "The list broke off before its end; there is no job.")
		f.cause = err
		return f
	case unsupported, column, option, errors.Is(err, table.ErrEmpty), errors.Is(err, table.ErrCorrupt), errors.Is(err, table.ErrTooLarge):
		return fail(apitype.CodeInvalidList, "The list was not taken: %s.", brief(plain(err)))
	}
	return err
}

// plain is an error's text without the names of packages.
func plain(err error) string {
	text := err.Error()
	for _, prefix := range []string{"table: ", "bulk: "} {
		text = strings.ReplaceAll(text, prefix, "")
	}
	return text
}

// listJobs is GET /v1/jobs.
func (s *Server) listJobs(c *call) error {
	jobs, err := s.jobs()
	if err != nil {
		return err
	}
	q := jobsQuery{limit: 100}
	if err := readQuery(c.r.URL.RawQuery, jobsFields, &q); err != nil {
		return err
	}
	list := jobs.List(c.sees(), q.before, q.limit+1)
	out := apitype.JobPage{Jobs: []apitype.Job{}}
	if len(list) > q.limit {
		list = list[:q.limit]
		out.Next = list[q.limit-1].ID
	}
	for i := range list {
		out.Jobs = append(out.Jobs, wireJob(&list[i]))
	}
	c.sendJSON(http.StatusOK, out)
	return nil
}

// showJob is GET /v1/jobs/{id}.
func (s *Server) showJob(c *call) error {
	return s.onJob(c, (*bulk.Jobs).Get)
}

// pauseJob is POST /v1/jobs/{id}/pause.
func (s *Server) pauseJob(c *call) error { return s.changeJob(c, "job paused", (*bulk.Jobs).Pause) }

// resumeJob is POST /v1/jobs/{id}/resume.
func (s *Server) resumeJob(c *call) error { return s.changeJob(c, "job resumed", (*bulk.Jobs).Resume) }

// cancelJob is POST /v1/jobs/{id}/cancel.
func (s *Server) cancelJob(c *call) error {
	return s.changeJob(c, "job cancelled", (*bulk.Jobs).Cancel)
}

// deleteJob is DELETE /v1/jobs/{id}.
func (s *Server) deleteJob(c *call) error {
	return s.changeJob(c, "job deleted", (*bulk.Jobs).Delete)
}

// changeJob changes a job, says so in the log, and replies with it.
func (s *Server) changeJob(c *call, what string, do func(js *bulk.Jobs, ctx context.Context, app, id string) (bulk.Info, error)) error {
	return s.onJob(c, func(js *bulk.Jobs, app, id string) (bulk.Info, error) {
		info, err := do(js, c.r.Context(), app, id)
		if err == nil {
			c.audit(what, zap.String("job", id))
		}
		return info, err
	})
}

// onJob replies with a job.
func (s *Server) onJob(c *call, do func(js *bulk.Jobs, app, id string) (bulk.Info, error)) error {
	jobs, err := s.jobs()
	if err != nil {
		return err
	}
	id, err := c.segment("id")
	if err != nil {
		return err
	}
	info, err := do(jobs, c.sees(), id)
	if err != nil {
		return failJob(nil, err)
	}
	c.sendJSON(http.StatusOK, wireJob(&info))
	return nil
}

// rerunJob is POST /v1/jobs/{id}/rerun.
func (s *Server) rerunJob(c *call) error {
	jobs, err := s.jobs()
	if err != nil {
		return err
	}
	var q resultsQuery
	if err := readQuery(c.r.URL.RawQuery, rerunFields, &q); err != nil {
		return err
	}
	info, err := jobs.Rerun(c.r.Context(), c.sees(), c.r.PathValue("id"), q.opts.Filter.Verdicts)
	if err != nil {
		return failJob(nil, err)
	}
	c.w.Header().Set("Location", "/v1/jobs/"+info.ID)
	c.sendJSON(http.StatusCreated, wireJob(&info))
	return nil
}

// jobResults is GET /v1/jobs/{id}/results. A reply that breaks off is not ended properly, so that the client can tell.
func (s *Server) jobResults(c *call) error {
	jobs, err := s.jobs()
	if err != nil {
		return err
	}
	var q resultsQuery
	if err := readQuery(c.r.URL.RawQuery, resultsFields, &q); err != nil {
		return err
	}
	app, id := c.sees(), c.r.PathValue("id")
	info, err := jobs.Get(app, id)
	if err != nil {
		return failJob(nil, err)
	}
	out := &streamWriter{c: c, conn: http.NewResponseController(c.w), mediaType: q.opts.Shape.ContentType()}
	c.w.Header().Set("X-Job-State", string(info.State))
	if c.r.Method == http.MethodHead {
		out.begin()
		return nil
	}
	if err := jobs.Results(c.r.Context(), app, id, q.opts, out); err != nil {
		return failJob(nil, err)
	}
	return nil
}
