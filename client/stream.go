package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"sync"

	"github.com/verimails/verimaild/client/apitype"
)

// A Question is one address of a stream.
type Question struct {
	ID      string // Comes back with the answer; up to 250 octets.
	Email   string
	Options VerifyOptions
}

// A Result is what came of one [Question].
type Result struct {
	ID     string         // Of the question; "" if the daemon could not read it.
	Answer apitype.Answer // The zero Answer if Err is set.
	Err    *Error         // Why there is no answer to this question. The others are answered all the same.
}

// maxStreamLine is the longest line of a reply that is taken.
const maxStreamLine = 1 << 20

// Stream asks about many addresses on one connection, which is the fastest way, and yields their results as they come:
// not in the order of the questions. Its error is about the stream, and ends it: what a [Client.Verify] would return
// ([ErrNoDaemon], an [*Error], the end of ctx), or that the connection broke off. Questions that got no result by then
// may have been asked.
//
// questions is ranged over in another goroutine, as fast as the daemon takes them, and not before it has let the caller in.
// When the loop over the results is left, its yield returns false, and Stream returns once the iterator has: it must not
// block for ever.
//
// An application's rate (quota_exceeded by per_minute or concurrent) slows a stream down; a spent day or month ends
// each question with an Err.
func (c *Client) Stream(ctx context.Context, questions iter.Seq[Question]) iter.Seq2[Result, error] {
	return func(yield func(Result, error) bool) {
		own, cancel := context.WithCancel(ctx)
		defer cancel()
		body := &questionBody{questions: questions}
		resp, err := c.openStream(own, body)
		if err != nil {
			yield(Result{}, err)
			return
		}
		err = readResults(resp.Body, yield)
		cancel()
		_ = resp.Body.Close() // Read to its end, or not worth keeping.
		_ = body.Close()
		switch {
		case err == nil, errors.Is(err, errLeft):
		case ctx.Err() != nil:
			yield(Result{}, fmt.Errorf("verimaild: %w", context.Cause(ctx)))
		default:
			yield(Result{}, fmt.Errorf("verimaild: the daemon broke the stream off: %w", err))
		}
	}
}

// openStream begins a stream. Nothing is sent before the daemon has let the caller in.
func (c *Client) openStream(ctx context.Context, body *questionBody) (resp *http.Response, err error) {
	err = c.retry(ctx, func() error {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/v1/verify/stream", io.NopCloser(body))
		if err != nil {
			return fmt.Errorf("verimaild: %w", err)
		}
		req.Header.Set("Content-Type", "application/x-ndjson")
		req.Header.Set("Expect", "100-continue")
		req.Header["Idempotency-Key"] = nil                // See post.
		if resp, err = c.transport().Do(req); err != nil { //nolint:bodyclose // By the caller, if it is a stream.
			return sendError(err)
		}
		if resp.StatusCode == http.StatusOK {
			return nil
		}
		defer func() { _ = resp.Body.Close() }() // Small, and read.
		reply, err := io.ReadAll(io.LimitReader(resp.Body, maxReply))
		if err != nil {
			return fmt.Errorf("verimaild: %w", err)
		}
		return refusal(resp, reply)
	})
	return resp, err
}

// A streamLine is a question as it is sent.
type streamLine struct {
	ID string `json:"id"`
	apitype.VerifyRequest
}

// A questionBody is the questions as the body of a request.
type questionBody struct {
	questions iter.Seq[Question]

	mu     sync.Mutex // Held while a question is waited for; guards all below.
	next   func() (Question, bool)
	stop   func()
	line   bytes.Buffer // What was not read yet of the last question.
	closed bool
}

// Read reads the next question, or a part of it: not two, for the second may depend on the answer to the first.
func (b *questionBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return 0, io.ErrClosedPipe
	}
	if b.next == nil {
		b.next, b.stop = iter.Pull(b.questions)
	}
	if b.line.Len() == 0 {
		q, more := b.next()
		if !more {
			return 0, io.EOF
		}
		enc := json.NewEncoder(&b.line)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(streamLine{q.ID, q.Options.request(q.Email)}); err != nil {
			return 0, err
		}
	}
	return b.line.Read(p)
}

// Close ends the questions. It waits for the one that is waited for.
func (b *questionBody) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	if b.stop != nil {
		b.stop()
	}
	return nil
}

// A streamReply is a line of the reply.
type streamReply struct {
	ID    json.RawMessage `json:"id"`
	Error *apitype.Error  `json:"error"`
	apitype.Answer
}

// errLeft is why reading ended when the caller wants no more.
var errLeft = errors.New("verimaild: the loop over the results was left")

// readResults yields results to the end of the reply.
func readResults(r io.Reader, yield func(Result, error) bool) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 64<<10), maxStreamLine)
	for lines.Scan() {
		var reply streamReply
		if err := json.Unmarshal(lines.Bytes(), &reply); err != nil {
			return err
		}
		res := Result{Answer: reply.Answer}
		_ = json.Unmarshal(reply.ID, &res.ID) // null, or a number that is not ours, stays "".
		if reply.Error != nil {
			res.Err = errorOf(http.StatusOK, *reply.Error)
		}
		if !yield(res, nil) {
			return errLeft
		}
	}
	return lines.Err()
}
