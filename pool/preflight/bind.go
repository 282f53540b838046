package preflight

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
)

// address tries whether this host has the address of an identity.
func (x *exam) address(id *identity) (finding, bool) {
	if !id.local.IsValid() {
		return finding{}, false
	}
	err := x.opts.Bind(id.local)
	switch {
	case err == nil:
		return id.finding(CheckAddress, Error, OK, fmt.Sprintf("this host has %v", id.local), ""), true
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return id.finding(CheckAddress, Error, Bad, fmt.Sprintf("%v is not an address of this host", id.local),
			fmt.Sprintf("Give the address to an interface of this host, or change %s of source %s.", id.family, id.Name)), true
	default: // No descriptors, or no such family: that says nothing of the address.
		return id.finding(CheckAddress, Error, Unknown, fmt.Sprintf("%v could not be tried: %s", id.local, sayable(err.Error())), ""), true
	}
}

// bind opens a socket at a for a moment.
func bind(a netip.Addr) error {
	l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.AddrPortFrom(a, 0)))
	if err != nil {
		return err
	}
	return l.Close()
}
