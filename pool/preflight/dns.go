package preflight

import (
	"context"
	"net/netip"
)

// A Status is how a look-up ended.
type Status string

// The statuses.
const (
	Found  Status = "found"
	Absent Status = "absent" // The DNS says that there is no such record, or no such name.
	Failed Status = "failed" // The DNS did not say.
)

// An Answer is what the DNS says of one type of record at a name.
type Answer[T any] struct {
	Status Status
	Values []T    // Only if Found.
	Detail string // What went wrong; "" if nothing did.
}

// An MX is a mail host; the Host "" is that of a null MX, RFC 7505.
type MX struct {
	Host       string
	Preference uint16
}

// DNS looks up records. Names are in lower case, without the dot at the end. What is no name of the DNS is Absent; a
// look-up that ctx ended is Failed. It must be safe for concurrent use.
type DNS interface {
	Addrs(ctx context.Context, name string) Answer[netip.Addr] // Of both families.
	IPv4(ctx context.Context, name string) Answer[netip.Addr]  // A records alone, which is what block lists have.
	MX(ctx context.Context, name string) Answer[MX]            // Without the implicit one.
	PTR(ctx context.Context, a netip.Addr) Answer[string]
	TXT(ctx context.Context, name string) Answer[string] // Each with its strings joined.
}
