// Package client asks a verimaild daemon on this host whether addresses can receive mail.
//
// The zero Client works: it finds the daemon's socket, keeps connections open, and asks again when the daemon says
// when.
//
//	var c client.Client
//	answer, err := c.Verify(ctx, "ada@example.com")
//
// What the daemon knows of an address, including that it is not one, is an [apitype.Answer]. Errors are about the
// asking: [ErrNoDaemon] (nobody answers on the socket), [*Error] (the daemon refused), and the caller's context.
package client

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/verimails/verimaild/client/apitype"
)

// A Client asks one daemon. Its zero value is ready; it is safe for concurrent use and must not be copied after the
// first call. Its fields must not change after the first call.
type Client struct {
	// Socket is the path of the daemon's socket. "" means the one that [DefaultSocket] finds at each new connection.
	Socket string

	// MaxRetries bounds how often one call asks again after the daemon said when (429 or 503 with retry_after_ms).
	// 0 means 5; negative means never. A call does not wait past the end of its context: it then returns the
	// daemon's refusal at once.
	MaxRetries int

	once sync.Once // Guards the making of http.
	http *http.Client
}

const (
	defaultRetries = 5
	dialTimeout    = 5 * time.Second

	// idleTimeout is shorter than the daemon's (2 min), so that it is us who close.
	idleTimeout = time.Minute
	maxIdle     = 64
)

// Verify asks about one address, and blocks until the answer is there: at most for the deadline of opts, which the
// daemon keeps, or until ctx ends. Without a deadline in opts the daemon's own (30 s) holds, or a little less
// than what is left of ctx if that is shorter, so that the answer unknown/deadline_exceeded comes in time and not a
// bare context error. At most one VerifyOptions is taken; of several, the last.
func (c *Client) Verify(ctx context.Context, email string, opts ...VerifyOptions) (apitype.Answer, error) {
	var o VerifyOptions
	if len(opts) > 0 {
		o = opts[len(opts)-1]
	}
	req := o.request(email)
	var a apitype.Answer
	err := c.retry(ctx, func() error {
		now := req
		if now.Deadline == "" {
			now.Deadline = deadlineOf(ctx, time.Now())
		}
		return c.post(ctx, "/v1/verify", now, &a)
	})
	return a, err
}

// Health asks whether the daemon is alive. nil means that it answers.
func (c *Client) Health(ctx context.Context) error {
	var h apitype.Health
	return c.get(ctx, "/healthz", http.StatusOK, &h)
}

// Ready asks whether the daemon can verify addresses to the end, and what stands in the way. Not being ready is
// an answer, not an error.
func (c *Client) Ready(ctx context.Context) (apitype.Ready, error) {
	var r apitype.Ready
	err := c.get(ctx, "/readyz", http.StatusServiceUnavailable, &r)
	return r, err
}

// Version asks what the daemon was built from.
func (c *Client) Version(ctx context.Context) (apitype.Version, error) {
	var v apitype.Version
	err := c.get(ctx, "/v1/version", http.StatusOK, &v)
	return v, err
}

// CloseIdleConnections closes the connections that no call uses. The Client can be used on.
func (c *Client) CloseIdleConnections() { c.transport().CloseIdleConnections() }

// transport makes the HTTP client at first use.
func (c *Client) transport() *http.Client {
	c.once.Do(func() {
		c.http = &http.Client{
			Transport: &http.Transport{
				DialContext:         c.dial,
				MaxIdleConns:        maxIdle,
				MaxIdleConnsPerHost: maxIdle,
				IdleConnTimeout:     idleTimeout,
				DisableCompression:  true,

				// How long a stream waits for the daemon to let it in; then it sends its questions all the same.
				ExpectContinueTimeout: dialTimeout,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	})
	return c.http
}

// dial connects to the socket.
func (c *Client) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	path := c.Socket
	if path == "" {
		path = DefaultSocket()
	}
	d := net.Dialer{Timeout: dialTimeout}
	conn, err := d.DialContext(ctx, "unix", path)
	if err != nil && ctx.Err() == nil {
		return nil, &NoDaemonError{Socket: path, Err: err}
	}
	return conn, err
}

// Explain asks what a mail server's reply means by the rules that the daemon has in force.
func (c *Client) Explain(ctx context.Context, req apitype.ExplainRequest) (apitype.Explanation, error) {
	var e apitype.Explanation
	err := c.retry(ctx, func() error { return c.post(ctx, "/v1/explain", req, &e) })
	return e, err
}
