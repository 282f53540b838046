package client

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/verimails/verimaild/client/apitype"
)

// The reports of this file need the scope verify. They correct what the daemon remembers of the addresses that they are
// about: report what really became of a message, and nothing else. A daemon without memory, such as one that runs a
// sandbox, answers them with the code apitype.CodeCacheDisabled.

// Report tells the daemon what became of one message. A report that makes no sense is an [*Error].
func (c *Client) Report(ctx context.Context, r apitype.FeedbackReport) (apitype.FeedbackReply, error) {
	var out apitype.FeedbackReply
	err := c.post(ctx, "/v1/feedback", r, &out)
	return out, err
}

// ReportLines tells the daemon what became of many messages: r holds one apitype.FeedbackReport in JSON a line. Lines that
// make no sense are named in the reply, and the others are taken. r is read once, so the call is never repeated.
func (c *Client) ReportLines(ctx context.Context, r io.Reader) (apitype.FeedbackReply, error) {
	return c.reportBody(ctx, "application/x-ndjson", r)
}

// ReportMessage hands the daemon a delivery status notification, RFC 3464, as it came by mail. If it is none, the error is
// an [*Error] with the code apitype.CodeNotDSN. r is read once, so the call is never repeated.
func (c *Client) ReportMessage(ctx context.Context, r io.Reader) (apitype.FeedbackReply, error) {
	return c.reportBody(ctx, "message/rfc822", r)
}

func (c *Client) reportBody(ctx context.Context, contentType string, r io.Reader) (apitype.FeedbackReply, error) {
	var out apitype.FeedbackReply
	// NopCloser: net/http would close an r that is a file.
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/v1/feedback", io.NopCloser(r))
	if err != nil {
		return out, fmt.Errorf("verimaild: %w", err)
	}
	req.Header.Set("Content-Type", contentType)
	err = c.do(req, http.StatusOK, &out)
	return out, err
}

// Feedback asks how good the answers were, by what was reported. It needs the scope admin.
func (c *Client) Feedback(ctx context.Context) (apitype.Feedback, error) {
	var out apitype.Feedback
	err := c.get(ctx, "/v1/feedback", http.StatusOK, &out)
	return out, err
}
