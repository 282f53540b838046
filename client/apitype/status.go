package apitype

import "time"

// Status is the reply of GET /v1/status: one screen of health. Counts are since the daemon started, rates of the last
// minute.
type Status struct {
	Ready     bool      `json:"ready"`    // Addresses can be verified to the end.
	Problems  []Problem `json:"problems"` // What stands in the way, and warnings.
	Version   string    `json:"version"`
	StartedAt time.Time `json:"started_at"`
	UptimeS   int64     `json:"uptime_s"`
	Sandbox   bool      `json:"sandbox"` // Mail servers of its own are asked, and no others.

	Sources []StatusSource `json:"sources"`
	Work    StatusWork     `json:"work"`
	Rates   StatusRates    `json:"rates"`
	Cache   *StatusCache   `json:"cache"` // null if nothing is remembered.
	Apps    []StatusApp    `json:"apps"`

	Feedback []StatusFeedback `json:"feedback"` // How good the answer deliverable was, by provider.
}

// StatusFeedback is what became of messages to addresses that were answered deliverable, as far as it was reported.
type StatusFeedback struct {
	Provider  string  `json:"provider"` // "none" for the mail hosts that belong to none.
	Delivered int64   `json:"delivered"`
	Bounced   int64   `json:"bounced"`   // Refused for good, for what the mailbox is.
	Precision float64 `json:"precision"` // The share that was delivered, 0 to 1.
}

// StatusSource is one source address.
type StatusSource struct {
	Name           string     `json:"name"`
	Sessions       int        `json:"sessions"`
	SuspendedUntil *time.Time `json:"suspended_until"` // null if it asks.
	SuspendedWhy   *string    `json:"suspended_why"`
}

// StatusWork is what is under way.
type StatusWork struct {
	Waiting      int   `json:"waiting"`       // Recipients that wait to be asked about.
	Sites        int   `json:"sites"`         // Where sessions are, or recipients wait.
	SessionsBusy int   `json:"sessions_busy"` // With mail servers.
	SessionsIdle int   `json:"sessions_idle"`
	Connections  int   `json:"connections"` // Of clients.
	Streams      int   `json:"streams"`
	SpoolBytes   int64 `json:"spool_bytes"` // What streams have read ahead.
}

// StatusRates are counts of the last minute, or since the start if that is less ago.
type StatusRates struct {
	Asked      int64 `json:"asked"`      // Answers that somebody was asked for, or nobody had to be.
	Cached     int64 `json:"cached"`     // Answers from memory.
	Refused    int64 `json:"refused"`    // Addresses refused by a quota.
	Recipients int64 `json:"recipients"` // Replies of mail servers to RCPT.
	Refusals   int64 `json:"refusals"`   // Of those, not accepted.
	Sessions   int64 `json:"sessions"`   // Sessions opened.
	Dials      int64 `json:"dials"`      // Attempts to connect.
}

// StatusCache is what is remembered.
type StatusCache struct {
	Entries   int64    `json:"entries"` // In memory.
	Bytes     int64    `json:"bytes"`
	DiskBytes int64    `json:"disk_bytes"`
	HitRate   *float64 `json:"hit_rate"` // Of look-ups since the start, 0 to 1; null if there were none.
	Degraded  bool     `json:"degraded"` // The disk has no room.
}

// StatusApp is one application that is configured, or has asked.
type StatusApp struct {
	App     string  `json:"app"`
	Asked   int64   `json:"asked"`
	Cached  int64   `json:"cached"`
	Refused int64   `json:"refused"`
	Asking  int     `json:"asking"` // Addresses that are asked about now; counted only where there are quotas.
	Quotas  []Quota `json:"quotas"`
}

// Reloaded is the reply of POST /v1/reload.
type Reloaded struct {
	// NeedsRestart are the keys whose values take effect with the next start only, whether they were changed now or before.
	NeedsRestart []string `json:"needs_restart"`
}
