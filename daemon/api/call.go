package api

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/verimails/verimaild/client/apitype"
)

// A call is one request on its way through its handler.
type call struct {
	srv    *Server
	w      http.ResponseWriter
	r      *http.Request
	id     string // Also in the reply's X-Request-Id.
	caller *Caller
	status int       // Of the reply; 0 until it is sent.
	failed *failure  // Why the reply is not the one asked for.
	tally  *tally    // Of the route.
	header [3]string // The values of the reply's header fields.
}

// run takes one request through its route.
func (s *Server) run(rt route, w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	c := &call{srv: s, w: w, r: r, id: s.ids.of(r), caller: callerOf(r.Context())}
	open := rt.always || s.gate.enter()
	if open && !rt.always {
		// Deferred first, so that it comes last: a stop waits until the reply is on its way, panic or not.
		defer s.gate.leave()
	}
	defer c.finish(start)
	c.tally = s.tallies[rt.pattern]
	c.boundBody()
	err := rt.admit(c)
	switch {
	case err == nil && !open:
		w.Header().Set("Connection", "close")
		err = failShuttingDown()
	case err == nil:
		err = rt.handle(s, c)
	}
	switch {
	case err == nil:
	case c.status == 0:
		c.fail(err)
	default:
		// A reply that has begun can't be taken back; a closed connection shows that it is not whole.
		c.failed = failureOf(c.r.Context(), err)
		panic(http.ErrAbortHandler)
	}
}

// admit refuses what must not reach the handler.
func (rt *route) admit(c *call) error {
	if n := len(c.r.RequestURI); n > maxURI {
		return fail(apitype.CodeURITooLong, "The request's URI has %d bytes, and at most %d are taken.", n, maxURI)
	}
	return c.caller.need(rt.scope)
}

// finish is deferred around a handler: it turns a panic into an internal error, and logs the request.
func (c *call) finish(start time.Time) {
	switch v := recover(); v {
	case nil:
	case http.ErrAbortHandler:
		c.log(start)
		panic(v)
	default:
		c.srv.log.Error("handler panicked", zap.String("request_id", c.id), zap.Any("panic", v), zap.Stack("stack"))
		if c.status != 0 {
			panic(http.ErrAbortHandler)
		}
		c.fail(failInternal(fmt.Errorf("panic: %v", v)))
	}
	c.log(start)
}

// log writes one line about the request: faults of ours are errors, the rest is for debugging. The query string is
// left out, because it may hold an address, and so is the path above debug.
func (c *call) log(start time.Time) {
	if c.tally != nil {
		c.tally.add(c.status)
	}
	level := zapcore.DebugLevel
	if c.failed != nil && c.failed.code == apitype.CodeInternal {
		level = zapcore.ErrorLevel
	}
	entry := c.srv.log.Check(level, "request")
	if entry == nil {
		return
	}
	fields := []zap.Field{
		zap.String("request_id", c.id),
		zap.String("method", c.r.Method),
		zap.String("route", c.r.Pattern),
		zap.Int("status", c.status),
		zap.Duration("dur", time.Since(start)),
		zap.String("app", c.caller.App),
		zap.Int("uid", c.caller.UID),
		zap.Int("pid", c.caller.PID),
	}
	if c.failed != nil {
		fields = append(fields, zap.Error(c.failed))
	}
	entry.Write(fields...)
}

// boundBody gives the client a deadline for its body, whether the handler reads it or net/http throws it away.
func (c *call) boundBody() {
	if c.r.Body == http.NoBody {
		return
	}
	now, conn := time.Now(), http.NewResponseController(c.w)
	_ = conn.SetReadDeadline(now.Add(c.srv.bodyTimeout)) // Not supported only by the recorders of tests.
	// The deadline of the previous reply on this connection must not meet "100 Continue".
	_ = conn.SetWriteDeadline(now.Add(c.srv.bodyTimeout + c.srv.sendTimeout))
}

// body reads the whole body: at most maxBody, in time, not encoded.
func (c *call) body() ([]byte, error) {
	if err := c.plainBody(); err != nil {
		return nil, err
	}
	if c.r.ContentLength > maxBody {
		return nil, failTooLarge()
	}
	body, err := io.ReadAll(http.MaxBytesReader(c.w, c.r.Body, maxBody))
	if err == nil {
		// From here on the client may take its time: a deadline that stays would look like its hanging up.
		_ = http.NewResponseController(c.w).SetReadDeadline(time.Time{})
		return body, nil
	}
	c.w.Header().Set("Connection", "close") // Where the next request would begin is not known.
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, failTooLarge()
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, fail(apitype.CodeBodyTimeout, "The body did not arrive within %v; %d bytes came.", c.srv.bodyTimeout, len(body))
	}
	f := fail(apitype.CodeInvalidJSON, "The body broke off after %d bytes.", len(body))
	f.cause = err
	return nil, f
}

// plainBody refuses a body that is compressed.
func (c *call) plainBody() error {
	if e := c.r.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return fail(apitype.CodeUnsupportedMedia, "The body is encoded as %s; send it plain.", quote(e))
	}
	return nil
}

func failTooLarge() *failure {
	return fail(apitype.CodeBodyTooLarge, "The body has more than %d bytes.", maxBody)
}

// fail replies with what the client is told of err.
func (c *call) fail(err error) {
	c.failed = failureOf(c.r.Context(), err)
	c.sendJSON(c.failed.status(), apitype.ErrorReply{Error: c.failed.wire()})
}

// extend gives the client the send timeout from now on.
func (c *call) extend() {
	_ = http.NewResponseController(c.w).SetWriteDeadline(time.Now().Add(c.srv.sendTimeout))
}

// send replies with body, which is JSON and is not kept.
func (c *call) send(status int, body []byte) {
	c.extend()
	// What Header.Set would do, without an allocation for each.
	c.header = [...]string{"application/json", strconv.Itoa(len(body)), c.id}
	h := c.w.Header()
	h["Content-Type"], h["Content-Length"], h["X-Request-Id"] = c.header[0:1:1], c.header[1:2:2], c.header[2:3:3]
	c.status = status
	c.w.WriteHeader(status)
	_, _ = c.w.Write(body) // A client that is gone is told nothing; net/http closes the connection.
}
