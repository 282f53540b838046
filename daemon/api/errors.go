package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/verimails/verimaild/client/apitype"
)

// statusClientClosed is nginx's code for a client that went away; nobody is there to read it, but the log is.
const statusClientClosed = 499

// shutdownRetry is when a client of a daemon that stops should ask again: a restart takes about that long.
const shutdownRetry = 2 * time.Second

// statuses gives each error code its one status. docs/api.md has the same list; a test holds them together.
var statuses = map[string]int{
	apitype.CodeInvalidQuery:       http.StatusBadRequest,
	apitype.CodeInvalidJSON:        http.StatusBadRequest,
	apitype.CodeUnknownField:       http.StatusBadRequest,
	apitype.CodeInvalidField:       http.StatusBadRequest,
	apitype.CodeMissingField:       http.StatusBadRequest,
	apitype.CodeForbidden:          http.StatusForbidden,
	apitype.CodeNoEgress:           http.StatusConflict,
	apitype.CodeNoSource:           http.StatusNotFound,
	apitype.CodeNotFound:           http.StatusNotFound,
	apitype.CodeMethodNotAllowed:   http.StatusMethodNotAllowed,
	apitype.CodeBodyTimeout:        http.StatusRequestTimeout,
	apitype.CodeBodyTooLarge:       http.StatusRequestEntityTooLarge,
	apitype.CodeURITooLong:         http.StatusRequestURITooLong,
	apitype.CodeUnsupportedMedia:   http.StatusUnsupportedMediaType,
	apitype.CodeQuotaExceeded:      http.StatusTooManyRequests,
	apitype.CodeClientClosed:       statusClientClosed,
	apitype.CodeInvalidLine:        http.StatusBadRequest,
	apitype.CodeInvalidList:        http.StatusUnprocessableEntity,
	apitype.CodeListTruncated:      http.StatusBadRequest,
	apitype.CodeJobNotFound:        http.StatusNotFound,
	apitype.CodeJobState:           http.StatusConflict,
	apitype.CodeTooManyJobs:        http.StatusConflict,
	apitype.CodeNoRoom:             http.StatusInsufficientStorage,
	apitype.CodeNotDSN:             http.StatusBadRequest,
	apitype.CodeNotRemembered:      http.StatusNotFound,
	apitype.CodeCacheDisabled:      http.StatusConflict,
	apitype.CodeInternal:           http.StatusInternalServerError,
	apitype.CodeNotReady:           http.StatusServiceUnavailable,
	apitype.CodeShuttingDown:       http.StatusServiceUnavailable,
	apitype.CodeDeadline:           http.StatusGatewayTimeout,
	apitype.CodeInvalidConfig:      http.StatusConflict,
	apitype.CodeBusy:               http.StatusServiceUnavailable,
	apitype.CodeTooManyConnections: http.StatusServiceUnavailable,
}

// A failure is an error that a client is told.
type failure struct {
	code    string
	message string
	retry   time.Duration // When the same request may succeed; 0 if time alone does not help.
	rule    string        // The configuration key that refuses; "" if none does.
	cause   error         // For the log only.
}

// fail makes a failure; message is told to the client.
func fail(code, format string, args ...any) *failure {
	return &failure{code: code, message: fmt.Sprintf(format, args...)}
}

func (f *failure) Error() string {
	if f.cause != nil {
		return f.code + ": " + f.cause.Error()
	}
	return f.code + ": " + f.message
}

func (f *failure) Unwrap() error { return f.cause }

func (f *failure) status() int { return statuses[f.code] }

// wire is f as the client gets it.
func (f *failure) wire() apitype.Error {
	e := apitype.Error{Code: f.code, Message: f.message, Rule: orNull(f.rule)}
	if f.retry > 0 {
		ms := max(1, f.retry.Milliseconds())
		e.RetryAfterMS = &ms
	}
	return e
}

func failShuttingDown() *failure {
	f := fail(apitype.CodeShuttingDown, "The daemon is stopping; ask again once it is back.")
	f.retry = shutdownRetry
	return f
}

// failQuota says which quota is spent, and until when.
func failQuota(q *QuotaError) *failure {
	f := fail(apitype.CodeQuotaExceeded, "Application %s may ask about %d %s, and has done so.", q.App, q.Limit, q.what)
	f.rule, f.retry = q.Rule, q.Retry
	return f
}

// failInternal hides cause from the client: what went wrong inside is for the log.
func failInternal(cause error) *failure {
	f := fail(apitype.CodeInternal, "The daemon failed to answer; its log has the details under this reply's X-Request-Id.")
	f.cause = cause
	return f
}

// failureOf says what a client is told of err, which ended the work on a request with context ctx.
func failureOf(ctx context.Context, err error) *failure {
	if f, ok := errors.AsType[*failure](err); ok {
		return f
	}
	if q, ok := errors.AsType[*QuotaError](err); ok {
		return failQuota(q)
	}
	switch {
	case errors.Is(context.Cause(ctx), errShuttingDown):
		return failShuttingDown()
	case ctx.Err() != nil:
		return fail(apitype.CodeClientClosed, "The client closed its sending side before the answer was there; keep it open.")
	case errors.Is(err, context.DeadlineExceeded):
		f := fail(apitype.CodeDeadline, "The daemon ran out of time for this request.")
		f.cause = err
		return f
	}
	return failInternal(err)
}

// quote quotes s for a message, shortened: messages must not carry a client's 64 KiB back to it.
func quote(s string) string {
	const most = 64
	if len(s) > most {
		return strconv.QuoteToGraphic(s[:most]) + "…"
	}
	return strconv.QuoteToGraphic(s)
}
