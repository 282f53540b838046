package apitype

// An Error is what every reply with a status of 400 or more carries, under the key "error".
type Error struct {
	Code    string `json:"code"`    // One of the codes below; stable.
	Message string `json:"message"` // One sentence for a person; may change.

	// RetryAfterMS is when the same request may succeed, in milliseconds from now; null if time alone does not help.
	RetryAfterMS *int64 `json:"retry_after_ms"`

	// Rule is the configuration key that refuses, such as "apps[2].scopes"; null if none does.
	Rule *string `json:"rule"`
}

// An ErrorReply is the body of a failed request.
type ErrorReply struct {
	Error Error `json:"error"`
}

// The error codes. A code has one status. None is renamed or reused within v1.
const (
	CodeInvalidQuery       = "invalid_query"        // 400: the query string cannot be decoded, or names a parameter twice.
	CodeInvalidJSON        = "invalid_json"         // 400: the body is not exactly one JSON object in UTF-8.
	CodeUnknownField       = "unknown_field"        // 400: a field or parameter that the endpoint does not have.
	CodeInvalidField       = "invalid_field"        // 400: a field, parameter or segment of the path of the wrong type or out of range.
	CodeMissingField       = "missing_field"        // 400: a field or parameter that the endpoint needs.
	CodeForbidden          = "forbidden"            // 403: the caller lacks the scope that the endpoint needs.
	CodeNotFound           = "not_found"            // 404: there is no such path.
	CodeMethodNotAllowed   = "method_not_allowed"   // 405: the path exists for other methods; Allow lists them.
	CodeBodyTimeout        = "body_timeout"         // 408: the body did not arrive in time.
	CodeBodyTooLarge       = "body_too_large"       // 413
	CodeURITooLong         = "uri_too_long"         // 414
	CodeUnsupportedMedia   = "unsupported_media"    // 415: the body is compressed or otherwise encoded.
	CodeQuotaExceeded      = "quota_exceeded"       // 429: the application has spent what it may ask.
	CodeClientClosed       = "client_closed"        // 499: the client closed its sending side before the answer was there.
	CodeInvalidLine        = "invalid_line"         // 400: a line of an NDJSON body makes no sense; the message names it.
	CodeNotDSN             = "not_dsn"              // 400: a message that is no delivery status notification.
	CodeListTruncated      = "list_truncated"       // 400: the list broke off before its end.
	CodeInvalidList        = "invalid_list"         // 422: the list cannot be read, or no column holds addresses.
	CodeJobNotFound        = "job_not_found"        // 404: there is no such job, or none that the application may see.
	CodeJobState           = "job_state"            // 409: the job is in a state in which this cannot be done.
	CodeTooManyJobs        = "too_many_jobs"        // 409: there are as many jobs as can be kept.
	CodeNoRoom             = "no_room"              // 507: the disk has too little room for a list.
	CodeNotRemembered      = "not_remembered"       // 404: nothing is remembered of the domain.
	CodeCacheDisabled      = "cache_disabled"       // 409: the daemon runs without memory.
	CodeNoEgress           = "no_egress"            // 409: no mail server is asked, so that there is nothing to tell or change about it.
	CodeNoSource           = "no_source"            // 404: there is no source of this name.
	CodeInternal           = "internal_error"       // 500: a fault of the daemon; its log has the details under X-Request-Id.
	CodeNotReady           = "not_ready"            // 503: only of /readyz.
	CodeShuttingDown       = "shutting_down"        // 503: the daemon is stopping; ask again once it is back.
	CodeDeadline           = "deadline_exceeded"    // 504: the daemon itself ran out of time.
	CodeInvalidConfig      = "invalid_config"       // 409: the configuration that was to be loaded has faults.
	CodeBusy               = "busy"                 // 503: the daemon starts, stops or reloads already.
	CodeTooManyConnections = "too_many_connections" // 503: the user of this process has too many connections.
)
