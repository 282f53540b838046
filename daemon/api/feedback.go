package api

import (
	"errors"
	"fmt"
	"mime"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/verimails/verimaild/client/apitype"
	"github.com/verimails/verimaild/daemon/ledger"
	"github.com/verimails/verimaild/verify/feedback"
)

// Bounds of a reply.
const (
	maxResults = 100
	maxFaults  = 20
)

// feedbackFields are the fields of a report.
var feedbackFields = []field[feedback.Report]{
	{name: "email", set: func(r *feedback.Report, s string) error { r.Email = s; return nil }},
	{name: "outcome", set: func(r *feedback.Report, s string) error { r.Outcome = feedback.Outcome(s); return nil }},
	{name: "code", number: true, set: setReportCode},
	{name: "enhanced", set: func(r *feedback.Report, s string) error { r.Enhanced = s; return nil }},
	{name: "text", set: func(r *feedback.Report, s string) error { r.Text = s; return nil }},
	{name: "at", set: setAt},
}

func setReportCode(r *feedback.Report, s string) error {
	code, err := strconv.Atoi(s)
	if err != nil || code < 200 || code > 599 {
		return errors.New("must be a reply code, 200 to 599")
	}
	r.Code = code
	return nil
}

func setAt(r *feedback.Report, s string) error {
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return fmt.Errorf("is %s, and must be a time as in RFC 3339, such as 2026-11-23T09:00:00Z", quote(s))
	}
	r.At = at
	return nil
}

// reports is the daemon's ledger, or why there is none: what corrects memory needs one.
func (s *Server) reports() (*ledger.Ledger, error) {
	if _, err := s.remembered(); err != nil {
		return nil, err
	}
	return s.opts.Ledger, nil
}

// feedback is POST /v1/feedback: one report, many of them, or a delivery status notification, by its Content-Type.
func (s *Server) feedback(c *call) error {
	l, err := s.reports()
	if err != nil {
		return err
	}
	if err := c.noQuery(); err != nil {
		return err
	}
	in := &intake{call: c, ledger: l}
	media, _, _ := mime.ParseMediaType(c.r.Header.Get("Content-Type")) // What is none of these is taken for JSON.
	switch media {
	case "application/x-ndjson":
		err = in.lines()
	case "message/rfc822", "message/global":
		err = in.notification()
	default:
		err = in.one()
	}
	// What was taken before the fault stays, so it is counted.
	if flushed := l.Flush(c.r.Context()); err == nil {
		err = flushed
	}
	if err != nil {
		return err
	}
	c.sendJSON(http.StatusOK, in.reply())
	return nil
}

// An intake is one request's reports on their way into the ledger.
type intake struct {
	*call
	ledger *ledger.Ledger
	out    apitype.FeedbackReply
}

// one takes the report that is the body.
func (in *intake) one() error {
	body, err := in.body()
	if err != nil {
		return err
	}
	var r feedback.Report
	if err := readObject(body, feedbackFields, &r); err != nil {
		return err
	}
	if r.Email == "" {
		return fail(apitype.CodeMissingField, "The field \"email\" is missing or empty.")
	}
	if r.Outcome == "" {
		return fail(apitype.CodeMissingField, "The field \"outcome\" is missing or empty.")
	}
	err = in.take(r)
	if ledger.IsReport(err) {
		return fail(apitype.CodeInvalidField, "This is not taken: %s.", brief(err.Error()))
	}
	return err
}

// notification takes the reports of a delivery status notification.
func (in *intake) notification() error {
	if err := in.plainBody(); err != nil {
		return err
	}
	body := &streamReader{c: in.call, conn: http.NewResponseController(in.w)}
	reports, err := feedback.ParseDSN(body)
	defer body.discard()
	switch {
	case err != nil && body.err != nil:
		return failBroken(body)
	case errors.Is(err, feedback.ErrTooLarge):
		return fail(apitype.CodeBodyTooLarge, "This is not taken: %s.", brief(err.Error()))
	case err != nil:
		return fail(apitype.CodeNotDSN, "The body is no delivery status notification (RFC 3464) that can be read: %s.", brief(err.Error()))
	}
	for i := range reports {
		if err := in.tolerate(int64(i+1), in.take(reports[i])); err != nil {
			return err
		}
	}
	return nil
}

// failBroken says why a body did not come to its end.
func failBroken(body *streamReader) error {
	if errors.Is(body.err, os.ErrDeadlineExceeded) {
		return fail(apitype.CodeBodyTimeout, "No more of the body came for %v; what had come was taken.", body.c.srv.bodyTimeout)
	}
	f := fail(apitype.CodeInvalidJSON, "The body broke off; what had come was taken.")
	f.cause = body.err
	return f
}

// take puts one report into the ledger, and its result into the reply.
func (in *intake) take(r feedback.Report) error {
	res, err := in.ledger.Take(in.r.Context(), in.caller.App, r)
	if err != nil {
		return err
	}
	in.out.Reports++
	if res.Count != feedback.CountNothing {
		in.out.Counted++
	}
	if res.Expose {
		in.out.Exposed++
	}
	if n := in.out.Effects.Of(string(res.Effect)); n != nil {
		*n++
	}
	if len(in.out.Results) < maxResults {
		in.out.Results = append(in.out.Results, wireResult(&res))
	}
	return nil
}

// tolerate notes the fault of a report that makes no sense, and goes on to the next.
func (in *intake) tolerate(line int64, err error) error {
	f, bad := errors.AsType[*failure](err)
	if err == nil || !bad && !ledger.IsReport(err) {
		return err
	}
	message := brief(fmt.Sprint(err))
	if bad {
		message = f.message
	}
	in.out.Faulty++
	if len(in.out.Faults) < maxFaults {
		in.out.Faults = append(in.out.Faults, apitype.FeedbackFault{Line: line, Message: message})
	}
	return nil
}

func (in *intake) reply() apitype.FeedbackReply {
	if in.out.Results == nil {
		in.out.Results = []apitype.FeedbackResult{}
	}
	if in.out.Faults == nil {
		in.out.Faults = []apitype.FeedbackFault{}
	}
	return in.out
}

func wireResult(r *ledger.Result) apitype.FeedbackResult {
	return apitype.FeedbackResult{
		Email: r.Address, Says: string(r.Says), Effect: string(r.Effect), Reason: orNull(string(r.Reason)),
		Counted: r.Count != feedback.CountNothing, Exposed: r.Expose,
		Class: orNull(string(r.Meaning.Class)), Rule: orNull(r.Meaning.Rule), Provider: orNull(r.Provider),
	}
}
