package mailworld

import (
	"net/netip"
	"slices"
	"time"
)

// Harvest is a defence against directory harvesting: it counts unknown recipients by client network.
type Harvest struct {
	// Limit is how many unknown recipients are borne in a Window; 0 means no defence, though they are counted.
	Limit int
	// Window is the span of time. 0 means an hour.
	Window time.Duration
	// Bits is how many leading bits of an IPv4 address are counted as one client. 0 means 32. Of IPv6 it is always 64.
	Bits int
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
}

// harvested counts the unknown recipients of one client network.
type harvested struct {
	total, peak int
	unknown     recent
}

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

func (h *Harvest) window() time.Duration {
	if h.Window > 0 {
		return h.Window
	}
	return time.Hour
}

// harvested reports whether the client's network is at its limit; unknown counts one more unknown recipient first.
func (c *clients) harvested(a netip.Addr, h *Harvest, now time.Time, unknown bool) bool {
	if h.Limit == 0 && !unknown {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.networks == nil {
		c.networks = make(map[netip.Prefix]*harvested)
	}
	p := h.network(a)
	n := c.networks[p]
	if n == nil {
		n = new(harvested)
		c.networks[p] = n
	}
	count := 0
	if unknown {
		count = n.unknown.add(now, h.window())
		n.total++
		n.peak = max(n.peak, count)
	} else {
		count = n.unknown.since(now, h.window())
	}
	return h.Limit > 0 && count >= h.Limit
}

// beyond is the reply to a recipient beyond the limit; accepted is how the host accepts one.
func (h *Harvest) beyond(accepted Reply) Reply {
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
		out = append(out, Harvested{Network: p, Total: n.total, Peak: n.peak})
	}
	slices.SortFunc(out, func(a, b Harvested) int { return a.Network.Addr().Compare(b.Network.Addr()) })
	return out
}
