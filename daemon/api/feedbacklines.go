package api

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"

	"github.com/verimails/verimaild/client/apitype"
	"github.com/verimails/verimaild/daemon/ledger"
	"github.com/verimails/verimaild/verify/feedback"
)

const (
	// maxReportLine is how long a line may be. A longer one is a fault, and the next one counts again.
	maxReportLine = 64 << 10

	// flushEvery is after how many reports the counts are written, so that a long body that breaks off loses few.
	flushEvery = 1000
)

// lines takes a body of any number of reports, one JSON object a line. Empty lines are passed over, and a line that makes
// no sense is named in the reply: one bad line must not cost an application the rest of its day.
func (in *intake) lines() error {
	if err := in.plainBody(); err != nil {
		return err
	}
	body := &streamReader{c: in.call, conn: http.NewResponseController(in.w)}
	r := bufio.NewReaderSize(body, maxReportLine)
	for n := int64(1); ; n++ {
		line, long, err := readLine(r)
		if len(line) > 0 || long {
			if err := in.tolerate(n, in.line(line, long)); err != nil {
				body.discard()
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return failBroken(body)
		}
		if n%flushEvery == 0 {
			if err := in.ledger.Flush(in.r.Context()); err != nil {
				body.discard()
				return err
			}
		}
	}
}

// readLine reads a line without its end and the blanks around it, or skips one that is too long. The line is r's own, and
// holds until the next read. err is io.EOF behind the last line, which may be one without an end.
func readLine(r *bufio.Reader) (line []byte, long bool, err error) {
	line, err = r.ReadSlice('\n')
	for errors.Is(err, bufio.ErrBufferFull) {
		line, long = nil, true
		_, err = r.ReadSlice('\n')
	}
	if long {
		return nil, true, err
	}
	return bytes.TrimSpace(line), false, err
}

// line takes the report of one line.
func (in *intake) line(line []byte, long bool) error {
	if long {
		return fail(apitype.CodeInvalidLine, "The line has more than %d bytes.", maxReportLine)
	}
	var r feedback.Report
	if err := readObject(line, feedbackFields, &r); err != nil {
		return err
	}
	return in.take(r)
}

// feedbackStats is GET /v1/feedback.
func (s *Server) feedbackStats(c *call) error {
	l, err := s.reports()
	if err != nil {
		return err
	}
	if err := c.noQuery(); err != nil {
		return err
	}
	st := l.Stats()
	c.sendJSON(http.StatusOK, wireFeedback(&st))
	return nil
}

func wireFeedback(st *ledger.Stats) apitype.Feedback {
	out := apitype.Feedback{
		WindowS: int64(st.Window.Seconds()), Total: wirePrecision(&st.Total),
		Providers: make([]apitype.FeedbackPrecision, len(st.Providers)), Apps: make([]apitype.FeedbackApp, len(st.Apps)),
	}
	for i := range st.Providers {
		out.Providers[i] = wirePrecision(&st.Providers[i])
	}
	for i := range st.Apps {
		a := &st.Apps[i]
		delivered, refused := a.Says[feedback.SaysDelivered], a.Says[feedback.SaysRefused]
		out.Apps[i] = apitype.FeedbackApp{
			Name: a.Name, Reports: a.Reports, Delivered: delivered, Refused: refused, Other: a.Reports - delivered - refused,
			Corrected: a.Effects[feedback.EffectCorrected], Contested: a.Effects[feedback.EffectContested],
			Exposed: a.Exposed, LastAt: a.Last,
		}
	}
	return out
}

func wirePrecision(p *ledger.Precision) apitype.FeedbackPrecision {
	out := apitype.FeedbackPrecision{Provider: orNull(p.Provider), Delivered: p.Delivered, Bounced: p.Bounced}
	if ratio, ok := p.Ratio(); ok {
		out.Precision = &ratio
	}
	return out
}
