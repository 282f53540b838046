package reply

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"sync"

	"go.yaml.in/yaml/v3"
)

//go:embed rules/*.yaml
var ruleFiles embed.FS

// A Table is an ordered set of rules, compiled for reading replies. It never changes and is safe for
// concurrent use.
type Table struct {
	rules     []Rule
	conds     []condition // Of rules, by index.
	byName    map[string]int
	auto      *automaton
	pieces    []pieceUse      // By the piece ids of auto.
	words     map[string]bool // The words that rules use, to put cut ones together.
	openWords map[string]bool // Those that may go on with digits, such as LPN.
	hosts     map[string]signal
	lists     [][]signal         // By signal: the word lists that it belongs to.
	starts    [][]uint16         // By signal: the rules to look at once it is there.
	always    ruleSet            // The rules without words.
	fit       [stages][4]ruleSet // By stage and first digit (2 to 5): the rules that may be met.
	names     []string           // By signal: how a rule writes it.
	signs     [signCount]signal  // The signals of {ip} and its like; 0 if no rule asks.
}

// A file is the form of a rule file.
type file struct {
	Terms map[string][]string `yaml:"terms"` // Alternatives, for <name>.
	Words map[string][]string `yaml:"words"` // Word lists, for $name.
	Rules []Rule              `yaml:"rules"`
}

// builtin is the table without an operator's rules. A fault in it is a fault of the program, which every test
// would find.
var builtin = sync.OnceValue(func() *Table {
	t, err := Compile(nil)
	if err != nil {
		panic(err)
	}
	return t
})

// Builtin returns the table of the built-in rules.
func Builtin() *Table { return builtin() }

// Compile returns the table of the built-in rules behind those of the operator, which therefore win. The error
// names every rule at fault and its key: one that is malformed, that breaks the laws of reading (such as a dead
// mailbox before RCPT), or that can never decide because of itself or of an earlier rule.
func Compile(operator []Rule) (*Table, error) {
	f, err := load(ruleFiles)
	if err != nil {
		return nil, err
	}
	c := newCompiler(f.Words, f.Terms)
	for i := range operator {
		c.add(operator[i])
	}
	for i := range f.Rules {
		c.add(f.Rules[i])
	}
	return c.table()
}

// load reads the rule files in the order of their names.
func load(fsys fs.FS) (file, error) {
	all := file{Terms: make(map[string][]string), Words: make(map[string][]string)}
	names, err := fs.Glob(fsys, "rules/*.yaml")
	if err != nil {
		return all, err
	}
	var errs []error
	for _, name := range names {
		b, err := fs.ReadFile(fsys, name)
		if err != nil {
			return all, err
		}
		dec := yaml.NewDecoder(bytes.NewReader(b))
		dec.KnownFields(true)
		var f file
		if err := dec.Decode(&f); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", path.Base(name), err))
		}
		maps.Copy(all.Terms, f.Terms)
		maps.Copy(all.Words, f.Words)
		all.Rules = append(all.Rules, f.Rules...)
	}
	return all, errors.Join(errs...)
}

// Rule returns the rule called name, as it was written.
func (t *Table) Rule(name string) (Rule, bool) {
	i, ok := t.byName[name]
	if !ok {
		return Rule{}, false
	}
	return t.rules[i], true
}
