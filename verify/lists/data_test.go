package lists

import (
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/publicsuffix"

	"github.com/verimails/verimaild/verify/address"
)

// The domain lists must be what the loader takes them for: canonical, sorted, without repetition or public suffix,
// and disjoint.
func TestEmbeddedDomains(t *testing.T) {
	on := make(map[string]string)
	for _, l := range domainLists {
		_, names, err := readEmbedded(l.list, l.file)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.IsSorted(names) {
			t.Errorf("%s is not sorted", l.file)
		}
		for _, name := range names {
			checkDomain(t, l.file, name)
			if on[name] != "" {
				t.Errorf("%s is in %s and in %s", name, on[name], l.file)
			}
			on[name] = l.file
		}
	}
}

func checkDomain(t *testing.T, file, name string) {
	t.Helper()
	if d, err := address.ParseDomain(name); err != nil || d.ASCII() != name {
		t.Errorf("%s: %q is not a canonical domain: %q, %v", file, name, d, err)
	}
	if suffix, _ := publicsuffix.PublicSuffix(name); suffix == name {
		t.Errorf("%s: %s is a public suffix", file, name)
	}
}

// A provider that everybody knows must never be called disposable or a relay, nor anything above it.
func TestEmbeddedListsSpareProviders(t *testing.T) {
	b, err := readBuiltin()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"gmail.com", "googlemail.com", "outlook.com", "hotmail.com", "live.com", "msn.com", "yahoo.com", "ymail.com", "aol.com", "icloud.com", "me.com",
		"gmx.de", "gmx.net", "web.de", "t-online.de", "freenet.de", "mailbox.org", "posteo.de", "proton.me", "protonmail.com", "tutanota.com", "fastmail.com",
		"orange.fr", "free.fr", "laposte.net", "libero.it", "wp.pl", "seznam.cz", "mail.ru", "yandex.ru", "qq.com", "163.com", "naver.com", "uol.com.br",
		"comcast.net", "verizon.net", "bigpond.com", "btinternet.com", "hey.com", "zoho.com",
	} {
		if got := (domainNames{builtin: b.domains}).lookup(name); got != free {
			t.Errorf("%s is on lists %b, want the free providers only", name, got)
		}
	}
}

func TestEmbeddedLocalParts(t *testing.T) {
	for _, name := range []string{"data/roles.txt", "data/noreply.txt"} {
		_, names, err := readEmbedded("", name)
		if err != nil {
			t.Fatal(err)
		}
		seen := make(map[string]bool)
		for _, n := range names {
			if seen[n] || n != strings.ToLower(n) {
				t.Errorf("%s: %q stands there twice or in upper case", name, n)
			}
			seen[n] = true
		}
	}
}

// Given names that look like roles in some language. People with these names must not be taken for one.
func TestGivenNamesAreNoRoles(t *testing.T) {
	b, err := readBuiltin()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"ada", "adam", "alan", "alex", "ali", "amy", "ana", "andrea", "anna", "art", "bea", "ben", "bill", "bob", "brad", "carol", "chris", "cora", "dale", "dan",
		"dean", "dell", "drew", "elena", "eva", "faith", "felix", "frank", "gene", "grace", "grant", "guy", "hans", "heather", "hope", "ida", "ian", "ira", "ivan",
		"jan", "jean", "jim", "joan", "john", "jose", "joy", "kim", "lee", "leo", "lin", "lon", "lou", "luca", "luis", "maria", "mark", "max", "may", "mia", "mike",
		"nina", "noa", "nora", "olga", "oscar", "page", "pat", "penny", "ray", "rich", "rob", "rose", "ruth", "sam", "sara", "skip", "sky", "stella", "sue", "ted",
		"tim", "tom", "ute", "vera", "victor", "viola", "wade", "will", "yan", "zoe",
	} {
		if on, _ := b.roles.lookup(name); on {
			t.Errorf("%q is a role, want a person's name", name)
		}
	}
}

// Every package that a list names as its source has its licence's text beside the list.
func TestLicencesAreThere(t *testing.T) {
	for _, l := range domainLists {
		v, _, err := readEmbedded(l.list, l.file)
		if err != nil {
			t.Fatal(err)
		}
		packages, ok := strings.CutPrefix(v.Source, "npm ")
		if !ok {
			continue
		}
		for p := range strings.SplitSeq(strings.TrimSuffix(packages, ", cleaned by verify/lists/refresh"), ", ") {
			name, _, _ := strings.Cut(p, " ")
			text, err := os.ReadFile("data/licences/" + name + ".txt")
			if err != nil || len(text) < 500 {
				t.Errorf("licence of %s: %d octets, %v", name, len(text), err)
			}
		}
	}
}
