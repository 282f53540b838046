package address

import (
	"strings"

	"golang.org/x/net/publicsuffix"
)

// Suggest returns the well-known mail domain that d looks like a slip of the keyboard for, such as gmail.com for gmial.com.
// It knows names only: it asks nobody whether d exists, and it never suggests for a domain that is well known itself.
// A suggestion is for a person to take or leave; d stays what was asked about.
//
// The rules prefer silence. A short name differs from too many others by one letter, so names under five letters are never
// suggested for another name; those of five only for a slip that fingers make (neighbours swapped, a letter lost or doubled,
// a neighbouring key); longer ones for any one edit; from nine letters on for two. A top-level domain is corrected only
// where the one given does not exist, or for a few domains that are known to have a single home.
func Suggest(d Domain) (Domain, bool) {
	name, rest, ok := strings.Cut(d.name, ".")
	if !ok || isReal(d.name) {
		return Domain{}, false
	}
	exists := isSuffix(rest)
	best, bestCost := "", 0
	for _, target := range wellKnown {
		if name[0] != target[0] && name[0] != target[1] {
			continue // As nameCost would find.
		}
		want, wantRest, _ := strings.Cut(target, ".")
		n := nameCost(name, want)
		if n < 0 {
			continue
		}
		r := restCost(rest, wantRest, exists, hasSingleHome(target))
		if r < 0 {
			continue
		}
		if cost := n + r; best == "" || cost < bestCost {
			best, bestCost = target, cost
		}
	}
	if best != "" {
		return Domain{best}, true
	}
	return correctTLD(d)
}

// correctTLD corrects a top-level domain that does not exist and is a known slip for one that does.
func correctTLD(d Domain) (Domain, bool) {
	dot := strings.LastIndexByte(d.name, '.')
	tld := slipOf(d.name[dot+1:])
	if tld == "" {
		return Domain{}, false
	}
	return Domain{d.name[:dot+1] + tld}, true
}

// nameCost is the number of edits from the well-known label want to got, or -1 if that is too many to be a slip.
func nameCost(got, want string) int {
	if got == want {
		return 0
	}
	n := len(want)
	limit := 1
	if n >= 9 {
		limit = 2
	}
	if n < 5 || len(got) < n-limit || len(got) > n+limit {
		return -1
	}
	if got[0] != want[0] && !swappedStart(got, want) && (n < 7 || got != want[1:]) {
		return -1 // The first letter is the one that people look at.
	}
	cost := editDistance(got, want)
	if cost > limit {
		return -1
	}
	if n == 5 && !isFingerSlip(got, want) {
		return -1
	}
	return cost
}

// restCost is the same for what follows the first dot. Exists says that there is such a top-level domain or public suffix;
// singleHome, that the owner of the well-known domain has no other.
func restCost(got, want string, exists, singleHome bool) int {
	switch {
	case got == want:
		return 0
	case singleHome && (got == "co" || got == "cm" || got == "om"):
		return 1
	case exists:
		return -1 // Another country's domain, most likely.
	case len(want) < 3 || editDistance(got, want) != 1:
		return -1
	case lastLabel(got) != lastLabel(want) && isSuffix(lastLabel(got)):
		return -1 // The same, below a suffix that is not public.
	}
	return 1
}

func lastLabel(s string) string { return s[strings.LastIndexByte(s, '.')+1:] }

// isSuffix reports whether name is a top-level domain or a suffix under which a registry hands out names.
func isSuffix(name string) bool {
	suffix, icann := publicsuffix.PublicSuffix(name)
	return icann && suffix == name
}

// swappedStart reports whether got is want with its first two letters swapped.
func swappedStart(got, want string) bool {
	return len(got) == len(want) && got[0] == want[1] && got[1] == want[0]
}

// isFingerSlip reports whether the one edit that leads from want to got is one that fingers make.
func isFingerSlip(got, want string) bool {
	i := 0
	for i < len(got) && i < len(want) && got[i] == want[i] {
		i++
	}
	switch len(got) - len(want) {
	case -1: // A letter was lost.
		return true
	case 0:
		swapped := i+1 < len(want) && got[i] == want[i+1] && got[i+1] == want[i]
		return swapped || areNear(got[i], want[i])
	default: // A letter came in: doubled, or hit together with its neighbour.
		return areNear(got[i], want[min(i, len(want)-1)]) || i > 0 && areNear(got[i], want[i-1])
	}
}

// areNear reports whether a is easily typed for b: the same key, a neighbouring one, or one that looks or sounds alike.
func areNear(a, b byte) bool {
	if a == b {
		return true
	}
	return strings.IndexByte(neighbours(a), b) >= 0 || strings.IndexByte(neighbours(b), a) >= 0
}

// neighbours lists what lies beside a key of a QWERTY keyboard, each pair at least once, and what looks or sounds like it.
func neighbours(key byte) string {
	switch key {
	case 'a':
		return "qwsze"
	case 'c':
		return "xdfv"
	case 'e':
		return "wsdri"
	case 'g':
		return "ftyhbv"
	case 'h':
		return "gyujnb"
	case 'i':
		return "ujkol1y"
	case 'j':
		return "huikmn"
	case 'k':
		return "jiolm"
	case 'l':
		return "kop1"
	case 'm':
		return "njk"
	case 'n':
		return "bhjm"
	case 'o':
		return "iklp0u9"
	case 'r':
		return "edft"
	case 's':
		return "awedxz"
	case 't':
		return "rfgy"
	case 'u':
		return "yhji"
	case 'v':
		return "cfgb"
	case 'y':
		return "tghu"
	}
	return ""
}

// editDistance is the number of letters to insert, delete, replace or swap with their neighbour between a and b
// (Damerau and Levenshtein, in the restricted form that edits no place twice). Both are short.
func editDistance(a, b string) int {
	const size = 20 // The well-known are shorter.
	if len(a) >= size || len(b) >= size {
		return size
	}
	var rows [3][size]int8 // Row i, the one before, and the one before that, by i modulo 3.
	for j := range len(b) + 1 {
		rows[0][j] = int8(j)
	}
	for i := 1; i <= len(a); i++ {
		row, prev, prev2 := &rows[i%3], &rows[(i+2)%3], &rows[(i+1)%3]
		row[0] = int8(i)
		for j := 1; j <= len(b); j++ {
			cost := int8(1)
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(prev[j]+1, row[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], prev2[j-2]+1)
			}
		}
	}
	return int(rows[len(a)%3][len(b)])
}
