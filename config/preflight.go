package config

import (
	"net"
	"strings"
	"time"
)

// Inspection says what the preflight of egress.preflight looks at.
type Inspection struct {
	// How often. What speaks for a change is looked at again after a sixth of it, and only what two looks agree on takes a
	// source out or puts it back.
	Interval time.Duration `mapstructure:"interval" default:"1h" range:"10m..24h"`

	// Domains with mail servers of different owners, three at least. One of them, by turns, is connected to, to see
	// whether port 25 is open from a source, and gets a QUIT; three are if the first cannot be reached. An empty list: the
	// port is not looked at.
	PortTargets []string `mapstructure:"port_targets" default:"gmail.com,outlook.com,yahoo.com,icloud.com,gmx.net,comcast.net,mailbox.org"`

	// Other services, as host:port, that are connected to when no mail server can be, to tell a port that is closed from a
	// network that is down.
	NetworkTargets []string `mapstructure:"network_targets" default:"dns.google:443,one.one.one.one:443"`

	// Zones of the block lists that the public addresses of the sources are looked up in. A list that does not pass its
	// own test (RFC 5782) is left out. An empty list: none is asked.
	DNSBL []string `mapstructure:"dnsbl" default:"zen.spamhaus.org,bl.spamcop.net,psbl.surriel.com,dnsbl.dronebl.org"`
}

// preflight checks what is to be looked at.
func (k *checker) preflight() {
	const path = "preflight"
	p := &k.c.Preflight
	if n := len(p.PortTargets); n > 0 && n < 3 {
		k.fault(path+".port_targets", "has %d domains; a port is called closed only when three servers of different owners agree, so name three, or none", n)
	}
	for i, s := range p.PortTargets {
		k.lookedUp(index(path+".port_targets", i), s)
	}
	for i, s := range p.DNSBL {
		k.lookedUp(index(path+".dnsbl", i), s)
	}
	for i, s := range p.NetworkTargets {
		if _, _, err := net.SplitHostPort(s); err != nil {
			k.fault(index(path+".network_targets", i), "%s is not host:port, such as dns.google:443", quote(s))
		} else if _, err := hostPort(s); err != nil {
			k.fault(index(path+".network_targets", i), "%s %v", quote(s), err)
		}
	}
}

// lookedUp checks a name that is asked for in the DNS as it stands.
func (k *checker) lookedUp(path, name string) {
	if !isName(strings.TrimSuffix(name, "."), 2) || !isASCII(name) {
		k.fault(path, "%s is not a full name such as example.net, in A-labels", quote(name))
	}
}
