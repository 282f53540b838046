package client

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/verimails/verimaild/client/apitype"
)

// Egress asks who asks mail servers, where, and what is left to ask. It shows at most so many sites, and only those with
// a host, a domain or a provider that contains site. It needs the scope admin. If the daemon asks no mail server at all,
// the error is an [*Error] with the code apitype.CodeNoEgress.
func (c *Client) Egress(ctx context.Context, site string, sites int) (apitype.Egress, error) {
	var e apitype.Egress
	q := url.Values{"sites": {strconv.Itoa(sites)}}
	if site != "" {
		q.Set("site", site)
	}
	err := c.get(ctx, "/v1/egress?"+q.Encode(), http.StatusOK, &e)
	return e, err
}

// DrainSource has a source take no new domains, until ResumeSource and over restarts of the daemon. It returns what the
// source is now. If there is none of this name, the error is an [*Error] with the code apitype.CodeNoSource.
func (c *Client) DrainSource(ctx context.Context, name string) (apitype.EgressSource, error) {
	return c.turnSource(ctx, name, "drain")
}

// ResumeSource ends what DrainSource began. It has the same errors.
func (c *Client) ResumeSource(ctx context.Context, name string) (apitype.EgressSource, error) {
	return c.turnSource(ctx, name, "resume")
}

func (c *Client) turnSource(ctx context.Context, name, how string) (apitype.EgressSource, error) {
	var src apitype.EgressSource
	err := c.retry(ctx, func() error {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/v1/egress/sources/"+segment(name)+"/"+how, http.NoBody)
		if err != nil {
			return fmt.Errorf("verimaild: %w", err)
		}
		return c.do(req, http.StatusOK, &src)
	})
	return src, err
}
