package preflight

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// A listKey is a block list in one family: each has test entries of its own.
type listKey struct {
	zone   string
	family Family
}

// A listState is whether a block list can be believed.
type listState struct {
	good   bool
	why    string
	advice string
}

// The test entries of a block list, RFC 5782 §5: the first of each is always listed, the second never is.
var testEntries = map[Family][2]netip.Addr{
	IPv4: {netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("127.0.0.1")},
	IPv6: {netip.MustParseAddr("::ffff:7f00:2"), netip.MustParseAddr("::ffff:7f00:1")},
}

// list tests a block list. One that fails says nothing: it is gone, it lists everybody, or it does not answer this
// resolver.
func (x *exam) list(ctx context.Context, zone string, family Family) listState {
	return x.lists.do(listKey{zone, family}, func() listState {
		entries := testEntries[family]
		listed := x.ask(ctx, zone, entries[0])
		switch {
		case listed.status == refused:
			return listState{
				why:    "it does not answer the resolver of this host (" + listed.detail + ")",
				advice: "Use a resolver of your own, on this host best: block lists refuse the large public ones.",
			}
		case listed.status == failed:
			return listState{why: "its test entry could not be looked up: " + listed.detail}
		case listed.status == clean:
			return listState{
				why:    "its test entry is not listed: it is closed, or does not answer this resolver",
				advice: "Take it out of preflight.dnsbl, or register with the list if it wants that.",
			}
		}
		switch clear := x.ask(ctx, zone, entries[1]); clear.status {
		case clean:
			return listState{good: true}
		case listedThere:
			return listState{why: "it lists every address: it is closed", advice: "Take it out of preflight.dnsbl."}
		default:
			return listState{why: "its test entry could not be looked up: " + clear.detail}
		}
	})
}

// listings looks an address up in all block lists: a finding for each that has it, or one that says that none does.
func (x *exam) listings(ctx context.Context, id *identity) []finding {
	if len(x.opts.Lists) == 0 {
		return nil
	}
	if !id.public.IsValid() {
		return []finding{id.finding(CheckDNSBL, Warning, Unknown, "cannot tell: "+id.unseen(), id.advice)}
	}
	var bad []finding
	var clear []string
	for _, zone := range x.opts.Lists {
		if !x.list(ctx, zone, id.family).good {
			continue
		}
		switch l := x.ask(ctx, zone, id.public); l.status {
		case listedThere:
			f := id.finding(CheckDNSBL, Warning, Bad, fmt.Sprintf("%v is listed by %s (%s%s)", id.public, zone, l.detail, x.because(ctx, zone, id.public)),
				fmt.Sprintf("Look the address up at the site of %s, mend what it names, and ask to be removed.", zone))
			f.about = zone
			bad = append(bad, f)
		case clean:
			clear = append(clear, zone)
		}
	}
	switch {
	case len(bad) > 0:
		return bad
	case len(clear) == 0:
		return []finding{id.finding(CheckDNSBL, Warning, Unknown, "no block list could be asked about "+id.public.String(),
			"Use a resolver of your own, on this host best: block lists refuse the large public ones.")}
	default:
		return []finding{id.finding(CheckDNSBL, Warning, OK, fmt.Sprintf("%v is not on %s", id.public, strings.Join(clear, ", ")), "")}
	}
}

// silentLists says which block lists could not be believed about IPv4. Many have no IPv6 at all, which is no news.
func (x *exam) silentLists() []finding {
	var out []finding
	for _, zone := range x.opts.Lists {
		l, tested := x.lists.peek(listKey{zone, IPv4})
		if !tested || l.good {
			continue
		}
		out = append(out, finding{about: zone, Finding: Finding{
			Check: CheckDNSBL, State: Unknown, Severity: Info, What: zone + " says nothing: " + l.why, Advice: l.advice,
		}})
	}
	return out
}

// A listing is what a block list says of an address.
type listing struct {
	status listingStatus
	detail string
}

type listingStatus uint8

const (
	clean listingStatus = iota
	listedThere
	refused // The list says that it does not answer us.
	failed
)

// ask looks one address up. Only an answer within 127.0.0.0/8 is a listing, RFC 5782 §2.1; in 127.255.255.0/24 lists say
// that the query was refused.
func (x *exam) ask(ctx context.Context, zone string, a netip.Addr) listing {
	rec := x.opts.DNS.IPv4(ctx, reversed(a)+"."+zone)
	switch rec.Status {
	case Absent:
		return listing{status: clean}
	case Failed:
		return listing{failed, rec.Detail}
	}
	var codes []string
	for _, v := range rec.Values {
		switch v = v.Unmap(); {
		case refusals.Contains(v):
			return listing{refused, v.String()}
		case answers.Contains(v):
			codes = append(codes, v.String())
		}
	}
	if len(codes) == 0 {
		return listing{failed, "its answer is no listing: " + rec.Values[0].String()}
	}
	slices.Sort(codes)
	return listing{listedThere, strings.Join(codes, ", ")}
}

// because is the reason that a list gives for a listing, RFC 5782 §2.1, with a colon before it; "" if it gives none.
func (x *exam) because(ctx context.Context, zone string, a netip.Addr) string {
	if txt := x.opts.DNS.TXT(ctx, reversed(a)+"."+zone); txt.Status == Found {
		return ": " + sayable(txt.Values[0])
	}
	return ""
}

var (
	answers  = netip.MustParsePrefix("127.0.0.0/8")
	refusals = netip.MustParsePrefix("127.255.255.0/24")
)

// reversed is the name of an address in a block list, RFC 5782 §2.1 and §2.4: its bytes, or its nibbles, backwards.
func reversed(a netip.Addr) string {
	const hex = "0123456789abcdef"
	b := a.AsSlice()
	parts := make([]string, 0, 32)
	for _, v := range slices.Backward(b) {
		if a.Is4() {
			parts = append(parts, fmt.Sprint(v))
			continue
		}
		parts = append(parts, hex[v&15:v&15+1], hex[v>>4:v>>4+1])
	}
	return strings.Join(parts, ".")
}
