package preflight

import (
	"strings"
	"time"
)

// A Check is what was looked at.
type Check string

// The checks.
const (
	CheckAddress  Check = "address"   // This host has the address.
	CheckPort     Check = "port"      // Mail servers can be reached on port 25.
	CheckPTR      Check = "ptr"       // The address has a name, and the name the address.
	CheckEHLO     Check = "ehlo"      // The name in EHLO is that name.
	CheckDNSBL    Check = "dnsbl"     // The address is on no block list.
	CheckSenderMX Check = "sender_mx" // The sender's domain takes mail.
	CheckSPF      Check = "spf"       // The SPF record of the sender's domain has the address.
)

// A State is what came of a check.
type State string

// The states.
const (
	OK      State = "ok"
	Bad     State = "bad"
	Unknown State = "unknown" // It could not be found out; nothing follows.
)

// A Severity is what a bad finding is worth.
type Severity string

// The severities.
const (
	Info    Severity = "info"    // Good to know.
	Warning Severity = "warning" // Some receivers refuse the source; in strict mode it is taken out.
	Error   Severity = "error"   // Nothing can be asked from the source; it is taken out.
)

// A Family is IPv4, IPv6, or "" where a finding is about no address.
type Family string

// The families.
const (
	IPv4 Family = "ipv4"
	IPv6 Family = "ipv6"
)

// A Finding is what came of one check.
type Finding struct {
	Check    Check
	Source   string // The source's name; "" for what all sources share, such as the sender's domain.
	Family   Family
	State    State
	Severity Severity // Of this finding, were it bad.
	What     string   // One sentence, without a full stop: what was found.
	Advice   string   // One sentence for who can act; "" if nothing is to be done.
}

// A Report is what one run found.
type Report struct {
	At       time.Time // When the run ended.
	Took     time.Duration
	Findings []Finding // By source, in the order of the sources; those that all share come last.
	Out      []Unfit   // The sources that are taken out, in the order of the sources. Examine leaves it empty.
}

// An Unfit is a source that is taken out.
type Unfit struct{ Source, Why string }

// key tells findings apart from run to run.
type key struct {
	check  Check
	source string
	family Family
	about  string // The block list, where a check has a finding for each.
}

// A finding is a Finding with the key it is known by.
type finding struct {
	Finding
	about string
	tried time.Time // When a port was tried; zero for other checks.
}

func (f *finding) key() key { return key{f.Check, f.Source, f.Family, f.about} }

// public is the findings as the caller sees them.
func public(in []finding) []Finding {
	out := make([]Finding, len(in))
	for i := range in {
		out[i] = in[i].Finding
	}
	return out
}

// sayable makes text that others wrote fit for a sentence of ours: printable ASCII of bounded length.
func sayable(s string) string {
	const most = 160
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s[:min(len(s), most)])
	return strings.TrimSpace(s)
}
