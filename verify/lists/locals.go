package lists

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/verimails/verimaild/verify/address"
)

// localNames are local-parts: whole ones, and beginnings and ends that are set off by a separator.
// The value says whether the name is on the list or was taken off it.
type localNames struct {
	whole  map[string]bool
	prefix map[string]bool // With the hyphen at its end.
	suffix map[string]bool // With the hyphen at its start.
}

func newLocalNames() localNames {
	return localNames{whole: make(map[string]bool), prefix: make(map[string]bool), suffix: make(map[string]bool)}
}

// add puts pattern on the list or takes it off, in the syntax of data/roles.txt: a hyphen stands for any separator or none,
// an asterisk at either end for anything.
func (n localNames) add(pattern string, on bool) error {
	word := strings.ToLower(pattern)
	names := n.whole
	start, end := strings.HasPrefix(word, "*-"), strings.HasSuffix(word, "-*")
	switch {
	case start && end:
		return fmt.Errorf("%q: an asterisk may stand at one end only", pattern)
	case start:
		names, word = n.suffix, word[1:]
	case end:
		names, word = n.prefix, word[:len(word)-1]
	}
	bare := strings.Trim(word, "-")
	if _, err := address.Parse(bare + "@example.com"); err != nil || strings.ContainsAny(bare, `*"+_.`) {
		return fmt.Errorf("%q is not a name for a local part: write words joined by hyphens, without @, + or quotation marks", pattern)
	}
	names[word] = on
	joined := strings.ReplaceAll(bare, "-", "")
	names[strings.Replace(word, bare, joined, 1)] = on
	return nil
}

// lookup reports whether local, from foldLocal, is listed, and whether the list has anything to say about it.
// Whole names go before beginnings and ends.
func (n localNames) lookup(local string) (listed, ruled bool) {
	if on, ok := n.whole[local]; ok {
		return on, true
	}
	if on, ok := n.whole[withoutDigits(local)]; ok {
		return on, true
	}
	if on, ok := n.whole[withoutQualifier(local)]; ok {
		return on, true
	}
	return n.lookupEnds(local)
}

func (n localNames) lookupEnds(local string) (listed, ruled bool) {
	if len(n.prefix)+len(n.suffix) == 0 {
		return false, false
	}
	for i := 1; i < len(local)-1; i++ {
		if local[i] != '-' {
			continue
		}
		if on, ok := n.prefix[local[:i+1]]; ok {
			return on, true
		}
		if on, ok := n.suffix[local[i:]]; ok {
			return on, true
		}
	}
	return false, false
}

// foldLocal puts a local-part into the form in which names are kept: lower case, hyphens for separators.
func foldLocal(local string) string {
	if isFolded(local) {
		return local
	}
	return strings.Map(func(r rune) rune {
		if r == '_' || r == '.' {
			return '-'
		}
		return r
	}, strings.ToLower(local))
}

func isFolded(local string) bool {
	for i := range len(local) {
		if c := local[i]; c == '_' || c == '.' || 'A' <= c && c <= 'Z' || c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// withoutDigits drops up to two digits from the end, if at least four letters are left: info2, sales01, but not hr1 or route66x.
func withoutDigits(local string) string {
	stem := strings.TrimRight(local, "0123456789")
	if len(local)-len(stem) > 2 || len(stem) < 4 {
		return local
	}
	return strings.TrimSuffix(stem, "-")
}

// withoutQualifier drops a last word that only says where or who of those that the words before it name: info-de, sales-team.
func withoutQualifier(local string) string {
	if i := strings.LastIndexByte(local, '-'); i > 0 && isQualifier(local[i+1:]) {
		return local[:i]
	}
	return local
}

func isQualifier(word string) bool {
	switch word {
	case "team", "desk", "dept", "department", "group", "office", "hq",
		"int", "intl", "international", "global", "eu", "europe", "emea", "apac", "asia", "latam", "na", "dach",
		"ar", "at", "au", "be", "br", "ca", "ch", "cl", "cn", "co", "cz", "de", "dk", "es", "fi", "fr", "gr", "hk", "hu", "ie", "il", "in", "it",
		"jp", "kr", "mx", "nl", "no", "nz", "pe", "pl", "pt", "ro", "rs", "ru", "se", "sg", "sk", "tr", "tw", "ua", "uk", "us", "usa", "za":
		return true
	}
	return false
}
