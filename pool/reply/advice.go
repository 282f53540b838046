package reply

import (
	"bytes"
	_ "embed"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
)

//go:embed advice.yaml
var adviceFile []byte

// An Advice is what an operator can do about a reply.
type Advice struct {
	Who   string   // Who refuses, if that is known: a list, a provider.
	Check string   // Where to see the state of an address; "" if there is no such page.
	Fix   []string // What to do, in order; at least one sentence.
}

// adviceBook is the form of advice.yaml.
type adviceBook struct {
	Lists []struct {
		Marks []string `yaml:"marks"`
		Rules []string `yaml:"rules"`
		Who   string   `yaml:"who"`
		Check string   `yaml:"check"`
		Fix   []string `yaml:"fix"`
	} `yaml:"lists"`
	Meanings map[string][]string `yaml:"meanings"`
}

// advices is the embedded advice. A fault in it is a fault of the program, which every test would find.
var advices = sync.OnceValue(func() *adviceBook {
	dec := yaml.NewDecoder(bytes.NewReader(adviceFile))
	dec.KnownFields(true)
	b := new(adviceBook)
	if err := dec.Decode(b); err != nil {
		panic(err)
	}
	return b
})

// Advise returns what an operator can do about a reply with this meaning and text.
func Advise(m Meaning, text string) Advice {
	b := advices()
	a := Advice{Fix: b.Meanings[string(m.Class)]}
	if fix, ok := b.Meanings[string(m.Detail)]; ok && m.Detail != "" {
		a.Fix = fix
	}
	if !m.namesSomeone() {
		return a
	}
	text = strings.ToLower(text)
	for _, e := range b.Lists {
		if containsAny(text, e.Marks) || fitsAny(m.Rule, e.Rules) {
			return Advice{Who: e.Who, Check: e.Check, Fix: e.Fix}
		}
	}
	return a
}

// namesSomeone reports whether a reply with this meaning is some list's or provider's doing about the source, so
// that there is somewhere to turn to.
func (m Meaning) namesSomeone() bool {
	switch m.Detail {
	case "", DetailBlockListed, DetailHarvest:
	default:
		return false
	}
	return m.Class == SourceBlocked || m.Class == RateLimited && m.Scope != ScopeMailbox && m.Scope != ScopeSession
}

func containsAny(text string, marks []string) bool {
	for _, m := range marks {
		if strings.Contains(text, m) {
			return true
		}
	}
	return false
}

// fitsAny reports whether name is one of names, or begins as one with a * at its end.
func fitsAny(name string, names []string) bool {
	for _, n := range names {
		if head, ok := strings.CutSuffix(n, "*"); ok && strings.HasPrefix(name, head) || n == name {
			return true
		}
	}
	return false
}
