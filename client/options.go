package client

import (
	"context"
	"time"

	"github.com/verimails/verimaild/client/apitype"
)

// VerifyOptions say how one question is to be answered. The zero value takes the daemon's defaults.
type VerifyOptions struct {
	// Deadline bounds how long the daemon lets the question wait; at most 10 min. Past it the answer is
	// unknown/deadline_exceeded, and the question goes on for the next caller. 0 means the daemon's own, 30 s,
	// or what the context leaves.
	Deadline time.Duration

	// MaxAge is the oldest remembered answer that will do. 0 means any that is still remembered.
	MaxAge time.Duration

	// Fresh takes no remembered answer, whatever MaxAge says.
	Fresh bool

	// Depth is how far to check: apitype.DepthSyntax, DepthDNS, or DepthSMTP, which "" means.
	Depth string

	// Wait waits out greylisting up to the deadline.
	Wait bool

	// Explain makes the answer come with the way to it, in apitype.Answer.Trace.
	Explain bool
}

// request is the question about email. Values out of range are the daemon's to refuse.
func (o VerifyOptions) request(email string) apitype.VerifyRequest {
	req := apitype.VerifyRequest{Email: email, Depth: o.Depth, Wait: o.Wait, Explain: o.Explain}
	if o.Deadline != 0 {
		req.Deadline = o.Deadline.String()
	}
	switch {
	case o.Fresh:
		req.MaxAge = "0s"
	case o.MaxAge != 0:
		req.MaxAge = o.MaxAge.String()
	}
	return req
}

// daemonDeadline is how long the daemon lets a question wait if it isn't told.
const daemonDeadline = 30 * time.Second

// deadlineOf is the deadline to ask for when ctx leaves less than the daemon's own; "" if it leaves enough.
// A tenth is kept back, for the answer's way.
func deadlineOf(ctx context.Context, now time.Time) string {
	end, ok := ctx.Deadline()
	if !ok {
		return ""
	}
	left := end.Sub(now)
	left -= min(left/10, 250*time.Millisecond)
	if left <= 0 || left >= daemonDeadline {
		return ""
	}
	return left.String()
}
