package api

import (
	"context"
	"net"
	"strings"
	"sync/atomic"

	"github.com/verimails/verimaild/client/apitype"
	"github.com/verimails/verimaild/verify"
)

// A Scope is what a caller may do; scopes add up.
type Scope uint8

// The scopes. Whoever may open the socket has at least ScopeNone.
const (
	ScopeVerify Scope = 1 << iota // Ask about addresses.
	ScopeJobs                     // Run bulk jobs.
	ScopeAdmin                    // See and change what belongs to all applications.

	ScopeNone Scope = 0
)

// String lists the scopes by the names that the configuration uses.
func (s Scope) String() string {
	var names []string
	for _, n := range []struct {
		scope Scope
		name  string
	}{{ScopeVerify, "verify"}, {ScopeJobs, "jobs"}, {ScopeAdmin, "admin"}} {
		if s&n.scope != 0 {
			names = append(names, n.name)
		}
	}
	if names == nil {
		return "none"
	}
	return strings.Join(names, "+")
}

// A peer is the process at the other end of a connection, as the kernel vouches for it: the credentials are those
// with which it connected, and nothing that it sends can change them.
type peer struct {
	PID    int   // 0 if unknown, or if it lives in a PID namespace that we can't see into.
	UID    int   // -1 if unknown.
	GID    int   // -1 if unknown.
	Groups []int // Supplementary groups.
}

// unknownPeer is the peer of a connection that carries no credentials.
func unknownPeer() peer { return peer{UID: -1, GID: -1} }

// A Caller is a peer, and the application that it is by the configuration in force. It is never changed.
type Caller struct {
	peer

	App    string
	Scopes Scope
	Weight int          // Of the application, at least 1.
	Class  verify.Class // Of all that it asks.

	table   *appTable // By which it was identified.
	member  *member
	refused string // The rule that gives it no scope at all, if one does.
}

// owns reports whether c may see what belongs to app: its own, or all as an admin.
func (c *Caller) owns(app string) bool { return c.App == app || c.Scopes&ScopeAdmin != 0 }

// need refuses a caller that lacks one of the scopes, naming the rule.
func (c *Caller) need(scopes Scope) error {
	missing := scopes &^ c.Scopes
	if missing == ScopeNone {
		return nil
	}
	if c.refused != "" {
		f := fail(apitype.CodeForbidden, "No application in apps claims uid %d or one of its groups, and apps_only refuses everybody else.", c.UID)
		f.rule = c.refused
		return f
	}
	f := fail(apitype.CodeForbidden, "This needs the scope %s, which application %s (uid %d) does not have.", missing, c.App, c.UID)
	f.rule = c.member.rule("scopes")
	return f
}

// A connection is what its context keeps of a connection: the peer is asked for once, its application again after each
// reload.
type connection struct {
	accounts *Accounts
	peer     peer
	caller   atomic.Pointer[Caller]
}

// current is the caller by the configuration in force.
func (c *connection) current() *Caller {
	t := c.accounts.table.Load()
	if caller := c.caller.Load(); caller != nil && caller.table == t {
		return caller
	}
	caller := c.accounts.identify(t, c.peer)
	c.caller.Store(caller)
	return caller
}

// connectionKey is where a connection's context keeps its *connection.
type connectionKey struct{}

// connContext identifies the peer once a connection.
func (s *Server) connContext(ctx context.Context, conn net.Conn) context.Context {
	return withPeer(ctx, s.accounts, peerOfConn(conn))
}

// withPeer is ctx for what p asks.
func withPeer(ctx context.Context, accounts *Accounts, p peer) context.Context {
	return context.WithValue(ctx, connectionKey{}, &connection{accounts: accounts, peer: p})
}

// callerOf returns who asks on the connection that ctx belongs to: every request's context does.
func callerOf(ctx context.Context) *Caller {
	if c, ok := ctx.Value(connectionKey{}).(*connection); ok {
		return c.current()
	}
	panic("api: a context without its connection")
}
