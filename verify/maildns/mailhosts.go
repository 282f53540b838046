package maildns

import (
	"net/netip"
	"slices"
	"time"

	"github.com/verimails/verimaild/verify/address"
)

// A Status says what the DNS has to say about a name.
type Status string

// The statuses. NotAsked and NoData never stand for a whole domain in MailHosts.
const (
	NotAsked       Status = ""                 // The zero Status: the name was not looked up.
	Found          Status = "found"            // There are records; of a mail host: addresses that may be dialled.
	NullMX         Status = "null_mx"          // The domain declares that it takes no mail, RFC 7505.
	NoMailHost     Status = "no_mail_host"     // The domain exists, and nothing takes its mail. Of a host: it can't be one.
	DomainNotFound Status = "domain_not_found" // NXDOMAIN: the name does not exist.
	NoData         Status = "no_data"          // The name exists without records of the type.
	Unroutable     Status = "unroutable"       // There are addresses, and none may be dialled.
	Timeout        Status = "timeout"          // No server answered in time.
	Failure        Status = "failure"          // Servers answered, with nothing that can be used; or none could be reached.
)

// Failed says that s tells of the DNS and not of the name: nothing follows for the domain.
func (s Status) Failed() bool { return s == Timeout || s == Failure }

// MailHosts is what the DNS says about where a domain's mail goes.
type MailHosts struct {
	Domain address.Domain
	Status Status // Found means that at least one of Hosts has Addrs.

	// Hosts are the mail hosts by rising preference, those of equal preference by name: a stable
	// order, so that equal answers compare equal. Who delivers picks among equals, RFC 5321 §5.1.
	// At most 64, each name once; only the first 10 are looked up.
	Hosts []Host

	Implicit bool          // The domain has no MX; Hosts is the domain itself, RFC 5321 §5.1.
	TTL      time.Duration // For how long this stays true by the DNS, at most 7 days. 0 if the DNS names no time or failed.
	At       time.Time     // When the answer was complete.
	Detail   string        // What went wrong, with the server asked, in printable ASCII; "" if nothing did.
	Server   string        // Who answered for the domain's MX, host:port; "" if nobody did.
	Took     time.Duration
}

// A Host is one mail host.
type Host struct {
	Name       string // In lower case, without the dot at the end.
	Preference uint16
	Addrs      []netip.Addr // May be dialled: IPv4, then IPv6, at most 16.
	Refused    []netip.Addr // Not to be dialled, by the guard's word; at most 16.
	Status     Status       // Of looking up this host's addresses; NotAsked beyond the first 10 hosts.
	Detail     string       // What went wrong with this host; "" if nothing did.
}

// clone returns a copy of m that shares no memory with it: callers who waited for the same
// lookup get one each.
func (m MailHosts) clone() MailHosts {
	m.Hosts = slices.Clone(m.Hosts)
	for i := range m.Hosts {
		h := &m.Hosts[i]
		h.Addrs, h.Refused = slices.Clone(h.Addrs), slices.Clone(h.Refused)
	}
	return m
}
