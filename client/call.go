package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/verimails/verimaild/client/apitype"
)

// maxReply bounds what is read of one reply. The longest are dialogues, some dozens of kilobytes.
const maxReply = 16 << 20

// retry runs ask until it succeeds, or fails in a way that asking again does not mend, or there is no time left.
func (c *Client) retry(ctx context.Context, ask func() error) error {
	left := c.MaxRetries
	if left == 0 {
		left = defaultRetries
	}
	for ; ; left-- {
		err := ask()
		refusal, ok := errors.AsType[*Error](err)
		if !ok || left <= 0 || !refusal.temporary() || !wait(ctx, refusal.RetryAfter) {
			return err
		}
	}
}

// temporary reports whether the daemon said when to ask again.
func (e *Error) temporary() bool {
	return e.RetryAfter > 0 && (e.Status == http.StatusTooManyRequests || e.Status == http.StatusServiceUnavailable)
}

// wait waits for d. It returns false, and at once, if ctx would end before.
func wait(ctx context.Context, d time.Duration) bool {
	if end, ok := ctx.Deadline(); ok && time.Until(end) <= d {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// get asks for path. A reply is read into out if its status is 200 or also.
func (c *Client) get(ctx context.Context, path string, also int, out any) error {
	return c.retry(ctx, func() error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+path, http.NoBody)
		if err != nil {
			return fmt.Errorf("verimaild: %w", err)
		}
		return c.do(req, also, out)
	})
}

// post sends in to path, once.
func (c *Client) post(ctx context.Context, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("verimaild: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("verimaild: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	// A question may be asked twice: this lets net/http send it again when a kept connection turns out to be closed.
	// A header without a value is not sent.
	req.Header["Idempotency-Key"] = nil
	return c.do(req, http.StatusOK, out)
}

// base is where requests go as far as HTTP is concerned; dial sends them to the socket.
const base = "http://verimaild"

// do sends one request and reads its reply into out.
func (c *Client) do(req *http.Request, also int, out any) error {
	resp, err := c.transport().Do(req)
	if err != nil {
		return sendError(err)
	}
	defer func() { _ = resp.Body.Close() }() // Read to its end, or not worth keeping.
	reply, err := io.ReadAll(io.LimitReader(resp.Body, maxReply+1))
	if err != nil {
		return fmt.Errorf("verimaild: %w", err)
	}
	if len(reply) > maxReply {
		return fmt.Errorf("verimaild: the reply has more than %d bytes", maxReply)
	}
	if resp.StatusCode != http.StatusOK && resp.StatusCode != also {
		return refusal(resp, reply)
	}
	if err := json.Unmarshal(reply, out); err != nil {
		return fmt.Errorf("verimaild: the reply is not what its API promises: %w", err)
	}
	return nil
}

// sendError takes off what net/http says around an error: the URL in it means nothing on a socket.
func sendError(err error) error {
	if nd, ok := errors.AsType[*NoDaemonError](err); ok {
		return nd
	}
	if ue, ok := errors.AsType[*url.Error](err); ok {
		err = ue.Err
	}
	return fmt.Errorf("verimaild: %w", err)
}

// refusal reads the error of a reply.
func refusal(resp *http.Response, reply []byte) error {
	e := &Error{Status: resp.StatusCode, RequestID: resp.Header.Get("X-Request-Id")}
	var wire apitype.ErrorReply
	if err := json.Unmarshal(reply, &wire); err != nil || wire.Error.Code == "" {
		e.Message = "the reply with status " + resp.Status + " is none of verimaild's; is this its socket?"
		return e
	}
	out := errorOf(e.Status, wire.Error)
	out.RequestID = e.RequestID
	return out
}

// errorOf is an error as the daemon tells it.
func errorOf(status int, wire apitype.Error) *Error {
	e := &Error{Status: status, Code: wire.Code, Message: wire.Message}
	if wire.Rule != nil {
		e.Rule = *wire.Rule
	}
	if ms := wire.RetryAfterMS; ms != nil {
		e.RetryAfter = time.Duration(*ms) * time.Millisecond
	}
	return e
}
