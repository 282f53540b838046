package reply

import (
	"errors"
	"fmt"
	"slices"
)

// checkReach reports the rules that can never decide: their own conditions exclude each other, or an earlier
// rule is met by every reply that meets them.
func (c *compiler) checkReach() {
	if len(c.errs) > 0 {
		return // A rule that was not understood would seem to be met by everything.
	}
	t := c.t
	for i := range t.conds {
		r, cond := &t.rules[i], &t.conds[i]
		if key, err := cond.contradiction(t.lists); err != nil {
			c.fail(r, key, err)
			continue
		}
		for j := range i {
			if t.conds[j].covers(cond, t.lists) {
				c.fail(r, "name", fmt.Errorf("it can never decide: rule %q comes first and is met by every reply that meets it", t.rules[j].Name))
				break
			}
		}
	}
}

// contradiction says why no reply can meet c, and by which key; nil if one can.
func (c *condition) contradiction(lists [][]signal) (key string, err error) {
	agrees := func(e enhancedPattern) bool {
		return e[0] == noNumber || slices.ContainsFunc(c.codes, func(p codePattern) bool { return e[0].has(int(p[0] - '0')) })
	}
	for _, e := range c.enhanced {
		if !agrees(e) {
			return "enhanced", fmt.Errorf("its class %d is that of none of the codes", e[0].low)
		}
	}
	for _, set := range c.all {
		excluded := func(s signal) bool {
			return slices.ContainsFunc(c.not, func(n signal) bool { return n == s || slices.Contains(lists[s], n) })
		}
		if len(set) > 0 && !slices.ContainsFunc(set, func(s signal) bool { return !excluded(s) }) {
			return "not", errors.New("it excludes what words or any asks for")
		}
	}
	return "", nil
}
