package provider

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
)

// A pattern matches host names at label boundaries:
//
//	mx.yandex.ru     this host
//	*.google.com     any host below google.com, and not google.com itself
//	mx*.qq.com       a * beside other characters stays within its label
type pattern struct {
	text     string
	labels   []string // Without the leading *.
	below    bool     // Began with *.
	globs    int      // Labels with a *.
	provider *Provider
}

func parsePattern(s string) (pattern, error) {
	p := pattern{text: strings.ToLower(s)}
	rest, below := strings.CutPrefix(p.text, "*.")
	p.below = below
	p.labels = strings.Split(rest, ".")
	if len(p.labels) < 2 {
		return pattern{}, fmt.Errorf("%q: needs two labels at least", s)
	}
	for _, l := range p.labels {
		switch strings.Count(l, "*") {
		case 0:
		case 1:
			p.globs++
		default:
			return pattern{}, fmt.Errorf("%q: one * a label", s)
		}
		if l == "" {
			return pattern{}, fmt.Errorf("%q: empty label", s)
		}
	}
	if strings.Trim(rest, "abcdefghijklmnopqrstuvwxyz0123456789-_.*") != "" || strings.Contains(p.labels[len(p.labels)-1], "*") {
		return pattern{}, errors.New(s + ": not a host name pattern")
	}
	return p, nil
}

// match reports whether name, in lower case and without a final dot, is one of p's.
func (p *pattern) match(name string) bool {
	for i := len(p.labels) - 1; i >= 0; i-- {
		dot := strings.LastIndexByte(name, '.')
		if !matchLabel(p.labels[i], name[dot+1:]) {
			return false
		}
		if dot < 0 {
			return i == 0 && !p.below
		}
		name = name[:dot]
	}
	return p.below && name != ""
}

// matchLabel matches one label, in which one * stands for anything.
func matchLabel(pattern, label string) bool {
	before, after, ok := strings.Cut(pattern, "*")
	if !ok {
		return pattern == label
	}
	return len(label) >= len(before)+len(after) && strings.HasPrefix(label, before) && strings.HasSuffix(label, after)
}

// compare puts the more specific pattern first: whole names before open ones, more labels before fewer, plain
// labels before those with a *.
func (p pattern) compare(q pattern) int {
	if p.below != q.below {
		if q.below {
			return -1
		}
		return 1
	}
	if c := cmp.Compare(len(q.labels), len(p.labels)); c != 0 {
		return c
	}
	return cmp.Compare(p.globs, q.globs)
}

// A HostPattern matches mail hosts as the patterns of a row do. The zero HostPattern matches none.
type HostPattern struct{ pattern pattern }

// ParseHostPattern reads a pattern such as mx.example.net, *.example.net or mx*.example.net.
func ParseHostPattern(s string) (HostPattern, error) {
	p, err := parsePattern(s)
	return HostPattern{p}, err
}

// MatchAll reports whether every one of names, which are lower case, matches; not if there are none.
func (h *HostPattern) MatchAll(names []string) bool {
	for _, name := range names {
		if !h.pattern.match(name) {
			return false
		}
	}
	return len(names) > 0
}
