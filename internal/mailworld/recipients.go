package mailworld

import (
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
)

// A domain is a Domain in its world. Aside from the count of queries it does not change.
type domain struct {
	spec      Domain
	mailboxes map[string]bool
	txt       []string
	addresses []netip.Addr

	asked atomic.Int64 // Queries so far, for Domain.Vary.

	mu      sync.Mutex
	queries int // For A records; ThenAddrs counts on it.
}

// addrs are the addresses of a family. ThenAddrs replaces them from the second query for A records on,
// and for AAAA records once A records were asked for twice.
func (d *domain) addrs(v4 bool) []netip.Addr {
	d.mu.Lock()
	if v4 {
		d.queries++
	}
	again := d.queries > 1
	d.mu.Unlock()
	list := d.addresses
	if d.spec.ThenAddrs != nil && again {
		list = d.spec.ThenAddrs
	}
	var out []netip.Addr
	for _, a := range list {
		if a.Is4() == v4 {
			out = append(out, a)
		}
	}
	return out
}

// reply is what the domain says about a recipient at a host.
func (d *domain) reply(path string, b *behaviour) Reply {
	local, _ := splitPath(path)
	local = strings.ToLower(local)
	accept := b.texts.rcpt
	if r, ok := d.spec.Replies[local]; ok {
		if r == (Reply{Greylist: r.Greylist, Delay: r.Delay}) { // Accepted in the end.
			accept.Greylist, accept.Delay = r.Greylist, r.Delay
			return accept
		}
		return r
	}
	if d.mailboxes[local] || local == "postmaster" {
		return accept
	}
	if d.spec.Rcpt != nil {
		if r := d.spec.Rcpt(path); !r.isZero() {
			return r
		}
	}
	if d.spec.CatchAll {
		return accept
	}
	return d.spec.Unknown.or(b.Unknown).or(b.texts.unknown)
}

// InTurn returns a function for Domain.Rcpt or Host.Rcpt that answers the first RCPT of each forward-path with the
// first reply, the second with the second, and so on; the last reply stays.
func InTurn(replies ...Reply) func(path string) Reply {
	var mu sync.Mutex
	asked := make(map[string]int)
	return func(path string) Reply {
		if len(replies) == 0 {
			return Reply{}
		}
		mu.Lock()
		defer mu.Unlock()
		n := min(asked[path], len(replies)-1)
		asked[path]++
		return replies[n]
	}
}
