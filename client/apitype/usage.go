package apitype

import "time"

// Usage is the reply of GET /v1/usage: what applications have asked, by day. Days are in UTC.
type Usage struct {
	From string     `json:"from"` // The first day, such as 2026-11-01.
	To   string     `json:"to"`   // The last day; what is counted of today is in it.
	Apps []AppUsage `json:"apps"` // By name; those that asked nothing and have no quota are left out.
}

// AppUsage is what one application asked.
type AppUsage struct {
	App    string      `json:"app"`
	Quotas []Quota     `json:"quotas"` // As they stand now; empty if it has none.
	Days   []DayUsage  `json:"days"`   // Those on which it asked, the earliest first.
	Total  UsageCounts `json:"total"`  // Of these days.
}

// A Quota is one limit of an application, and what is used of it.
type Quota struct {
	Name  string `json:"name"` // per_minute, per_day, per_month, concurrent.
	Limit int64  `json:"limit"`
	Used  int64  `json:"used"`

	// ResetsAt is when all of it can be used again; null for concurrent.
	ResetsAt *time.Time `json:"resets_at"`
}

// DayUsage is what was asked on one day.
type DayUsage struct {
	Date string `json:"date"`
	UsageCounts
}

// UsageCounts count addresses.
type UsageCounts struct {
	Charged int64         `json:"charged"` // That count against quotas.
	Refused int64         `json:"refused"` // Refused, because a quota was spent.
	Asked   VerdictCounts `json:"asked"`   // Answered by asking, or by syntax alone.
	Cached  VerdictCounts `json:"cached"`  // Answered from memory.
}

// VerdictCounts count answers by verdict.
type VerdictCounts struct {
	Deliverable   int64 `json:"deliverable"`
	Risky         int64 `json:"risky"`
	Undeliverable int64 `json:"undeliverable"`
	Unknown       int64 `json:"unknown"`
}

// Sum is how many answers there were.
func (v VerdictCounts) Sum() int64 { return v.Deliverable + v.Risky + v.Undeliverable + v.Unknown }
