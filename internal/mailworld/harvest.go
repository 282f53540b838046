package mailworld

import (
	"net/netip"
	"slices"
	"time"
)

// Harvest is a defence against directory harvesting: it counts unknown recipients by client network.
type Harvest struct {
	// Limit is how many unknown recipients are borne in a Window; 0 means any number. They are counted in any case.
	Limit int
	// Window is the span of time. 0 means an hour.
	Window time.Duration
	// Bits is how many leading bits of an IPv4 address are counted as one client. 0 means 32. Of IPv6 it is always 64.
	Bits int
	// Share is the share of unknown recipients, of at least Of recipients in a Window, that is borne; 0 means any share.
	Share float64
	Of    int
	// For is how long a client network is kept beyond the limit once it has passed it; 0 means as long as its count is.
	For time.Duration
	// Then is what recipients beyond the limit get.
	Then HarvestThen
	// Reply replaces the text of HarvestRefuses and HarvestCloses.
	Reply Reply
	// Connect, unless it is the zero Reply, greets new sessions of a client beyond its limit.
	Connect Reply
}

// HarvestThen is what happens beyond a harvest limit.
type HarvestThen uint8

// The ways.
const (
	HarvestRefuses HarvestThen = iota // Every recipient gets 550 5.7.1.
	HarvestCloses                     // The next recipient gets 421.
	HarvestAccepts                    // Every recipient gets 250, known or not.
)

// Harvested is what a host's harvest defence has counted.
type Harvested struct {
	Network netip.Prefix
	Total   int // Unknown recipients so far.
	Peak    int // The most within one window.
	Beyond  int // Recipients named while beyond the limit.
}

// harvested counts the recipients of one client network.
type harvested struct {
	total, peak, beyond int

	unknown, all recent
	until        time.Time // Harvest.For: it stays beyond the limit until then.
}

// enabled reports whether h does more than to count.
func (h *Harvest) enabled() bool { return h.Limit > 0 || h.Share > 0 }

// network is the client network that a harvest defence takes a for.
func (h *Harvest) network(a netip.Addr) netip.Prefix {
	bits := 64
	if a.Is4() {
		bits = 32
		if h.Bits > 0 {
			bits = min(h.Bits, 32)
		}
	}
	p, _ := a.Prefix(bits) // bits is in range.
	return p
}

// networkLocked returns the record of a client's network, made if needed.
func (c *clients) networkLocked(p netip.Prefix) *harvested {
	if c.networks == nil {
		c.networks = make(map[netip.Prefix]*harvested)
	}
	n := c.networks[p]
	if n == nil {
		n = new(harvested)
		c.networks[p] = n
	}
	return n
}

// beyond reports whether the client's network is beyond its limit.
func (c *clients) beyond(a netip.Addr, h *Harvest, now time.Time) bool {
	if !h.enabled() {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.networkLocked(h.network(a)).beyondAt(h, now)
}

// named counts a recipient, and reports whether the network was beyond its limit before it.
func (c *clients) named(a netip.Addr, h *Harvest, now time.Time, unknown bool) bool {
	if !h.enabled() && !unknown {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.networkLocked(h.network(a))
	was := n.beyondAt(h, now)
	if was {
		n.beyond++
	}
	if h.Share > 0 {
		n.all.add(now, h.window())
	}
	if unknown {
		n.total++
		n.peak = max(n.peak, n.unknown.add(now, h.window()))
	}
	return was
}

// beyondAt reports whether the counts are beyond what h bears.
func (n *harvested) beyondAt(h *Harvest, now time.Time) bool {
	if now.Before(n.until) {
		return true
	}
	unknown, all := n.unknown.since(now, h.window()), n.all.since(now, h.window())
	passed := h.Limit > 0 && unknown >= h.Limit ||
		h.Share > 0 && all >= h.Of && float64(unknown) > h.Share*float64(all)
	if passed && h.For > 0 {
		n.until = now.Add(h.For)
	}
	return passed
}

func (h *Harvest) window() time.Duration { return orDuration(h.Window, time.Hour) }

// reply is what a recipient beyond the limit gets; accepted is how the host accepts one.
func (h *Harvest) reply(accepted Reply) Reply {
	switch h.Then {
	case HarvestAccepts:
		return accepted
	case HarvestCloses:
		return h.Reply.or(Say(421, "4.7.0 {host} Too many invalid recipients from [{ip}], closing connection"))
	default:
		return h.Reply.or(Say(550, "5.7.1 Too many invalid recipients from [{ip}], try again in an hour"))
	}
}

// Harvested returns what the harvest defence of a host has counted, by client network. It counts without a limit too.
func (w *World) Harvested(host string) []Harvested {
	h := w.hosts[canonical(host)]
	if h == nil {
		return nil
	}
	h.clients.mu.Lock()
	defer h.clients.mu.Unlock()
	out := make([]Harvested, 0, len(h.clients.networks))
	for p, n := range h.clients.networks {
		out = append(out, Harvested{Network: p, Total: n.total, Peak: n.peak, Beyond: n.beyond})
	}
	slices.SortFunc(out, func(a, b Harvested) int { return a.Network.Addr().Compare(b.Network.Addr()) })
	return out
}
