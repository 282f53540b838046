package config

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestEveryKey holds what each field of the tree must have.
func TestEveryKey(t *testing.T) {
	tree().all(func(k *key) {
		if k.path != "" {
			t.Run(k.path, func(t *testing.T) { testKey(t, k) })
		}
	})
}

func testKey(t *testing.T, k *key) {
	if d := k.doc(); !strings.HasSuffix(d, ".") {
		t.Errorf("its comment %q is not a sentence", d)
	}
	if k.reload != reloadLive && k.reload != reloadRestart {
		t.Errorf("reload = %q, want live or restart", k.reload)
	}
	if k.leaf() && k.shape == value && !k.hasDef && k.example == "" {
		t.Error("it has neither a default nor an example")
	}
	if k.leaf() {
		k.defaultValue() // Panics if the tag is wrong, or out of its range.
	}
}

// TestVariables holds that no variable stands for two keys.
func TestVariables(t *testing.T) {
	paths := map[string]string{fileVariable: "the file", socketVariable: "the client's socket"}
	tree().all(func(k *key) {
		if !k.leaf() {
			return
		}
		if other := paths[variable(k.path)]; other != "" {
			t.Errorf("%s stands for %s and for %s", variable(k.path), k.path, other)
		}
		paths[variable(k.path)] = k.path
	})
}

// A later configuration is a tree with what keys to come will need: sites with limits, and defaults of sources.
type later struct {
	Limits Limits      `mapstructure:"limits" reload:"live"`
	Sites  []laterSite `mapstructure:"sites" reload:"live"`
	Ages   Ages        `mapstructure:"ages" default:"soft=1h,hard=2h" reload:"restart"`
}

type laterSite struct {
	Match  laterMatch `mapstructure:"match"`
	Mode   string     `mapstructure:"mode" enum:"probe,weak"`
	Limits Limits     `mapstructure:"limits"`
}

type laterMatch struct {
	Provider string `mapstructure:"provider"`
	MX       string `mapstructure:"mx"`
}

// TestAnyTree shows that a key is one field: a tree that loading has never seen is read by its tags alone.
func TestAnyTree(t *testing.T) {
	schema := newSchema(reflect.TypeFor[later]())
	text := "sites:\n  - {match: {mx: \"*.Example.net\"}, mode: weak, limits: {sessions: 0, idle: 30s}}\n"
	values, faults := fromText(schema, text, &origin{places: map[string]place{}})
	if faults != nil {
		t.Fatal(faults)
	}
	var got later
	if err := merge(schema, root, values, map[string]any{"limits.sessions": 9}, &got); err != nil {
		t.Fatal(err)
	}
	if s := got.Limits.Sessions; s == nil || *s != 9 {
		t.Errorf("limits.sessions = %v, want 9, of the environment", s)
	}
	if got.Ages != (Ages{Soft: time.Hour, Hard: 2 * time.Hour}) {
		t.Errorf("ages = %v, want those of the tag", got.Ages)
	}
	site := got.Sites[0]
	want := laterSite{
		Match: laterMatch{MX: "*.Example.net"}, Mode: "weak",
		Limits: Limits{Sessions: new(0), Idle: new(30 * time.Second)}, // What is absent stays nil: it inherits.
	}
	if !reflect.DeepEqual(site, want) {
		t.Errorf("site = %+v, want %+v", site, want)
	}

	_, faults = fromText(schema, "sites: [{match: {provder: google}, mode: weka, limits: {sesions: 1, idle: 5}}]", &origin{places: map[string]place{}})
	var keys []string
	for _, f := range faults {
		keys = append(keys, f.Key)
	}
	if want := []string{"sites[0].match.provder", "sites[0].mode", "sites[0].limits.sesions", "sites[0].limits.idle"}; !slices.Equal(keys, want) {
		t.Errorf("faults at %q, want %q", keys, want)
	}
}

func TestNewSchemaRefuses(t *testing.T) {
	for _, row := range []struct {
		name string
		typ  reflect.Type
	}{
		{"a map", reflect.TypeFor[struct {
			M map[string]int `mapstructure:"m"`
		}]()},
		{"a range of another type", reflect.TypeFor[struct {
			D time.Duration `mapstructure:"d" range:"1..2"`
		}]()},
	} {
		t.Run(row.name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("newSchema did not panic")
				}
			}()
			newSchema(row.typ)
		})
	}
}

func TestNearest(t *testing.T) {
	words := []string{"sender", "sources", "sessions", "session_age", "ipv4", "ipv6", "level", "info", "warn", "max_sessions"}
	for _, row := range []struct{ word, want string }{
		{"sendr", "sender"},
		{"SENDER", "sender"},
		{"sedner", "sender"},
		{"session-age", "session_age"},
		{"sesions", "sessions"},
		{"ip4", "ipv4"},
		{"warning", ""},
		{"infos", "info"},
		{"x", ""},
		{"", ""},
		{"completely_different", ""},
		{strings.Repeat("sender", 100), ""},
	} {
		t.Run(row.word, func(t *testing.T) {
			if got := nearest(row.word, words); got != row.want {
				t.Errorf("nearest(%q) = %q, want %q", row.word, got, row.want)
			}
		})
	}
}

func TestPart(t *testing.T) {
	words := []string{"max", "servers", "timeout"}
	for _, row := range []struct{ word, want string }{
		{"nameservers", "servers"},
		{"DNS_TIMEOUT", "timeout"},
		{"max_age", ""},
		{"", ""},
		{strings.Repeat("servers", 100), ""},
	} {
		t.Run(row.word, func(t *testing.T) {
			if got := part(row.word, words); got != row.want {
				t.Errorf("part(%q) = %q, want %q", row.word, got, row.want)
			}
		})
	}
}
