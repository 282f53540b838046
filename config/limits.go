package config

import "time"

// SourceLimits bound what one source does.
type SourceLimits struct {
	// Sessions at once.
	Sessions int `mapstructure:"sessions" default:"50" range:"1..100000" zero:"no limit"`

	// Connections opened in a minute.
	DialsPerMinute int `mapstructure:"dials_per_minute" default:"60" range:"1..1000000" zero:"no limit"`
}

// Limits bound what is asked of a site. A nil field inherits, and a field that points to zero lifts the limit.
type Limits struct {
	// Begin below these limits where nothing is known about a site, at one session, one recipient in a transaction, 5 a
	// minute and 10 controls an hour, and rise by what it shows that it takes.
	Ramp *bool `mapstructure:"ramp" default:"true"`

	// Sessions at once, from one source.
	Sessions *int `mapstructure:"sessions" default:"2" range:"1..1000" zero:"no limit"`

	// Sessions begun within an hour, from one source. Some servers count sessions without a message.
	SessionsPerHour *int `mapstructure:"sessions_per_hour" default:"20" range:"1..1000000" zero:"no limit"`

	// The time between the beginnings of two sessions from one source.
	DialInterval *time.Duration `mapstructure:"dial_interval" default:"5s" range:"1ms..1h" zero:"no limit"`

	// Recipients in one transaction. Many servers answer 452 to the second recipient of a stranger.
	RecipientsPerTransaction *int `mapstructure:"recipients_per_transaction" default:"5" range:"1..1000" zero:"no limit"`

	// Transactions in one session. Exim hangs up at the twelfth RSET.
	TransactionsPerSession *int `mapstructure:"transactions_per_session" default:"8" range:"1..100000" zero:"no limit"`

	// Recipients refused in one session, after which it is closed. Some servers hang up after four.
	RefusalsPerSession *int `mapstructure:"refusals_per_session" default:"3" range:"1..100000" zero:"no limit"`

	// Dead recipients within an hour, from the sources of one network (/24, or /64 of IPv6) together. Some servers accept
	// everything without a word from the 25th on.
	RefusalsPerHour *int `mapstructure:"refusals_per_hour" default:"15" range:"1..1000000" zero:"no limit"`

	// Made-up recipients refused within an hour, from the sources of one network together. They show whether a domain
	// accepts everything; when they are spent, an accepted address is answered risky/accepted_untested.
	ControlsPerHour *int `mapstructure:"controls_per_hour" default:"30" range:"1..1000000" zero:"no limit"`

	// The share of dead recipients among the last 50, or those of the last hour, above which a source goes on at one a
	// minute. It counts from the 20th on.
	RefusalRatio *float64 `mapstructure:"refusal_ratio" default:"0.25" range:"0.01..1" zero:"no limit"`

	// Recipients asked about in a minute, from one source, five of them at once at most.
	ProbesPerMinute *float64 `mapstructure:"probes_per_minute" default:"10" range:"0.1..1000000" zero:"no limit"`

	// How long a session may wait for more recipients before it is closed.
	Idle *time.Duration `mapstructure:"idle" default:"15s" range:"1s..1h" zero:"no limit"`

	// How old a session may grow. Servers hang up at five minutes.
	SessionAge *time.Duration `mapstructure:"session_age" default:"4m" range:"1s..24h" zero:"no limit"`
}

// A SiteRule says what is different at the sites that it matches.
type SiteRule struct {
	// Which sites are meant, by provider, mx or domain; of several, all must hold. Required.
	Match SiteMatch `mapstructure:"match"`

	// What asking there is good for: probe, it is; weak, an acceptance proves nothing, a refusal does; no_signal, it accepts
	// everything, so nobody is asked; skip, its policy forbids it, so nobody is asked. Absent means what verimaild itself
	// knows of the provider.
	Mode Mode `mapstructure:"mode" enum:"probe,weak,no_signal,skip" example:"probe"`

	// The limits that are different, by the keys of egress.limits. An absent one inherits.
	Limits Limits `mapstructure:"limits"`
}

// A SiteMatch says which sites a rule is for.
type SiteMatch struct {
	// The id of a provider that all MX hosts belong to, such as google or microsoft_365.
	Provider string `mapstructure:"provider"`

	// A pattern that all MX hosts match: mx.example.net, or *.example.net for whatever is below.
	MX string `mapstructure:"mx" example:"*.example.net"`

	// A domain. It then has limits of its own, apart from other domains at its MX hosts.
	Domain string `mapstructure:"domain"`
}

// Mode says what asking at a site is good for. The zero Mode leaves it to the table of providers.
type Mode string

// The values of Mode.
const (
	ModeProbe    Mode = "probe"
	ModeWeak     Mode = "weak"
	ModeNoSignal Mode = "no_signal"
	ModeSkip     Mode = "skip"
)
