package config

import "net/netip"

// Metrics says where numbers for Prometheus are to be had beside /metrics on the socket.
type Metrics struct {
	// A loopback address and port, such as 127.0.0.1:9469, on which /metrics, /healthz and /readyz are served, and
	// nothing else. Empty means none: Prometheus cannot scrape a Unix socket, but an agent on this host can.
	Listen string `mapstructure:"listen" default:"" example:"127.0.0.1:9469"`
}

// metrics checks that numbers are shown on this host only.
func (k *checker) metrics() {
	s := k.c.Metrics.Listen
	if s == "" {
		return
	}
	ap, err := netip.ParseAddrPort(s)
	switch {
	case err != nil:
		k.fault("metrics.listen", "%s is not an address and a port such as 127.0.0.1:9469", quote(s))
	case !ap.Addr().IsLoopback():
		k.fault("metrics.listen", "%s is not a loopback address; to be scraped from elsewhere, put a proxy before it", quote(s))
	}
}
