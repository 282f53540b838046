package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/verimails/verimaild/client/apitype"
	"github.com/verimails/verimaild/verify"
	"github.com/verimails/verimaild/verify/verdict"
)

// A streamLine is one line of a stream: a question, and the name that the client gave it.
type streamLine struct {
	id  []byte // JSON, as it came; nil if there is none.
	req verify.Request
}

// maxID is how long a line's id may be, in its JSON form.
const maxID = 256

// streamFields are the fields of a line: those of POST /v1/verify, and id.
var streamFields = newStreamFields()

func newStreamFields() []field[streamLine] {
	out := []field[streamLine]{{name: "id", raw: true, set: func(l *streamLine, s string) error {
		if len(s) > maxID {
			return fmt.Errorf("has %d bytes, and at most %d are taken", len(s), maxID)
		}
		l.id = []byte(s)
		return nil
	}}}
	for _, f := range verifyFields {
		out = append(out, field[streamLine]{
			name: f.name, flag: f.flag, number: f.number,
			set: func(l *streamLine, s string) error { return f.set(&l.req, s) },
		})
	}
	return out
}

// parse reads a line.
func (l *streamLine) parse(line []byte) error {
	*l = streamLine{req: newVerifyRequest()}
	if len(line) > maxLine {
		return fail(apitype.CodeBodyTooLarge, "The line has more than %d bytes.", maxLine)
	}
	if l.parsePlain(line) {
		return checkVerifyRequest(&l.req, "field")
	}
	if err := readObject(line, streamFields, l); err != nil {
		return err
	}
	return checkVerifyRequest(&l.req, "field")
}

// parsePlain reads a line of the usual form, {"id":"…","email":"…"} in any order, whose strings have no escapes. What it
// does not read, it leaves alone.
func (l *streamLine) parsePlain(line []byte) bool {
	rest, ok := bytes.CutPrefix(bytes.TrimRight(line, " \r\t"), []byte{'{'})
	if !ok {
		return false
	}
	var id, email []byte
	for end := byte(','); end == ','; {
		var key, value []byte
		if key, value, rest, end = plainMember(bytes.TrimLeft(rest, " ")); end == 0 {
			return false
		}
		switch {
		case string(key) == "id" && id == nil:
			id = value
		case string(key) == "email" && email == nil:
			email = value[1 : len(value)-1]
		default:
			return false
		}
	}
	if len(rest) > 0 || len(id) > maxID || !utf8.Valid(email) || !utf8.Valid(id) {
		return false
	}
	l.id, l.req.Email = id, string(email)
	return true
}

// plainMember cuts "name":"value" off b, and what comes after it: a comma, or the brace that ends the object. The value
// keeps its quotes. end is 0 if there is something else.
func plainMember(b []byte) (key, value, rest []byte, end byte) {
	key, rest, ok := plainString(b)
	if !ok || len(rest) == 0 || rest[0] != ':' {
		return nil, nil, nil, 0
	}
	value = bytes.TrimLeft(rest[1:], " ")
	text, rest, ok := plainString(value)
	if !ok || len(rest) == 0 || rest[0] != ',' && rest[0] != '}' {
		return nil, nil, nil, 0
	}
	return key, value[:len(text)+2], rest[1:], rest[0]
}

// plainString cuts a JSON string without escapes off b.
func plainString(b []byte) (s, rest []byte, ok bool) {
	if len(b) == 0 || b[0] != '"' {
		return nil, nil, false
	}
	for i := 1; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			return b[1:i], b[i+1:], true
		case c == '\\' || c < ' ':
			return nil, nil, false
		}
	}
	return nil, nil, false
}

// A worker answers lines of a stream, one after the other.
type worker struct {
	st     *stream
	line   streamLine
	out    []byte
	asking bool // It has let another one run.
	pacing bool // It holds the stream's pace.
}

