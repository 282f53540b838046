package netguard

import (
	"fmt"
	"net/netip"
)

// A Kind says in one word why an address may not be dialled. The set is closed, so that it can be
// a metric's label.
type Kind string

// The kinds.
const (
	KindInvalid       Kind = "invalid"       // Not an address at all.
	KindZone          Kind = "zone"          // Bound to one of this host's interfaces.
	KindOwn           Kind = "own"           // An address of this host.
	KindUnspecified   Kind = "unspecified"   // 0.0.0.0 or ::
	KindThisNetwork   Kind = "this_network"  // 0/8
	KindLoopback      Kind = "loopback"      // 127/8 or ::1
	KindPrivate       Kind = "private"       // RFC 1918, or unique local IPv6
	KindCGNAT         Kind = "cgnat"         // Shared address space, 100.64/10
	KindLinkLocal     Kind = "link_local"    // 169.254/16 or fe80::/10
	KindSiteLocal     Kind = "site_local"    // fec0::/10
	KindMulticast     Kind = "multicast"     // 224/4 or ff00::/8
	KindBroadcast     Kind = "broadcast"     // 255.255.255.255
	KindReserved      Kind = "reserved"      // 240/4, or IPv6 outside 2000::/3
	KindDocumentation Kind = "documentation" // Examples in texts
	KindBenchmark     Kind = "benchmark"     // Tests of network gear
	KindProtocol      Kind = "protocol"      // Set aside for protocols, such as 192.0.0/24
	KindORCHID        Kind = "orchid"        // Hashes, not addresses
	KindDiscard       Kind = "discard"       // 100::/64
	KindV4Compatible  Kind = "v4_compatible" // ::a.b.c.d
	KindNAT64Local    Kind = "nat64_local"   // 64:ff9b:1::/48
	KindTeredo        Kind = "teredo"        // 2001::/32
)

// A RefusedError says that an address may not be dialled, and why.
type RefusedError struct {
	Addr   netip.Addr // As asked about; the zero Addr if it could not be read.
	Kind   Kind
	Inside netip.Addr // The IPv4 address within Addr that decided, the zero Addr if Addr itself did.
}

// Error names the address and the kind.
func (e *RefusedError) Error() string {
	if e.Inside.IsValid() {
		return fmt.Sprintf("netguard: %s leads to %s, which may not be dialled (%s)", e.Addr, e.Inside, e.Kind)
	}
	return fmt.Sprintf("netguard: %s may not be dialled (%s)", e.Addr, e.Kind)
}
