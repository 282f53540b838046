package api

import (
	"errors"

	"github.com/verimails/verimaild/client/apitype"
	"github.com/verimails/verimaild/verify"
)

// verifyQuery is GET /v1/verify.
func (s *Server) verifyQuery(c *call) error {
	req, err := parseVerifyQuery(c.r.URL.RawQuery)
	if err != nil {
		return err
	}
	return s.verify(c, req)
}

// verifyBody is POST /v1/verify.
func (s *Server) verifyBody(c *call) error {
	if c.r.URL.RawQuery != "" {
		return fail(apitype.CodeUnknownField, "POST takes its fields in the body; leave the query string out.")
	}
	body, err := c.body()
	if err != nil {
		return err
	}
	req, err := parseVerifyBody(body)
	if err != nil {
		return err
	}
	return s.verify(c, req)
}

// verify asks about one address and replies. An address that can't be one is an answer, not an error.
func (s *Server) verify(c *call, req verify.Request) error {
	req.ID, req.App, req.Weight, req.Class = c.id, c.caller.App, c.caller.Weight, c.caller.Class
	a, err := s.opts.Verifier.Verify(c.r.Context(), req)
	if _, refused := errors.AsType[*QuotaError](err); refused {
		s.accounts.turnedAway(req.App)
	}
	if err != nil {
		return err
	}
	c.sendAnswer(a)
	return nil
}