// answer answers one line.
func (w *worker) answer(line []byte, number int) {
	if len(bytes.TrimSpace(line)) == 0 {
		return // Empty lines are nothing.
	}
	ans, err := w.ask(line)
	w.out = w.out[:0]
	switch {
	case err == nil:
		w.out = w.st.c.srv.appendLine(w.out, w.line.id, number, ans)
	case w.st.ctx.Err() != nil:
		return // Nobody reads it.
	default:
		f := failureOf(w.st.ctx, err)
		w.out = appendFailure(w.out, w.line.id, number, f)
	}
	w.st.reply(w.out)
	if cap(w.out) > maxLine {
		w.out = nil
	}
}

// ask has the verifier answer a line.
func (w *worker) ask(line []byte) (*verdict.Answer, error) {
	if err := w.line.parse(line); err != nil {
		return nil, err
	}
	if w.st.draining() {
		return nil, failShuttingDown()
	}
	req, c := &w.line.req, w.st.c
	caller := callerOf(c.r.Context()) // Again: it may have changed since the stream began.
	if err := caller.need(ScopeVerify); err != nil {
		return nil, err
	}
	req.ID, req.App, req.Weight, req.Class = c.id, caller.App, caller.Weight, caller.Class
	req.Admit = w.admit
	defer w.settle()
	for {
		ans, err := c.srv.opts.Verifier.Verify(w.st.ctx, *req)
		q, spent := errors.AsType[*QuotaError](err)
		if !spent {
			return ans, err
		}
		if q.Retry > time.Minute {
			c.srv.accounts.turnedAway(req.App)
			return nil, err
		}
		if err := w.wait(q.Retry); err != nil {
			return nil, err
		}
	}
}

// admit is called when the line has to be asked about.
func (w *worker) admit(context.Context) error {
	w.letGo()
	w.beginAsking()
	return nil
}

func (w *worker) beginAsking() {
	if !w.asking {
		w.asking = true
		w.st.beginAsking()
	}
}

// wait waits for a quota that holds the stream up. Only one worker at a time does so and then tries again; the others wait
// for it.
func (w *worker) wait(d time.Duration) error {
	w.beginAsking()
	if !w.pacing {
		select {
		case w.st.pace <- struct{}{}:
			w.pacing = true
			return nil // What it was told may be out of date.
		case <-w.st.drain:
			return failShuttingDown()
		case <-w.st.ctx.Done():
			return context.Cause(w.st.ctx)
		}
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-w.st.drain:
		return failShuttingDown()
	case <-w.st.ctx.Done():
		return context.Cause(w.st.ctx)
	}
}

func (w *worker) letGo() {
	if w.pacing {
		w.pacing = false
		<-w.st.pace
	}
}

// settle undoes what asking has taken.
func (w *worker) settle() {
	w.letGo()
	if w.asking {
		w.asking = false
		w.st.endAsking()
	}
}

// appendLine appends an answer as a line of a stream: the answer's object, with the line's id and number before it.
func (s *Server) appendLine(b, id []byte, number int, a *verdict.Answer) []byte {
	b = appendHead(b, id, number)
	start := len(b)
	b = s.appendAnswer(b, a)
	b[start] = ',' // In place of its brace.
	return append(b, '\n')
}

// appendFailure appends what is wrong with a line.
func appendFailure(b, id []byte, number int, f *failure) []byte {
	b = appendHead(b, id, number)
	text, err := json.Marshal(f.wire())
	if err != nil {
		panic(err) // Strings and a number.
	}
	return append(append(append(b, `,"error":`...), text...), '}', '\n')
}

// appendHead appends the beginning of an object.
func appendHead(b, id []byte, number int) []byte {
	b = append(b, `{"id":`...)
	if id == nil {
		b = append(b, "null"...)
	}
	b = append(append(b, id...), `,"line":`...)
	if number == 0 {
		return append(b, "null"...)
	}
	return strconv.AppendInt(b, int64(number), 10)
}
