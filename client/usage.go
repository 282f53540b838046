package client

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/verimails/verimaild/client/apitype"
)

// UsageOptions say which usage is wanted. The zero value is that of this month, of all applications that the caller may
// see: its own, or all with the scope admin.
type UsageOptions struct {
	App      string    // One application.
	From, To time.Time // The first and the last day, in UTC. Zero means the first of To's month, and today.
}

// Usage asks what applications have asked, by day and verdict. The usage of another application needs the scope admin.
func (c *Client) Usage(ctx context.Context, opts UsageOptions) (apitype.Usage, error) {
	q := url.Values{}
	if opts.App != "" {
		q.Set("app", opts.App)
	}
	for name, t := range map[string]time.Time{"from": opts.From, "to": opts.To} {
		if !t.IsZero() {
			q.Set(name, t.UTC().Format(time.DateOnly))
		}
	}
	var u apitype.Usage
	err := c.get(ctx, "/v1/usage?"+q.Encode(), http.StatusOK, &u)
	return u, err
}
