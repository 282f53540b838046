package config

import "time"

// Cache says how much is remembered, and for how long.
type Cache struct {
	// How many records are held in memory, in front of those on disk.
	Entries int `mapstructure:"entries" default:"100000" range:"100..100000000" reload:"restart"`

	// The mail hosts of a domain. DNS says how long they hold, within these bounds.
	MailHosts MailHosts `mapstructure:"mail_hosts"`

	// A mailbox that accepted. One refusal alone does not replace an acceptance younger than its soft age.
	MailboxAccepted Ages `mapstructure:"mailbox_accepted" default:"soft=168h,hard=720h"`

	// A mailbox that does not exist.
	MailboxNotFound Ages `mapstructure:"mailbox_not_found" default:"soft=12h,hard=72h"`

	// A mailbox that exists and is switched off.
	MailboxDisabled Ages `mapstructure:"mailbox_disabled" default:"soft=24h,hard=168h"`

	// A mailbox that is full.
	MailboxFull Ages `mapstructure:"mailbox_full" default:"soft=6h,hard=24h"`

	// A domain that accepts every recipient.
	AcceptsAll Ages `mapstructure:"accepts_all" default:"soft=24h,hard=168h"`

	// A domain that refuses made-up recipients.
	RefusesMadeUp Ages `mapstructure:"refuses_made_up" default:"soft=72h,hard=336h"`
}

// Ages say when a record is asked about again, and when it is forgotten.
type Ages struct {
	// The age from which it is refreshed when it is used.
	Soft time.Duration `mapstructure:"soft" range:"1s..8760h"`

	// The age at which it is forgotten; not less than soft.
	Hard time.Duration `mapstructure:"hard" range:"1s..8760h"`
}

// MailHosts bound what DNS says about the age of a domain's mail hosts.
type MailHosts struct {
	// The least time they hold, whatever their TTL.
	Min time.Duration `mapstructure:"min" default:"5m" range:"1s..24h"`

	// The most time they hold, whatever their TTL.
	Max time.Duration `mapstructure:"max" default:"6h" range:"1s..168h"`

	// The age up to which they are used when DNS fails; not less than max.
	Hard time.Duration `mapstructure:"hard" default:"24h" range:"1s..168h"`

	// The most time that "no such domain" and "no such record" hold, whatever the zone's SOA record says.
	Negative time.Duration `mapstructure:"negative" default:"1h" range:"1s..24h"`

	// The time that a failure or a timeout holds.
	Failure time.Duration `mapstructure:"failure" default:"2m" range:"1s..1h"`
}
