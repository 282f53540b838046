package apitype

import (
	"strconv"
	"time"
)

// A DomainRecord is what is remembered of one domain, the reply of GET /v1/domains/{domain}. For it the rules of an
// answer hold. Its mailboxes are not in it: their keys are hashed, and nobody can list them.
type DomainRecord struct {
	Domain         string       `json:"domain"`          // A-labels.
	MailHosts      *MailHosts   `json:"mail_hosts"`      // null if they are not remembered.
	Habit          *DomainHabit `json:"habit"`           // null if it is not remembered.
	ContradictedAt time.Time    `json:"contradicted_at"` // When a habit on record was last found wrong; null if that is not known to have happened.
}

// MailHosts are what the DNS said of a domain.
type MailHosts struct {
	Status    string     `json:"status"`   // found, null_mx, no_mail_host, domain_not_found, unroutable, timeout, failure.
	Implicit  bool       `json:"implicit"` // The domain has no MX; its own address is its mail host, RFC 5321 §5.1.
	Hosts     []MailHost `json:"hosts"`
	Detail    string     `json:"detail"` // What went wrong; null if nothing did.
	Server    string     `json:"server"` // The name server that said so; null if it is not known.
	CheckedAt time.Time  `json:"checked_at"`
	ExpiresAt time.Time  `json:"expires_at"` // When they are forgotten.
	AgeS      int64      `json:"age_s"`      // In seconds.
	Freshness string     `json:"freshness"`  // fresh, or stale: served once more, if the DNS fails.
}

// A MailHost is one mail host and its addresses.
type MailHost struct {
	Host       string   `json:"host"`
	Preference uint16   `json:"preference"` // The lowest is tried first.
	Addresses  []string `json:"addresses"`  // Those that may be dialled.
	Refused    []string `json:"refused"`    // Those that may not: private ones, and this host's own.
}

// A DomainHabit is how a domain's mail server treats recipients whoever they are.
type DomainHabit struct {
	AcceptsAll *bool      `json:"accepts_all"` // It accepts made-up recipients; null if that is not known.
	Reason     string     `json:"reason"`      // The answer for every recipient (no_mail_host, uniform_refusal); null if there is no such.
	Evidence   []Evidence `json:"evidence"`
	CheckedAt  time.Time  `json:"checked_at"`
	ExpiresAt  time.Time  `json:"expires_at"` // When it is forgotten.
	AgeS       int64      `json:"age_s"`      // In seconds.
	Freshness  string     `json:"freshness"`  // fresh, or stale: served, and asked about again.
}

// MarshalJSON writes r with zero values as null. Like that of an [Answer], it is held to the struct tags by a test.
func (r DomainRecord) MarshalJSON() ([]byte, error) {
	b := appendString([]byte(`{"domain":`), r.Domain)
	b = r.MailHosts.appendJSON(append(b, `,"mail_hosts":`...))
	b = r.Habit.appendJSON(append(b, `,"habit":`...))
	b = appendTime(append(b, `,"contradicted_at":`...), r.ContradictedAt)
	return append(b, '}'), nil
}

func (m *MailHosts) appendJSON(b []byte) []byte {
	if m == nil {
		return append(b, "null"...)
	}
	b = appendName(append(b, `{"status":`...), m.Status)
	b = strconv.AppendBool(append(b, `,"implicit":`...), m.Implicit)
	b = appendList(append(b, `,"hosts":`...), m.Hosts, func(b []byte, h MailHost) []byte {
		b = appendString(append(b, `{"host":`...), h.Host)
		b = strconv.AppendUint(append(b, `,"preference":`...), uint64(h.Preference), 10)
		b = appendList(append(b, `,"addresses":`...), h.Addresses, appendString)
		b = appendList(append(b, `,"refused":`...), h.Refused, appendString)
		return append(b, '}')
	})
	b = appendName(append(b, `,"detail":`...), m.Detail)
	b = appendName(append(b, `,"server":`...), m.Server)
	return appendAge(b, m.CheckedAt, m.ExpiresAt, m.AgeS, m.Freshness)
}

func (h *DomainHabit) appendJSON(b []byte) []byte {
	if h == nil {
		return append(b, "null"...)
	}
	b = appendTri(append(b, `{"accepts_all":`...), h.AcceptsAll)
	b = appendName(append(b, `,"reason":`...), h.Reason)
	var last stamp
	b = appendList(append(b, `,"evidence":`...), h.Evidence, func(b []byte, e Evidence) []byte { return e.appendJSON(b, &last) })
	return appendAge(b, h.CheckedAt, h.ExpiresAt, h.AgeS, h.Freshness)
}

// appendAge appends what closes each record: how old it is.
func appendAge(b []byte, checked, expires time.Time, age int64, freshness string) []byte {
	b = appendTime(append(b, `,"checked_at":`...), checked)
	b = appendTime(append(b, `,"expires_at":`...), expires)
	b = strconv.AppendInt(append(b, `,"age_s":`...), age, 10)
	b = appendName(append(b, `,"freshness":`...), freshness)
	return append(b, '}')
}

// appendList appends a JSON array; an empty one for nil.
func appendList[T any](b []byte, list []T, one func([]byte, T) []byte) []byte {
	b = append(b, '[')
	for i, v := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = one(b, v)
	}
	return append(b, ']')
}
