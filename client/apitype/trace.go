package apitype

import (
	"bytes"
	"encoding/json"
	"time"
)

// A Trace is the way to an answer. It is there if the question asked for it (VerifyRequest.Explain).
type Trace struct {
	Lists     []TraceList   `json:"lists"`      // Every list of names, and whether the address is on it.
	MailHosts *TraceHosts   `json:"mail_hosts"` // What the DNS said; null if it was not asked, or nothing is remembered of it.
	Memory    []TraceMemory `json:"memory"`     // What was remembered before anybody was asked.
	Source    *TraceSource  `json:"source"`     // Who asked; null if nobody did.
	Rules     []TraceRule   `json:"rules"`      // Those that read the replies of the evidence.
	Decision  TraceDecision `json:"decision"`
	Unseen    []string      `json:"unseen"` // What asking cannot show, a sentence each.
}

// A TraceList is one list of names.
type TraceList struct {
	List   string `json:"list"` // disposable, privacy_relay, role, free_provider, no_reply.
	Listed bool   `json:"listed"`
	Source string `json:"source"` // Whose names they are.
	Date   string `json:"date"`   // When they were taken over, as 2026-11-23.
	Names  int    `json:"names"`  // Built in.
	Own    int    `json:"own"`    // Added or taken away by the operator.
}

// TraceHosts are what the DNS said of the domain.
type TraceHosts struct {
	From      string      `json:"from"` // dns: it was asked now; memory: it was asked before.
	Status    string      `json:"status"`
	Server    *string     `json:"server"` // Who answered; null if nobody did.
	CheckedAt time.Time   `json:"checked_at"`
	AgeS      int64       `json:"age_s"`
	TTLLeftS  int64       `json:"ttl_left_s"` // For how long it still holds by the DNS, in seconds.
	TookMS    int64       `json:"took_ms"`
	Detail    *string     `json:"detail"` // What went wrong; null if nothing did.
	Hosts     []TraceHost `json:"hosts"`
}

// A TraceHost is one mail host.
type TraceHost struct {
	Host       string   `json:"host"`
	Preference uint16   `json:"preference"`
	Addresses  []string `json:"addresses"` // Those that may be dialled.
	Refused    []string `json:"refused"`   // Those that may not.
	Detail     *string  `json:"detail"`
}

// A TraceMemory is one thing that was looked for in memory.
type TraceMemory struct {
	Of        string     `json:"of"`        // mailbox, domain, or ticket: a greylisted recipient that is waited for.
	Says      *string    `json:"says"`      // null if nothing was remembered.
	Freshness string     `json:"freshness"` // fresh; stale: served, and asked about again behind it; missing.
	AgeS      *int64     `json:"age_s"`
	CheckedAt *time.Time `json:"checked_at"`
	ExpiresAt *time.Time `json:"expires_at"`
	Served    bool       `json:"served"` // It is the answer.
}

// A TraceSource is who asked.
type TraceSource struct {
	Name string `json:"name"`
	Why  string `json:"why"` // Why this one of all sources.
}

// A TraceRule is a rule that read a reply.
type TraceRule struct {
	Rule string `json:"rule"`
	Seen string `json:"seen"` // Where such replies come from; "the operator's own" for a rule of the configuration.
}

// A TraceDecision is the rule of precedence that settled the answer.
type TraceDecision struct {
	Rule string `json:"rule"`
	Says string `json:"says"`
}

// appendTrace appends t as its struct tags say; null if there is none.
func appendTrace(b []byte, t *Trace) []byte {
	if t == nil {
		return append(b, "null"...)
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(t); err != nil { // Times out of range; the rest can't fail.
		return append(b, "null"...)
	}
	return append(b, bytes.TrimSuffix(buf.Bytes(), []byte("\n"))...)
}
