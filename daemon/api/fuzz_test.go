package api

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode/utf8"

	"github.com/verimails/verimaild/client/apitype"
	"github.com/verimails/verimaild/daemon/bulk"
	"github.com/verimails/verimaild/verify/feedback"
)

// checkFailure wants an error that a client can be told: a code of ours, and a short text.
func checkFailure(t *testing.T, in string, err error) {
	t.Helper()
	f, ok := errors.AsType[*failure](err)
	if !ok || f.status()/100 != 4 || len(f.message) > 1500 || !utf8.ValidString(f.message) {
		t.Errorf("%.200q: %v, want a short failure with a status of 4xx", in, err)
	}
}

// FuzzStreamLine reads any line of a stream. The quick way for lines of the usual form must take a line for what the
// thorough one takes it for, and what is answered must be one line of JSON with the line's id, whatever that is.
func FuzzStreamLine(f *testing.F) {
	for _, line := range []string{
		`{"id":"1","email":"ada@example.com"}`, `{"email":"ada@example.com"}`, `{ "email":"a" , "id":7 }`, `{"id":"\u2028","email":"a"}`,
		`{"id":"1","id":"2","email":"a"}`, `{"email":"a","email":"b"}`, `{"id":{},"email":"a"}`, `{"id":null,"email":"a"}`, "{\"id\":\"\xff\",\"email\":\"a\"}",
		`{"id":"` + strings.Repeat("x", maxID) + `","email":"a"}`, `{"email":"a","deadline":"1s","wait":true,"explain":false}`, `{"email":"a"}}`, `{"email":"a",}`,
		"{\"id\":\"a\tb\",\"email\":\"a\"}", `{}`, `[]`, `{"id":1e999,"email":"a"}`, `{"id":"1","email":""}`, "{\"id\":\"\x7f\u0085\",\"email\":\"a\"} \r",
	} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		var quick streamLine
		thorough := streamLine{req: newVerifyRequest()}
		err := quick.parse(line)
		want := readObject(line, streamFields, &thorough)
		if want == nil {
			want = checkVerifyRequest(&thorough.req, "field")
		}
		switch {
		case len(line) > maxLine && err == nil:
			t.Errorf("parse took a line of %d bytes", len(line))
		case len(line) <= maxLine && (err == nil) != (want == nil):
			t.Errorf("parse(%q) = %v, the thorough way %v", line, err, want)
		case err == nil && !reflect.DeepEqual(quick, thorough):
			t.Errorf("parse(%q) = %+v, the thorough way %+v", line, quick, thorough)
		case err != nil:
			checkFailure(t, string(line), err)
			checkReplyLine(t, appendFailure(nil, quick.id, 7, failureOf(t.Context(), err)), quick.id)
		default:
			checkReplyLine(t, appendFailure(nil, quick.id, 7, failShuttingDown()), quick.id)
		}
	})
}

// checkReplyLine wants one line with an object that has the id.
func checkReplyLine(t *testing.T, out, id []byte) {
	t.Helper()
	text := strings.TrimSuffix(string(out), "\n")
	var reply struct{ ID json.RawMessage }
	if err := json.Unmarshal(out, &reply); err != nil || strings.ContainsAny(text, "\r\n") || !utf8.Valid(out) {
		t.Errorf("the reply is %q, %v", out, err)
	}
	if id != nil && string(reply.ID) != string(id) {
		t.Errorf("the id %q comes back as %q", id, reply.ID)
	}
}

// FuzzFeedbackLine takes any line for a report.
func FuzzFeedbackLine(f *testing.F) {
	for _, line := range []string{
		`{"email":"ada@example.com","outcome":"bounced","code":550,"enhanced":"5.1.1","text":"no such user","at":"2026-11-23T09:00:00Z"}`,
		`{"email":"ada@example.com","outcome":"delivered"}`, `{"email":"a","outcome":"x"}`, `{"email":"a","outcome":"bounced","code":99}`,
		`{"email":"a","outcome":"bounced","at":"yesterday"}`, `{"email":"a","outcome":"bounced","text":"\r\nDATA\r\n"}`, `null`,
	} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		var r feedback.Report
		if err := readObject(line, feedbackFields, &r); err != nil {
			checkFailure(t, string(line), err)
			return
		}
		if reply := r.Reply(); reply.Code != 0 && (reply.Code < 200 || reply.Code > 599) {
			t.Errorf("the report %q has the reply %d", line, reply.Code)
		}
	})
}

