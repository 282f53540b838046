package config

import "net/netip"

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

	// What is done with what a look at the sources finds, at the start and every hour: whether their names and addresses
	// agree in DNS, whether blocklists have them, whether they reach port 25. off: nobody looks. warn: it is reported, and
	// only a closed port 25 takes a source out. strict: each fault takes the source out until it is mended.
	Preflight Preflight `mapstructure:"preflight" default:"warn" enum:"off,warn,strict"`

	// How many sessions the daemon holds at once.
	MaxSessions int `mapstructure:"max_sessions" default:"2000" range:"1..100000" zero:"no limit"`

	// How many connections the daemon opens in a second.
	DialsPerSecond int `mapstructure:"dials_per_second" default:"20" range:"1..100000" zero:"no limit"`

	// What one source does at most, whatever the site.
	SourceLimits SourceLimits `mapstructure:"source_limits"`

	// The local addresses from which mail servers are asked. An empty list means one source: the address that the
	// kernel chooses, and the host's full name in EHLO.
	Sources []Source `mapstructure:"sources"`

	// What the daemon allows itself at a site, that is at one set of MX hosts, where nothing more precise is known.
	Limits Limits `mapstructure:"limits"`

	// What is different at some sites, the first rule that matches deciding. It comes before what verimaild itself knows of
	// the provider.
	Sites []SiteRule `mapstructure:"sites"`
}

// TLS says whether STARTTLS is used. The zero TLS is never in a Config that Load returned.
type TLS string

// The values of TLS.
const (
	TLSNever         TLS = "never"
	TLSOpportunistic TLS = "opportunistic"
	TLSRequired      TLS = "required"
)

// Preflight says what the look at the sources leads to. The zero Preflight is never in a Config that Load returned.
type Preflight string

// The values of Preflight.
const (
	PreflightOff    Preflight = "off"
	PreflightWarn   Preflight = "warn"
	PreflightStrict Preflight = "strict"
)

// A Source is a local address, or one of each family, and the name with which it greets.
type Source struct {
	// A short name for logs, evidence and commands: lower-case letters, digits, hyphens. Required, and unique. What is
	// counted for a source over a restart is kept under it.
	Name string `mapstructure:"name" example:"a"`

	// The IPv4 address to bind. It must belong to this host. A source needs this, ipv6 or proxy.
	IPv4 netip.Addr `mapstructure:"ipv4" example:"192.0.2.10"`

	// The IPv6 address to bind. It must belong to this host.
	IPv6 netip.Addr `mapstructure:"ipv6" example:"2001:db8::10"`

	// The IPv4 address that mail servers see, if that is another one: behind NAT or a proxy. No two sources may share one:
	// to mail servers they would be one source.
	PublicIPv4 netip.Addr `mapstructure:"public_ipv4"`

	// The IPv6 address that mail servers see, if that is another one.
	PublicIPv6 netip.Addr `mapstructure:"public_ipv6"`

	// The SOCKS5 proxy through which the source connects: socks5://host:port or socks5://user:password@host:port. It is
	// given addresses, never names. Such a source needs no address of this host; one that it has is what it connects to the
	// proxy from.
	Proxy string `mapstructure:"proxy"`

	// The name in EHLO: a full name that resolves to the address, and to which the address resolves, or an address
	// literal such as [192.0.2.10]. Empty means the host's full name.
	EHLO string `mapstructure:"ehlo" example:"a.egress.example.net"`

	// The source's share of the domains in relation to the others'. Absent means 1; at 0 it gets none.
	Weight *int `mapstructure:"weight" range:"0..1000" example:"1"`

	// How many recipients it may ask about in a day while it is new to the world: none, no limit; default, 50 on the first
	// day and half as many again after each clean one, up to 10000, when it is over; or those of each clean day, such as
	// "50, 100, 250, 1000", after which it is over. Empty means none.
	Warmup string `mapstructure:"warmup" example:"none"`
}
