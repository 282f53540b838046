package client

import (
	"context"
	"time"

	"github.com/verimails/verimaild/client/apitype"
)

// An Option changes one question of [Client.Verify].
type Option func(*apitype.VerifyRequest)

// WithDeadline bounds how long the daemon lets the question wait: more than 0, at most 10 min. Past it the answer is
// unknown/deadline_exceeded, and the question goes on for the next caller.
func WithDeadline(d time.Duration) Option {
	return func(r *apitype.VerifyRequest) { r.Deadline = d.String() }
}

// WithMaxAge takes remembered answers up to this age; 0 asks afresh.
func WithMaxAge(d time.Duration) Option {
	return func(r *apitype.VerifyRequest) { r.MaxAge = d.String() }
}

// WithDepth says how far to check: apitype.DepthSyntax, DepthDNS or DepthSMTP, the default.
func WithDepth(depth string) Option {
	return func(r *apitype.VerifyRequest) { r.Depth = depth }
}

// WithWait waits out greylisting up to the deadline.
func WithWait() Option {
	return func(r *apitype.VerifyRequest) { r.Wait = true }
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
