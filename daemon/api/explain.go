package api

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/verimails/verimaild/client/apitype"
	"github.com/verimails/verimaild/pool/reply"
)

// explainFields are the fields of POST /v1/explain.
var explainFields = []field[apitype.ExplainRequest]{
	{name: "text", set: func(r *apitype.ExplainRequest, s string) error { r.Text = s; return nil }},
	{name: "code", number: true, set: setCode},
	{name: "enhanced", set: func(r *apitype.ExplainRequest, s string) error { r.Enhanced = s; return nil }},
	{name: "stage", set: func(r *apitype.ExplainRequest, s string) error { r.Stage = s; return nil }},
	{name: "mx", set: func(r *apitype.ExplainRequest, s string) error { r.MX = s; return nil }},
	{name: "provider", set: func(r *apitype.ExplainRequest, s string) error { r.Provider = s; return nil }},
}

func setCode(r *apitype.ExplainRequest, s string) error {
	code, err := strconv.Atoi(s)
	if err != nil || code < 200 || code > 599 {
		return errors.New("must be a reply code, 200 to 599")
	}
	r.Code = code
	return nil
}

// explain is POST /v1/explain: the meaning of a reply, by the rules in force.
func (s *Server) explain(c *call) error {
	if err := c.noQuery(); err != nil {
		return err
	}
	body, err := c.body()
	if err != nil {
		return err
	}
	var req apitype.ExplainRequest
	if err := readObject(body, explainFields, &req); err != nil {
		return err
	}
	if req.Text == "" && req.Code == 0 {
		return fail(apitype.CodeMissingField, "The field \"text\" is missing or empty.")
	}
	stage, err := reply.ParseStage(req.Stage)
	if err != nil {
		return fail(apitype.CodeInvalidField, "The field \"stage\" is %v.", err)
	}
	provider, err := reply.ProviderOf(req.Provider, req.MX)
	if err != nil {
		return fail(apitype.CodeInvalidField, "The field \"provider\" is %v.", err)
	}
	r := reply.ParseReply(req.Code, req.Enhanced, req.Text)
	if r.Code == 0 {
		return fail(apitype.CodeInvalidField, "The field \"text\" has no reply code, such as 550 at its beginning, and there is no field \"code\".")
	}
	e := s.opts.Replies().Explain(stage, &r, provider)
	c.sendJSON(http.StatusOK, wireExplanation(&e, provider))
	return nil
}

func wireExplanation(e *reply.Explanation, provider string) apitype.Explanation {
	out := apitype.Explanation{
		Class: string(e.Meaning.Class), Scope: string(e.Meaning.Scope), Whom: e.Whom, Detail: orNull(string(e.Meaning.Detail)),
		Rule: e.Meaning.Rule, Seen: e.Rule.Seen, Because: e.Because, Verdict: e.Verdict, Reason: e.Reason,
		Provider: orNull(provider),
		Advice:   apitype.Advice{Who: orNull(e.Advice.Who), Check: orNull(e.Advice.Check), Fix: e.Advice.Fix},
	}
	if ms := e.Meaning.Retry.Milliseconds(); ms > 0 {
		out.RetryMS = &ms
	}
	if out.Because == nil {
		out.Because = []string{}
	}
	if out.Advice.Fix == nil {
		out.Advice.Fix = []string{}
	}
	return out
}

// orNull is s, or null where there is nothing to say.
func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
