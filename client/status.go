package client

import (
	"context"
	"fmt"
	"net/http"

	"github.com/verimails/verimaild/client/apitype"
)

// Status asks how the daemon does, on one screen. Applications but the caller's own are in it only with the scope admin.
func (c *Client) Status(ctx context.Context) (apitype.Status, error) {
	var st apitype.Status
	err := c.get(ctx, "/v1/status", http.StatusOK, &st)
	return st, err
}

// Reload makes the daemon read its configuration again. With faults in it the error is an [*Error] with the code
// apitype.CodeInvalidConfig, and the old configuration stays in force. It needs the scope admin.
func (c *Client) Reload(ctx context.Context) (apitype.Reloaded, error) {
	var r apitype.Reloaded
	err := c.retry(ctx, func() error {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/v1/reload", http.NoBody)
		if err != nil {
			return fmt.Errorf("verimaild: %w", err)
		}
		return c.do(req, http.StatusOK, &r)
	})
	return r, err
}
