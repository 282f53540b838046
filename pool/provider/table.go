package provider

import (
	"cmp"
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"sync"
)

//go:embed providers.yaml
var embedded []byte

// A table is a set of providers, compiled for matching. It never changes and is safe for concurrent use.
type table struct {
	rows     []*Provider
	byID     map[string]*Provider
	patterns []pattern // Most specific first.
	consumer map[string]bool
}

// builtin is the embedded table. A fault in it is a fault of the program, which every test would find.
var builtin = sync.OnceValue(func() *table {
	_, rows, err := parse(embedded)
	if err != nil {
		panic(err)
	}
	t, err := compile(rows)
	if err != nil {
		panic(err)
	}
	return t
})

// Match returns the provider whose patterns match every one of the hosts, or nil. Hosts are compared without
// regard to case and a final dot. mixed reports that some host belongs to a provider and another does not, or
// belongs to another one: such a domain is nobody's, because either may answer.
func Match(hosts []string) (p *Provider, mixed bool) {
	for i, h := range hosts {
		q := builtin().host(h)
		if i > 0 && q != p {
			return nil, true
		}
		p = q
	}
	return p, false
}

// ByID returns the provider called id, or nil.
func ByID(id string) *Provider { return builtin().byID[id] }

// RefusesUnknown reports whether domain (A-labels) is a consumer domain known to refuse unknown recipients,
// so that asking it about a made-up one costs a refusal and teaches nothing.
func RefusesUnknown(domain string) bool { return builtin().consumer[strings.ToLower(domain)] }

// compile checks rows and prepares them for matching.
func compile(rows []Provider) (*table, error) {
	t := &table{byID: make(map[string]*Provider), consumer: make(map[string]bool)}
	owner := make(map[string]string)
	for i := range rows {
		p := &rows[i]
		if err := check(p); err != nil {
			return nil, err
		}
		if t.byID[p.ID] != nil {
			return nil, fmt.Errorf("provider %s: id: there is another row of that name", p.ID)
		}
		p.Mode, p.Controls = cmp.Or(p.Mode, ModeProbe), cmp.Or(p.Controls, ControlsNormal)
		t.rows, t.byID[p.ID] = append(t.rows, p), p
		for _, s := range p.MX {
			pat, err := parsePattern(s)
			if err != nil {
				return nil, fmt.Errorf("provider %s: mx: %w", p.ID, err)
			}
			if o := owner[pat.text]; o != "" {
				return nil, fmt.Errorf("provider %s: mx: %s belongs to %s already", p.ID, s, o)
			}
			owner[pat.text] = p.ID
			pat.provider = p
			t.patterns = append(t.patterns, pat)
		}
		for _, d := range p.Consumer {
			t.consumer[strings.ToLower(d)] = true
		}
	}
	slices.SortStableFunc(t.patterns, pattern.compare)
	return t, nil
}

// host returns the provider of one mail host, or nil.
func (t *table) host(name string) *Provider {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	for i := range t.patterns {
		if t.patterns[i].match(name) {
			return t.patterns[i].provider
		}
	}
	return nil
}
