package maildns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"github.com/verimails/verimaild/internal/netguard"
)

// Errors of a Resolver.
var (
	// ErrClosed says that the Resolver is closed.
	ErrClosed = errors.New("maildns: resolver is closed")

	// ErrNoServers says that there is nobody to ask.
	ErrNoServers = errors.New("maildns: no DNS server")
)

// Limits that no option changes.
const (
	maxServers     = 8
	maxInFlight    = 512 // Sockets at once, for all lookups together.
	defaultTimeout = 3 * time.Second

	// A question may take 4 times Options.Timeout over all servers and retries, a whole lookup 5 times.
	questionBudget = 4
	lookupBudget   = 5
)

// Options configure a Resolver. The zero Options ask the servers of /etc/resolv.conf.
type Options struct {
	// Servers are the recursive servers to ask, in order of preference: IP addresses, with a port
	// unless it is 53. At most 8. Empty means those of ResolvConf, which is looked at again every
	// 5 s and read when it has changed.
	Servers []string

	// ResolvConf is the file in the format of resolv.conf(5) to read if Servers is empty.
	// "" means /etc/resolv.conf.
	ResolvConf string

	// Timeout is how long one server may take to answer one message. 0 means the "options timeout:" of
	// ResolvConf if that is read and has one, else 3 s.
	Timeout time.Duration

	// Attempts is how often a server that stays silent is asked the same question. 0 means the
	// "options attempts:" of ResolvConf if that is read and has one, else 2.
	Attempts int

	// TCP asks over TCP only, as "options use-vc" of ResolvConf does. Otherwise TCP is for answers that
	// don't fit a datagram.
	TCP bool

	// Guard says which addresses of mail hosts may be dialled. It is not asked about Servers.
	// nil means public addresses only.
	Guard *netguard.Guard

	// IPv6 looks up the AAAA of every mail host beside its A. Without it, AAAA is looked up only if a
	// host has no IPv4 address that may be dialled, so that a host with IPv6 alone is not taken for
	// one without addresses.
	IPv6 bool

	// Dial connects to a server; nil means a [net.Dialer]. network is "udp" or "tcp" and decides the
	// framing, whatever type the connection has: on "udp" each Write is one message, and each Read
	// returns one message whole, given room for 4096 bytes; on "tcp" two octets of length stand before
	// each message, RFC 1035 §4.2.2. A connection must honour SetDeadline; it is used for one question and
	// closed. On "udp" it must deliver only what comes from address, and a fresh local port each time
	// is what makes answers hard to forge; net.Dialer does both.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	// Now stamps results; nil means time.Now.
	Now func() time.Time

	// Observe is told of each lookup that was made, concurrently; it must not block. nil observes nothing.
	Observe func(Status, time.Duration)
}

// A Resolver looks up mail hosts. It is safe for concurrent use.
type Resolver struct {
	set       atomic.Pointer[settings]
	invents   atomic.Bool
	conf      confWatch
	slots     chan struct{} // One for each socket in use.
	lookups   flights[lookupKey, MailHosts]
	questions flights[questionKey, outcome]
}

// settings are Options with their defaults filled in; never changed once published.
type settings struct {
	opts     Options // As given.
	servers  []*server
	timeout  time.Duration
	attempts int
	tcp      bool
}

// New returns a Resolver; Close it. It starts nothing and sends nothing. The error says which option is wrong,
// or wraps [ErrNoServers].
func New(opts Options) (*Resolver, error) {
	r := &Resolver{slots: make(chan struct{}, maxInFlight)}
	if err := r.Replace(opts); err != nil {
		return nil, err
	}
	return r, nil
}

// Replace puts opts in force for lookups that start afterwards; those under way go on with the old ones.
// On an error, which is as New's, nothing changes.
func (r *Resolver) Replace(opts Options) error {
	stamp := stampOf(opts.resolvConf()) // Before it is read: a change in between is then seen later.
	set, err := newSettings(opts)
	if err != nil {
		return err
	}
	r.conf.seen(stamp)
	r.set.Store(set)
	return nil
}

// Close ends all lookups under way with [ErrClosed] and waits for them. It is idempotent.
func (r *Resolver) Close() {
	r.lookups.close()
	r.questions.close()
}

// current returns the settings in force, after a look at resolv.conf where that is due. A file that has
// become unreadable changes nothing.
func (r *Resolver) current() *settings {
	set := r.set.Load()
	if len(set.opts.Servers) > 0 || !r.conf.changed(set.opts) {
		return set
	}
	fresh, err := newSettings(set.opts)
	if err != nil || !r.set.CompareAndSwap(set, fresh) {
		return r.set.Load()
	}
	return fresh
}

func newSettings(opts Options) (*settings, error) {
	set := &settings{opts: opts, timeout: opts.Timeout, attempts: opts.Attempts, tcp: opts.TCP}
	switch {
	case opts.Timeout < 0:
		return nil, fmt.Errorf("maildns: timeout %s: must not be negative", opts.Timeout)
	case opts.Attempts < 0:
		return nil, fmt.Errorf("maildns: attempts %d: must not be negative", opts.Attempts)
	case len(opts.Servers) > maxServers:
		return nil, fmt.Errorf("maildns: %d servers: at most %d", len(opts.Servers), maxServers)
	}
	names := opts.Servers
	if len(names) == 0 {
		conf, err := readResolvConf(opts.resolvConf())
		if err != nil {
			return nil, err
		}
		names = conf.servers
		set.tcp = set.tcp || conf.tcp
		set.timeout = firstSet(set.timeout, conf.timeout)
		set.attempts = firstSet(set.attempts, conf.attempts)
	}
	set.timeout = firstSet(set.timeout, defaultTimeout)
	set.attempts = firstSet(set.attempts, 2)
	if set.opts.Guard == nil {
		set.opts.Guard = netguard.New(netguard.Options{})
	}
	if set.opts.Dial == nil {
		set.opts.Dial = new(net.Dialer).DialContext
	}
	if set.opts.Now == nil {
		set.opts.Now = time.Now
	}
	start := time.Now()
	for _, name := range names {
		addr, err := serverAddr(name)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(set.servers, func(s *server) bool { return s.addr == addr }) {
			set.servers = append(set.servers, &server{addr: addr, start: start})
		}
	}
	return set, nil
}

// serverAddr returns s as host:port. A server must be an address: its name could not be looked up.
func serverAddr(s string) (string, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.AddrPortFrom(a, 53).String(), nil
	}
	ap, err := netip.ParseAddrPort(s)
	if err != nil || ap.Port() == 0 {
		return "", fmt.Errorf("maildns: DNS server %q: want an IP address with an optional port, such as 127.0.0.1:53", s)
	}
	return ap.String(), nil
}

// firstSet returns a if it is not zero, else b.
func firstSet[T comparable](a, b T) T {
	var zero T
	if a != zero {
		return a
	}
	return b
}
