package lists

import (
	"strings"

	"golang.org/x/net/publicsuffix"
)

// A kind is a set of the lists that a domain can be on.
type kind uint8

const (
	disposable kind = 1 << iota
	relay
	free
)

// A ruling is what the operator says about a domain: on these lists, and not on those.
type ruling struct{ on, off kind }

// domainNames are the domains of all lists. A name stands for itself and for everything below it.
type domainNames struct {
	builtin  map[string]kind
	operator map[string]ruling
}

// lookup returns the lists that name is on. What the operator says about a name or the nearest one above it goes before
// what is built in.
//
// A relay wins over disposable: mail to it is read. Unless the operator has called disposable what only we call a relay.
func (d domainNames) lookup(name string) kind {
	var builtin, on, off kind
	for name != "" {
		if r, ok := d.operator[name]; ok {
			on |= r.on &^ off
			off |= r.off &^ on
		}
		builtin |= d.builtin[name]
		_, name, _ = strings.Cut(name, ".")
	}
	kinds := on | builtin&^off
	switch {
	case kinds&(disposable|relay) != disposable|relay:
		return kinds
	case on&disposable != 0 && on&relay == 0:
		return kinds &^ relay
	default:
		return kinds &^ disposable
	}
}

// isPublicSuffix reports whether name is one under which strangers register their own, such as com.ar or github.io.
// Listing it would list them all.
func isPublicSuffix(name string) bool {
	suffix, _ := publicsuffix.PublicSuffix(name)
	return suffix == name
}
