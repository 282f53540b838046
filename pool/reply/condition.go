package reply

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/verimails/verimaild/pool/smtp"
)

// stages is how many steps of the dialogue rules can tell apart.
const stages = 7

// stageNames is the order of the bits in a stageSet.
var stageNames = [stages]smtp.Stage{
	smtp.StageConnect, smtp.StageEHLO, smtp.StageSTARTTLS, smtp.StageMAIL, smtp.StageRCPT, smtp.StageRSET, smtp.StageQUIT,
}

type stageSet uint8

const (
	allStages stageSet = 1<<stages - 1
	rcptOnly  stageSet = 1 << 4
)

// stageIndex is the place of s in stageNames, or that of RSET, which is about nobody.
func stageIndex(s smtp.Stage) int {
	for i := range stageNames {
		if stageNames[i] == s {
			return i
		}
	}
	return 5
}

// A condition is a Rule's conditions, compiled. All of its parts must be met.
type condition struct {
	stages    stageSet
	codes     []codePattern
	enhanced  []enhancedPattern // None means any.
	providers []string
	all       [][]signal // Of each set, one signal must be there.
	not       []signal
}

// A codePattern is three digits, any of which may be open.
type codePattern [3]byte

func parseCode(s string) (codePattern, error) {
	var p codePattern
	if len(s) != 3 || s[0] < '2' || s[0] > '5' {
		return p, fmt.Errorf("%q: want three digits such as 550, 55z or 5yz", s)
	}
	for i := range 3 {
		switch c := s[i]; {
		case '0' <= c && c <= '9':
			p[i] = c
		case i > 0 && (c == 'y' || c == 'z'):
			p[i] = '?'
		default:
			return p, fmt.Errorf("%q: want three digits such as 550, 55z or 5yz", s)
		}
	}
	return p, nil
}

// covers reports whether every code of q is one of p's.
func (p codePattern) covers(q codePattern) bool {
	for i := range 3 {
		if p[i] != '?' && p[i] != q[i] {
			return false
		}
	}
	return true
}

// A numberRange is one number of an enhancedPattern, from low to high.
type numberRange struct{ low, high int }

var (
	anyNumber = numberRange{0, 999}
	noNumber  = numberRange{-1, -1} // In all three places: the pattern of a reply without an enhanced code.
)

func (r numberRange) has(n int) bool { return r.low <= n && n <= r.high }
func (r numberRange) covers(other numberRange) bool {
	return r.low <= other.low && other.high <= r.high
}

// An enhancedPattern is an enhanced code of which any number may be open.
type enhancedPattern [3]numberRange

// parseEnhanced reads a pattern such as 5.1.1, x.7.z or x.7.500-699, or none.
func parseEnhanced(s string) (enhancedPattern, error) {
	if s == "none" {
		return enhancedPattern{noNumber, noNumber, noNumber}, nil
	}
	wrong := fmt.Errorf("%q: want a code such as 5.1.1, x.1.1, x.7.z or x.7.500-699, or none", s)
	parts := strings.Split(s, ".")
	if len(parts) != 3 {
		return enhancedPattern{}, wrong
	}
	var p enhancedPattern
	for i, part := range parts {
		if part == "x" || part == "y" || part == "z" {
			p[i] = anyNumber
			continue
		}
		low, high, isRange := strings.Cut(part, "-")
		if !isRange {
			high = low
		}
		a, errA := strconv.Atoi(low)
		b, errB := strconv.Atoi(high)
		if errA != nil || errB != nil || a < 0 || a > b || b > 999 || i == 0 && (a != b || a != 2 && a != 4 && a != 5) {
			return enhancedPattern{}, wrong
		}
		p[i] = numberRange{a, b}
	}
	return p, nil
}

func (p enhancedPattern) match(e smtp.EnhancedCode) bool {
	if p[0] == noNumber {
		return e.Class == 0
	}
	return e.Class != 0 && p[0].has(int(e.Class)) && p[1].has(int(e.Subject)) && p[2].has(int(e.Detail))
}

func (p enhancedPattern) covers(q enhancedPattern) bool {
	return p[0].covers(q[0]) && p[1].covers(q[1]) && p[2].covers(q[2])
}

// met reports whether the reply that s has read meets c.
func (c *condition) met(s *scan, code codePattern, provider string) bool {
	if !slices.ContainsFunc(c.codes, func(p codePattern) bool { return p.covers(code) }) {
		return false
	}
	if len(c.enhanced) > 0 && !slices.ContainsFunc(c.enhanced, func(p enhancedPattern) bool { return p.match(s.enhanced) }) {
		return false
	}
	if len(c.providers) > 0 && !slices.Contains(c.providers, provider) {
		return false
	}
	for _, set := range c.all {
		if !slices.ContainsFunc(set, s.has) {
			return false
		}
	}
	return !slices.ContainsFunc(c.not, s.has)
}

// covers reports whether every reply that meets d meets c, as far as their form shows. lists tells of a signal
// to which word lists it belongs.
func (c *condition) covers(d *condition, lists [][]signal) bool {
	return c.coversCodes(d) && c.coversWords(d, lists)
}

// coversCodes is covers for all but the words.
func (c *condition) coversCodes(d *condition) bool {
	same := func(a, b string) bool { return a == b }
	switch {
	case c.stages&d.stages != d.stages, !coversAll(c.codes, d.codes, codePattern.covers):
		return false
	case len(c.enhanced) > 0 && (len(d.enhanced) == 0 || !coversAll(c.enhanced, d.enhanced, enhancedPattern.covers)):
		return false
	case len(c.providers) > 0 && (len(d.providers) == 0 || !coversAll(c.providers, d.providers, same)):
		return false
	default:
		return true
	}
}

// coversWords is covers for the words: each set that c wants is wanted by d too, and what c excludes, d excludes.
func (c *condition) coversWords(d *condition, lists [][]signal) bool {
	within := func(a, b signal) bool { return a == b || slices.Contains(lists[b], a) }
	for _, set := range c.all {
		implied := func(other []signal) bool { return coversAll(set, other, within) }
		if !slices.ContainsFunc(d.all, implied) {
			return false
		}
	}
	contained := func(a, b signal) bool { return a == b || slices.Contains(lists[a], b) }
	for _, n := range c.not {
		if !slices.ContainsFunc(d.not, func(m signal) bool { return contained(n, m) }) {
			return false
		}
	}
	return true
}

// coversAll reports whether each of bs is covered by one of as.
func coversAll[T any](as, bs []T, covers func(a, b T) bool) bool {
	for _, b := range bs {
		if !slices.ContainsFunc(as, func(a T) bool { return covers(a, b) }) {
			return false
		}
	}
	return true
}
