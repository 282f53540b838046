package verdict

import (
	"net/netip"
	"time"
)

// A Trace is the way to an answer, for whoever asked to be shown it.
type Trace struct {
	Lists    []ListLook
	Hosts    *HostsLook // nil if the mail hosts were not looked up, or are not remembered.
	Memory   []MemoryLook
	Source   SourceChoice // Zero if no source was needed.
	Decision Decision
	Unseen   []string // What asking cannot show, a sentence each.
}

// A ListLook is one list of names that the address was looked up on.
type ListLook struct {
	List   string // Such as "disposable".
	Listed bool
	Source string // Whose names they are.
	Date   string // When they were taken over, as 2026-11-23.
	Names  int    // Built in.
	Own    int    // Names that the operator added or took away.
}

// A HostsLook is what the DNS said of the domain, and when.
type HostsLook struct {
	Remembered bool // It was said before; nobody was asked now.
	Status     string
	Server     string // Who answered; "" if nobody did.
	At         time.Time
	TTL        time.Duration // For how long it holds from At, by the DNS.
	Took       time.Duration
	Detail     string // What went wrong.
	Hosts      []HostLook
}

// A HostLook is one mail host.
type HostLook struct {
	Host       string
	Preference uint16
	Addrs      []netip.Addr
	Refused    []netip.Addr // That are not dialled.
	Detail     string
}

// A MemoryLook is what memory held before anybody was asked.
type MemoryLook struct {
	Of        string // "mailbox", "domain" or "ticket".
	Says      string // In words; "" if nothing was held.
	Freshness Freshness
	CheckedAt time.Time
	ExpiresAt time.Time
	Served    bool // It is the answer.
}

// A SourceChoice is who asked, and why that one.
type SourceChoice struct{ Name, Why string }

// A Decision is the rule of precedence that settled the answer, and what it says here.
type Decision struct{ Rule, Says string }
