package api

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"go.uber.org/zap"

	"github.com/verimails/verimaild/client/apitype"
)

// status is GET /v1/status.
func (s *Server) status(c *call) error {
	if err := c.noQuery(); err != nil {
		return err
	}
	var out apitype.Status
	if s.opts.Status != nil {
		out = s.opts.Status()
	}
	st := s.Stats()
	out.Work.Connections, out.Work.Streams, out.Work.SpoolBytes = st.Connections, st.Streams, st.Spooled
	if out.Sources == nil {
		out.Sources = []apitype.StatusSource{}
	}
	if out.Feedback == nil {
		out.Feedback = []apitype.StatusFeedback{}
	}
	if out.Problems == nil {
		out.Problems = []apitype.Problem{}
	}
	out.Apps = slices.DeleteFunc(s.accounts.statusApps(), func(a apitype.StatusApp) bool { return !c.caller.owns(a.App) })
	if s.gate.shut() {
		f := failShuttingDown()
		out.Ready = false
		out.Problems = append(out.Problems, apitype.Problem{Code: f.code, Message: f.message})
	}
	c.sendJSON(http.StatusOK, out)
	return nil
}

// statusApps is how each application stands, and what it got.
func (a *Accounts) statusApps() []apitype.StatusApp {
	out := []apitype.StatusApp{}
	at := map[string]int{}
	for _, s := range a.Standing() {
		at[s.App] = len(out)
		out = append(out, apitype.StatusApp{App: s.App, Refused: int64(s.Refused), Asking: s.Asking, Quotas: s.Quotas}) //nolint:gosec // G115: a count.
	}
	for _, t := range a.Totals() {
		i, ok := at[t.App]
		if !ok {
			i = len(out)
			at[t.App] = i
			out = append(out, apitype.StatusApp{App: t.App, Quotas: []apitype.Quota{}})
		}
		if t.Cached {
			out[i].Cached += int64(t.Count) //nolint:gosec // G115: a count.
		} else {
			out[i].Asked += int64(t.Count) //nolint:gosec // G115: a count.
		}
	}
	return out
}

// ErrBusy is what [Options.Reload] returns while the daemon starts, stops or reloads already.
var ErrBusy = errors.New("api: the daemon is busy with itself")

// reload is POST /v1/reload.
func (s *Server) reload(c *call) error {
	if err := c.noQuery(); err != nil {
		return err
	}
	if s.opts.Reload == nil {
		return fail(apitype.CodeNotFound, "This daemon was not started from a configuration that it could read again.")
	}
	restart, err := s.opts.Reload(context.WithoutCancel(c.r.Context())) // Half a reload helps nobody.
	c.audit("configuration reloaded", zap.Bool("applied", err == nil), zap.Strings("needs_restart", restart))
	switch {
	case errors.Is(err, ErrBusy):
		f := fail(apitype.CodeBusy, "The daemon starts, stops or reloads already; try again.")
		f.retry = shutdownRetry
		return f
	case err != nil:
		f := fail(apitype.CodeInvalidConfig, "The old configuration stays in force: %s", brief(err.Error()))
		f.cause = err
		return f
	}
	if restart == nil {
		restart = []string{}
	}
	c.sendJSON(http.StatusOK, apitype.Reloaded{NeedsRestart: restart})
	return nil
}
