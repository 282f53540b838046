package config

// An App is an application: who it is, what it may do, and how much of it.
type App struct {
	// The name in logs, metrics and usage: lower-case letters, digits, hyphens. Required, and unique. The application
	// called default is whoever no other one claims; it needs no uid and no gid.
	Name string `mapstructure:"name" example:"signup"`

	// The user whose processes are this application.
	UID *int `mapstructure:"uid" example:"1001" range:"0..4294967294"`

	// The group whose members are this application, be it their own group or one of their others. A uid decides before
	// any gid, and of several gids the first in the list.
	GID *int `mapstructure:"gid" range:"0..4294967294"`

	// Its share: how many turns it has at a mail server for one of another application's. Absent means 1.
	Weight *int `mapstructure:"weight" example:"4" range:"1..100"`

	// Whether somebody waits for its answers (interactive) or not (bulk). Absent means interactive.
	Class *string `mapstructure:"class" example:"interactive" enum:"interactive,bulk"`

	// What it may do: verify, jobs, admin. An empty list means verify and jobs.
	Scopes []string `mapstructure:"scopes" example:"[verify]" enum:"verify,jobs,admin"`

	// How much it may ask. What is absent is not limited.
	Quota Quota `mapstructure:"quota"`
}

// A Quota bounds what one application asks. Addresses count, not requests; see [Charge] for which.
type Quota struct {
	// Addresses in a minute, of which all may come at once.
	PerMinute *int `mapstructure:"per_minute" example:"600" range:"1..1000000"`

	// Addresses in a day, which begins at midnight UTC.
	PerDay *int `mapstructure:"per_day" example:"100000" range:"0..1000000000"`

	// Addresses in a calendar month, in UTC.
	PerMonth *int `mapstructure:"per_month" range:"0..1000000000"`

	// Addresses that mail servers or the DNS are asked about at once.
	Concurrent *int `mapstructure:"concurrent" range:"1..100000"`
}

// Charge says what counts against quotas beside the addresses that somebody was asked about.
type Charge struct {
	// Count answers from memory.
	Cached bool `mapstructure:"cached" default:"false"`

	// Count addresses that can't be ones.
	Syntax bool `mapstructure:"syntax" default:"false"`

	// Count answers that are unknown because of this host: its addresses are blocked, it has no sender, it stops. An
	// answer that only came too late counts always, for it is there for who asks again.
	OurFault bool `mapstructure:"our_fault" default:"false"`
}

// apps checks each application, and that they differ.
func (k *checker) apps() {
	names, uids, gids := map[string]string{}, map[int]string{}, map[int]string{}
	for i, a := range k.c.Apps {
		path := index("apps", i)
		k.name(path, a.Name, names)
		k.appID(path+".uid", a.UID, uids)
		k.appID(path+".gid", a.GID, gids)
		if a.UID == nil && a.GID == nil && a.Name != DefaultApp && !k.faulty(path+".uid") && !k.faulty(path+".gid") {
			k.fault(path, "is nobody; it needs a uid or a gid")
		}
		if a.Name == DefaultApp && k.c.AppsOnly && a.UID == nil && a.GID == nil {
			k.fault(path, "is for callers that no other application claims, and apps_only refuses those")
		}
	}
}

// DefaultApp is the name of the application whose callers no other one claims.
const DefaultApp = "default"

// appID checks that no application before it, of those in seen, has the same id.
func (k *checker) appID(path string, id *int, seen map[int]string) {
	if id == nil {
		return
	}
	if first, taken := seen[*id]; taken {
		k.fault(path, "%d is %s too", *id, first)
		return
	}
	seen[*id] = path
}
