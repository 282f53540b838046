package daemon

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os/user"
	"slices"
	"strconv"
	"syscall"

	"github.com/verimails/verimaild/config"
	"github.com/verimails/verimaild/pool/provider"
	"github.com/verimails/verimaild/pool/warmup"
	"github.com/verimails/verimaild/verify"
	"github.com/verimails/verimaild/verify/address"
	"github.com/verimails/verimaild/verify/lists"
	"github.com/verimails/verimaild/verify/maildns"
)

// Check finds the faults in cfg that only the packages which use it, and this host, can see. Its error is a
// config.Faults.
func Check(cfg *config.Config) error {
	c := checker{cfg: cfg}
	c.sender()
	c.group()
	c.sources()
	c.sites()
	c.resolver()
	_, err := verify.New(verify.Options{Settings: verify.Settings{NeverProbe: cfg.NeverProbe}})
	c.addEach("never_probe", err)
	_, err = lists.New(listOptions(cfg))
	c.addEach("lists", err)
	_, err = Replies(cfg)
	c.addEach("replies", err)
	return c.faults.Err()
}

// A checker gathers faults.
type checker struct {
	cfg    *config.Config
	faults config.Faults
}

// add notes a fault of the value at key, if err is one.
func (c *checker) add(key string, err error) {
	if err != nil {
		f := c.cfg.Fault(key, err.Error())
		f.Err = err
		c.faults = append(c.faults, f)
	}
}

// addEach notes each fault that err joins. Those that know their item of a list are noted there.
func (c *checker) addEach(key string, err error) {
	for _, e := range unjoin(err) {
		if n, ok := errors.AsType[*verify.NeverProbeError](e); ok {
			c.add(fmt.Sprintf("%s[%d]", key, n.Index), fmt.Errorf("%q: %w", n.Entry, n.Err))
			continue
		}
		c.add(key, e)
	}
}

// sender checks the reverse-path.
func (c *checker) sender() {
	s := c.cfg.Egress.Sender
	if s == "" {
		return
	}
	a, err := address.Parse(s)
	if err == nil && (a.NeedsSMTPUTF8() || a.IsLiteral()) {
		err = fmt.Errorf("%q: must be an ASCII mailbox at a domain, so that every server takes it", s)
	}
	c.add("egress.sender", err)
}

// sources checks that this host has the sources' addresses, and reads their warm-up schedules.
func (c *checker) sources() {
	for i, s := range c.cfg.Egress.Sources {
		at := fmt.Sprintf("egress.sources[%d]", i)
		c.add(at+".ipv4", bindable(s.IPv4))
		c.add(at+".ipv6", bindable(s.IPv6))
		_, err := warmup.Parse(s.Warmup)
		c.add(at+".warmup", err)
	}
}

// sites checks what rules for sites match.
func (c *checker) sites() {
	for i, r := range c.cfg.Egress.Sites {
		at := fmt.Sprintf("egress.sites[%d].match", i)
		if id := r.Match.Provider; id != "" && provider.ByID(id) == nil {
			c.add(at+".provider", fmt.Errorf("%q: there is no such provider", id))
		}
		if r.Match.MX != "" {
			_, err := provider.ParseHostPattern(r.Match.MX)
			c.add(at+".mx", err)
		}
		if r.Match.Domain != "" {
			_, err := address.ParseDomain(r.Match.Domain)
			c.add(at+".domain", err)
		}
	}
}

// resolver checks the servers that are named. Those of /etc/resolv.conf are looked at again and again as it runs.
func (c *checker) resolver() {
	servers := c.cfg.Resolver.HostPorts()
	if len(servers) == 0 {
		return
	}
	r, err := maildns.New(maildns.Options{Servers: servers})
	if err != nil {
		c.add("resolver.servers", err)
		return
	}
	r.Close()
}

// group checks that a group which was asked for exists.
func (c *checker) group() {
	g := c.cfg.Socket.Group
	if g == "" || !c.cfg.IsSet("socket.group") {
		return
	}
	if _, err := strconv.ParseUint(g, 10, 31); err == nil {
		return
	}
	if _, err := user.LookupGroup(g); err != nil {
		c.add("socket.group", fmt.Errorf("%q: there is no such group on this host", g))
	}
}

// bindable reports why addr cannot be a source: above all, because this host does not have it.
func bindable(addr netip.Addr) error {
	if !addr.IsValid() {
		return nil
	}
	l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.AddrPortFrom(addr, 0)))
	if errors.Is(err, syscall.EADDRNOTAVAIL) {
		return &absentError{addr}
	}
	if err != nil {
		return fmt.Errorf("%v cannot be bound: %w", addr, err)
	}
	return l.Close()
}

// An absentError says that this host does not have an address.
type absentError struct{ addr netip.Addr }

func (e *absentError) Error() string { return fmt.Sprintf("%v is not an address of this host", e.addr) }

// MayPass reports whether a configuration is refused for nothing but addresses that this host does not have: at a boot,
// or while another host has them, it may get them yet, so that the same configuration is worth another try.
func MayPass(err error) bool {
	faults, ok := errors.AsType[config.Faults](err)
	return ok && !slices.ContainsFunc(faults, func(f config.Fault) bool {
		_, absent := errors.AsType[*absentError](f.Err)
		return !absent
	})
}

// unjoin is the errors that errors.Join has put together, however often, or the one that err is; none if it is nil.
func unjoin(err error) []error {
	j, ok := err.(interface{ Unwrap() []error })
	switch {
	case err == nil:
		return nil
	case !ok:
		return []error{err}
	}
	var out []error
	for _, e := range j.Unwrap() {
		out = append(out, unjoin(e)...)
	}
	return out
}
