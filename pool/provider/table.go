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

// A Table is a set of providers, compiled for matching. It never changes and is safe for concurrent use.
type Table struct {
	version  string
	rows     []*Provider
	byID     map[string]*Provider
	patterns []pattern // Most specific first.
	consumer map[string]bool
}

// builtin is the embedded table. A fault in it is a fault of the program, which every test would find.
var builtin = sync.OnceValue(func() *Table {
	t, err := Load()
	if err != nil {
		panic(err)
	}
	return t
})

// Match is Table.Match of the built-in table.
func Match(hosts []string) (p *Provider, mixed bool) { return builtin().Match(hosts) }

// ByID is Table.ByID of the built-in table.
func ByID(id string) *Provider { return builtin().ByID(id) }

// RefusesUnknown is Table.RefusesUnknown of the built-in table.
func RefusesUnknown(domain string) bool { return builtin().RefusesUnknown(domain) }

// Load compiles the built-in rows together with extra ones. An extra row whose ID is known changes the fields
// that it sets and keeps the others; one with a new ID is added. The error names the row and its key.
func Load(extra ...Provider) (*Table, error) {
	version, rows, err := Parse(embedded)
	if err != nil {
		return nil, fmt.Errorf("built-in providers: %w", err)
	}
	at := make(map[string]int, len(rows))
	for i := range rows {
		at[rows[i].ID] = i
	}
	for _, x := range extra {
		if i, ok := at[x.ID]; ok {
			rows[i] = merge(rows[i], x)
			continue
		}
		at[x.ID] = len(rows)
		rows = append(rows, x)
	}
	return compile(version, rows)
}

// compile checks rows and prepares them for matching.
func compile(version string, rows []Provider) (*Table, error) {
	t := &Table{version: version, byID: make(map[string]*Provider), consumer: make(map[string]bool)}
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

// Version is the date of the built-in rows.
func (t *Table) Version() string { return t.version }

// ByID returns the provider called id, or nil.
func (t *Table) ByID(id string) *Provider { return t.byID[id] }

// RefusesUnknown reports whether domain (A-labels) is a consumer domain known to refuse unknown recipients,
// so that asking it about a made-up one costs a refusal and teaches nothing.
func (t *Table) RefusesUnknown(domain string) bool { return t.consumer[strings.ToLower(domain)] }

// Match returns the provider whose patterns match every one of the hosts, or nil. Hosts are compared without
// regard to case and a final dot. mixed reports that some host belongs to a provider and another does not, or
// belongs to another one: such a domain is nobody's, because either may answer.
func (t *Table) Match(hosts []string) (p *Provider, mixed bool) {
	for i, h := range hosts {
		q := t.host(h)
		if i > 0 && q != p {
			return nil, true
		}
		p = q
	}
	return p, false
}

// host returns the provider of one mail host, or nil.
func (t *Table) host(name string) *Provider {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	for i := range t.patterns {
		if t.patterns[i].match(name) {
			return t.patterns[i].provider
		}
	}
	return nil
}
