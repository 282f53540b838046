package config

import "testing"

func TestInspection(t *testing.T) {
	three := []string{"one.example", "two.example", "three.example"}
	for _, row := range []struct {
		name   string
		change func(*Inspection)
		key    string
		want   string
	}{
		{"the defaults", func(*Inspection) {}, "", ""},
		{"nothing", func(p *Inspection) { *p = Inspection{} }, "", ""},
		{"three servers", func(p *Inspection) { p.PortTargets = three }, "", ""},
		{"two servers", func(p *Inspection) { p.PortTargets = three[:2] }, "preflight.port_targets", "has 2 domains"},
		{"an address", func(p *Inspection) { p.PortTargets = append(three, "192.0.2.1") }, "preflight.port_targets[3]", "is not a full name"},
		{"a U-label", func(p *Inspection) { p.PortTargets = append(three, "bücher.example") }, "preflight.port_targets[3]", "in A-labels"},
		{"a list of one label", func(p *Inspection) { p.DNSBL = []string{"zen"} }, "preflight.dnsbl[0]", "is not a full name"},
		{"a list with a dot", func(p *Inspection) { p.DNSBL = []string{"zen.example."} }, "", ""},
		{"an address and a port", func(p *Inspection) { p.NetworkTargets = []string{"192.0.2.1:443"} }, "", ""},
		{"no port", func(p *Inspection) { p.NetworkTargets = []string{"web.example"} }, "preflight.network_targets[0]", "is not host:port"},
		{"port 0", func(p *Inspection) { p.NetworkTargets = []string{"web.example:0"} }, "preflight.network_targets[0]", "has no port"},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := Default(true, nil)
			row.change(&c.Preflight)
			expectFault(t, c, row.key, row.want)
		})
	}
}
