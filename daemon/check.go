package daemon

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"github.com/verimails/verimaild/config"
	"github.com/verimails/verimaild/verify"
	"github.com/verimails/verimaild/verify/address"
	"github.com/verimails/verimaild/verify/lists"
)

// Check finds the faults in cfg that only the packages which use it can see. Its error is a config.Faults.
func Check(cfg *config.Config) error {
	var faults config.Faults
	add := func(key, format string, args ...any) {
		faults = append(faults, cfg.Fault(key, fmt.Sprintf(format, args...)))
	}
	if s := cfg.Egress.Sender; s != "" {
		switch a, err := address.Parse(s); {
		case err != nil:
			add("egress.sender", "%v", err)
		case a.NeedsSMTPUTF8() || a.IsLiteral():
			add("egress.sender", "%q: must be an ASCII mailbox at a domain, so that every server takes it", s)
		}
	}
	for i, s := range cfg.Egress.Sources {
		for key, addr := range map[string]netip.Addr{"ipv4": s.IPv4, "ipv6": s.IPv6} {
			if err := bindable(addr); err != nil {
				add(fmt.Sprintf("egress.sources[%d].%s", i, key), "%v", err)
			}
		}
	}
	if _, err := verify.New(verify.Options{Settings: verify.Settings{NeverProbe: cfg.NeverProbe}}); err != nil {
		for _, e := range unjoin(err) {
			key := "never_probe"
			if n, ok := errors.AsType[*verify.NeverProbeError](e); ok {
				key = fmt.Sprintf("never_probe[%d]", n.Index)
			}
			add(key, "%v", e)
		}
	}
	if _, err := lists.New(listOptions(cfg)); err != nil {
		add("lists", "%v", err)
	}
	if _, err := replyTable(cfg); err != nil {
		for _, e := range unjoin(err) {
			add("replies", "%v", e)
		}
	}
	return faults.Err()
}

// bindable reports why addr cannot be a source: above all, because this host does not have it.
func bindable(addr netip.Addr) error {
	if !addr.IsValid() {
		return nil
	}
	l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.AddrPortFrom(addr, 0)))
	if errors.Is(err, syscall.EADDRNOTAVAIL) {
		return fmt.Errorf("%v is not an address of this host", addr)
	}
	if err != nil {
		return fmt.Errorf("%v cannot be bound: %w", addr, err)
	}
	return l.Close()
}

// unjoin is the errors that errors.Join has put together.
func unjoin(err error) []error {
	if j, ok := err.(interface{ Unwrap() []error }); ok {
		return j.Unwrap()
	}
	return []error{err}
}
