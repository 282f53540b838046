package api

import (
	"github.com/verimails/verimaild/client/apitype"
)

// An operation is what the OpenAPI document says of one route. Its errors come on top of those that every route has.
type operation struct {
	pattern string
	id      string
	summary string
	about   string
	query   []parameter
	bodies  []body // What it takes; empty if nothing.
	status  int    // Of success; 0 means 200.
	reply   any    // A value of the type that it replies with; nil for what is no JSON.
	media   string // Of the reply; "" means application/json.
	errors  []string
}

// A parameter is one of a query string. All are strings; what they may be is in about.
type parameter struct {
	name, about string
	enum        []string
	required    bool
}

// A body is one media type that an operation takes.
type body struct {
	media string
	typ   any // nil is text.
}

// paths are the parameters in paths.
var pathParameters = map[string]string{
	"domain": "A domain, in A-labels or percent-encoded UTF-8.",
	"email":  "An address. Percent-encode %, /, ?, #, quotes and spaces; a raw + is a plus.",
	"id":     "The id of a job.",
	"name":   "The name of a source.",
}

// A streamQuestion is one line that POST /v1/verify/stream takes.
type streamQuestion struct {
	ID any `json:"id,omitempty"` // A string or a number of at most 256 bytes; comes back with the reply.
	apitype.VerifyRequest
}

// A streamReply stands for one line of the reply of POST /v1/verify/stream: a streamAnswer or a streamError.
type streamReply struct{}

// A streamAnswer is the answer to one line.
type streamAnswer struct {
	ID   any    `json:"id"`   // As it came; null if there was none.
	Line *int64 `json:"line"` // The number of the line, from 1; null for what is about none.
	apitype.Answer
}

// A streamError says why there is no answer to one line. The stream goes on.
type streamError struct {
	ID    any           `json:"id"`   // As it came; null if there was none, or if it could not be read.
	Line  *int64        `json:"line"` // The number of the line, from 1; null for what is about none.
	Error apitype.Error `json:"error"`
}

const (
	jsonMedia   = "application/json"
	ndjsonMedia = "application/x-ndjson"
)

var verifyParameters = []parameter{
	{name: "email", about: "The address. A raw + is a plus, not a space; percent-encode %, &, # and spaces.", required: true},
	{name: "deadline", about: "How long to wait, with its unit: more than 0s, at most 10m. Default 30s."},
	{name: "max_age", about: "The oldest remembered answer that will do, such as 24h; 0s asks afresh. Default: any that is still remembered."},
	{name: "depth", about: "How far to check. Default smtp.", enum: []string{"syntax", "dns", "smtp"}},
	{name: "wait", about: "Wait out greylisting up to the deadline.", enum: []string{"true", "false"}},
	{name: "explain", about: "Let the answer come with its trace.", enum: []string{"true", "false"}},
}

var (
	cacheErrors = []string{apitype.CodeCacheDisabled}
	bodyErrors  = []string{apitype.CodeInvalidJSON, apitype.CodeInvalidField, apitype.CodeMissingField, apitype.CodeBodyTimeout, apitype.CodeBodyTooLarge, apitype.CodeUnsupportedMedia}
	jobErrors   = []string{apitype.CodeNotFound, apitype.CodeJobNotFound}
)

