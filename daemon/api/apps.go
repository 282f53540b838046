package api

import (
	"slices"

	"github.com/verimails/verimaild/verify"
)

// DefaultApp is the application of a caller that no other one claims.
const DefaultApp = "default"

// Apps are the applications that share the daemon, and what counts against their quotas. The zero Apps has only the
// application [DefaultApp], which may verify and run jobs as much as it likes.
type Apps struct {
	List []App

	// Only refuses callers that nobody in List claims, but for root and our own user.
	Only bool

	Charge Charge
}

// An App is one application.
type App struct {
	Name string

	// Who is this application: a user, the members of a group, or both. nil is nobody.
	UID, GID *int

	Weight int          // How many turns it has at a mail server for one of another's. 0 means 1.
	Class  verify.Class // How urgent all that it asks is.
	Scopes Scope        // What it may do. ScopeNone means [DefaultScopes].
	Quota  Quota

	// Rule is where it stands in the configuration, such as "apps[2]": refusals name it.
	Rule string
}

// DefaultScopes are what an application may do that is not told.
const DefaultScopes = ScopeVerify | ScopeJobs

// A Quota bounds how many addresses an application asks about. nil is no limit.
type Quota struct {
	PerMinute  *int // That many may come at once, then one each 60 s / PerMinute.
	PerDay     *int // From midnight to midnight UTC.
	PerMonth   *int // From the first of a month to its end, UTC.
	Concurrent *int // Under way at once.
}

// Charge says what counts against quotas beside the addresses that somebody was asked about.
type Charge struct {
	Cached   bool // Answers from memory.
	Syntax   bool // Addresses that can't be ones.
	OurFault bool // What is unknown because of this host.
}

// An appTable finds the application of a caller. It is never changed.
type appTable struct {
	only     bool
	charge   Charge
	byUID    map[int]*member
	groups   []*member // Those with a gid, in the order of the configuration.
	byName   map[string]*member
	fallback *member
}

// A member is an application as one configuration has it, with the account that it keeps across reloads.
type member struct {
	App
	*account
}

// newAppTable makes the table of apps; account finds or makes the account of a name.
func newAppTable(apps Apps, account func(name string) *account) *appTable {
	t := &appTable{only: apps.Only, charge: apps.Charge, byUID: map[int]*member{}, byName: map[string]*member{}}
	for _, a := range apps.List {
		if a.Weight == 0 {
			a.Weight = 1
		}
		if a.Scopes == ScopeNone {
			a.Scopes = DefaultScopes
		}
		m := &member{a, account(a.Name)}
		t.byName[a.Name] = m
		if a.UID != nil {
			t.byUID[*a.UID] = m
		}
		if a.GID != nil {
			t.groups = append(t.groups, m)
		}
	}
	if t.fallback = t.byName[DefaultApp]; t.fallback == nil {
		t.fallback = &member{App{Name: DefaultApp, Weight: 1, Scopes: DefaultScopes}, account(DefaultApp)}
		t.byName[DefaultApp] = t.fallback
	}
	return t
}

// find is the application of a process: that of its user, or else the first that claims one of its groups, or else the
// default one; claimed is false for the last. A process without known credentials (-1) is claimed by nobody.
func (t *appTable) find(uid, gid int, groups []int) (m *member, claimed bool) {
	if m := t.byUID[uid]; m != nil {
		return m, true
	}
	for _, m := range t.groups {
		if *m.GID == gid || slices.Contains(groups, *m.GID) {
			return m, true
		}
	}
	return t.fallback, false
}

// named is the application called name; the default one if there is none of that name any more.
func (t *appTable) named(name string) *member {
	if m := t.byName[name]; m != nil {
		return m
	}
	return t.fallback
}

// rule is the configuration key of one of m's settings.
func (m *member) rule(key string) string {
	if m.App.Rule == "" {
		return DefaultApp // Nobody has configured it.
	}
	return m.App.Rule + "." + key
}
