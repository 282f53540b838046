package api

import (
	"net/http"

	"github.com/verimails/verimaild/client/apitype"
)

// health is GET /healthz: the process is alive and serves its socket, whatever else is wrong.
func (s *Server) health(c *call) error {
	c.sendJSON(http.StatusOK, apitype.Health{Status: "ok"})
	return nil
}

// ready is GET /readyz: 200 when addresses can be verified to the end, else 503 with every reason.
func (s *Server) ready(c *call) error {
	out := apitype.Ready{Ready: true, Problems: []apitype.Problem{}}
	if s.opts.Ready != nil {
		ok, problems := s.opts.Ready()
		out.Ready = ok
		out.Problems = append(out.Problems, problems...)
	}
	if s.gate.shut() {
		f := failShuttingDown()
		out.Ready = false
		out.Problems = append(out.Problems, apitype.Problem{Code: f.code, Message: f.message})
	}
	if out.Ready {
		c.sendJSON(http.StatusOK, out)
		return nil
	}
	c.failed = fail(apitype.CodeNotReady, "The daemon cannot verify addresses to the end; problems lists why.")
	e := c.failed.wire()
	out.Error = &e
	c.sendJSON(c.failed.status(), out)
	return nil
}

// version is GET /v1/version.
func (s *Server) version(c *call) error {
	c.sendJSON(http.StatusOK, s.opts.Version)
	return nil
}
