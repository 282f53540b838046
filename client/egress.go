package client

import (
	"context"
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
