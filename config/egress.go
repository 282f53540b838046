package config

import (
	"net/netip"
	"time"
)

// Egress says how mail servers are asked, and how much of that is welcome.
type Egress struct {
	// The reverse-path of every probe: a real mailbox, whose domain names the source addresses in its SPF record.
	// While it is empty, no mail server is asked and every probe is answered unknown/egress_blocked. The empty
	// reverse-path <> is refused.
	Sender string `mapstructure:"sender" example:"probe@egress.example.net"`

	// The port of mail servers. Anything but 25 is for tests.
	Port int `mapstructure:"port" default:"25" range:"1..65535"`

	// Whether STARTTLS is used: never; opportunistic, where it is offered and works; required, so that no server is
	// asked without it. Certificates are not checked, as is usual between mail servers.
	TLS TLS `mapstructure:"tls" default:"opportunistic" enum:"never,opportunistic,required"`

	// Networks that are not public and may be dialled all the same, in CIDR form. Otherwise an MX that leads to
	// 127.0.0.1 or 10.0.0.5 is never dialled.
	AllowNetworks []netip.Prefix `mapstructure:"allow_networks" example:"[10.20.0.0/16, \"fd00:20::/32\"]"`

	// How many sessions the daemon holds at once.
	MaxSessions int `mapstructure:"max_sessions" default:"2000" range:"1..100000" zero:"no limit"`

	// The local addresses from which mail servers are asked. An empty list means one source: the address that the
	// kernel chooses, and the host's full name in EHLO.
	Sources []Source `mapstructure:"sources"`

	// What the daemon allows itself at a site, that is at one set of MX hosts, where nothing more precise is known.
	Limits Limits `mapstructure:"limits"`
}

// TLS says whether STARTTLS is used. The zero TLS is never in a Config that Load returned.
type TLS string

// The values of TLS.
const (
	TLSNever         TLS = "never"
	TLSOpportunistic TLS = "opportunistic"
	TLSRequired      TLS = "required"
)

// A Source is a local address, or one of each family, and the name with which it greets.
type Source struct {
	// A short name for logs, evidence and commands: lower-case letters, digits, hyphens. Required, and unique.
	Name string `mapstructure:"name" example:"a"`

	// The IPv4 address to bind. It must belong to this host. A source needs this or ipv6.
	IPv4 netip.Addr `mapstructure:"ipv4" example:"192.0.2.10"`

	// The IPv6 address to bind. It must belong to this host.
	IPv6 netip.Addr `mapstructure:"ipv6" example:"2001:db8::10"`

	// The name in EHLO: a full name that resolves to the address, and to which the address resolves, or an address
	// literal such as [192.0.2.10]. Empty means the host's full name.
	EHLO string `mapstructure:"ehlo" example:"a.egress.example.net"`
}

// Limits bound what is asked of a site. A nil field inherits, and a field that points to zero lifts the limit.
type Limits struct {
	// Sessions at once.
	Sessions *int `mapstructure:"sessions" default:"2" range:"1..1000" zero:"no limit"`

	// Recipients in one transaction. Many servers answer 452 to the second recipient of a stranger.
	RecipientsPerTransaction *int `mapstructure:"recipients_per_transaction" default:"5" range:"1..1000" zero:"no limit"`

	// Transactions in one session. Exim hangs up at the twelfth RSET.
	TransactionsPerSession *int `mapstructure:"transactions_per_session" default:"8" range:"1..100000" zero:"no limit"`

	// Recipients refused in one session, after which it is closed. Some servers hang up after four.
	RefusalsPerSession *int `mapstructure:"refusals_per_session" default:"3" range:"1..100000" zero:"no limit"`

	// How long a session may wait for more recipients before it is closed.
	Idle *time.Duration `mapstructure:"idle" default:"15s" range:"1s..1h" zero:"no limit"`

	// How old a session may grow. Servers hang up at five minutes.
	SessionAge *time.Duration `mapstructure:"session_age" default:"4m" range:"1s..24h" zero:"no limit"`
}
