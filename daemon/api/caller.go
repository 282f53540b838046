package api

import (
	"context"
	"net"
	"strings"
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

// DefaultApp is the application of a caller that no other one claims.
const DefaultApp = "default"

// A Caller is the process at the other end of a connection, as the kernel vouches for it: the credentials are
// those with which it connected, and nothing that it sends can change them.
type Caller struct {
	PID    int   // 0 if unknown, or if it lives in a PID namespace that we can't see into.
	UID    int   // -1 if unknown.
	GID    int   // -1 if unknown.
	Groups []int // Supplementary groups.

	App    string
	Scopes Scope
}

// unknownCaller is the caller on a connection that carries no credentials.
func unknownCaller() Caller { return Caller{UID: -1, GID: -1} }

// identify says who is calling on conn, and what it may do. root and our own user are admins.
func (s *Server) identify(conn net.Conn) *Caller {
	c := peerOf(conn)
	c.App = DefaultApp
	c.Scopes = ScopeVerify | ScopeJobs
	if c.UID == 0 || c.UID == s.self {
		c.Scopes |= ScopeAdmin
	}
	return &c
}

// callerKey is where a connection's context keeps its *Caller.
type callerKey struct{}

// connContext identifies the caller once a connection.
func (s *Server) connContext(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, callerKey{}, s.identify(conn))
}

// callerOf returns the caller that connContext put into ctx.
func callerOf(ctx context.Context) *Caller {
	if c, ok := ctx.Value(callerKey{}).(*Caller); ok {
		return c
	}
	c := unknownCaller()
	c.App = DefaultApp
	return &c
}
