package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/verimails/verimaild/client/apitype"
)

// The calls in this file need the scope admin; without it they return an [*Error] with the code
// apitype.CodeForbidden. A daemon that remembers nothing, such as one that runs a sandbox, answers them with
// apitype.CodeCacheDisabled.

// CacheStats asks what the daemon's memory holds and how it has served.
func (c *Client) CacheStats(ctx context.Context) (apitype.CacheStats, error) {
	var st apitype.CacheStats
	err := c.get(ctx, "/v1/cache", http.StatusOK, &st)
	return st, err
}

// Domain asks what is remembered of a domain, in A-labels or U-labels. If that is nothing, the error is an [*Error] with
// the code apitype.CodeNotRemembered.
func (c *Client) Domain(ctx context.Context, domain string) (apitype.DomainRecord, error) {
	var r apitype.DomainRecord
	err := c.get(ctx, "/v1/domains/"+segment(domain), http.StatusOK, &r)
	return r, err
}

// ForgetAddress makes the daemon forget an address. When it returns without an error, the address is gone from memory
// and from disk, and an answer that is under way is not kept.
func (c *Client) ForgetAddress(ctx context.Context, email string) (apitype.Forgotten, error) {
	return c.forget(ctx, "/v1/addresses/"+segment(email))
}

// ForgetDomain makes the daemon forget a domain and all its addresses, see [Client.ForgetAddress].
func (c *Client) ForgetDomain(ctx context.Context, domain string) (apitype.Forgotten, error) {
	return c.forget(ctx, "/v1/domains/"+segment(domain))
}

// ForgetAll makes the daemon forget everything, see [Client.ForgetAddress]. Its jobs, budgets and usage are not touched.
func (c *Client) ForgetAll(ctx context.Context) (apitype.Forgotten, error) {
	return c.forget(ctx, "/v1/cache")
}

func (c *Client) forget(ctx context.Context, path string) (apitype.Forgotten, error) {
	var f apitype.Forgotten
	err := c.retry(ctx, func() error {
		req, err := http.NewRequestWithContext(ctx, http.MethodDelete, base+path, http.NoBody)
		if err != nil {
			return fmt.Errorf("verimaild: %w", err)
		}
		return c.do(req, http.StatusOK, &f)
	})
	return f, err
}

// ExportCache writes what is remembered of domains to w as NDJSON, for [Client.ImportCache] on another host: a header,
// then one record a line. It returns how many bytes it wrote; after an error, w holds the beginning only.
func (c *Client) ExportCache(ctx context.Context, w io.Writer) (n int64, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/v1/cache/export", http.NoBody)
	if err != nil {
		return 0, fmt.Errorf("verimaild: %w", err)
	}
	resp, err := c.transport().Do(req)
	if err != nil {
		return 0, sendError(err)
	}
	defer func() { _ = resp.Body.Close() }() // Read to its end, or not worth keeping.
	if resp.StatusCode != http.StatusOK {
		reply, err := io.ReadAll(io.LimitReader(resp.Body, maxReply))
		if err != nil {
			return 0, fmt.Errorf("verimaild: %w", err)
		}
		return 0, refusal(resp, reply)
	}
	n, err = io.Copy(w, resp.Body)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return n, fmt.Errorf("verimaild: the daemon broke the export off: %w", err)
	}
	if err != nil {
		return n, fmt.Errorf("verimaild: export: %w", err)
	}
	return n, nil
}

// ImportCache hands the daemon what [Client.ExportCache] wrote. What it remembers already and is newer stays. A line that
// makes no sense ends the import with an [*Error] that names it (apitype.CodeInvalidLine); what stood before it has
// been imported. r is read once, so the call is never repeated.
func (c *Client) ImportCache(ctx context.Context, r io.Reader) (apitype.Imported, error) {
	var out apitype.Imported
	// NopCloser: net/http would close an r that is a file.
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/v1/cache/import", io.NopCloser(r))
	if err != nil {
		return out, fmt.Errorf("verimaild: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	err = c.do(req, http.StatusOK, &out)
	return out, err
}

// segment escapes s as one segment of a path.
func segment(s string) string {
	if strings.Trim(s, ".") == "" { // A path has a meaning of its own for those.
		return strings.Repeat("%2E", len(s))
	}
	return url.PathEscape(s)
}
