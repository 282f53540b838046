package cache

import (
	"net/netip"
	"time"

	"github.com/verimails/verimaild/verify/verdict"
)

// What one host has learned about domains, another can start with. The form is NDJSON: a header, then a line for each
// fact. Mailboxes are not carried over: their keys are hashed, so nobody could list them.

const (
	transferKind    = "verimaild-cache"
	transferVersion = 1

	lineDomain = "domain"
	lineHosts  = "mail_hosts"
)

type headerLine struct {
	Kind    string    `json:"kind"`
	Version int       `json:"version"`
	At      time.Time `json:"exported_at"`
}

type domainLine struct {
	Kind       string         `json:"kind"`
	Domain     string         `json:"domain"`
	AcceptsAll *bool          `json:"accepts_all"`
	Reason     verdict.Reason `json:"reason,omitempty"`
	CheckedAt  time.Time      `json:"checked_at"`
	Evidence   []evidenceJSON `json:"evidence,omitempty"`
}

type evidenceJSON struct {
	Stage    string     `json:"stage"`
	Control  bool       `json:"control"`
	MX       string     `json:"mx"`
	IP       netip.Addr `json:"ip"`
	Source   string     `json:"source,omitempty"`
	TLS      string     `json:"tls,omitempty"`
	Code     int        `json:"code,omitempty"`
	Enhanced string     `json:"enhanced,omitempty"`
	Text     string     `json:"text,omitempty"`
	Class    string     `json:"class,omitempty"`
	Scope    string     `json:"scope,omitempty"`
	Rule     string     `json:"rule,omitempty"`
	At       time.Time  `json:"at"`
}

type hostsLine struct {
	Kind     string     `json:"kind"`
	Domain   string     `json:"domain"`
	Status   string     `json:"status"`
	Implicit bool       `json:"implicit,omitempty"`
	TTL      int64      `json:"ttl_s"`
	At       time.Time  `json:"at"`
	Detail   string     `json:"detail,omitempty"`
	Server   string     `json:"server,omitempty"`
	Hosts    []hostJSON `json:"hosts,omitempty"`
}

type hostJSON struct {
	Name       string       `json:"name"`
	Preference uint16       `json:"preference"`
	Status     string       `json:"status,omitempty"`
	Detail     string       `json:"detail,omitempty"`
	Addrs      []netip.Addr `json:"addrs,omitempty"`
	Refused    []netip.Addr `json:"refused,omitempty"`
}

// toJSON leaves dialogues out: they are long, and about the other host's sessions.
func toJSON(list []verdict.Evidence) []evidenceJSON {
	out := make([]evidenceJSON, 0, len(list))
	for i := range list {
		ev := &list[i]
		out = append(out, evidenceJSON{
			Stage: ev.Stage, Control: ev.Control, MX: ev.MX, IP: ev.IP, Source: ev.Source, TLS: ev.TLS, Code: ev.Code,
			Enhanced: ev.Enhanced, Text: ev.Text, Class: ev.Class, Scope: ev.Scope, Rule: ev.Rule, At: ev.At,
		})
	}
	return out
}

func fromJSON(list []evidenceJSON) []verdict.Evidence {
	out := make([]verdict.Evidence, 0, len(list))
	for i := range list {
		ev := &list[i]
		out = append(out, verdict.Evidence{
			Stage: ev.Stage, Control: ev.Control, MX: ev.MX, IP: ev.IP, Source: ev.Source, TLS: ev.TLS, Code: ev.Code,
			Enhanced: ev.Enhanced, Text: ev.Text, Class: ev.Class, Scope: ev.Scope, Rule: ev.Rule, At: ev.At,
		})
	}
	return out
}
