package config

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// didYouMean is the hint for a name that section k does not have: the nearest of its keys; else the same name, or
// nearly, elsewhere in the tree; else a key that is a part of the name; else nothing.
func didYouMean(root, k *key, name string) string {
	var here []string
	for _, c := range k.keys {
		here = append(here, c.name)
	}
	if near := nearest(name, here); near != "" {
		return suggestion(near)
	}
	paths := root.paths()
	if slices.Contains(paths, name) { // Dots do not nest in YAML.
		first, rest, _ := strings.Cut(name, ".")
		return "keys nest: write " + strconv.Quote(rest) + " under " + strconv.Quote(first)
	}
	for _, p := range paths {
		if strings.HasSuffix(p, "."+name) {
			return suggestion(p)
		}
	}
	return suggestion(cmp.Or(nearest(name, paths), part(name, here)))
}

// paths are those of all keys below k that have one of their own.
func (k *key) paths() []string {
	var paths []string
	k.all(func(c *key) {
		if c.path != "" && !c.list {
			paths = append(paths, c.path)
		}
	})
	return paths
}

// nearestValue is the hint for a value that is not one of k's.
func (k *key) nearestValue(text string) string {
	return suggestion(cmp.Or(nearest(text, k.enum), part(text, k.enum)))
}

func suggestion(s string) string {
	if s == "" {
		return ""
	}
	return "did you mean " + strconv.Quote(s) + "?"
}

// maxWord is the longest word for which something near is looked for: the time grows with the square.
const maxWord = 64

// nearest is the candidate with the fewest differences from word, letter case aside, or "" if all differ in more than
// a third of it.
func nearest(word string, candidates []string) string {
	if len(word) > maxWord {
		return ""
	}
	word = strings.ToLower(strings.ReplaceAll(word, "-", "_"))
	best, least := "", max(1, len(word)/3)+1
	for _, c := range candidates {
		if d := differences(word, strings.ToLower(c)); d < least {
			best, least = c, d
		}
	}
	return best
}

// part is the first candidate that is a part of word, or "". Short ones do not count: "a" is a part of most.
func part(word string, candidates []string) string {
	const tooShort = 3
	if len(word) > maxWord {
		return ""
	}
	for _, c := range candidates {
		if len(c) > tooShort && strings.Contains(strings.ToLower(word), c) {
			return c
		}
	}
	return ""
}

// differences counts the letters to add, drop, change or swap with their neighbour to get from a to b: the optimal
// string alignment distance.
func differences(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row[0] = i + 1
		for j := range len(b) {
			change := last[j]
			if a[i] != b[j] {
				change++
			}
			row[j+1] = min(change, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
