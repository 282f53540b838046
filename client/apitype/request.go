package apitype

// A VerifyRequest is the body of POST /v1/verify. Only Email is needed.
type VerifyRequest struct {
	Email string `json:"email"`

	// Deadline bounds the wait, as a duration with its unit ("10s"); more than 0, at most 10m. Default "30s".
	// Past it the answer is unknown/deadline_exceeded, and the question goes on for the next caller.
	Deadline string `json:"deadline,omitempty"`

	// MaxAge is the oldest remembered answer that will do ("24h"); "0s" asks afresh, though not within ten minutes.
	// Left out, any answer that is still remembered will do.
	MaxAge string `json:"max_age,omitempty"`

	// Depth is how far to check: syntax, dns or smtp, each including the one before it. Default "smtp".
	Depth string `json:"depth,omitempty"`

	// Wait waits out greylisting up to the deadline.
	Wait bool `json:"wait,omitempty"`

	// Explain makes the answer come with its Trace.
	Explain bool `json:"explain,omitempty"`
}

// The values of [VerifyRequest.Depth].
const (
	DepthSyntax = "syntax" // Syntax and lists; no packet is sent.
	DepthDNS    = "dns"    // The mail hosts are looked up as well.
	DepthSMTP   = "smtp"   // The mail host is asked.
)
