package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

// A checker holds the values of a configuration against each other and against what a tag cannot say. It passes over
// what already has a fault: a value that could not be read is not also missing.
type checker struct {
	c      *Config
	before Faults
	faults Faults
}

// check finds the faults of c beside those that reading it had.
func check(c *Config, before Faults) Faults {
	k := &checker{c: c, before: before}
	k.socket()
	k.resolver()
	k.sender()
	k.allowNetworks()
	k.sources()
	k.sites()
	k.preflight()
	k.neverProbe()
	k.lists()
	k.replies()
	k.ages()
	k.apps()
	k.metrics()
	k.socketmap()
	return k.faults
}

// fault notes a fault of the value at path.
func (k *checker) fault(path, format string, args ...any) {
	if !k.faulty(path) {
		k.faults = append(k.faults, k.c.origin.fault(path, fmt.Sprintf(format, args...)))
	}
}

// faulty reports whether what stands at path, or what it stands in, or something in it, could not be read.
func (k *checker) faulty(path string) bool {
	for _, f := range k.before {
		if f.Key == path || below(f.Key, path) || f.Key != "" && below(path, f.Key) {
			return true
		}
	}
	return false
}

// maxSocketPath is the room in Linux's sockaddr_un, less the zero byte at its end; see unix(7).
const maxSocketPath = 107

func (k *checker) socket() {
	switch path := k.c.Socket.Path; {
	case path == "":
		k.fault("socket.path", "must not be empty; where neither XDG_RUNTIME_DIR nor HOME is set, there is no default")
	case len(path) > maxSocketPath:
		k.fault("socket.path", "%s is %d bytes long; the most is %d", quote(path), len(path), maxSocketPath)
	}
	if k.c.Socket.Group == "" && k.c.IsSet("socket.group") {
		k.fault("socket.group", "must not be empty; leave the key out for its default")
	}
	if k.c.StateDir == "" {
		k.fault("state_dir", "must not be empty; where neither XDG_STATE_HOME nor HOME is set, there is no default")
	}
}

func (k *checker) resolver() {
	for i, s := range k.c.Resolver.Servers {
		if _, err := hostPort(s); err != nil {
			k.fault(index("resolver.servers", i), "%s %v", quote(s), err)
		}
	}
}

// hostPort reads host:port, or host with port 53. A host is an IP address, in brackets if it is of IPv6 and a port
// follows, or a name.
func hostPort(s string) (string, error) {
	host, port, err := net.SplitHostPort(s)
	if err != nil { // No port, or an IPv6 address without brackets.
		host, port = s, "53"
		if inner, ok := strings.CutPrefix(s, "["); ok && strings.HasSuffix(inner, "]") {
			host = strings.TrimSuffix(inner, "]")
		}
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", errors.New("has no port from 1 to 65535 after its colon")
	}
	if _, err := netip.ParseAddr(host); err != nil && !isName(host, 1) {
		return "", errors.New("is not host:port or host, such as 127.0.0.1:53, [::1]:53 or 192.0.2.1")
	}
	return net.JoinHostPort(host, port), nil
}

// HostPorts are the servers in the form host:port.
func (r Resolver) HostPorts() []string {
	var list []string
	for _, s := range r.Servers {
		if hp, err := hostPort(s); err == nil {
			list = append(list, hp)
		}
	}
	return list
}

// sender does a light check: that the mailbox has the form local-part@domain with a full domain. Its syntax is for
// who has a parser of addresses.
func (k *checker) sender() {
	sender := k.c.Egress.Sender
	at := strings.LastIndexByte(sender, '@')
	switch {
	case sender == "":
	case sender == "<>":
		k.fault("egress.sender", "the empty reverse-path is never used to probe; name a real mailbox")
	case strings.ContainsAny(sender, "<> \t"):
		k.fault("egress.sender", "%s is not a bare mailbox such as probe@egress.example.net", quote(sender))
	case at < 1:
		k.fault("egress.sender", "%s is not a mailbox such as probe@egress.example.net", quote(sender))
	case strings.HasPrefix(sender[at+1:], "["):
		k.fault("egress.sender", "%s has an address literal for a domain; it needs one with MX or address records", quote(sender))
	case !isName(sender[at+1:], 2):
		k.fault("egress.sender", "%s has no full domain such as egress.example.net after the @", quote(sender))
	}
}

