package api

import (
	"os"
	"sync"
	"sync/atomic"
)

// Accounts know the applications, and keep count of what each has asked. They are shared by all that asks on behalf of
// applications. Their methods may be called concurrently.
type Accounts struct {
	self, rootIs int // Users that are admins: our own effective one, and root.

	table atomic.Pointer[appTable]

	mu     sync.Mutex          // Guards byName.
	byName map[string]*account // Also of applications that are configured no more.
}

// An account is what is counted of one application.
type account struct {
	name string
}

// NewAccounts makes the accounts of apps.
func NewAccounts(apps Apps) *Accounts {
	a := &Accounts{self: os.Geteuid(), rootIs: 0, byName: map[string]*account{}}
	a.Replace(apps)
	return a
}

// Replace puts apps into force, for connections that are open already, too. What was counted stays.
func (a *Accounts) Replace(apps Apps) { a.table.Store(newAppTable(apps, a.account)) }

// account finds or makes the account of an application.
func (a *Accounts) account(name string) *account {
	a.mu.Lock()
	defer a.mu.Unlock()
	acc := a.byName[name]
	if acc == nil {
		acc = &account{name: name}
		a.byName[name] = acc
	}
	return acc
}

// identify says which application a peer is, and what it may do. root and our own user are admins, and never shut out.
func (a *Accounts) identify(t *appTable, peer peer) *Caller {
	m, claimed := t.find(peer.UID, peer.GID, peer.Groups)
	c := &Caller{peer: peer, table: t, member: m, App: m.Name, Scopes: m.Scopes, Weight: m.Weight, Class: m.Class}
	ours := peer.UID == a.rootIs || peer.UID == a.self
	if t.only && !claimed && !ours {
		c.Scopes = ScopeNone
		c.refused = "apps_only"
	}
	if ours {
		c.Scopes |= ScopeAdmin
	}
	return c
}