// FuzzExplainBody takes any body for a reply that is to be explained.
func FuzzExplainBody(f *testing.F) {
	for _, body := range []string{
		`{"text":"550 5.1.1 No such user"}`, `{"text":"no","code":550,"enhanced":"5.1.1","stage":"rcpt","mx":"mx.example.net","provider":"google"}`,
		`{"code":1e2}`, `{"code":-550}`, `{"code":550.0}`, `{"stage":"data","text":"x"}`, `{"text":5}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var req apitype.ExplainRequest
		if err := readObject(body, explainFields, &req); err != nil {
			checkFailure(t, string(body), err)
			return
		}
		if req.Code != 0 && (req.Code < 200 || req.Code > 599) || !utf8.ValidString(req.Text+req.MX+req.Provider+req.Stage) {
			t.Errorf("%q was taken for %+v", body, req)
		}
	})
}

// FuzzJobQuery takes any query string for that of a new job, of a list of jobs, and of results.
func FuzzJobQuery(f *testing.F) {
	for _, raw := range []string{
		"name=l.csv&format=csv&column=3&header=absent&delimiter=;&charset=utf-8&patience=1h&time_limit=24h&max_age=0s&depth=dns&webhook=https://a.test/x",
		"webhook=https://u:p@a.test/", "webhook=file:///etc/passwd", "webhook=http://", "webhook=http://a.test%0d%0aX:y/", "time_limit=0s", "name=%ff", "name=a&name=b",
		"limit=5&before=x", "limit=1e3", "format=kickbox&verdict=risky,unknown&reason=greylisted&delimiter=%09&bom=true&formulas=raw&header=false", "verdict=", "delimiter=%22",
	} {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		spec, err := parseJobQuery(raw)
		if err != nil {
			checkFailure(t, raw, err)
		} else {
			checkSpec(t, raw, &spec)
		}
		var jobs jobsQuery
		if err := readQuery(raw, jobsFields, &jobs); err != nil {
			checkFailure(t, raw, err)
		} else if jobs.limit < 0 || jobs.limit > 1000 || len(jobs.before) > maxName {
			t.Errorf("%q was taken for %+v", raw, jobs)
		}
		var results resultsQuery
		if err := readQuery(raw, resultsFields, &results); err != nil {
			checkFailure(t, raw, err)
		} else if d := results.opts.Delimiter; len(d) > 1 || strings.ContainsAny(d, "\"\r\n") {
			t.Errorf("%q has the delimiter %q", raw, d)
		}
	})
}

func checkSpec(t *testing.T, raw string, spec *bulk.Spec) {
	t.Helper()
	for _, s := range []string{spec.Name, spec.List.Column, spec.List.Delimiter, spec.List.Charset} {
		if len(s) > maxName || !utf8.ValidString(s) {
			t.Errorf("%q has the text %q", raw, s)
		}
	}
	if spec.Webhook != "" && (bulk.CheckWebhook(spec.Webhook) != nil || strings.ContainsAny(spec.Webhook, "\r\n\x00")) {
		t.Errorf("%q has the webhook %q", raw, spec.Webhook)
	}
	if spec.TimeLimit < 0 || spec.TimeLimit > 366*24*time.Hour {
		t.Errorf("%q has the time limit %v", raw, spec.TimeLimit)
	}
}

// FuzzNetstring reads any octets as look-ups of a mail server, whole and octet by octet.
func FuzzNetstring(f *testing.F) {
	for _, in := range []string{
		"22:verimaild a@example.com,", "0:,", "00:,", "1:a,1:b,", "1025:" + strings.Repeat("x", 1025) + ",", "-1:,", "99999999999999999999:", "5:abc", "3:abc;", ":", "1:\n,",
	} {
		f.Add([]byte(in))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		whole := readNetstrings(t, strings.NewReader(string(in)))
		single := readNetstrings(t, iotest.OneByteReader(strings.NewReader(string(in))))
		if !reflect.DeepEqual(whole, single) {
			t.Errorf("%q reads as %q, octet by octet as %q", in, whole, single)
		}
		var written strings.Builder
		for _, s := range whole {
			written.WriteString(netstring(s))
			if email, ok := mapAddress(s); ok && !strings.Contains(email, "@") {
				t.Errorf("mapAddress(%q) = %q", s, email)
			}
			if line := oneLineASCII(s); len(line) > 300 || !strings.HasPrefix(string(in), written.String()[:1]) {
				t.Errorf("oneLineASCII(%q) = %q", s, line)
			}
		}
		if !strings.HasPrefix(string(in), written.String()) {
			t.Errorf("%q reads as %q, which is written %q", in, whole, written.String())
		}
	})
}

func readNetstrings(t *testing.T, src io.Reader) (out []string) {
	t.Helper()
	r := bufio.NewReaderSize(src, maxMapKey)
	for {
		s, err := readNetstring(r)
		if err != nil {
			return out
		}
		if len(s) > maxMapKey {
			t.Errorf("readNetstring() has %d octets", len(s))
		}
		out = append(out, s)
	}
}

// FuzzDayCount decodes any bytes as what an application did in a day.
func FuzzDayCount(f *testing.F) {
	f.Add(dayCodec.Encode(nil, dayCount{Charged: 1, Refused: 1 << 60, Asked: [verdicts]uint64{1, 2, 3, 4}}))
	f.Add([]byte{dayCountVersion})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := dayCodec.Decode(b)
		if err != nil {
			if !errors.Is(err, errDayCount) {
				t.Errorf("Decode(%x) = %v, want %v", b, err, errDayCount)
			}
			return
		}
		if again, err := dayCodec.Decode(dayCodec.Encode(nil, c)); err != nil || again != c {
			t.Errorf("Decode(%x) = %+v, again %+v, %v", b, c, again, err)
		}
	})
}