// operations are all routes.
var operations = []operation{
	{
		pattern: "GET /v1/verify", id: "verify", summary: "Verify one address",
		about: "Status 200 means that there is an answer, whatever it is: an address that can't be one is an answer too.",
		query: verifyParameters, reply: apitype.Answer{},
		errors: []string{apitype.CodeInvalidField, apitype.CodeMissingField, apitype.CodeQuotaExceeded, apitype.CodeClientClosed, apitype.CodeDeadline},
	},
	{
		pattern: "POST /v1/verify", id: "verifyBody", summary: "Verify one address, in a JSON body",
		about:  "The body has at most 64 KiB. Unknown, repeated or differently spelt fields are refused.",
		bodies: []body{{jsonMedia, apitype.VerifyRequest{}}}, reply: apitype.Answer{},
		errors: append([]string{apitype.CodeQuotaExceeded, apitype.CodeClientClosed, apitype.CodeDeadline}, bodyErrors...),
	},
	{
		pattern: "POST /v1/verify/stream", id: "verifyStream", summary: "Verify many addresses on one connection",
		about: "Body and reply are NDJSON: one object of the schema a line. Replies come as soon as they are there, not in the order of the " +
			"questions; id tells them apart. Reading and writing go on at the same time; a client may also send everything before it reads, " +
			"up to 64 MiB ahead of the answers.",
		bodies: []body{{ndjsonMedia, streamQuestion{}}}, reply: streamReply{}, media: ndjsonMedia,
		errors: []string{apitype.CodeUnsupportedMedia, apitype.CodeClientClosed, apitype.CodeBodyTimeout},
	},
	{
		pattern: "POST /v1/explain", id: "explain", summary: "What a mail server's reply means",
		about: "By the rules in force, the operator's own included.", bodies: []body{{jsonMedia, apitype.ExplainRequest{}}}, reply: apitype.Explanation{},
		errors: bodyErrors,
	},
	{
		pattern: "POST /v1/feedback", id: "feedback", summary: "Report what became of messages",
		about: "One report, one a line, or a delivery status notification as it came by mail.",
		bodies: []body{
			{jsonMedia, apitype.FeedbackReport{}},
			{ndjsonMedia, apitype.FeedbackReport{}},
			{"message/rfc822", nil},
		}, reply: apitype.FeedbackReply{}, errors: append([]string{apitype.CodeNotDSN, apitype.CodeInvalidLine, apitype.CodeCacheDisabled}, bodyErrors...),
	},
	{pattern: "GET /v1/feedback", id: "precision", summary: "How good the answers were, by what was reported", reply: apitype.Feedback{}, errors: cacheErrors},
	{
		pattern: "POST /v1/jobs", id: "createJob", summary: "Hand over a list, as a job",
		about: "The job is durable once the reply is there. The list may be packed with gzip (Content-Encoding).",
		query: []parameter{
			{name: "name", about: "What the list is called; its extension says what it is."},
			{name: "format", about: "What the list is. Default: found out.", enum: []string{"csv", "ndjson", "lines"}},
			{name: "column", about: "The column that holds the addresses: its name, or its number from 1; for NDJSON a key, or keys joined by dots."},
			{name: "header", about: "Of CSV. Default: found out.", enum: []string{"present", "absent"}},
			{name: "delimiter", about: "Of CSV. Default: found out."},
			{name: "charset", about: "Such as utf-16. Default: found out."},
			{name: "patience", about: "How long a row waits out greylisting, such as 12h."},
			{name: "time_limit", about: "Ends the job this long after its creation."},
			{name: "max_age", about: "The oldest remembered answer that will do."},
			{name: "depth", about: "How far to check. Default smtp.", enum: []string{"syntax", "dns", "smtp"}},
			{name: "webhook", about: "A URL that is told of the job's end."},
		},
		bodies: []body{{"text/csv", nil}, {ndjsonMedia, nil}, {"text/plain", nil}}, status: 201, reply: apitype.Job{},
		errors: []string{
			apitype.CodeNotFound, apitype.CodeInvalidField, apitype.CodeUnsupportedMedia, apitype.CodeInvalidList, apitype.CodeListTruncated, apitype.CodeBodyTimeout,
			apitype.CodeTooManyJobs, apitype.CodeNoRoom,
		},
	},
	{
		pattern: "GET /v1/jobs", id: "jobs", summary: "The jobs, the newest first",
		query: []parameter{
			{name: "limit", about: "How many, 1 to 1000. Default 100."},
			{name: "before", about: "Those after this job in the list: next of the page before."},
		}, reply: apitype.JobPage{}, errors: []string{apitype.CodeNotFound, apitype.CodeInvalidField},
	},
	{pattern: "GET /v1/jobs/{id}", id: "job", summary: "One job", reply: apitype.Job{}, errors: append([]string{apitype.CodeInvalidField}, jobErrors...)},
	{pattern: "DELETE /v1/jobs/{id}", id: "deleteJob", summary: "Delete a job with its list", reply: apitype.Job{}, errors: append([]string{apitype.CodeInvalidField, apitype.CodeJobState}, jobErrors...)},
	{pattern: "POST /v1/jobs/{id}/pause", id: "pauseJob", summary: "Take no more rows of a job", reply: apitype.Job{}, errors: append([]string{apitype.CodeInvalidField, apitype.CodeJobState}, jobErrors...)},
	{pattern: "POST /v1/jobs/{id}/resume", id: "resumeJob", summary: "Go on with a job", reply: apitype.Job{}, errors: append([]string{apitype.CodeInvalidField, apitype.CodeJobState}, jobErrors...)},
	{pattern: "POST /v1/jobs/{id}/cancel", id: "cancelJob", summary: "End a job as it is", reply: apitype.Job{}, errors: append([]string{apitype.CodeInvalidField, apitype.CodeJobState}, jobErrors...)},
	{
		pattern: "POST /v1/jobs/{id}/rerun", id: "rerunJob", summary: "A new job of some of a job's rows",
		query:  []parameter{{name: "verdict", about: "Rows with one of these verdicts, separated by commas."}},
		status: 201, reply: apitype.Job{}, errors: append([]string{apitype.CodeInvalidField, apitype.CodeJobState, apitype.CodeTooManyJobs, apitype.CodeNoRoom}, jobErrors...),
	},
	{
		pattern: "GET /v1/jobs/{id}/results", id: "jobResults", summary: "The list with the outcomes that there are",
		query: []parameter{
			{name: "format", about: "Default csv. The last three are what other services export.", enum: []string{"csv", "ndjson", "kickbox", "zerobounce", "neverbounce"}},
			{name: "verdict", about: "Only rows with one of these verdicts, separated by commas."},
			{name: "reason", about: "Only rows with one of these reasons, separated by commas."},
			{name: "formulas", about: "raw leaves cells as they are that a spreadsheet would take for formulas.", enum: []string{"safe", "raw"}},
			{name: "delimiter", about: "Of CSV, one character."},
			{name: "bom", about: "Begin with a byte order mark.", enum: []string{"true", "false"}},
			{name: "header", about: "Begin with the names of the columns.", enum: []string{"true", "false"}},
		}, media: "text/csv", errors: append([]string{apitype.CodeInvalidField, apitype.CodeJobState}, jobErrors...),
	},
	{
		pattern: "GET /v1/jobs/{id}/events", id: "jobEvents", summary: "A job's progress, as server-sent events",
		about: "Events progress and end have the job as their data, and so has stopping, which ends the stream when the daemon stops.",
		media: "text/event-stream", errors: append([]string{apitype.CodeInvalidField}, jobErrors...),
	},
	{pattern: "GET /v1/domains/{domain}", id: "domain", summary: "What is remembered of a domain", reply: apitype.DomainRecord{}, errors: append([]string{apitype.CodeNotRemembered, apitype.CodeInvalidField}, cacheErrors...)},
	{pattern: "DELETE /v1/domains/{domain}", id: "forgetDomain", summary: "Forget a domain with all its addresses", reply: apitype.Forgotten{}, errors: append([]string{apitype.CodeInvalidField}, cacheErrors...)},
	{pattern: "DELETE /v1/addresses/{email}", id: "forgetAddress", summary: "Forget an address", reply: apitype.Forgotten{}, errors: append([]string{apitype.CodeInvalidField}, cacheErrors...)},
	{pattern: "GET /v1/cache", id: "cache", summary: "How much is remembered, and how it serves", reply: apitype.CacheStats{}, errors: cacheErrors},
	{pattern: "DELETE /v1/cache", id: "forgetAll", summary: "Forget everything", reply: apitype.Forgotten{}, errors: cacheErrors},
	{pattern: "GET /v1/cache/export", id: "exportCache", summary: "What is remembered of domains, as NDJSON", media: ndjsonMedia, errors: cacheErrors},
	{
		pattern: "POST /v1/cache/import", id: "importCache", summary: "Take over what another host exported",
		bodies: []body{{ndjsonMedia, nil}}, reply: apitype.Imported{},
		errors: append([]string{apitype.CodeInvalidLine, apitype.CodeInvalidJSON, apitype.CodeBodyTimeout, apitype.CodeUnsupportedMedia}, cacheErrors...),
	},
	{
		pattern: "GET /v1/egress", id: "egress", summary: "Sources, sites, budgets, sessions, refusals",
		query: []parameter{
			{name: "site", about: "Only sites that this matches."},
			{name: "sites", about: "How many sites at most, 0 to 10000. Default 100."},
		}, reply: apitype.Egress{}, errors: []string{apitype.CodeNoEgress, apitype.CodeInvalidField},
	},
	{pattern: "POST /v1/egress/sources/{name}/drain", id: "drainSource", summary: "Give a source no new domains", reply: apitype.EgressSource{}, errors: []string{apitype.CodeNoEgress, apitype.CodeNoSource, apitype.CodeInvalidField}},
	{pattern: "POST /v1/egress/sources/{name}/resume", id: "resumeSource", summary: "Give a source new domains again", reply: apitype.EgressSource{}, errors: []string{apitype.CodeNoEgress, apitype.CodeNoSource, apitype.CodeInvalidField}},
	{pattern: "GET /v1/status", id: "status", summary: "One screen of health", about: "Other applications are in it only for who has the scope admin.", reply: apitype.Status{}},
	{
		pattern: "POST /v1/reload", id: "reload", summary: "Read the configuration again", reply: apitype.Reloaded{},
		errors: []string{apitype.CodeNotFound, apitype.CodeInvalidConfig, apitype.CodeBusy},
	},
	{pattern: "GET /openapi.json", id: "openapi", summary: "This document", reply: map[string]any{}},
	{pattern: "GET /metrics", id: "metrics", summary: "Numbers for Prometheus", media: "text/plain", errors: []string{apitype.CodeNotFound}},
	{
		pattern: "GET /v1/usage", id: "usage", summary: "What applications have asked, by day and verdict",
		about: "Who has no scope admin sees its own application.",
		query: []parameter{
			{name: "app", about: "One application."},
			{name: "from", about: "The first day, such as 2026-11-01, in UTC. Default: the first of the month of to."},
			{name: "to", about: "The last day. Default: today."},
		}, reply: apitype.Usage{}, errors: []string{apitype.CodeForbidden, apitype.CodeInvalidField},
	},
	{pattern: "GET /v1/version", id: "version", summary: "What the daemon was built from", reply: apitype.Version{}},
	{pattern: "GET /healthz", id: "health", summary: "The process is alive", reply: apitype.Health{}},
	{
		pattern: "GET /readyz", id: "ready", summary: "Addresses can be verified to the end, or why not",
		about: "Status 503 has the same object, with error set.", reply: apitype.Ready{}, errors: []string{apitype.CodeNotReady},
	},
}
