// Package lists knows names: domains that are disposable, privacy relays or public mail providers, and local-parts that name
// a role or say that nobody reads them.
//
// Most of the names are compiled in (directory data, with source, date and licence on top of each file); an operator's files
// add to them and take away from them. A name says nothing about whether a mailbox exists.
package lists

import (
	"sync/atomic"

	"github.com/verimails/verimaild/verify/address"
)

// Names says what is known of an address by its name alone.
type Names struct {
	// Disposable: the domain hands out throw-away addresses. Never true together with PrivacyRelay.
	Disposable bool
	// PrivacyRelay: the domain forwards to an address that its owner keeps private.
	PrivacyRelay bool
	// Role: the local-part names a role, such as info or sales, or nobody (see NoReply).
	Role bool
	// FreeProvider: the domain is a public mail provider. Its mailboxes are people's, not a company's.
	FreeProvider bool
	// NoReply: the local-part says that nobody reads it.
	NoReply bool
}

// Lists answers Lookup. It is made by New. Its methods may be called concurrently.
type Lists struct {
	builtin *builtin
	current atomic.Pointer[snapshot]
}

// A snapshot is everything that one Lookup needs. It is never changed.
type snapshot struct {
	domains  domainNames
	roles    localNames // The operator's; they go before the built-in ones.
	versions []Version
}

// New reads the lists that are compiled in and the operator's files. Its errors are those of Reload.
func New(opts Options) (*Lists, error) {
	b, err := readBuiltin()
	if err != nil {
		return nil, err
	}
	l := &Lists{builtin: b}
	if err := l.Reload(opts); err != nil {
		return nil, err
	}
	return l, nil
}

// Reload reads the operator's files and puts them in force in place of those of New or of the last Reload, all at once.
// If any of them is at fault, nothing changes; the error joins all faults, each with file and line.
// Of several Reloads at a time, the last to finish stands.
func (l *Lists) Reload(opts Options) error {
	s, err := l.builtin.with(opts)
	if err != nil {
		return err
	}
	l.current.Store(s)
	return nil
}

// Lookup says what is known of a by its name. It takes no lock, and allocates at most a copy of the local-part.
// A literal has no domain to be known.
func (l *Lists) Lookup(a address.Address) Names {
	s := l.current.Load()
	kinds := s.domains.lookup(a.Domain().ASCII())
	n := Names{
		Disposable:   kinds&disposable != 0,
		PrivacyRelay: kinds&relay != 0,
		FreeProvider: kinds&free != 0,
	}
	local := foldLocal(a.Base())
	n.NoReply, _ = l.builtin.noReply.lookup(local)
	listed, ruled := s.roles.lookup(local)
	if !ruled {
		listed, _ = l.builtin.roles.lookup(local)
		listed = listed || n.NoReply
	}
	n.Role = listed
	return n
}

// Versions says which lists are in force, what they came from, and what the operator changed.
func (l *Lists) Versions() []Version { return append([]Version(nil), l.current.Load().versions...) }
