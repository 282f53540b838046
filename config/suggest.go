package config

import (
	"slices"
	"strconv"
	"strings"
)

// didYouMean is the hint for a name that section k does not have: the nearest of its keys; else the same name, or
// nearly, elsewhere in the tree; else nothing.
func didYouMean(root, k *key, name string) string {
	var here, paths []string
	for _, c := range k.keys {
		here = append(here, c.name)
	}
	if near := nearest(name, here); near != "" {
		return "did you mean " + strconv.Quote(near) + "?"
	}
	root.all(func(c *key) {
		if c.name != "" && !c.list {
			paths = append(paths, c.path)
		}
	})
	if slices.Contains(paths, name) { // Dots do not nest in YAML.
		first, rest, _ := strings.Cut(name, ".")
		return "keys nest: write " + strconv.Quote(rest) + " under " + strconv.Quote(first)
	}
	for _, p := range paths {
		if last := p[strings.LastIndexByte(p, '.')+1:]; last == name {
			return "did you mean " + strconv.Quote(p) + "?"
		}
	}
	if near := nearest(name, paths); near != "" {
		return "did you mean " + strconv.Quote(near) + "?"
	}
	return ""
}

// nearestValue is the hint for a value that is not one of k's.
func (k *key) nearestValue(text string) string {
	if near := nearest(text, k.enum); near != "" {
		return "did you mean " + strconv.Quote(near) + "?"
	}
	return ""
}

// nearest is the candidate with the fewest differences from word, letter case aside; or, if all differ in more than a
// third of it, the first that is a part of word; or "".
func nearest(word string, candidates []string) string {
	const longest = 64 // No key is longer, and the time grows with the square.
	if len(word) > longest {
		return ""
	}
	word = strings.ToLower(strings.ReplaceAll(word, "-", "_"))
	best, least := "", max(1, len(word)/3)+1
	for _, c := range candidates {
		if d := differences(word, strings.ToLower(c)); d < least {
			best, least = c, d
		}
	}
	if best != "" {
		return best
	}
	const tooShort = 4 // Anything holds "a" or "max".
	for _, c := range candidates {
		if len(c) >= tooShort && strings.Contains(word, c) {
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