func (k *checker) allowNetworks() {
	for i, p := range k.c.Egress.AllowNetworks {
		if !p.IsValid() {
			k.fault(index("egress.allow_networks", i), "must not be empty")
		} else if p.Addr().Is4In6() {
			k.fault(index("egress.allow_networks", i), "%s is IPv4 in IPv6 form; write the IPv4 network", quote(p.String()))
		}
	}
}

func (k *checker) neverProbe() {
	for i, s := range k.c.NeverProbe {
		if s == "" || strings.ContainsAny(s, " \t") {
			k.fault(index("never_probe", i), "%s is not an address, a domain or a pattern of MX hosts", quote(s))
		}
	}
}

func (k *checker) lists() {
	l := k.c.Lists
	for _, o := range []struct {
		path string
		Overlay
	}{
		{"lists.disposable", l.Disposable},
		{"lists.privacy_relay", l.PrivacyRelay},
		{"lists.role", l.Role},
		{"lists.free_provider", l.FreeProvider},
	} {
		k.files(o.path+".add", o.Add)
		k.files(o.path+".remove", o.Remove)
	}
}

func (k *checker) files(path string, files []string) {
	for i, f := range files {
		if f == "" {
			k.fault(index(path, i), "must not be empty")
		}
	}
}

// plainName is what sources and rules are called.
var plainName = regexp.MustCompile(`^[a-z0-9-]+$`)

// name checks the name of an item of a list, and that no item before it, of those in seen, has it.
func (k *checker) name(path, name string, seen map[string]string) {
	at := path + ".name"
	switch first := seen[name]; {
	case name == "":
		k.fault(at, "is missing")
	case !plainName.MatchString(name):
		k.fault(at, "%s is not of lower-case letters, digits and hyphens", quote(name))
	case first != "":
		k.fault(at, "%s is the name of %s too", quote(name), first)
	default:
		seen[name] = path
	}
}

func (k *checker) replies() {
	seen := map[string]string{}
	for i, r := range k.c.Replies {
		path := index("replies", i)
		k.name(path, r.Name, seen)
		if r.Class == "" {
			k.fault(path+".class", "is missing")
		}
		if r.Stage+r.Code+r.Enhanced+r.Provider == "" && len(r.Words)+len(r.Any)+len(r.Not) == 0 {
			k.fault(path, "would match every reply; name a stage, code, enhanced, provider, words, any or not")
		}
	}
}

func (k *checker) ages() {
	c := k.c.Cache
	for _, a := range []struct {
		path string
		Ages
	}{
		{"cache.mailbox_accepted", c.MailboxAccepted},
		{"cache.mailbox_not_found", c.MailboxNotFound},
		{"cache.mailbox_disabled", c.MailboxDisabled},
		{"cache.mailbox_full", c.MailboxFull},
		{"cache.accepts_all", c.AcceptsAll},
		{"cache.refuses_made_up", c.RefusesMadeUp},
	} {
		if a.Hard < a.Soft {
			k.fault(a.path+".hard", "%s is less than soft, %s", formatDuration(a.Hard), formatDuration(a.Soft))
		}
	}
	if m := c.MailHosts; m.Max < m.Min {
		k.fault("cache.mail_hosts.max", "%s is less than min, %s", formatDuration(m.Max), formatDuration(m.Min))
	}
	if m := c.MailHosts; m.Hard < m.Max {
		k.fault("cache.mail_hosts.hard", "%s is less than max, %s", formatDuration(m.Hard), formatDuration(m.Max))
	}
}
