package api

import (
	"net/http"

	"go.uber.org/zap"

	"github.com/verimails/verimaild/client/apitype"
	"github.com/verimails/verimaild/verify/address"
	"github.com/verimails/verimaild/verify/verdict"
)

// forgetAddress is DELETE /v1/addresses/{email}.
func (s *Server) forgetAddress(c *call) error {
	memory, err := s.remembered()
	if err != nil {
		return err
	}
	text, err := c.segment("email")
	if err != nil {
		return err
	}
	a, err := address.Parse(text)
	if err != nil {
		return failSegment(text, err)
	}
	var n int64
	if _, freshness := memory.Mailbox(a); freshness != verdict.Missing {
		n = 1
	}
	if err := memory.ForgetAddress(c.r.Context(), a); err != nil {
		return err
	}
	s.frames.forget(a.String())
	c.audit("address forgotten", zap.Int64("records", n))
	c.sendJSON(http.StatusOK, apitype.Forgotten{Records: &n})
	return nil
}

// forgetDomain is DELETE /v1/domains/{domain}.
func (s *Server) forgetDomain(c *call) error {
	memory, err := s.remembered()
	if err != nil {
		return err
	}
	d, err := c.domain()
	if err != nil {
		return err
	}
	records, err := memory.ForgetDomain(c.r.Context(), d)
	if err != nil {
		return err
	}
	s.frames.forget("")
	n := int64(records)
	c.audit("domain forgotten", zap.String("domain", d.ASCII()), zap.Int64("records", n))
	c.sendJSON(http.StatusOK, apitype.Forgotten{Records: &n})
	return nil
}

// forgetAll is DELETE /v1/cache.
func (s *Server) forgetAll(c *call) error {
	memory, err := s.remembered()
	if err != nil {
		return err
	}
	if err := c.noQuery(); err != nil {
		return err
	}
	if err := memory.ForgetAll(c.r.Context()); err != nil {
		return err
	}
	s.frames.forget("")
	c.audit("everything forgotten")
	c.sendJSON(http.StatusOK, apitype.Forgotten{})
	return nil
}

// segment is the value of one segment of the path, percent-decoded: a raw "+" is a plus. It is UTF-8.
func (c *call) segment(name string) (string, error) {
	if err := c.noQuery(); err != nil {
		return "", err
	}
	text := c.r.PathValue(name)
	if i := invalidUTF8(text); i >= 0 {
		return "", fail(apitype.CodeInvalidField, "The path's last segment is not UTF-8 at byte %d.", i)
	}
	return text, nil
}

// domain is the {domain} of the path.
func (c *call) domain() (address.Domain, error) {
	text, err := c.segment("domain")
	if err != nil {
		return address.Domain{}, err
	}
	d, err := address.ParseDomain(text)
	if err != nil {
		return address.Domain{}, failSegment(text, err)
	}
	return d, nil
}

// failSegment says where a segment of the path is not what it should be.
func failSegment(text string, err error) error {
	return fail(apitype.CodeInvalidField, "The path's last segment, %s, is not valid: %v.", quote(text), err)
}

// noQuery refuses a query string where none is read, so that a condition somebody put there is not overlooked.
func (c *call) noQuery() error {
	if c.r.URL.RawQuery == "" {
		return nil
	}
	return fail(apitype.CodeUnknownField, "There are no query parameters here; leave the query string out.")
}

// audit logs what an admin changed or carried away. Fields hold no address.
func (c *call) audit(what string, fields ...zap.Field) {
	entry := c.srv.log.Check(zap.InfoLevel, what)
	if entry == nil {
		return
	}
	entry.Write(append(fields,
		zap.String("request_id", c.id), zap.String("app", c.caller.App), zap.Int("uid", c.caller.UID), zap.Int("pid", c.caller.PID))...)
}
